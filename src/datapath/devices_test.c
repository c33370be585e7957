// SPDX-License-Identifier: Apache-2.0
/* Devices of a network namespace of the test's own. */
#include "src/datapath/root_test.h"

#include <linux/if_addr.h>
#include <string.h>
#include <uv.h>
#include "src/datapath/datapath.h"
#include "src/datapath/devices.h"
#include "src/model/device.h"
#include "src/store/tables.h"
#include "src/sys/route.h"
#include "src/sys/sysctl.h"
#include "src/sys/tc.h"

static struct netlink *nl;

struct world {
	uv_loop_t loop;
	struct store *store;
	struct tables tables;
	struct devices *devices;
	unsigned int n_changed;
};

static void on_changed(void *data)
{
	++((struct world *)data)->n_changed;
}

static int set_up(void **state)
{
	struct world *world = g_new0(struct world, 1);
	g_autoptr(GError) error = NULL;

	root_test_add_pair(nl, "eth0", "ethp");
	assert_int_equal(uv_loop_init(&world->loop), 0);
	world->store = tables_new(&world->tables);
	world->devices = devices_new(&world->loop, world->store, world->tables.devices, on_changed,
				     world, &error);
	if (!world->devices)
		fail_msg("%s", error->message);
	assert_true(table_synced(world->tables.devices));
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	devices_free(world->devices);
	assert_int_equal(uv_run(&world->loop, UV_RUN_DEFAULT), 0);
	assert_int_equal(uv_loop_close(&world->loop), 0);
	store_free(world->store);
	g_free(world);
	root_test_delete(nl, "eth0");
	return 0;
}

static void on_timeout(uv_timer_t *timer)
{
	uv_stop(timer->loop);
}

static void on_timer_closed(uv_handle_t *handle)
{
	*(bool *)handle->data = true;
}

/* Lets the loop handle what there is, for a time. */
static void run_loop(struct world *world, uint64_t ms)
{
	bool closed = false;
	uv_timer_t timer = {.data = &closed};

	uv_timer_init(&world->loop, &timer);
	uv_timer_start(&timer, on_timeout, ms, 0);
	uv_run(&world->loop, UV_RUN_DEFAULT);
	uv_close((uv_handle_t *)&timer, on_timer_closed);
	while (!closed)
		uv_run(&world->loop, UV_RUN_NOWAIT);
}

struct search {
	const char *name;
	const struct device *device;
};

static bool match_name(const struct row *row, void *data)
{
	struct search *search = data;

	if (strcmp(((const struct device *)row)->name, search->name) == 0)
		search->device = (const struct device *)row;
	return true;
}

static const struct device *find_device(const struct world *world, const char *name)
{
	struct search search = {.name = name};

	table_foreach (world->tables.devices, match_name, &search)
		;
	return search.device;
}

static uint32_t index_of(const char *name)
{
	struct link_info link;

	assert_int_equal(link_get_by_name(nl, name, &link, NULL), 0);
	return link.ifindex;
}

static bool has_address(const struct device *device, const char *text)
{
	struct addr addr;

	assert_int_equal(addr_parse(text, &addr), 0);
	for (guint i = 0; i < device->addresses->len; i++) {
		const struct device_address *address =
			&g_array_index(device->addresses, struct device_address, i);

		if (addr_equal(&address->addr, &addr)) {
			assert_int_equal(address->prefix_len, addr_is_v4(&addr) ? 96 + 24 : 64);
			return true;
		}
	}
	return false;
}

static struct address address_of(const char *ifname, const char *text, uint8_t prefix_len)
{
	struct address address = {
		.ifindex = index_of(ifname),
		.prefix_len = prefix_len,
		.flags = IFA_F_NODAD,
	};

	assert_int_equal(addr_parse(text, &address.addr), 0);
	return address;
}

static void test_reads_what_is_there(void **state)
{
	struct world *world = *state;
	const struct device *device = find_device(world, "eth0");

	assert_non_null(device);
	assert_int_equal(device->ifindex, index_of("eth0"));
	assert_string_equal(device->kind, "veth");
	assert_true(device->up);
	assert_true(device->has_mac);
	assert_false(device->default_route);
	assert_int_equal(device->mtu, 1500);
	assert_non_null(find_device(world, "lo"));
	assert_null(find_device(world, "lo")->kind);
}

