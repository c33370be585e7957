/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <arpa/inet.h>
#include <cmocka.h>
#include "src/cli/lb_view.h"
#include "src/model/addr.h"

static struct addr ip(const char *text)
{
	struct addr addr;

	assert_int_equal(addr_parse(text, &addr), 0);
	return addr;
}

static void add_frontend(struct lb_view *view, const char *addr, uint16_t port,
			 const struct lb_frontend *frontend)
{
	const struct lb_frontend_key key = {
		.addr = ip(addr), .port = htons(port), .protocol = port ? IPPROTO_TCP : 0};

	lb_view_add_frontend(view, &key, frontend);
}

static void add_backend(struct lb_view *view, uint32_t id, const char *addr, uint8_t state,
			uint32_t service)
{
	const struct lb_backend backend = {.addr = ip(addr),
					   .port = htons(8080),
					   .protocol = IPPROTO_TCP,
					   .state = state,
					   .service = service};

	lb_view_add_backend(view, id, &backend);
}

/*
 * A ClusterIP, of a service that has no table as nobody outside may use it; a load balancer with Local, affinity and
 * source ranges, and the ClusterIP of its service; a wildcard; nobody behind the last.
 */
static struct lb_view *fill(void)
{
	struct lb_view *view = lb_view_new();
	const struct lb_source_range_key range = {.prefix_len = LB_SOURCE_RANGE_BITS + 96 + 24,
						  .service = 6,
						  .addr = ip("198.51.100.0")};
	const struct lb_affinity_key clients[] = {{.client = ip("10.0.0.9"), .service = 6},
						  {.client.halves = {0, 4711}, .service = 6}};
	struct lb_maglev_chunk chunk = {.backends = {3, 2, 3}};

	add_frontend(view, "192.0.2.1", 443,
		     &(struct lb_frontend){.id = 2,
					   .service = 6,
					   .affinity_timeout = 60,
					   .flags = LB_FRONTEND_F_EXTERNAL |
						    LB_FRONTEND_F_EXTERNAL_LOCAL |
						    LB_FRONTEND_F_SOURCE_RANGES | LB_FRONTEND_F_DSR,
					   .type = LB_TYPE_LOAD_BALANCER,
					   .algorithm = LB_ALGORITHM_MAGLEV});
	add_frontend(view, "10.96.0.1", 0,
		     &(struct lb_frontend){.id = 9,
					   .flags = LB_FRONTEND_F_WILDCARD,
					   .type = LB_TYPE_CLUSTER_IP,
					   .algorithm = LB_ALGORITHM_MAGLEV});
	add_frontend(view, "10.96.0.1", 80,
		     &(struct lb_frontend){.id = 1,
					   .service = 5,
					   .type = LB_TYPE_CLUSTER_IP,
					   .algorithm = LB_ALGORITHM_MAGLEV});
	add_frontend(view, "10.96.0.2", 443,
		     &(struct lb_frontend){.id = 4,
					   .service = 6,
					   .type = LB_TYPE_CLUSTER_IP,
					   .algorithm = LB_ALGORITHM_MAGLEV});
	add_frontend(view, "fd00:96::1", 80,
		     &(struct lb_frontend){.id = 3,
					   .service = 7,
					   .flags = LB_FRONTEND_F_EXTERNAL,
					   .type = LB_TYPE_NODE_PORT,
					   .algorithm = LB_ALGORITHM_RANDOM});
	lb_view_add_set(view, LB_SET(5, 0), &(struct lb_set){.n_slots = 2});
	lb_view_add_slot(view, &(struct lb_slot_key){LB_SET(5, 0), 0}, &(struct lb_slot){1});
	lb_view_add_slot(view, &(struct lb_slot_key){LB_SET(5, 0), 1}, &(struct lb_slot){4});
	lb_view_add_set(view, LB_SET(6, 0), &(struct lb_set){.n_slots = 2});
	lb_view_add_slot(view, &(struct lb_slot_key){LB_SET(6, 0), 0}, &(struct lb_slot){2});
	lb_view_add_slot(view, &(struct lb_slot_key){LB_SET(6, 0), 1}, &(struct lb_slot){3});
	lb_view_add_set(view, LB_SET(6, 1), &(struct lb_set){.n_slots = 1});
	lb_view_add_slot(view, &(struct lb_slot_key){LB_SET(6, 1), 0}, &(struct lb_slot){3});
	add_backend(view, 3, "10.0.0.6", LB_BACKEND_ACTIVE, 6);
	add_backend(view, 1, "10.0.0.5", LB_BACKEND_ACTIVE, 5);
	add_backend(view, 2, "10.0.1.5", LB_BACKEND_QUARANTINED, 6);
	lb_view_add_range(view, &range);
	lb_view_add_affinity(view, &clients[0],
			     &(struct lb_affinity){.backend = 3, .last_used = 90});
	lb_view_add_affinity(view, &clients[1],
			     &(struct lb_affinity){.backend = 8, .last_used = 100});
	lb_view_add_chunk(view, &(struct lb_maglev_key){LB_SET(6, 1), 0}, &chunk);
	chunk.backends[0] = 7;
	lb_view_add_chunk(view, &(struct lb_maglev_key){LB_SET(6, 0), 0}, &chunk);
	lb_view_sort(view);
	return view;
}

static void add_row(char *key, char *value, void *data)
{
	g_string_append_printf(data, "%s | %s\n", key, value);
	g_free(key);
	g_free(value);
}

