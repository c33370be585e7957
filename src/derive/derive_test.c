/* SPDX-License-Identifier: Apache-2.0 */
/* The derivations together: what a change costs, and numbers of identities. */
#include "src/derive/derive.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "abi/endpoint.h"
#include "src/model/device.h"
#include "src/model/endpoint.h"
#include "src/model/identity.h"
#include "src/model/plan.h"

struct world {
	struct derive_config config;
	struct store *store;
	struct tables tables;
	struct derive *derive;
	unsigned int n_changed; /* rows of the plan that a watch behind all others has seen */
};

static void count(struct watch *watch, void *data)
{
	struct world *world = data;
	struct table *table;
	struct row_key key;

	while (watch_pop(watch, &table, &key))
		world->n_changed++;
}

static int setup(void **state)
{
	struct world *world = g_new0(struct world, 1);
	struct watch *watch;
	struct addr routers[2];

	world->config = (struct derive_config){
		.node_name = "node1",
		.cluster_name = "default",
		.enable_ipv4 = true,
		.enable_ipv6 = true,
	};
	assert_int_equal(cidr_parse("10.0.0.0/16", &world->config.ipv4_range), 0);
	assert_int_equal(cidr_parse("fd00::/64", &world->config.ipv6_range), 0);
	world->store = tables_new(&world->tables);
	world->derive = derive_new(world->store, &world->tables, &world->config, NULL);
	watch = watch_new(world->store, "count", count, world);
	watch_add(watch, world->tables.ipcache);
	watch_add(watch, world->tables.plan_map_entries);
	watch_add(watch, world->tables.plan_attachments);
	watch_add(watch, world->tables.plan_routes);
	assert_int_equal(addr_parse("10.0.0.1", &routers[0]), 0);
	assert_int_equal(addr_parse("fd00::1", &routers[1]), 0);
	derive_set_router(world->derive, &routers[0], &routers[1]);
	store_settle(world->store);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	derive_free(world->derive);
	store_free(world->store);
	g_free(world);
	return 0;
}

static void put_endpoint(struct world *world, uint16_t id, const char *label_value)
{
	struct endpoint *endpoint = endpoint_new();
	struct label label = {.source = "container", .key = "app", .value = label_value};
	struct txn *txn = txn_new(world->store);
	char text[ADDR_TEXT_BYTES];

	endpoint->id = id;
	endpoint->generation = id;
	endpoint->container_id = g_strdup_printf("c%u", id);
	endpoint->container_ifname = g_strdup("eth0");
	endpoint->host_ifname = g_strdup_printf("lxc%u", id);
	endpoint->ifindex = 100000u + id;
	label_set_unref(endpoint->runtime_labels);
	endpoint->runtime_labels = label_set_new(&label, 1);
	snprintf(text, sizeof(text), "10.0.%u.%u", 1 + id / 256, id % 256);
	assert_int_equal(addr_parse(text, &endpoint->addr4), 0);
	snprintf(text, sizeof(text), "fd00::1:%x", id);
	assert_int_equal(addr_parse(text, &endpoint->addr6), 0);
	txn_put(txn, world->tables.endpoints, &endpoint->row);
	txn_commit(txn);
	store_settle(world->store);
}

static void remove_endpoint(struct world *world, uint16_t id)
{
	struct txn *txn = txn_new(world->store);

	txn_remove(txn, world->tables.endpoints, &id, sizeof(id));
	txn_commit(txn);
	store_settle(world->store);
}

static uint32_t identity_of(struct world *world, uint16_t id)
{
	const struct endpoint_state *state = (const struct endpoint_state *)table_get(
		world->tables.endpoint_states, &id, sizeof(id));

	assert_non_null(state);
	return state->identity;
}

/* Both addresses in ipcache and its map, in cilium_lxc, the device, one program: nothing else. */
static void an_endpoint_touches_its_rows(void **state)
{
	struct world *world = *state;

	for (uint16_t id = 1; id <= 200; id++)
		put_endpoint(world, id, "many");
	world->n_changed = 0;
	put_endpoint(world, 300, "many");
	assert_int_equal(world->n_changed, 2 + 2 + 2 + 1 + 1);
	world->n_changed = 0;
	remove_endpoint(world, 300);
	assert_int_equal(world->n_changed, 2 + 2 + 2 + 1 + 1);
}

static void nothing_is_left_of_endpoints(void **state)
{
	struct world *world = *state;
	unsigned int n_entries = table_n_rows(world->tables.plan_map_entries);
	unsigned int n_ipcache = table_n_rows(world->tables.ipcache);

	for (uint16_t id = 1; id <= 50; id++)
		put_endpoint(world, id, "x");
	for (uint16_t id = 1; id <= 50; id++)
		remove_endpoint(world, id);
	assert_int_equal(table_n_rows(world->tables.plan_map_entries), n_entries);
	assert_int_equal(table_n_rows(world->tables.ipcache), n_ipcache);
	assert_int_equal(table_n_rows(world->tables.plan_attachments), 0);
	assert_int_equal(table_n_rows(world->tables.endpoint_states), 0);
}

