/* SPDX-License-Identifier: Apache-2.0 */
/* Probes of real servers on the loopback. */
#include "src/agent/backend_probe.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>
#include "src/base/clock.h"
#include "src/base/intern.h"
#include "src/model/backend_health.h"
#include "src/model/lb.h"
#include "src/model/service.h"
#include "src/rpc/http_server.h"
#include "src/rpc/tcp_listen.h"

#define PATIENCE_NS (20 * NSEC_PER_SEC)

struct world {
	uv_loop_t loop;
	struct tables tables;
	struct store *store;
	struct controllers *controllers;
	struct controller *controller;
	struct backend_probes *probes;
	struct http_server *server;
	uint16_t port; /* of the server */
	unsigned int status;
	unsigned int n_asked;
	unsigned int n_saved;
	unsigned int n_unsaved; /* times that saving is yet to fail */
	char *asked;            /* "path host" of the last request */
};

static bool on_save(void *data)
{
	struct world *world = data;

	if (world->n_unsaved) {
		world->n_unsaved--;
		return false;
	}
	world->n_saved++;
	return true;
}

static void begin(struct world *world)
{
	world->probes = backend_probes_new(&(const struct backend_probes_parts){
		.loop = &world->loop,
		.store = world->store,
		.tables = &world->tables,
		.controller = world->controller,
		.save = on_save,
		.data = world,
	});
	store_settle(world->store);
}

static int set_up(void **state)
{
	struct world *world = g_new0(struct world, 1);

	uv_loop_init(&world->loop);
	world->store = tables_new(&world->tables);
	world->controllers = controllers_new();
	world->controller = controller_new(world->controllers, "x", "x", 0);
	world->status = 200;
	begin(world);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	backend_probes_free(world->probes);
	http_server_free(world->server);
	uv_run(&world->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&world->loop), 0);
	store_free(world->store);
	controllers_free(world->controllers);
	g_free(world->asked);
	g_free(world);
	return 0;
}

static void handle(const struct http_request *request, struct http_response *response, void *data)
{
	struct world *world = data;
	const char *host = http_request_header(request, "Host");

	world->n_asked++;
	response->status = world->status;
	g_free(world->asked);
	world->asked = g_strdup_printf("%s %s", request->path, host ? host : "-");
}

static uint16_t port_of(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
	} address;
	socklen_t n_bytes = sizeof(address);

	assert_int_equal(getsockname(fd, &address.any, &n_bytes), 0);
	return ntohs(address.v4.sin_port);
}

/* On the port that it had before, where it had one. */
static void serve(struct world *world)
{
	g_autofree char *address = g_strdup_printf("127.0.0.1:%u", world->port);
	int fd = tcp_listen(address, NULL);

	assert_true(fd >= 0);
	world->port = port_of(fd);
	world->server = http_server_new(&world->loop, fd, handle, world, NULL);
	assert_non_null(world->server);
}

static void stop_serving(struct world *world)
{
	http_server_free(world->server);
	world->server = NULL;
}

static struct addr loopback(unsigned int i)
{
	return addr_from_v4((struct in_addr){htonl(INADDR_LOOPBACK + i)});
}

static const struct service_health tcp = {
	.probe = HEALTH_PROBE_TCP,
	.interval_ms = 100,
	.timeout_ms = 50,
	.n_fail = 2,
	.n_recover = 1,
};

/* health NULL: none. Port 80. */
static void put_service(struct world *world, const char *name, const struct service_health *health,
			const char *path)
{
	struct service *service = (struct service *)row_new(&service_class);
	struct service_port port = {.protocol = IPPROTO_TCP, .port = 80};
	struct txn *txn = txn_new(world->store);

	object_meta_init_namespaced(&service->meta, "shop", name);
	service_add_port(service, &port);
	if (health) {
		service->health = g_new(struct service_health, 1);
		*service->health = *health;
		service->health->path = intern_new(path);
	}
	txn_put(txn, world->tables.services, &service->row);
	txn_commit(txn);
	store_settle(world->store);
}