static void check(void (*rows)(const struct lb_view *view, lb_row_fn fn, void *data),
		  const char *want)
{
	g_autoptr(GString) text = g_string_new(NULL);
	struct lb_view *view = fill();

	rows(view, add_row, text);
	assert_string_equal(text->str, want);
	lb_view_free(view);
}

static void test_services(void **state)
{
	check(lb_view_services,
	      "10.96.0.1:0/ANY | 0.0.0.0:0 (9) (0) [ClusterIP, non-routable, wildcard]\n"
	      "10.96.0.1:80/TCP | 0.0.0.0:0 (1) (0) [ClusterIP, non-routable]\n"
	      "10.96.0.1:80/TCP | 10.0.0.5:8080/TCP (1) (1)\n"
	      "10.96.0.1:80/TCP | backend 4 not found\n"
	      "10.96.0.2:443/TCP | 0.0.0.0:0 (4) (0) [ClusterIP, non-routable, maglev]\n"
	      "10.96.0.2:443/TCP | 10.0.1.5:8080/TCP (4) (1)\n"
	      "10.96.0.2:443/TCP | 10.0.0.6:8080/TCP (4) (2)\n"
	      "192.0.2.1:443/TCP | 0.0.0.0:0 (2) (0) [LoadBalancer, Local, sessionAffinity, "
	      "check source-range, dsr, maglev]\n"
	      "192.0.2.1:443/TCP | 10.0.0.6:8080/TCP (2) (1)\n"
	      "192.0.2.1:443/TCP/i | 0.0.0.0:0 (2) (0) [LoadBalancer, Local, sessionAffinity, "
	      "check source-range, dsr, maglev]\n"
	      "192.0.2.1:443/TCP/i | 10.0.1.5:8080/TCP (2) (1)\n"
	      "192.0.2.1:443/TCP/i | 10.0.0.6:8080/TCP (2) (2)\n"
	      "[fd00:96::1]:80/TCP | [::]:0 (3) (0) [NodePort]\n");
}

static void test_other_maps(void **state)
{
	check(lb_view_frontends,
	      "10.96.0.1:0/ANY | 0 0 (9) [ClusterIP, non-routable, wildcard]\n"
	      "10.96.0.1:80/TCP | 0 2 (1) [ClusterIP, non-routable]\n"
	      "10.96.0.1:80/TCP | 1 0 (1)\n"
	      "10.96.0.1:80/TCP | 4 0 (1)\n"
	      "10.96.0.2:443/TCP | 0 2 (4) [ClusterIP, non-routable, maglev]\n"
	      "10.96.0.2:443/TCP | 2 0 (4)\n"
	      "10.96.0.2:443/TCP | 3 0 (4)\n"
	      "192.0.2.1:443/TCP | 0 1 (2) [LoadBalancer, Local, sessionAffinity, check "
	      "source-range, dsr, maglev]\n"
	      "192.0.2.1:443/TCP | 3 0 (2)\n"
	      "192.0.2.1:443/TCP/i | 0 2 (2) [LoadBalancer, Local, sessionAffinity, check "
	      "source-range, dsr, maglev]\n"
	      "192.0.2.1:443/TCP/i | 2 0 (2)\n"
	      "192.0.2.1:443/TCP/i | 3 0 (2)\n"
	      "[fd00:96::1]:80/TCP | 0 0 (3) [NodePort]\n");
	check(lb_view_backends, "1 | TCP://10.0.0.5:8080\n"
				"2 | TCP://10.0.1.5:8080 [quarantined]\n"
				"3 | TCP://10.0.0.6:8080\n");
	check(lb_view_revnat,
	      "1 | 10.96.0.1:80\n2 | 192.0.2.1:443\n3 | [fd00:96::1]:80\n4 | 10.96.0.2:443\n");
	check(lb_view_ranges, "198.51.100.0/24 (2) | \n");
}

static void affinities(const struct lb_view *view, lb_row_fn fn, void *data)
{
	lb_view_affinities(view, 100, fn, data);
}

static void test_affinities(void **state)
{
	check(affinities, "10.0.0.9 (service 6) | 10.0.0.6:8080/TCP, 10s ago\n"
			  "netns cookie 4711 (service 6) | backend 8 not found, 0s ago\n");
}

static void test_maglev(void **state)
{
	g_autoptr(GString) text = g_string_new(NULL);
	struct lb_view *view = fill();

	/* One without a table. */
	add_frontend(view, "10.96.0.8", 80,
		     &(struct lb_frontend){.id = 8,
					   .service = 8,
					   .type = LB_TYPE_CLUSTER_IP,
					   .algorithm = LB_ALGORITHM_MAGLEV});
	lb_view_sort(view);
	assert_int_equal(lb_view_maglev(view, 0, add_row, text), 3);
	assert_int_equal(lb_view_maglev(view, 8, add_row, text), 0);
	assert_int_equal(lb_view_maglev(view, 2, add_row, text), 2);
	assert_int_equal(lb_view_maglev(view, 1, add_row, text), 0);
	assert_string_equal(text->str, "[2]/v4 | [3 2 3]\n[2]/v4/i | [7 2 3]\n[4]/v4 | [7 2 3]\n"
				       "[2]/v4 | [3 2 3]\n[2]/v4/i | [7 2 3]\n");
	lb_view_free(view);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_services),
		cmocka_unit_test(test_other_maps),
		cmocka_unit_test(test_affinities),
		cmocka_unit_test(test_maglev),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
