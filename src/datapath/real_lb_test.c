// SPDX-License-Identifier: Apache-2.0
/* The maps of services against the kernel. */
#include "src/datapath/real_test.h"

#include <arpa/inet.h>
#include "src/datapath/reconciler.h"
#include "src/model/lb.h"

/* An agent. */
struct services {
	struct world *world;
	struct store *store;
	struct tables tables;
	struct reconcilers *reconcilers;
	unsigned int n_writes;
};

static void count_write(const struct reconciler_entry *write, void *data)
{
	++*(unsigned int *)data;
}

static void begin_services(struct services *services, struct world *world)
{
	*services = (struct services){.world = world};
	services->store = tables_new(&services->tables);
	services->reconcilers = reconcilers_new(services->store, &services->tables, world->dp);
	reconcilers_set_maglev(services->reconcilers, 509, 7);
	assert_int_equal(reconcilers_adopt(services->reconcilers, NULL), 0);
	reconcilers_set_write_observer(services->reconcilers, count_write, &services->n_writes);
}

static void end_services(struct services *services)
{
	reconcilers_free(services->reconcilers);
	store_free(services->store);
}

/* The agent dies, and the map may be of another size for the next. */
static void restart_services(struct services *services)
{
	struct world *world = services->world;

	end_services(services);
	restart(world);
	begin_services(services, world);
}

static struct addr addr_from_number(const char *base, uint32_t number)
{
	struct addr addr;

	assert_int_equal(addr_parse(base, &addr), 0);
	addr.bytes[14] += number >> 8;
	addr.bytes[15] += number;
	return addr;
}

/* Of either family, with Maglev's table, a local set and a source range. */
static void put_service(struct services *services, uint32_t number, bool ipv6, uint32_t n_backends)
{
	g_autofree char *key = g_strdup_printf("default/s%u:80/TCP/%d", number, ipv6 ? 6 : 4);
	g_autofree struct lb_plan_backend *backends = g_new0(struct lb_plan_backend, n_backends);
	const struct lb_plan_frontend frontend = {
		.addr = addr_from_number(ipv6 ? "fd00:96::" : "10.96.0.0", number),
		.port = 80,
		.type = LB_TYPE_LOAD_BALANCER,
		.flags = LB_FRONTEND_F_EXTERNAL | LB_FRONTEND_F_EXTERNAL_LOCAL |
			 LB_FRONTEND_F_SOURCE_RANGES,
	};
	struct lb_service fields = {
		.name = "s",
		.namespace = "default",
		.protocol = IPPROTO_TCP,
		.algorithm = LB_ALGORITHM_MAGLEV,
		.needs_maglev = number == 0,
		.n_frontends = 1,
		.frontends = &frontend,
		.n_backends = n_backends,
		.backends = backends,
		.n_source_ranges = 1,
	};
	struct txn *txn = txn_new(services->store);
	struct cidr range;

	assert_int_equal(cidr_parse(ipv6 ? "2001:db8::/32" : "192.0.2.0/24", &range), 0);
	fields.source_ranges = &range;
	for (uint32_t i = 0; i < n_backends; i++)
		backends[i] = (struct lb_plan_backend){
			.addr = addr_from_number(ipv6 ? "fd00::" : "10.0.0.0", i),
			.port = 8080,
			.weight = 1,
			.flags = LB_BACKEND_F_IN_ALL | (i ? 0 : LB_BACKEND_F_IN_LOCAL),
		};
	txn_put(txn, services->tables.lb_services, &lb_service_new(key, &fields)->row);
	txn_commit(txn);
	store_settle(services->store);
}

static void assert_pinned(unsigned int n_frontends, unsigned int n_sets, unsigned int n_slots,
			  unsigned int n_backends)
{
	assert_int_equal(n_pinned_entries("cilium_lb_services"), n_frontends);
	assert_int_equal(n_pinned_entries("cilium_lb_sets"), n_sets);
	assert_int_equal(n_pinned_entries("cilium_lb_slots"), n_slots);
	assert_int_equal(n_pinned_entries("cilium_lb_backends"), n_backends);
	assert_int_equal(n_pinned_entries("cilium_lb_source_range"), n_frontends);
}