static void test_follows_links(void **state)
{
	struct world *world = *state;

	root_test_add_pair(nl, "new0", "newp");
	run_loop(world, 20);
	assert_non_null(find_device(world, "new0"));
	assert_non_null(find_device(world, "newp"));

	link_append_mtu(nl, index_of("new0"), 1400);
	root_test_send(nl);
	run_loop(world, 20);
	assert_int_equal(find_device(world, "new0")->mtu, 1400);

	root_test_take_down(nl, index_of("new0"), NULL);
	run_loop(world, 20);
	assert_false(find_device(world, "new0")->up);
	root_test_take_down(nl, index_of("new0"), "other0");
	run_loop(world, 20);
	assert_null(find_device(world, "new0"));
	assert_non_null(find_device(world, "other0"));

	root_test_delete(nl, "other0");
	run_loop(world, 20);
	assert_null(find_device(world, "other0"));
	assert_null(find_device(world, "newp"));
	assert_int_equal(world->n_changed, 0);
}

static void test_follows_addresses(void **state)
{
	struct world *world = *state;
	struct address v4 = address_of("eth0", "192.0.2.1", 24);
	struct address v6 = address_of("eth0", "2001:db8::1", 64);

	address_append_add(nl, &v4);
	address_append_add(nl, &v6);
	root_test_send(nl);
	run_loop(world, 20);
	assert_true(has_address(find_device(world, "eth0"), "192.0.2.1"));
	assert_true(has_address(find_device(world, "eth0"), "2001:db8::1"));
	address_append_delete(nl, &v4);
	root_test_send(nl);
	run_loop(world, 20);
	assert_false(has_address(find_device(world, "eth0"), "192.0.2.1"));
}

static void put_default_route(const char *ifname, const char *gateway)
{
	struct route route = {.ifindex = index_of(ifname), .protocol = RTPROT_STATIC};

	assert_int_equal(addr_parse(gateway, &route.gateway), 0);
	assert_int_equal(
		addr_parse(addr_is_v4(&route.gateway) ? "0.0.0.0" : "::", &route.destination), 0);
	route_append_replace(nl, &route);
	root_test_send(nl);
}

static void test_follows_default_routes(void **state)
{
	struct world *world = *state;
	struct address v4 = address_of("eth0", "192.0.2.1", 24);
	struct address v6 = address_of("eth0", "2001:db8::1", 64);

	address_append_add(nl, &v4);
	address_append_add(nl, &v6);
	root_test_send(nl);
	put_default_route("eth0", "192.0.2.254");
	run_loop(world, 20);
	assert_true(find_device(world, "eth0")->default_route);
	assert_false(find_device(world, "ethp")->default_route);

	/* The kernel takes the route along and says nothing. */
	root_test_take_down(nl, index_of("eth0"), NULL);
	run_loop(world, 20);
	assert_false(find_device(world, "eth0")->default_route);

	link_append_up(nl, index_of("eth0"));
	address_append_add(nl, &v6);
	root_test_send(nl);
	put_default_route("eth0", "2001:db8::fe");
	run_loop(world, 20);
	assert_true(find_device(world, "eth0")->default_route);
}

static void test_tells_of_what_was_ours(void **state)
{
	struct world *world = *state;
	struct address v4;
	struct route route = {.protocol = DATAPATH_ROUTE_PROTOCOL, .prefix_len = 24};

	root_test_add_pair(nl, "cilium_host", "cilium_net");
	v4 = address_of("cilium_host", "10.0.0.1", 32);
	address_append_add(nl, &v4);
	route.ifindex = v4.ifindex;
	assert_int_equal(addr_parse("10.0.0.0", &route.destination), 0);
	route_append_replace(nl, &route);
	root_test_send(nl);
	run_loop(world, 400);
	assert_int_equal(world->n_changed, 0);

	route_append_delete(nl, &route);
	root_test_send(nl);
	run_loop(world, 400);
	assert_int_equal(world->n_changed, 1);
	address_append_delete(nl, &v4);
	root_test_send(nl);
	run_loop(world, 400);
	assert_int_equal(world->n_changed, 2);
	/* Many events, told once. */
	root_test_delete(nl, "cilium_host");
	run_loop(world, 400);
	assert_int_equal(world->n_changed, 3);
}

