/* SPDX-License-Identifier: Apache-2.0 */
#include "src/derive/node_problem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

struct world {
	struct derive_config config;
	struct store *store;
	struct tables tables;
};

static int set_up(void **state)
{
	struct world *world = g_new0(struct world, 1);

	world->config = (struct derive_config){
		.node_name = "node1",
		.cluster_name = "default",
		.enable_ipv4 = true,
		.enable_ipv6 = true,
	};
	assert_int_equal(cidr_parse("10.0.0.0/16", &world->config.ipv4_range), 0);
	assert_int_equal(cidr_parse("fd00::/64", &world->config.ipv6_range), 0);
	world->store = tables_new(&world->tables);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	store_free(world->store);
	g_free(world);
	return 0;
}

static void put_device(struct world *world, uint32_t ifindex, const char *name, const char *addr,
		       bool default_route)
{
	struct device *device = (struct device *)row_new(&device_class);
	struct device_address address = {.prefix_len = 120};
	struct txn *txn = txn_new(world->store);

	device->ifindex = ifindex;
	device->name = g_strdup(name);
	device->up = true;
	device->default_route = default_route;
	device->addresses = g_array_new(false, false, sizeof(struct device_address));
	assert_int_equal(addr_parse(addr, &address.addr), 0);
	g_array_append_val(device->addresses, address);
	txn_put(txn, world->tables.devices, &device->row);
	txn_commit(txn);
}

/* Joined by a line end. g_free. */
static char *find(struct world *world)
{
	const struct addr none = {0};
	struct node_view *view = node_view_new(&world->tables, &world->config, &none, &none);
	GPtrArray *problems = node_problems(view);
	g_autoptr(GString) text = g_string_new(NULL);

	for (unsigned int i = 0; i < problems->len; i++)
		g_string_append_printf(text, "%s%s", i ? "\n" : "", (char *)problems->pdata[i]);
	g_ptr_array_unref(problems);
	node_view_free(view);
	return g_strdup(text->str);
}

static void a_node_that_fits_has_none(void **state)
{
	struct world *world = *state;
	g_autofree char *text = NULL;

	put_device(world, 2, "eth0", "192.0.2.1", true);
	/* The router's own, and a pod's device. */
	put_device(world, 3, "cilium_host", "10.0.0.1", false);
	put_device(world, 4, "lxc1", "10.0.0.7", false);
	text = find(world);
	assert_string_equal(text, "");
}

static void without_a_way_out_it_is_said(void **state)
{
	struct world *world = *state;
	g_autofree char *text = NULL;

	put_device(world, 2, "eth0", "192.0.2.1", false);
	text = find(world);
	assert_true(g_str_has_prefix(text, "No device leads out of the node"));
}

static void a_name_without_device_is_told(void **state)
{
	static const char *const devices[] = {"eth+", "wg0", "bond+", NULL};
	struct world *world = *state;
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	world->config.devices = devices;
	put_device(world, 2, "eth0", "192.0.2.1", true);
	text = find(world);
	lines = g_strsplit(text, "\n", -1);
	assert_int_equal(g_strv_length(lines), 2);
	assert_true(g_str_has_prefix(lines[0], "devices: \"wg0\" names no device"));
	assert_true(g_str_has_prefix(lines[1], "devices: \"bond+\" names no device"));
}

static void an_overlap_is_told_for_each_family(void **state)
{
	struct world *world = *state;
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	put_device(world, 2, "eth0", "10.0.77.1", true);
	put_device(world, 3, "eth1", "fd00::5", false);
	text = find(world);
	lines = g_strsplit(text, "\n", -1);
	assert_int_equal(g_strv_length(lines), 2);
	assert_non_null(strstr(text, "10.0.0.0/16 holds the address 10.0.77.1 of eth0"));
	assert_non_null(strstr(text, "fd00::/64 holds the address fd00::5 of eth1"));
	assert_non_null(strstr(text, "(ipv4-range,"));
	assert_non_null(strstr(text, "(ipv6-range,"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_node_that_fits_has_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_a_way_out_it_is_said, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_name_without_device_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_overlap_is_told_for_each_family, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
