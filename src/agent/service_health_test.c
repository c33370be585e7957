/* SPDX-License-Identifier: Apache-2.0 */
/* Real servers on real ports; rows come and go. */
#include "src/agent/service_health.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>
#include "src/base/clock.h"
#include "src/model/lb.h"

struct world {
	uv_loop_t loop;
	struct tables tables;
	struct store *store;
	struct controllers *controllers;
	struct controller *controller;
	struct service_health *health;
};

static int set_up(void **state)
{
	struct world *world = g_new0(struct world, 1);

	uv_loop_init(&world->loop);
	world->store = tables_new(&world->tables);
	world->controllers = controllers_new();
	world->controller = controller_new(world->controllers, "x", "x", 0);
	world->health =
		service_health_new(&world->loop, world->store, &world->tables, world->controller);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	service_health_free(world->health);
	uv_run(&world->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&world->loop), 0);
	store_free(world->store);
	controllers_free(world->controllers);
	g_free(world);
	return 0;
}

static int listen_on(uint16_t port)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

/* One that nobody has at the moment. */
static uint16_t free_port(void)
{
	int fd = listen_on(0);
	struct sockaddr_in6 address;
	socklen_t n_bytes = sizeof(address);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &n_bytes), 0);
	close(fd);
	return ntohs(address.sin6_port);
}

/* A row of the service: n_local active back ends of this node, and of each other kind one. */
static void put(struct world *world, const char *name, const char *suffix, uint16_t port,
		unsigned int n_local)
{
	struct lb_plan_backend backends[20] = {};
	g_autofree char *key = g_strconcat("shop/", name, ":", suffix, NULL);
	struct lb_service fields = {
		.namespace = "shop",
		.name = name,
		.health_check_node_port = port,
		.backends = backends,
	};
	struct txn *txn = txn_new(world->store);

	for (unsigned int i = 0; i < n_local; i++)
		backends[i].flags = LB_BACKEND_F_LOCAL;
	fields.n_backends = n_local;
	backends[fields.n_backends++].flags = LB_BACKEND_F_IN_ALL; /* of another node */
	backends[fields.n_backends].flags = LB_BACKEND_F_LOCAL;
	backends[fields.n_backends++].state = LB_BACKEND_QUARANTINED;
	for (unsigned int i = 0; i < fields.n_backends; i++)
		backends[i].addr.bytes[15] = i;
	txn_put(txn, world->tables.lb_services, &lb_service_new(key, &fields)->row);
	txn_commit(txn);
	store_settle(world->store);
}

static void remove_row(struct world *world, const char *key)
{
	struct txn *txn = txn_new(world->store);

	txn_remove(txn, world->tables.lb_services, key, strlen(key));
	txn_commit(txn);
	store_settle(world->store);
}

static int connect_to(int family, uint16_t port)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
				  .sin6_port = htons(port),
				  .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err = family == AF_INET ? connect(fd, (struct sockaddr *)&v4, sizeof(v4))
				    : connect(fd, (struct sockaddr *)&v6, sizeof(v6));

	if (!err)
		return fd;
	close(fd);
	return -1;
}

/* The whole answer; "" where nobody listens. */
static char *ask(struct world *world, int family, uint16_t port, const char *method)
{
	g_autofree char *request =
		g_strdup_printf("%s /any HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", method);
	GString *answer = g_string_new(NULL);
	int64_t end_ns = clock_monotonic_ns() + 10 * NSEC_PER_SEC;
	int fd = connect_to(family, port);
	char buffer[1000];
	ssize_t n = -1;

	if (fd < 0)
		return g_string_free(answer, FALSE);
	assert_int_equal(send(fd, request, strlen(request), 0), (ssize_t)strlen(request));
	while (n && clock_monotonic_ns() < end_ns) {
		uv_run(&world->loop, UV_RUN_NOWAIT);
		n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
		if (n > 0)
			g_string_append_len(answer, buffer, n);
	}
	close(fd);
	return g_string_free(answer, FALSE);
}

static void assert_answer(struct world *world, uint16_t port, const char *status, const char *name,
			  unsigned int n_local)
{
	static const int families[] = {AF_INET, AF_INET6};

	for (size_t i = 0; i < G_N_ELEMENTS(families); i++) {
		g_autofree char *answer = ask(world, families[i], port, "GET");
		g_autofree char *weight =
			g_strdup_printf("\r\nX-Load-Balancing-Endpoint-Weight: %u\r\n", n_local);
		g_autofree char *body =
			g_strdup_printf("\r\n\r\n{\"service\":{\"namespace\":\"shop\",\"name\":"
					"\"%s\"},\"localEndpoints\":%u}",
					name, n_local);

		if (!g_str_has_prefix(answer, status) || !strstr(answer, weight) ||
		    !g_str_has_suffix(answer, body) ||
		    !strstr(answer, "\r\nContent-Type: application/json\r\n"))
			fail_msg("%s", answer);
	}
}

static void assert_silent(struct world *world, uint16_t port)
{
	g_autofree char *answer = ask(world, AF_INET, port, "GET");

	assert_string_equal(answer, "");
}