static void test_follows_queues(void **state)
{
	struct world *world = *state;
	uint32_t ifindex = root_test_add_pair(nl, "lxc1", "lxcp");
	uint32_t other = index_of("eth0");

	run_loop(world, 20);
	assert_false(find_device(world, "lxc1")->queued);
	assert_false(find_device(world, "lxc1")->filtered);

	root_test_qdisc(nl, RTM_NEWQDISC, ifindex, "pfifo");
	root_test_qdisc(nl, RTM_NEWQDISC, other, "pfifo");
	run_loop(world, 20);
	assert_true(find_device(world, "lxc1")->queued);
	assert_false(find_device(world, "lxc1")->filtered);
	assert_false(find_device(world, "eth0")->queued);

	root_test_qdisc(nl, RTM_NEWQDISC, ifindex, "ingress");
	run_loop(world, 20);
	assert_true(find_device(world, "lxc1")->filtered);

	/* The next agent finds both. */
	devices_free(world->devices);
	run_loop(world, 20);
	world->devices = devices_new(&world->loop, world->store, world->tables.devices, on_changed,
				     world, NULL);
	assert_non_null(world->devices);
	assert_true(find_device(world, "lxc1")->queued);
	assert_true(find_device(world, "lxc1")->filtered);

	root_test_qdisc(nl, RTM_DELQDISC, ifindex, "ingress");
	run_loop(world, 20);
	assert_false(find_device(world, "lxc1")->filtered);
	root_test_qdisc(nl, RTM_DELQDISC, ifindex, "pfifo");
	run_loop(world, 400);
	assert_false(find_device(world, "lxc1")->queued);
	/* None of it was ours. */
	assert_int_equal(world->n_changed, 0);
	root_test_delete(nl, "lxc1");
	run_loop(world, 20);
}

/* Our own place for filters is no reason for a detour, and missed when it is gone. */
static void test_our_clsact(void **state)
{
	struct world *world = *state;
	uint32_t ifindex = root_test_add_pair(nl, "lxc1", "lxcp");

	tc_append_clsact(nl, ifindex);
	root_test_send(nl);
	run_loop(world, 20);
	assert_false(find_device(world, "lxc1")->filtered);
	tc_append_clsact_delete(nl, ifindex);
	root_test_send(nl);
	run_loop(world, 400);
	assert_int_equal(world->n_changed, 1);
	root_test_delete(nl, "lxc1");
	run_loop(world, 400);
}

/* More events than the socket holds: what was lost is read. */
static void test_survives_lost_events(void **state)
{
	struct world *world = *state;
	uint32_t ifindex = index_of("eth0");

	root_test_add_pair(nl, "new0", "newp");
	for (uint32_t i = 0; i < 1000; i++) {
		link_append_mtu(nl, ifindex, 1000 + i % 2);
		if (i % 20 == 19)
			root_test_send(nl);
	}
	root_test_delete(nl, "newp");
	run_loop(world, 100);
	assert_int_equal(find_device(world, "eth0")->mtu, 1001);
	assert_null(find_device(world, "new0"));
	/* Among the lost may have been any: it counts as a change. */
	run_loop(world, 400);
	assert_int_equal(world->n_changed, 1);
	/* And it goes on listening. */
	link_append_mtu(nl, ifindex, 1234);
	root_test_send(nl);
	run_loop(world, 100);
	assert_int_equal(find_device(world, "eth0")->mtu, 1234);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_reads_what_is_there),    TEST(test_follows_links),
		TEST(test_follows_addresses),      TEST(test_follows_default_routes),
		TEST(test_tells_of_what_was_ours), TEST(test_survives_lost_events),
		TEST(test_follows_queues),         TEST(test_our_clsact),
	};
	int failed;

	root_test_unshare();
	nl = netlink_new(NULL);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	netlink_free(nl);
	return failed;
}
