/* SPDX-License-Identifier: Apache-2.0 */
/* One probe, and what befalls it. */
#include "src/agent/probe.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "src/base/clock.h"
#include "src/rpc/http_server.h"
#include "src/rpc/tcp_listen.h"

#define TIMEOUT_MS 250

struct world {
	uv_loop_t loop;
	struct http_server *server;
	uint16_t port;
	bool is_done;
	char *failure; /* NULL: it went well */
};

static void answer(const struct http_request *request, struct http_response *response, void *data)
{
	g_string_append(response->body, "well");
}

static uint16_t port_of(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in6 v6;
	} address;
	socklen_t n_bytes = sizeof(address);

	assert_int_equal(getsockname(fd, &address.any, &n_bytes), 0);
	return ntohs(address.v6.sin6_port);
}

static int set_up(void **state)
{
	struct world *world = g_new0(struct world, 1);
	int fd = tcp_listen(":0", NULL);

	assert_true(fd >= 0);
	uv_loop_init(&world->loop);
	world->port = port_of(fd);
	world->server = http_server_new(&world->loop, fd, answer, NULL, NULL);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	http_server_free(world->server);
	uv_run(&world->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&world->loop), 0);
	g_free(world->failure);
	g_free(world);
	return 0;
}

static void on_done(const char *failure, void *data)
{
	struct world *world = data;

	assert_false(world->is_done);
	world->is_done = true;
	world->failure = g_strdup(failure);
}

static const struct service_health healths[] = {
	{.probe = HEALTH_PROBE_TCP, .timeout_ms = TIMEOUT_MS},
	{.probe = HEALTH_PROBE_HTTP, .timeout_ms = TIMEOUT_MS, .path = "/healthz"},
};

static struct probe *start(struct world *world, const char *address,
			   const struct service_health *health)
{
	struct addr addr;
	int err = 0;
	struct probe *probe;

	assert_int_equal(addr_parse(address, &addr), 0);
	g_clear_pointer(&world->failure, g_free);
	world->is_done = false;
	probe = probe_start(&world->loop, &addr, world->port, health, on_done, world, &err);
	assert_int_equal(err, 0);
	assert_non_null(probe);
	assert_false(world->is_done);
	return probe;
}

/* Ends by itself: the server's handles are the only others. */
static void finish(struct world *world)
{
	int64_t deadline_ns = clock_monotonic_ns() + 10 * NSEC_PER_SEC;

	while (!world->is_done && clock_monotonic_ns() < deadline_ns)
		uv_run(&world->loop, UV_RUN_NOWAIT);
	assert_true(world->is_done);
}

static void both_families(void **state)
{
	struct world *world = *state;

	for (size_t i = 0; i < G_N_ELEMENTS(healths); i++) {
		start(world, "127.0.0.1", &healths[i]);
		finish(world);
		assert_null(world->failure);
		start(world, "::1", &healths[i]);
		finish(world);
		assert_null(world->failure);
	}
}

/* As by a directory of manifests that is read, before and after the probe begins: the back end is not late. */
static void loop_is_held_up(void **state)
{
	struct world *world = *state;

	for (size_t i = 0; i < G_N_ELEMENTS(healths); i++) {
		uv_update_time(&world->loop);
		g_usleep(2 * TIMEOUT_MS * 1000);
		start(world, "127.0.0.1", &healths[i]);
		g_usleep(2 * TIMEOUT_MS * 1000);
		finish(world);
		assert_null(world->failure);
	}
}

/* Nobody answers, and the loop is busy all the time: it ends nevertheless. */
static void held_up_is_no_excuse(void **state)
{
	struct service_health health = healths[1];
	struct world *world = *state;
	int fd = tcp_listen("127.0.0.1:0", NULL);
	int64_t start_ns = clock_monotonic_ns();

	world->port = port_of(fd);
	start(world, "127.0.0.1", &health);
	g_usleep(3 * TIMEOUT_MS * 1000);
	finish(world);
	assert_string_equal(world->failure, "HTTP: no answer within 250 ms");
	assert_true(clock_monotonic_ns() - start_ns < 10 * TIMEOUT_MS * NSEC_PER_MSEC);
	close(fd);
}

/* connect() refuses these at once. It is about them, and the node can ask others. */
static void no_way_there(void **state)
{
	static const char *const addresses[] = {"255.255.255.255", "ff02::1"};
	struct world *world = *state;

	for (size_t i = 0; i < G_N_ELEMENTS(addresses); i++) {
		start(world, addresses[i], &healths[0]);
		finish(world);
		assert_non_null(world->failure);
		assert_true(g_str_has_prefix(world->failure, "connect: "));
		/* Cancelled before it is told. */
		probe_cancel(start(world, addresses[i], &healths[0]));
		uv_run(&world->loop, UV_RUN_NOWAIT);
		assert_false(world->is_done);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(both_families, set_up, tear_down),
		cmocka_unit_test_setup_teardown(loop_is_held_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(held_up_is_no_excuse, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_way_there, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