static void answers(void **state)
{
	struct world *world = *state;
	uint16_t port = free_port();
	g_autofree char *refusal = NULL;
	g_autofree char *head = NULL;

	put(world, "web", "80/TCP/4", 0, 1);
	put(world, "web", "80/TCP/4", port, 2);
	assert_answer(world, port, "HTTP/1.1 200 ", "web", 2);
	put(world, "web", "80/TCP/4", port, 0);
	assert_answer(world, port, "HTTP/1.1 503 ", "web", 0);
	refusal = ask(world, AF_INET, port, "POST");
	assert_true(g_str_has_prefix(refusal, "HTTP/1.1 405 "));
	assert_non_null(strstr(refusal, "\r\nAllow: GET, HEAD\r\n"));
	head = ask(world, AF_INET, port, "HEAD");
	assert_true(g_str_has_prefix(head, "HTTP/1.1 503 "));
	remove_row(world, "shop/web:80/TCP/4");
	assert_silent(world, port);
	assert_false(controller_is_failing(world->controller));
}

/* The pods of one service, seen in each of its rows: they count once. */
static void rows_of_a_service(void **state)
{
	struct world *world = *state;
	uint16_t port = free_port();

	put(world, "web", "80/TCP/4", port, 2);
	put(world, "web", "80/TCP/6", port, 3);
	put(world, "web", "443/TCP/4", port, 1);
	assert_answer(world, port, "HTTP/1.1 200 ", "web", 3);
	remove_row(world, "shop/web:80/TCP/6");
	assert_answer(world, port, "HTTP/1.1 200 ", "web", 2);
	remove_row(world, "shop/web:80/TCP/4");
	remove_row(world, "shop/web:443/TCP/4");
	assert_silent(world, port);
}

static void port_of_another(void **state)
{
	struct world *world = *state;
	uint16_t port = free_port();
	int fd = listen_on(port);

	put(world, "web", "80/TCP/4", port, 1);
	assert_true(controller_is_failing(world->controller));
	service_health_retry(world->health);
	assert_true(controller_is_failing(world->controller));
	close(fd);
	service_health_retry(world->health);
	assert_false(controller_is_failing(world->controller));
	assert_answer(world, port, "HTTP/1.1 200 ", "web", 1);
}

/* It fails no longer once nobody wants the port. */
static void port_of_another_is_given_up(void **state)
{
	struct world *world = *state;
	uint16_t port = free_port();
	int fd = listen_on(port);

	put(world, "web", "80/TCP/4", port, 1);
	assert_true(controller_is_failing(world->controller));
	remove_row(world, "shop/web:80/TCP/4");
	assert_false(controller_is_failing(world->controller));
	close(fd);
}

static void port_moves(void **state)
{
	struct world *world = *state;
	uint16_t port = free_port(), other = free_port();
	struct txn *txn;

	put(world, "web", "80/TCP/4", port, 1);
	put(world, "web", "80/TCP/4", other, 1);
	assert_silent(world, port);
	assert_answer(world, other, "HTTP/1.1 200 ", "web", 1);
	/* Another service has it in the same moment. */
	txn = txn_new(world->store);
	txn_remove(txn, world->tables.lb_services, "shop/web:80/TCP/4", 17);
	txn_commit(txn);
	put(world, "app", "80/TCP/4", other, 0);
	assert_answer(world, other, "HTTP/1.1 503 ", "app", 0);
	/* Two want one: the second waits. */
	put(world, "web", "80/TCP/4", other, 1);
	assert_true(controller_is_failing(world->controller));
	remove_row(world, "shop/app:80/TCP/4");
	assert_answer(world, other, "HTTP/1.1 200 ", "web", 1);
	assert_false(controller_is_failing(world->controller));
}

static void on_tick(uv_timer_t *timer)
{
}

/* Who cannot be accepted does not keep the agent busy, and is when there is a descriptor again. */
static void no_descriptors(void **state)
{
	struct world *world = *state;
	uint16_t port = free_port();
	/* Before there are none left. */
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	static const char request[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
	int64_t end_ns = clock_monotonic_ns() + NSEC_PER_SEC / 2;
	struct rlimit before, none;
	unsigned int n_turns = 0;
	uv_timer_t timer;
	ssize_t n = -1;
	char byte;

	put(world, "web", "80/TCP/4", port, 1);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	uv_timer_init(&world->loop, &timer);
	uv_timer_start(&timer, on_tick, 50, 50);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(send(fd, request, strlen(request), 0), (ssize_t)strlen(request));
	for (; clock_monotonic_ns() < end_ns; n_turns++)
		uv_run(&world->loop, UV_RUN_ONCE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_in_range(n_turns, 1, 200);
	for (end_ns += 10 * NSEC_PER_SEC; n < 0 && clock_monotonic_ns() < end_ns;) {
		uv_run(&world->loop, UV_RUN_ONCE);
		n = recv(fd, &byte, 1, MSG_DONTWAIT);
	}
	assert_int_equal(n, 1);
	close(fd);
	uv_close((uv_handle_t *)&timer, NULL);
	uv_run(&world->loop, UV_RUN_NOWAIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(answers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(rows_of_a_service, set_up, tear_down),
		cmocka_unit_test_setup_teardown(port_of_another, set_up, tear_down),
		cmocka_unit_test_setup_teardown(port_of_another_is_given_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(port_moves, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_descriptors, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