/* n back ends from 127.0.0.1 on. */
static void put_row(struct world *world, const char *name, const char *key, unsigned int n,
		    const struct lb_plan_backend *like)
{
	g_autofree struct lb_plan_backend *backends = g_new0(struct lb_plan_backend, n);
	struct lb_service fields = {
		.namespace = "shop",
		.name = name,
		.protocol = strstr(key, "UDP") ? IPPROTO_UDP : IPPROTO_TCP,
		.backends = backends,
		.n_backends = n,
	};
	struct txn *txn = txn_new(world->store);

	for (unsigned int i = 0; i < n; i++) {
		backends[i] = *like;
		backends[i].addr = loopback(i);
	}
	txn_put(txn, world->tables.lb_services, &lb_service_new(key, &fields)->row);
	txn_commit(txn);
	store_settle(world->store);
}

static void put_one(struct world *world)
{
	struct lb_plan_backend like = {.port = world->port};

	put_row(world, "web", "shop/web:80/TCP/4", 1, &like);
}

static void remove_row(struct world *world, const char *key)
{
	struct txn *txn = txn_new(world->store);

	txn_remove(txn, world->tables.lb_services, key, strlen(key));
	txn_commit(txn);
	store_settle(world->store);
}

static unsigned int n_down(const struct world *world)
{
	return table_n_rows(world->tables.backend_health);
}

static void on_patience(uv_timer_t *timer)
{
	*(bool *)timer->data = true;
}

static void run_until(struct world *world, bool (*condition)(const struct world *world))
{
	bool is_over = false;
	uv_timer_t timer;

	uv_timer_init(&world->loop, &timer);
	timer.data = &is_over;
	uv_timer_start(&timer, on_patience, PATIENCE_NS / NSEC_PER_MSEC, 0);
	while (!condition(world) && !is_over)
		uv_run(&world->loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&timer, NULL);
	uv_run(&world->loop, UV_RUN_NOWAIT);
	assert_false(is_over);
}

static bool one_is_down(const struct world *world)
{
	return n_down(world) == 1;
}

static bool none_is_down(const struct world *world)
{
	return n_down(world) == 0;
}

static bool five_are_good(const struct world *world)
{
	return backend_probes_get_counts(world->probes).n_good >= 5;
}

static bool is_saved(const struct world *world)
{
	return world->n_saved > 0;
}

static bool copy_reason(const struct row *row, void *data)
{
	*(const char **)data = ((const struct backend_health *)row)->reason;
	return false;
}

static const char *reason(const struct world *world)
{
	const char *text = NULL;

	table_foreach (world->tables.backend_health, copy_reason, &text)
		;
	return text;
}

static unsigned int n_targets(const struct world *world)
{
	return backend_probes_get_counts(world->probes).n_targets;
}

static void connects(void **state)
{
	struct world *world = *state;
	struct backend_health_key key;
	struct addr addr = loopback(0);

	serve(world);
	put_service(world, "web", &tcp, NULL);
	put_one(world);
	assert_int_equal(n_targets(world), 1);
	run_until(world, five_are_good);
	assert_int_equal(n_down(world), 0);
	stop_serving(world);
	run_until(world, one_is_down);
	assert_string_equal(reason(world), "connect: Connection refused");
	key = backend_health_key_new(&addr, world->port, IPPROTO_TCP, "shop/web");
	assert_non_null(table_get(world->tables.backend_health, &key, sizeof(key)));
	assert_int_equal(backend_probes_get_counts(world->probes).n_down, 1);
	assert_true(backend_probes_get_counts(world->probes).n_bad >= 2);
	run_until(world, is_saved);
	serve(world);
	run_until(world, none_is_down);
	assert_false(controller_is_failing(world->controller));
	assert_int_equal(world->n_asked, 0);
}

static void asks_http(void **state)
{
	struct world *world = *state;
	struct service_health http = tcp;
	g_autofree char *asked = NULL;

	http.probe = HEALTH_PROBE_HTTP;
	http.timeout_ms = 90;
	serve(world);
	world->status = 399;
	put_service(world, "web", &http, "/healthz");
	put_one(world);
	run_until(world, five_are_good);
	assert_int_equal(n_down(world), 0);
	asked = g_strdup_printf("/healthz 127.0.0.1:%u", world->port);
	assert_string_equal(world->asked, asked);
	world->status = 400;
	run_until(world, one_is_down);
	assert_string_equal(reason(world), "HTTP status 400");
	world->status = 200;
	run_until(world, none_is_down);
}

