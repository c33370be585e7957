// SPDX-License-Identifier: Apache-2.0
/* What a change of services costs: rows that are touched, whatever else there is. */
#include "src/derive/derive.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "src/base/intern.h"
#include "src/model/endpoint_slice.h"
#include "src/model/lb.h"
#include "src/model/local_redirect.h"
#include "src/model/service.h"

struct fixture {
	struct derive_config config;
	struct store *store;
	struct tables tables;
	struct derive *derive;
	unsigned int n_changed; /* rows that a watch behind has seen */
};

static void count(struct watch *watch, void *data)
{
	struct fixture *fixture = data;
	struct table *table;
	struct row_key key;

	while (watch_pop(watch, &table, &key))
		fixture->n_changed++;
}

static int setup(void **state)
{
	struct fixture *fixture = g_new0(struct fixture, 1);

	fixture->config = (struct derive_config){
		.node_name = "node1",
		.cluster_name = "default",
		.enable_ipv4 = true,
		.enable_ipv6 = true,
		.enable_node_port = true,
		.node_port_min = 30000,
		.node_port_max = 32767,
		.lb_algorithm = LB_ALGORITHM_RANDOM,
	};
	fixture->store = tables_new(&fixture->tables);
	fixture->derive = derive_new(fixture->store, &fixture->tables, &fixture->config, NULL);
	watch_add(watch_new(fixture->store, "count", count, fixture), fixture->tables.lb_services);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	derive_free(fixture->derive);
	store_free(fixture->store);
	g_free(fixture);
	return 0;
}

static struct addr addr_in(unsigned int net, unsigned int i)
{
	return addr_from_v4((struct in_addr){htonl(net << 24 | i)});
}

static void put_service(struct fixture *fixture, struct txn *txn, unsigned int i,
			uint16_t node_port)
{
	struct service *service = (struct service *)row_new(&service_class);
	const struct service_port port = {
		.protocol = IPPROTO_TCP, .port = 80, .node_port = node_port};
	struct addr addr = addr_in(10, i + 1);
	g_autofree char *name = g_strdup_printf("s%u", i);

	object_meta_init_namespaced(&service->meta, "default", name);
	service->cluster_ips = g_array_new(false, false, sizeof(struct addr));
	g_array_append_val(service->cluster_ips, addr);
	service_add_port(service, &port);
	service_share(service);
	txn_put(txn, fixture->tables.services, &service->row);
}

/* The last back end has another weight than the others. */
static void put_weighted_slice(struct fixture *fixture, struct txn *txn, unsigned int i,
			       unsigned int n, uint16_t last_weight)
{
	struct endpoint_slice *slice = (struct endpoint_slice *)row_new(&endpoint_slice_class);
	const struct slice_port port = {.protocol = IPPROTO_TCP, .port = 8080};
	g_autofree char *name = g_strdup_printf("s%u", i);

	object_meta_init_namespaced(&slice->meta, "default", name);
	endpoint_slice_init(slice, name);
	endpoint_slice_add_port(slice, &port);
	for (unsigned int j = 0; j < n; j++)
		endpoint_slice_add(
			slice, &(const struct slice_endpoint){
				       .addr = addr_in(11, i * 8 + j),
				       .node = NULL,
				       .weight = j + 1 == n ? last_weight : SLICE_DEFAULT_WEIGHT,
				       .flags = SLICE_ENDPOINT_READY,
			       });
	txn_put(txn, fixture->tables.endpoint_slices, &slice->row);
}

static void put_slice(struct fixture *fixture, struct txn *txn, unsigned int i, unsigned int n)
{
	put_weighted_slice(fixture, txn, i, n, SLICE_DEFAULT_WEIGHT);
}

static void fill(struct fixture *fixture, unsigned int n)
{
	struct txn *txn = txn_new(fixture->store);

	for (unsigned int i = 0; i < n; i++) {
		put_service(fixture, txn, i, 0);
		put_slice(fixture, txn, i, 4);
	}
	txn_commit(txn);
	store_settle(fixture->store);
}

static void a_slice_touches_its_row(void **state)
{
	struct fixture *fixture = *state;
	struct txn *txn;

	fill(fixture, 1000);
	assert_int_equal(table_n_rows(fixture->tables.lb_services), 1000);
	fixture->n_changed = 0;
	txn = txn_new(fixture->store);
	put_slice(fixture, txn, 7, 3);
	txn_commit(txn);
	store_settle(fixture->store);
	assert_int_equal(fixture->n_changed, 1);
	/* The same once more is no change. */
	txn = txn_new(fixture->store);
	put_slice(fixture, txn, 7, 3);
	txn_commit(txn);
	store_settle(fixture->store);
	assert_int_equal(fixture->n_changed, 1);
}