/* The veth of an endpoint comes and goes without a change of anything. */
static void a_veth_touches_nothing(void **state)
{
	struct world *world = *state;
	struct device *device = (struct device *)row_new(&device_class);
	struct txn *txn = txn_new(world->store);

	device->ifindex = 77;
	device->name = g_strdup("lxc0123456789");
	device->addresses = g_array_new(false, false, sizeof(struct device_address));
	world->n_changed = 0;
	txn_put(txn, world->tables.devices, &device->row);
	txn_commit(txn);
	store_settle(world->store);
	assert_int_equal(world->n_changed, 0);
}

static void put_device(struct world *world, uint32_t ifindex, bool queued, bool filtered)
{
	struct device *device = (struct device *)row_new(&device_class);
	struct txn *txn = txn_new(world->store);

	device->ifindex = ifindex;
	device->name = g_strdup_printf("lxc%u", ifindex);
	device->queued = queued;
	device->filtered = filtered;
	device->addresses = g_array_new(false, false, sizeof(struct device_address));
	txn_put(txn, world->tables.devices, &device->row);
	txn_commit(txn);
	store_settle(world->store);
}

struct flags_of {
	uint16_t id;
	unsigned int n_entries;
	uint16_t flags;
};

static bool collect_flags(const struct row *row, void *data)
{
	const struct plan_map_entry *entry = (const struct plan_map_entry *)row;
	struct flags_of *flags = data;
	struct endpoint_info info;

	if (entry->endpoint_id != flags->id)
		return true;
	if (entry->data[0] != PLAN_MAP_cilium_lxc && entry->data[0] != PLAN_MAP_cilium_lxc_device)
		return true;
	memcpy(&info, entry->data + 1 + entry->n_key_bytes, sizeof(info));
	flags->n_entries++;
	flags->flags |= info.flags;
	return true;
}

/* Of all three entries of the endpoint. */
static uint16_t flags_of(struct world *world, uint16_t id)
{
	struct flags_of flags = {.id = id};

	table_foreach (world->tables.plan_map_entries, collect_flags, &flags)
		;
	assert_int_equal(flags.n_entries, 3);
	return flags.flags;
}

/* A queue that comes later than the endpoint, as a chained plugin's does. */
static void queues_of_others_are_passed(void **state)
{
	struct world *world = *state;

	put_endpoint(world, 1, "web");
	put_endpoint(world, 2, "web");
	put_device(world, 100001, false, false);
	put_device(world, 100002, false, false);
	world->n_changed = 0;
	put_device(world, 100001, true, false);
	assert_int_equal(world->n_changed, 3);
	assert_int_equal(flags_of(world, 1), ENDPOINT_F_QUEUED);
	assert_int_equal(flags_of(world, 2), 0);
	put_device(world, 100001, true, true);
	assert_int_equal(flags_of(world, 1), ENDPOINT_F_VIA_STACK);
	put_device(world, 100001, false, false);
	assert_int_equal(flags_of(world, 1), 0);

	/* cil_to_container stands in the way of what is delivered directly. */
	world->config.enable_endpoint_routes = true;
	put_device(world, 100002, true, false);
	assert_int_equal(flags_of(world, 2), ENDPOINT_F_VIA_STACK);
}

static void same_labels_same_number(void **state)
{
	struct world *world = *state;
	uint32_t web;

	put_endpoint(world, 1, "web");
	put_endpoint(world, 2, "db");
	web = identity_of(world, 1);
	assert_int_not_equal(identity_of(world, 2), web);
	remove_endpoint(world, 1);
	put_endpoint(world, 3, "other");
	assert_int_not_equal(identity_of(world, 3), web);
	put_endpoint(world, 4, "web");
	assert_int_equal(identity_of(world, 4), web);
}

/* Every number is handed out once before one of unused labels goes to others; then the oldest. */
static void numbers_run_out(void **state)
{
	struct world *world = *state;
	struct txn *txn = txn_new(world->store);
	uint32_t kept;

	put_endpoint(world, 1, "kept");
	kept = identity_of(world, 1);
	assert_int_equal(kept, IDENTITY_ALLOCATED_MIN);
	for (uint32_t number = IDENTITY_ALLOCATED_MIN + 1; number <= IDENTITY_ALLOCATED_MAX;
	     number++) {
		struct identity *identity = (struct identity *)row_new(&identity_class);
		g_autofree char *value = g_strdup_printf("%u", number);
		struct label label = {.source = "container", .key = "n", .value = value};

		identity->number = number;
		identity->labels = label_set_new(&label, 1);
		txn_put(txn, world->tables.identities, &identity->row);
		if (number == 5000) {
			txn_commit(txn);
			txn = txn_new(world->store);
		}
	}
	txn_commit(txn);
	put_endpoint(world, 2, "new");
	assert_in_range(identity_of(world, 2), IDENTITY_ALLOCATED_MIN + 1, 5000);
	put_endpoint(world, 3, "kept");
	assert_int_equal(identity_of(world, 3), kept);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(an_endpoint_touches_its_rows), TEST(nothing_is_left_of_endpoints),
		TEST(a_veth_touches_nothing),       TEST(queues_of_others_are_passed),
		TEST(same_labels_same_number),      TEST(numbers_run_out),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