/* Whoever takes the connection and says nothing, or something else. */
static void not_http(void **state)
{
	static const char *const answers[] = {NULL, "", "SSH-2.0-OpenSSH_9.2\r\n"};
	static const char *const reasons[] = {"HTTP: no answer within 50 ms",
					      "HTTP: closed without an answer",
					      "HTTP: the answer is not HTTP"};
	struct world *world = *state;
	struct service_health http = tcp;
	int fd = tcp_listen("127.0.0.1:0", NULL);

	http.probe = HEALTH_PROBE_HTTP;
	world->port = port_of(fd);
	put_service(world, "web", &http, "/");
	for (size_t i = 0; i < G_N_ELEMENTS(answers); i++) {
		put_one(world);
		while (!n_down(world)) {
			int peer = accept(fd, NULL, NULL);
			char request[1000];

			uv_run(&world->loop, UV_RUN_ONCE);
			if (peer < 0 || !answers[i])
				continue;
			(void)!recv(peer, request, sizeof(request), 0);
			(void)!send(peer, answers[i], strlen(answers[i]), MSG_NOSIGNAL);
			close(peer);
		}
		assert_string_equal(reason(world), reasons[i]);
		remove_row(world, "shop/web:80/TCP/4");
		run_until(world, none_is_down);
	}
	close(fd);
}

/* As where the disk is full. */
static void saving_is_tried_again(void **state)
{
	struct world *world = *state;

	serve(world);
	stop_serving(world);
	world->n_unsaved = 1;
	put_service(world, "web", &tcp, NULL);
	put_one(world);
	run_until(world, is_saved);
	assert_int_equal(world->n_unsaved, 0);
	assert_int_equal(n_down(world), 1);
}

/* Who is not asked any more is not down. */
static void stops(void **state)
{
	struct world *world = *state;

	serve(world);
	stop_serving(world);
	put_one(world);
	assert_int_equal(n_targets(world), 0);
	put_service(world, "web", &tcp, NULL);
	assert_int_equal(n_targets(world), 1);
	run_until(world, one_is_down);
	put_service(world, "web", NULL, NULL);
	assert_int_equal(n_targets(world), 0);
	run_until(world, none_is_down);
	put_service(world, "web", &tcp, NULL);
	run_until(world, one_is_down);
	remove_row(world, "shop/web:80/TCP/4");
	assert_int_equal(n_targets(world), 0);
	run_until(world, none_is_down);
}

/* Gone and back before what that comes to is in the table: as any other that is new, it is found down again. */
static void gone_and_back(void **state)
{
	struct world *world = *state;

	serve(world);
	stop_serving(world);
	put_service(world, "web", &tcp, NULL);
	put_one(world);
	run_until(world, one_is_down);
	remove_row(world, "shop/web:80/TCP/4");
	put_one(world);
	assert_int_equal(backend_probes_get_counts(world->probes).n_down, 0);
	run_until(world, none_is_down);
	run_until(world, one_is_down);
	/* The annotation likewise. */
	put_service(world, "web", NULL, NULL);
	put_service(world, "web", &tcp, NULL);
	run_until(world, none_is_down);
	run_until(world, one_is_down);
}

static void who_is_asked(void **state)
{
	struct world *world = *state;
	struct lb_plan_backend like = {.port = 1};
	struct lb_plan_backend ending = {.port = 2, .state = LB_BACKEND_TERMINATING};

	put_service(world, "web", &tcp, NULL);
	put_service(world, "app", &tcp, NULL);
	put_service(world, "quiet", NULL, NULL);
	put_row(world, "web", "shop/web:80/TCP/4", 2, &like);
	assert_int_equal(n_targets(world), 2);
	/* Another port of it with the same back ends. */
	put_row(world, "web", "shop/web:81/TCP/4", 2, &like);
	assert_int_equal(n_targets(world), 2);
	/* Another service. */
	put_row(world, "app", "shop/app:80/TCP/4", 2, &like);
	assert_int_equal(n_targets(world), 4);
	put_row(world, "quiet", "shop/quiet:80/TCP/4", 2, &like);
	put_row(world, "web", "shop/web:82/UDP/4", 2, &like);
	put_row(world, "web", "shop/web:83/TCP/4", 2, &ending);
	put_row(world, "web", "hostport/shop/web:80/TCP/4", 3, &like);
	assert_int_equal(n_targets(world), 4);
	remove_row(world, "shop/web:80/TCP/4");
	assert_int_equal(n_targets(world), 4);
	put_row(world, "web", "shop/web:81/TCP/4", 1, &like);
	assert_int_equal(n_targets(world), 3);
	remove_row(world, "shop/web:81/TCP/4");
	remove_row(world, "shop/app:80/TCP/4");
	assert_int_equal(n_targets(world), 0);
}