/* Of the neighbour that has it, too. */
static void a_conflict_touches_two_rows(void **state)
{
	struct fixture *fixture = *state;
	struct txn *txn;
	GPtrArray *problems;

	fill(fixture, 100);
	txn = txn_new(fixture->store);
	put_service(fixture, txn, 55, 30001);
	txn_commit(txn);
	store_settle(fixture->store);
	fixture->n_changed = 0;
	txn = txn_new(fixture->store);
	put_service(fixture, txn, 33, 30001);
	txn_commit(txn);
	store_settle(fixture->store);
	assert_int_equal(fixture->n_changed, 2);
	problems = lb_derivation_problems(derive_get_lb(fixture->derive));
	assert_int_equal(problems->len, 1);
	g_ptr_array_unref(problems);
	txn = txn_new(fixture->store);
	txn_remove(txn, fixture->tables.services, "default/s33", strlen("default/s33"));
	txn_commit(txn);
	store_settle(fixture->store);
	assert_int_equal(fixture->n_changed, 4);
	problems = lb_derivation_problems(derive_get_lb(fixture->derive));
	assert_int_equal(problems->len, 0);
	g_ptr_array_unref(problems);
}

/* The only problem there is, or none. */
static void expect_problem(const struct fixture *fixture, const char *text)
{
	GPtrArray *problems = lb_derivation_problems(derive_get_lb(fixture->derive));

	assert_int_equal(problems->len, text != NULL);
	if (text)
		assert_string_equal(problems->pdata[0], text);
	g_ptr_array_unref(problems);
}

/* At port 80 of 10.0.0.9, by one of the two. */
static struct service *new_claim(const char *name, bool as_cluster_ip)
{
	struct service *service = (struct service *)row_new(&service_class);
	GArray **addrs = as_cluster_ip ? &service->cluster_ips : &service->external_ips;
	struct addr addr = addr_in(10, 9);

	object_meta_init_namespaced(&service->meta, "default", name);
	*addrs = g_array_new(false, false, sizeof(struct addr));
	g_array_append_val(*addrs, addr);
	service_add_port(service, &(struct service_port){.protocol = IPPROTO_TCP, .port = 80});
	service_share(service);
	return service;
}

static void put_one(const struct fixture *fixture, struct service *take_service)
{
	struct txn *txn = txn_new(fixture->store);

	txn_put(txn, fixture->tables.services, &take_service->row);
	txn_commit(txn);
	store_settle(fixture->store);
}

static void expect_owner(const struct fixture *fixture, const char *key, uint8_t type)
{
	const struct lb_service *row =
		(const struct lb_service *)table_get(fixture->tables.lb_services, key, strlen(key));

	assert_int_equal(table_n_rows(fixture->tables.lb_services), 1);
	assert_non_null(row);
	assert_int_equal(row->n_frontends, 2); /* the other is the wildcard */
	assert_int_equal(row->frontends[1].type, type);
}

static void put_typed(const struct fixture *fixture, const char *name, enum service_type type)
{
	struct service *service = new_claim(name, true);

	service->type = type;
	put_one(fixture, service);
}

/* Whoever may make a Service must not take another's cluster address by externalIPs. */
static void external_ips_take_no_cluster_ip(void **state)
{
	struct fixture *fixture = *state;

	fixture->config.enable_external_ips = true;
	put_one(fixture, new_claim("a", false));
	expect_owner(fixture, "default/a:80/TCP/4", LB_TYPE_EXTERNAL_IP);
	put_one(fixture, new_claim("z", true));
	expect_owner(fixture, "default/z:80/TCP/4", LB_TYPE_CLUSTER_IP);
	expect_problem(fixture, "Service default/a does not get 10.0.0.9:80, which Service "
				"default/z has: give one of the two another address or port");
	/* Both by externalIPs: the first by name has it. */
	put_one(fixture, new_claim("z", false));
	expect_owner(fixture, "default/a:80/TCP/4", LB_TYPE_EXTERNAL_IP);
	put_one(fixture, new_claim("z", true));
	expect_owner(fixture, "default/z:80/TCP/4", LB_TYPE_CLUSTER_IP);
}