static void test_services_outlive_the_agent(void **state)
{
	struct services services;

	begin_services(&services, *state);
	finish(*state);
	reconcilers_allow_deletion(services.reconcilers);
	put_service(&services, 0, false, 3);
	put_service(&services, 0, true, 2);
	put_service(&services, 1, false, 1);
	assert_pinned(3, 6, 6 + 3, 6);
	assert_int_equal(n_pinned_entries("cilium_lb_maglev"), 2 * 2 * 2);
	assert_int_equal(reconcilers_resync(services.reconcilers), 0);
	restart_services(&services);
	finish(*state);
	put_service(&services, 0, false, 3);
	put_service(&services, 0, true, 2);
	assert_int_equal(services.n_writes, 0);
	reconcilers_allow_deletion(services.reconcilers);
	assert_pinned(2, 4, 5 + 2, 5);
	assert_int_equal(reconcilers_resync(services.reconcilers), 0);
	put_service(&services, 0, false, 1);
	put_service(&services, 0, true, 1);
	assert_pinned(2, 4, 2 + 2, 2);
	end_services(&services);
}

static void keep_ids(const struct reconciler_service *service, void *data)
{
	memcpy(data, service->backend_ids, 3 * sizeof(uint32_t));
}

/* Another size, or another layout, is another map: what is in it goes over, and with it all numbers. */
static void test_numbers_outlive_a_map_of_another_size(void **state)
{
	struct world *world = *state;
	uint32_t before[3], after[3];
	struct services services;

	begin_services(&services, world);
	finish(world);
	put_service(&services, 0, false, 3);
	reconcilers_foreach_service(services.reconcilers, keep_ids, before);
	world->config.max_entries[PLAN_MAP_cilium_lb_backends] = 5000;
	world->config.max_entries[PLAN_MAP_cilium_lb_services] = 2000;
	restart_services(&services);
	put_service(&services, 0, false, 3);
	finish(world);
	reconcilers_allow_deletion(services.reconcilers);
	reconcilers_foreach_service(services.reconcilers, keep_ids, after);
	assert_memory_equal(before, after, sizeof(before));
	assert_int_equal(services.n_writes, 0);
	assert_int_equal(reconcilers_service_statistics(services.reconcilers)
				 .max_entries[PLAN_MAP_cilium_lb_backends],
			 5000);
	assert_pinned(1, 2, 4, 3);
	assert_int_equal(reconcilers_resync(services.reconcilers), 0);
	end_services(&services);
}

static void find_error(const struct reconciler_failure *failure, void *data)
{
	*(int *)data = failure->error;
}

static int services_error(const struct services *services)
{
	int error = 0;

	reconcilers_foreach_failure(services->reconcilers, find_error, &error);
	return error;
}

static void test_what_does_not_fit_waits(void **state)
{
	struct world *world = *state;
	struct services services;

	world->config.max_entries[PLAN_MAP_cilium_lb_backends] = 10;
	restart(world);
	finish(world);
	begin_services(&services, world);
	reconcilers_allow_deletion(services.reconcilers);
	put_service(&services, 0, false, 6);
	put_service(&services, 0, true, 6);
	assert_int_equal(services_error(&services), ENOSPC);
	assert_pinned(1, 2, 6 + 1, 6);
	put_service(&services, 0, false, 4);
	assert_int_equal(services_error(&services), 0);
	assert_pinned(2, 4, 4 + 1 + 6 + 1, 10);
	end_services(&services);
}

/* Somebody else has filled the map behind the agent's back: the kernel says so in the middle of a batch. */
static void test_what_the_kernel_refuses_is_taken_back(void **state)
{
	struct world *world = *state;
	const struct lb_backend stranger = {0};
	struct services services;

	world->config.max_entries[PLAN_MAP_cilium_lb_backends] = 10;
	restart(world);
	finish(world);
	begin_services(&services, world);
	for (uint32_t id = 1000; id < 1006; id++)
		assert_int_equal(world->dp->ops->map_update(world->dp, PLAN_MAP_cilium_lb_backends,
							    &id, &stranger),
				 0);
	reconcilers_allow_deletion(services.reconcilers);
	put_service(&services, 0, false, 6);
	assert_int_equal(services_error(&services), ENOSPC);
	assert_pinned(0, 0, 0, 6);
	/* What is nobody's goes, and there is room. */
	assert_int_equal(reconcilers_resync(services.reconcilers), 6);
	put_service(&services, 0, false, 7);
	assert_int_equal(services_error(&services), 0);
	assert_pinned(1, 2, 7 + 1, 7);
	end_services(&services);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_services_outlive_the_agent),
		TEST(test_numbers_outlive_a_map_of_another_size),
		TEST(test_what_does_not_fit_waits),
		TEST(test_what_the_kernel_refuses_is_taken_back),
	};

	return RUN(tests);
}