static void put_health(struct world *world, uint16_t port, const char *service_key)
{
	struct backend_health *row = (struct backend_health *)row_new(&backend_health_class);
	struct addr addr = loopback(0);
	struct txn *txn = txn_new(world->store);

	row->key = backend_health_key_new(&addr, port, IPPROTO_TCP, service_key);
	row->reason = g_strdup("of the agent before");
	txn_put(txn, world->tables.backend_health, &row->row);
	txn_commit(txn);
}

/* What the agent before found down is so until it answers; what nobody asks about goes. */
static void next_agent(void **state)
{
	struct service_health patient = tcp;
	struct world *world;

	tear_down(state);
	world = g_new0(struct world, 1);
	uv_loop_init(&world->loop);
	world->store = tables_new(&world->tables);
	world->controllers = controllers_new();
	world->status = 200;
	*state = world;
	serve(world);
	put_health(world, world->port, "shop/web");
	put_health(world, world->port, "shop/gone");
	patient.n_recover = 3;
	put_service(world, "web", &patient, NULL);
	put_one(world);
	begin(world);
	assert_int_equal(backend_probes_get_counts(world->probes).n_down, 1);
	run_until(world, one_is_down);
	assert_true(backend_probes_get_counts(world->probes).n_good < 3);
	run_until(world, none_is_down);
	assert_int_equal(backend_probes_get_counts(world->probes).n_good, 3);
}

/* Back ends of shop/web, none of which listens. */
static void put_dead(struct world *world, unsigned int n)
{
	struct lb_plan_backend like = {};

	serve(world);
	like.port = world->port;
	stop_serving(world);
	put_service(world, "web", &tcp, NULL);
	put_row(world, "web", "shop/web:80/TCP/4", n, &like);
}

static bool all_are_down(const struct world *world)
{
	return n_down(world) == 1000;
}

static void a_thousand(void **state)
{
	struct world *world = *state;

	put_dead(world, 1000);
	run_until(world, all_are_down);
	remove_row(world, "shop/web:80/TCP/4");
	run_until(world, none_is_down);
}

/* Many are due at once: others have their turn in between. */
static void a_turn_is_short(void **state)
{
	struct world *world = *state;

	put_dead(world, 400);
	g_usleep(tcp.interval_ms * 1000);
	uv_run(&world->loop, UV_RUN_NOWAIT);
	assert_in_range(backend_probes_get_counts(world->probes).n_bad, 1, 100);
}

static bool is_failing(const struct world *world)
{
	return controller_is_failing(world->controller);
}

static bool is_well(const struct world *world)
{
	return !controller_is_failing(world->controller);
}

/* A lack of our own is no fault of a back end. */
static void no_descriptors(void **state)
{
	struct world *world = *state;
	struct rlimit before, none;

	serve(world);
	put_service(world, "web", &tcp, NULL);
	put_one(world);
	run_until(world, five_are_good);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	run_until(world, is_failing);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(n_down(world), 0);
	run_until(world, is_well);
	assert_int_equal(n_down(world), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(connects, set_up, tear_down),
		cmocka_unit_test_setup_teardown(asks_http, set_up, tear_down),
		cmocka_unit_test_setup_teardown(not_http, set_up, tear_down),
		cmocka_unit_test_setup_teardown(saving_is_tried_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(stops, set_up, tear_down),
		cmocka_unit_test_setup_teardown(gone_and_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_is_asked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(next_agent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_thousand, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_turn_is_short, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_descriptors, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