static void equal_source_ranges_are_one(void **state)
{
	struct fixture *fixture = *state;
	static const char *const texts[] = {"10.0.0.0/8", "192.0.2.0/24", "10.0.0.0/8"};
	struct service *service = new_claim("a", true);
	const struct lb_service *row;

	fixture->config.source_range_all_types = true;
	service->source_ranges = g_array_new(false, false, sizeof(struct cidr));
	for (unsigned int i = 0; i < G_N_ELEMENTS(texts); i++) {
		struct cidr range;

		assert_int_equal(cidr_parse(texts[i], &range), 0);
		g_array_append_val(service->source_ranges, range);
	}
	put_one(fixture, service);
	row = (const struct lb_service *)table_get(
		fixture->tables.lb_services, "default/a:80/TCP/4", strlen("default/a:80/TCP/4"));
	assert_non_null(row);
	assert_int_equal(row->n_source_ranges, 2);
}

static void ports_that_have_no_effect(void **state)
{
	struct fixture *fixture = *state;
	struct service *service = (struct service *)row_new(&service_class);
	struct txn *txn;

	txn = txn_new(fixture->store);
	put_service(fixture, txn, 1, 30000);
	put_service(fixture, txn, 2, 32767);
	txn_commit(txn);
	store_settle(fixture->store);
	expect_problem(fixture, NULL);
	txn = txn_new(fixture->store);
	put_service(fixture, txn, 2, 32768);
	txn_commit(txn);
	store_settle(fixture->store);
	expect_problem(fixture,
		       "Service default/s2: nodePort 32768 is outside node-port-range "
		       "30000,32767: it is served on addresses of this node alone, and not "
		       "kept free for it; widen the range");
	object_meta_init_namespaced(&service->meta, "default", "s2");
	service->type = SERVICE_LOAD_BALANCER;
	service->health_check_node_port = 31000;
	service_add_port(service, &(struct service_port){
					  .protocol = IPPROTO_TCP, .port = 80, .node_port = 30002});
	service_share(service);
	txn = txn_new(fixture->store);
	txn_put(txn, fixture->tables.services, &service->row);
	txn_commit(txn);
	store_settle(fixture->store);
	expect_problem(fixture,
		       "Service default/s2: healthCheckNodePort 31000 has no effect: only a "
		       "LoadBalancer with externalTrafficPolicy Local has one");
	txn = txn_new(fixture->store);
	txn_remove(txn, fixture->tables.services, "default/s2", strlen("default/s2"));
	txn_commit(txn);
	store_settle(fixture->store);
	expect_problem(fixture, NULL);
}

static void put_weighted(struct fixture *fixture, uint16_t node_port, uint16_t last_weight)
{
	struct txn *txn = txn_new(fixture->store);

	put_service(fixture, txn, 1, node_port);
	put_weighted_slice(fixture, txn, 1, 3, last_weight);
	txn_commit(txn);
	store_settle(fixture->store);
}

static void weights_that_have_no_effect(void **state)
{
	struct fixture *fixture = *state;

	put_weighted(fixture, 30000, SLICE_DEFAULT_WEIGHT);
	expect_problem(fixture, NULL);
	put_weighted(fixture, 30000, 0); /* maintenance is that everywhere */
	expect_problem(fixture, NULL);
	put_weighted(fixture, 30000, SLICE_DEFAULT_WEIGHT + 1);
	expect_problem(fixture,
		       "Service default/s1: the weights of its back ends, but for 0, have no "
		       "effect: they are shares of Maglev's table, which bpf-lb-algorithm: "
		       "maglev makes");
	fixture->config.lb_algorithm = LB_ALGORITHM_MAGLEV;
	put_weighted(fixture, 30001, SLICE_DEFAULT_WEIGHT + 1);
	expect_problem(fixture, NULL);
	put_weighted(fixture, 0, SLICE_DEFAULT_WEIGHT + 1);
	expect_problem(fixture,
		       "Service default/s1: the weights of its back ends, but for 0, have no "
		       "effect: they are shares of Maglev's table, which only a service "
		       "that clients outside reach has");
}

static void put_bare(const struct fixture *fixture, bool headless, bool has_port)
{
	struct service *service = (struct service *)row_new(&service_class);

	object_meta_init_namespaced(&service->meta, "default", "bare");
	service->headless = headless;
	if (has_port)
		service_add_port(service,
				 &(struct service_port){.protocol = IPPROTO_TCP, .port = 80});
	service_share(service);
	put_one(fixture, service);
}

static void a_service_that_nobody_reaches(void **state)
{
	const struct fixture *fixture = *state;

	put_bare(fixture, false, false);
	expect_problem(fixture, "Service default/bare has no ports, so nobody reaches it: write "
				"spec.ports");
	put_bare(fixture, false, true);
	expect_problem(fixture, "Service default/bare has no address, so nobody reaches it: write "
				"spec.clusterIP, or a nodePort, or status.loadBalancer.ingress");
	put_bare(fixture, true, true);
	expect_problem(fixture, NULL);
}

static void a_redirect_outside_its_prefixes(void **state)
{
	struct fixture *fixture = *state;
	g_autoptr(GArray) cidrs = g_array_new(false, false, sizeof(struct cidr));
	struct cidr cidr;

	assert_int_equal(cidr_parse("169.254.0.0/16", &cidr), 0);
	g_array_append_val(cidrs, cidr);
	fixture->config.enable_local_redirect = true;
	fixture->config.redirect_cidrs = cidrs;
	for (int i = 0; i < 2; i++) {
		struct local_redirect *redirect =
			(struct local_redirect *)row_new(&local_redirect_class);
		struct txn *txn = txn_new(fixture->store);

		object_meta_init_namespaced(&redirect->meta, "default", "r");
		redirect->addr = addr_in(i ? 169 : 10, i ? 254 << 16 | 7 : 7);
		txn_put(txn, fixture->tables.local_redirects, &redirect->row);
		txn_commit(txn);
		store_settle(fixture->store);
		expect_problem(
			fixture,
			i ? NULL
			  : "CiliumLocalRedirectPolicy default/r: addressMatcher 10.0.0.7 is in "
			    "none of lrp-address-matcher-cidrs, so nothing is redirected: add its "
			    "prefix there, or change the policy");
	}
}

/* Of the service "s1", from a port that has the name or, NULL, none. */
static void put_redirect(const struct fixture *fixture, const char *port_name)
{
	struct local_redirect *redirect = (struct local_redirect *)row_new(&local_redirect_class);
	struct redirect_port port = {
		.name = intern_new(port_name), .protocol = IPPROTO_TCP, .port = 80};
	struct txn *txn = txn_new(fixture->store);

	object_meta_init_namespaced(&redirect->meta, "default", "r");
	redirect->service = intern_new("s1");
	redirect->backend_ports = redirect_ports_new();
	g_array_append_val(redirect->backend_ports, port);
	if (port_name) {
		struct redirect_port other = {.protocol = IPPROTO_TCP, .port = 81};

		g_array_append_val(redirect->backend_ports, other);
	}
	txn_put(txn, fixture->tables.local_redirects, &redirect->row);
	txn_commit(txn);
	store_settle(fixture->store);
}

static void a_redirect_without_its_service(void **state)
{
	struct fixture *fixture = *state;
	struct txn *txn;

	put_redirect(fixture, NULL);
	expect_problem(fixture, "CiliumLocalRedirectPolicy default/r: enable-local-redirect-policy "
				"is off, so nothing is redirected: switch it on");
	fixture->config.enable_local_redirect = true;
	put_redirect(fixture, "x");
	expect_problem(fixture, "CiliumLocalRedirectPolicy default/r: Service default/s1 does not "
				"exist, so nothing is redirected: change the Service, or "
				"serviceMatcher");
	txn = txn_new(fixture->store);
	put_service(fixture, txn, 1, 0);
	txn_commit(txn);
	store_settle(fixture->store);
	expect_problem(fixture, "CiliumLocalRedirectPolicy default/r: Service default/s1 has no "
				"port that redirectFrontend and redirectBackend name, so nothing "
				"is redirected: change the Service, or serviceMatcher");
	put_redirect(fixture, NULL);
	expect_problem(fixture, NULL);
	put_typed(fixture, "s1", SERVICE_NODE_PORT);
	expect_problem(fixture, "CiliumLocalRedirectPolicy default/r: Service default/s1 is not of "
				"type ClusterIP, or has no address, so nothing is redirected: "
				"change the Service, or serviceMatcher");
	put_typed(fixture, "s1", SERVICE_CLUSTER_IP);
	expect_problem(fixture, NULL);
}

static const uint8_t wishes[] = {0, LB_TYPE_CLUSTER_IP, LB_TYPE_LOAD_BALANCER, LB_TYPE_EXTERNAL_IP};

/* A Service that wants the address as one of a type; 0: another address. */
static void put_wish(struct fixture *fixture, const char *name, uint8_t type)
{
	struct service *service = (struct service *)row_new(&service_class);
	struct txn *txn = txn_new(fixture->store);
	struct addr wanted = addr_in(10, 7), own = addr_in(12, (uint8_t)name[0]);
	struct addr cluster_ip = type == LB_TYPE_CLUSTER_IP ? wanted : own;
	GArray *others = g_array_new(false, false, sizeof(struct addr));

	object_meta_init_namespaced(&service->meta, "default", name);
	service->type = type == LB_TYPE_LOAD_BALANCER ? SERVICE_LOAD_BALANCER : SERVICE_CLUSTER_IP;
	service->cluster_ips = g_array_new(false, false, sizeof(struct addr));
	g_array_append_val(service->cluster_ips, cluster_ip);
	g_array_append_val(others, wanted);
	if (type == LB_TYPE_LOAD_BALANCER)
		service->ingress_ips = others;
	else if (type == LB_TYPE_EXTERNAL_IP)
		service->external_ips = others;
	else
		g_array_unref(others);
	service_add_port(service, &(struct service_port){.protocol = IPPROTO_TCP, .port = 80});
	service_share(service);
	txn_put(txn, fixture->tables.services, &service->row);
	txn_commit(txn);
	store_settle(fixture->store);
}

/* Whether the port of the address, and all others of it, are the row's. */
static bool has_wish(const struct fixture *fixture, const char *name)
{
	g_autofree char *key = g_strdup_printf("default/%s:80/TCP/4", name);
	const struct lb_service *row =
		(const void *)table_get(fixture->tables.lb_services, key, strlen(key));
	struct addr wanted = addr_in(10, 7);
	unsigned int n = 0;

	for (unsigned int i = 0; row && i < row->n_frontends; i++)
		n += addr_equal(&row->frontends[i].addr, &wanted);
	assert_true(n == 0 || n == 2);
	return n == 2;
}

/* Whoever came first: nobody takes another's ClusterIP by externalIPs, whatever the two are called. */
static void an_address_is_whose_it_was_given(void **state)
{
	static const char *const names[] = {"a", "b", "c"};
	struct fixture *fixture = *state;
	g_autoptr(GRand) rand = g_rand_new_with_seed(1);
	unsigned int wish[G_N_ELEMENTS(names)] = {};

	fixture->config.enable_external_ips = true;
	for (unsigned int round = 0; round < 1000; round++) {
		unsigned int changed = g_rand_int_range(rand, 0, G_N_ELEMENTS(names));
		unsigned int winner = G_N_ELEMENTS(names);

		wish[changed] = g_rand_int_range(rand, 0, G_N_ELEMENTS(wishes));
		put_wish(fixture, names[changed], wishes[wish[changed]]);
		for (unsigned int i = 0; i < G_N_ELEMENTS(names); i++)
			if (wish[i] && (winner == G_N_ELEMENTS(names) || wish[i] < wish[winner]))
				winner = i;
		for (unsigned int i = 0; i < G_N_ELEMENTS(names); i++)
			assert_int_equal(has_wish(fixture, names[i]), i == winner);
	}
}

static void nothing_is_left(void **state)
{
	struct fixture *fixture = *state;
	struct txn *txn;

	fill(fixture, 100);
	txn = txn_new(fixture->store);
	for (unsigned int i = 0; i < 100; i++) {
		g_autofree char *key = g_strdup_printf("default/s%u", i);

		txn_remove(txn, fixture->tables.services, key, strlen(key));
	}
	txn_commit(txn);
	store_settle(fixture->store);
	assert_int_equal(table_n_rows(fixture->tables.lb_services), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_slice_touches_its_row),
		TEST(a_conflict_touches_two_rows),
		TEST(ports_that_have_no_effect),
		TEST(weights_that_have_no_effect),
		TEST(a_service_that_nobody_reaches),
		TEST(a_redirect_outside_its_prefixes),
		TEST(a_redirect_without_its_service),
		TEST(an_address_is_whose_it_was_given),
		TEST(nothing_is_left),
		TEST(external_ips_take_no_cluster_ip),
		TEST(equal_source_ranges_are_one),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
