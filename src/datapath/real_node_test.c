// SPDX-License-Identifier: Apache-2.0
/* What load and ensure do to the node, routes, and the purge of it all, against the kernel. */
#include "src/datapath/real_test.h"

#include <arpa/inet.h>
#include <linux/bpf.h>
#include "abi/conntrack.h"
#include "abi/device.h"
#include "src/sys/bpffs.h"
#include "src/sys/route.h"

static void test_load_fills_in_what_it_found(void **state)
{
	struct world *world = *state;
	struct link_info link;

	assert_int_equal(link_get_by_name(nl, "cilium_host", &link, NULL), 0);
	assert_int_equal(world->config.node.host_ifindex, link.ifindex);
	assert_true(link.flags & IFF_UP);
	assert_true(link.flags & IFF_NOARP);
	assert_in_range(world->config.node.ct_tick_shift, 7, 10);
	/* Seconds are the caller's; the programs have ticks. */
	assert_int_equal(world->config.node.ct_timeout_tcp, 8000);
	assert_int_equal(get_sysctl("net/ipv4/conf/all/forwarding"), 1);
	assert_int_equal(get_sysctl("net/ipv6/conf/all/forwarding"), 1);
	assert_int_equal(get_sysctl("net/ipv4/conf/cilium_host/rp_filter"), 0);
	assert_attached(world, 0, 0);
}

static void assert_ensured(struct world *world, const char *const *texts)
{
	g_autoptr(GString) repaired = g_string_new(NULL);
	g_autoptr(GError) error = NULL;

	if (world->dp->ops->ensure(world->dp, repaired, &error))
		fail_msg("%s", error->message);
	if (!*texts)
		assert_string_equal(repaired->str, "");
	for (; *texts; texts++)
		if (!strstr(repaired->str, *texts))
			fail_msg("want %s, got %s", *texts, repaired->str);
}

static void test_ensure_repairs(void **state)
{
	struct world *world = *state;
	g_autofree char *pin = real_map_path(real_get(world->dp), PLAN_MAP_cilium_lxc);
	struct addr addr;
	struct address address = {.ifindex = world->config.node.host_ifindex, .prefix_len = 32};
	struct link_info link;

	assert_ensured(world, (const char *const[]){NULL});
	assert_int_equal(addr_parse("10.9.9.9", &addr), 0);
	address.addr = addr;
	address_append_add(nl, &address);
	address.addr = world->config.router4;
	address_append_delete(nl, &address);
	root_test_send(nl);
	assert_int_equal(sysctl_put("net/ipv4/conf/all/forwarding", 0), 0);
	assert_int_equal(sysctl_put("net/ipv4/conf/cilium_host/rp_filter", 1), 0);
	assert_int_equal(unlink(pin), 0);
	assert_ensured(world, (const char *const[]){
				      "cilium_host had 10.9.9.9", "cilium_host lacked 10.0.0.1",
				      "net/ipv4/conf/all/forwarding was 0",
				      "net/ipv4/conf/cilium_host/rp_filter was 1", pin, NULL});
	assert_ensured(world, (const char *const[]){NULL});

	/* Pins of programs: the next start would have them verified again. */
	real_program_prune(real_get(world->dp), NULL);
	assert_ensured(world, (const char *const[]){"pins of programs", NULL});
	assert_ensured(world, (const char *const[]){NULL});

	/* The programs have the index built in. */
	root_test_delete(nl, "cilium_net");
	assert_ensured(world, (const char *const[]){"cilium_host was missing", NULL});
	assert_int_equal(link_get_by_name(nl, "cilium_host", &link, NULL), 0);
	assert_int_equal(link.ifindex, world->config.node.host_ifindex);
	assert_ensured(world, (const char *const[]){NULL});
}

/* cilium_host was deleted, and before anybody looked another device was given its index. */
static void test_index_of_another(void **state)
{
	struct world *world = *state;
	struct link_veth thief = {
		.name = "thief",
		.peer_name = "thiefp",
		.mtu = 1500,
		.ifindex = world->config.node.host_ifindex,
		.mac = {{2, 0, 0, 0, 0, 1}},
		.peer_mac = {{2, 0, 0, 0, 0, 2}},
		.peer_netns_fd = -1,
	};
	struct link_info link;

	attach_all(world);
	root_test_delete(nl, "cilium_net");
	link_append_veth(nl, &thief);
	root_test_send(nl);
	assert_ensured(world, (const char *const[]){"cilium_host was missing",
						    "another device has the index", NULL});
	assert_int_equal(link_get_by_name(nl, "cilium_host", &link, NULL), 0);
	assert_int_not_equal(link.ifindex, thief.ifindex);
	/* The programs that run have the other number; they are replaced in place. */
	assert_attached(world, 0, N_ATTACHMENTS - 1);
	world->config.node.host_ifindex = link.ifindex;
	attach_all(world);
	assert_attached(world, N_ATTACHMENTS, 0);
	assert_ensured(world, (const char *const[]){NULL});
	root_test_delete(nl, "thief");
}

static void test_router_address_changes(void **state)
{
	struct world *world = *state;
	g_autoptr(GArray) addresses = NULL;

	assert_int_equal(addr_parse("10.0.1.1", &world->config.router4), 0);
	memset(&world->config.router6, 0, sizeof(world->config.router6));
	restart(world);
	assert_int_equal(address_dump(nl, world->config.node.host_ifindex, &addresses, NULL), 0);
	assert_int_equal(addresses->len, 1);
	assert_memory_equal(&g_array_index(addresses, struct address, 0).addr,
			    &world->config.router4, sizeof(struct addr));
}

static void test_router_address_changes_while_running(void **state)
{
	struct world *world = *state;
	const uint32_t ifindex = world->config.node.host_ifindex;
	g_autoptr(GArray) addresses = NULL;
	struct addr router4, router6;

	assert_int_equal(addr_parse("10.0.2.1", &router4), 0);
	assert_int_equal(addr_parse("fd00:2::1", &router6), 0);
	assert_int_equal(world->dp->ops->set_router(world->dp, &router4, &router6, NULL), 0);
	assert_int_equal(address_dump(nl, ifindex, &addresses, NULL), 0);
	assert_int_equal(addresses->len, 2);
	for (unsigned int i = 0; i < addresses->len; i++) {
		const struct addr *addr = &g_array_index(addresses, struct address, i).addr;

		assert_true(addr_equal(addr, &router4) || addr_equal(addr, &router6));
	}
	assert_ensured(world, (const char *const[]){NULL});
}

struct sweep {
	unsigned int n_seen;
};

static bool every_second_is_dead(const void *key, const void *value, void *data)
{
	((struct sweep *)data)->n_seen++;
	return ((const struct ct_key *)key)->port[0] & htons(1);
}

/* From room for one entry on: a bucket with two needs more. */
static void test_sweep_goes_on_where_a_bucket_is_full(void **state)
{
	struct world *world = *state;
	const enum plan_map map = PLAN_MAP_cilium_ct_tcp_global;
	struct real *real = real_get(world->dp);
	struct map_cursor cursor = {0};
	struct sweep sweep = {0};
	unsigned int n_steps = 0;
	int err;

	for (unsigned int i = 0; i < 1000; i++) {
		const struct ct_key key = {.port = {htons(i)}};
		const struct ct_entry entry = {.expires = i};

		assert_int_equal(world->dp->ops->map_update(world->dp, map, &key, &entry), 0);
	}
	real->sweep_room = 1;
	do {
		err = world->dp->ops->map_sweep(world->dp, map, &cursor, every_second_is_dead,
						&sweep);
		n_steps++;
	} while (!err);
	assert_int_equal(err, -ENOENT);
	assert_int_equal(sweep.n_seen, 1000);
	assert_in_range(real->sweep_room, 2, 64);
	assert_true(n_steps > 10);
	assert_int_equal(n_pinned_entries("cilium_ct_tcp_global"), 500);
}

/* The kernel's own "Argument list too long" says nothing. */
static void test_full_map_says_so(void **state)
{
	struct world *world = *state;
	const enum plan_map map = PLAN_MAP_cilium_devices;
	uint32_t n = world->dp->ops->get_statistics(world->dp)->maps[map].max_entries;
	const struct device_info info = {.mtu = 1500};
	int err = 0;

	/* One more than it has room for: devices of the world are in it already, or none. */
	for (uint32_t i = 0; !err && i <= n; i++) {
		uint32_t ifindex = 100000 + i;

		err = world->dp->ops->map_update(world->dp, map, &ifindex, &info);
	}
	assert_int_equal(err, -ENOSPC);
}

/* By a sample: it need not be exact, and must follow. */
static void test_entries_are_estimated(void **state)
{
	struct world *world = *state;
	const enum plan_map map = PLAN_MAP_cilium_ct_tcp_global;
	const struct datapath_statistics *statistics = world->dp->ops->get_statistics(world->dp);
	unsigned int n = statistics->maps[map].max_entries / 2;

	assert_int_equal(statistics->maps[map].n_entries, 0);
	for (unsigned int i = 0; i < n; i++) {
		const struct ct_key key = {.port = {htons(i), htons(i >> 16)}};
		const struct ct_entry entry = {.expires = i};

		assert_int_equal(world->dp->ops->map_update(world->dp, map, &key, &entry), 0);
	}
	for (int i = 0; i < 10; i++) {
		statistics = world->dp->ops->get_statistics(world->dp);
		assert_in_range(statistics->maps[map].n_entries, n / 4 * 3, n / 4 * 5);
	}
}

/* Of each map that the kernel empties by itself somebody must hear that it is full. */
static void test_every_lru_map_is_counted(void **state)
{
	struct world *world = *state;
	const struct datapath_statistics *statistics = world->dp->ops->get_statistics(world->dp);
	unsigned int n_maps = 0;

	for (enum plan_map map = 0; map < PLAN_MAP__MAX; map++) {
		if (real_get(world->dp)->maps[map].type != BPF_MAP_TYPE_LRU_HASH)
			continue;
		if (statistics->maps[map].n_entries < 0)
			fail_msg("%s", map_layout_get(map)->name);
		n_maps++;
	}
	assert_true(n_maps >= 4);
}

struct routes {
	unsigned int n;
	uint32_t mtu;
};

static bool count_route(const struct plan_route *route, void *data)
{
	struct routes *routes = data;

	assert_string_equal(route->ifname, "cilium_host");
	routes->n++;
	routes->mtu = route->mtu;
	return true;
}

static void test_routes(void **state)
{
	struct world *world = *state;
	const char *const texts[] = {"10.0.0.0/24", "fd00::/64"};
	struct routes routes = {0};

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		struct plan_route *row = (struct plan_route *)row_new(&plan_route_class);

		assert_int_equal(cidr_parse(texts[i], &row->destination), 0);
		row->ifname = g_strdup("cilium_host");
		row->source = i ? world->config.router6 : world->config.router4;
		row->mtu = 1400;
		assert_int_equal(world->dp->ops->route_replace(world->dp, row), 0);
		row->mtu = 1450;
		assert_int_equal(world->dp->ops->route_replace(world->dp, row), 0);
		routes = (struct routes){0};
		assert_int_equal(world->dp->ops->route_foreach(world->dp, count_route, &routes), 0);
		assert_int_equal(routes.n, 1);
		assert_int_equal(routes.mtu, 1450);
		assert_int_equal(world->dp->ops->route_remove(world->dp, &row->destination), 0);
		/* And once more. */
		assert_int_equal(world->dp->ops->route_remove(world->dp, &row->destination), 0);
		g_free(row->ifname);
		row->ifname = g_strdup("none");
		assert_int_equal(world->dp->ops->route_replace(world->dp, row), -ENODEV);
		row_unref(&row->row);
	}
	routes = (struct routes){0};
	assert_int_equal(world->dp->ops->route_foreach(world->dp, count_route, &routes), 0);
	assert_int_equal(routes.n, 0);
}

static unsigned int n_routes(uint8_t protocol)
{
	g_autoptr(GArray) routes = NULL;

	assert_int_equal(route_dump(nl, 0, protocol, &routes, NULL), 0);
	return routes->len;
}

static void test_routes_of_others_stay(void **state)
{
	struct world *world = *state;
	const uint8_t theirs = 201;
	const char *const texts[] = {"10.7.0.0/24", "fd00:7::/64"};

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		struct plan_route *row = (struct plan_route *)row_new(&plan_route_class);
		struct route route = {.protocol = theirs, .ifindex = world->device_ifindex};

		assert_int_equal(cidr_parse(texts[i], &row->destination), 0);
		row->ifname = g_strdup("cilium_host");
		route.destination = row->destination.addr;
		route.prefix_len = cidr_text_len(&row->destination);
		route_append_replace(nl, &route);
		root_test_send(nl);
		assert_int_equal(world->dp->ops->route_replace(world->dp, row), -EEXIST);
		assert_int_equal(world->dp->ops->route_remove(world->dp, &row->destination), 0);
		assert_int_equal(n_routes(theirs), 1);
		assert_int_equal(n_routes(DATAPATH_ROUTE_PROTOCOL), 0);
		route_append_delete(nl, &route);
		root_test_send(nl);
		assert_int_equal(world->dp->ops->route_replace(world->dp, row), 0);
		assert_int_equal(n_routes(DATAPATH_ROUTE_PROTOCOL), 1);
		assert_int_equal(world->dp->ops->route_remove(world->dp, &row->destination), 0);
		row_unref(&row->row);
	}
}

static void assert_ports(const char *want)
{
	g_autofree char *text = NULL;

	assert_int_equal(sysctl_get_text("net/ipv4/ip_local_reserved_ports", &text), 0);
	assert_string_equal(text, want);
}

static void set_ports(const char *text)
{
	assert_int_equal(sysctl_put_text("net/ipv4/ip_local_reserved_ports", text), 0);
}

/* Those that others have reserved stay, before us, beside us and after us. */
static void test_ports_are_reserved(void **state)
{
	struct world *world = *state;

	set_ports("8080,31000-31999,32767-32800");
	world->config.reserve_node_ports = true;
	world->config.node.node_port_min = 30000;
	world->config.node.node_port_max = 32767;
	restart(world);
	assert_ports("8080,30000-32800");
	set_ports("8081,32700-32800");
	assert_int_equal(world->dp->ops->ensure(world->dp, NULL, NULL), 0);
	assert_ports("8081,30000-32800");
	world->config.node.node_port_max = 30100;
	restart(world);
	assert_ports("8081,30000-30100,31000-31999,32767-32800");
	world->config.node.node_port_max = 31500;
	restart(world);
	assert_ports("8081,30000-31999,32767-32800");
	world->config.reserve_node_ports = false;
	restart(world);
	assert_ports("8081,31000-31999,32767-32800");
	world->config.reserve_node_ports = true;
	restart(world);
	assert_ports("8081,30000-31999,32767-32800");
	assert_int_equal(world->dp->ops->purge(world->dp, NULL), 0);
	assert_ports("8081,31000-31999,32767-32800");
	set_ports("");
}

/* The kernel takes and gives a list of more than a page otherwise than a short one. */
static void test_long_list_of_ports_stays(void **state)
{
	struct world *world = *state;
	g_autoptr(GString) before = g_string_new("10001");
	g_autofree char *with_ours = NULL;

	for (unsigned int port = 10003; port < 14000; port += 2)
		g_string_append_printf(before, ",%u", port);
	with_ours = g_strconcat(before->str, ",30000-32767", NULL);
	set_ports(before->str);
	assert_ports(before->str);
	world->config.reserve_node_ports = true;
	world->config.node.node_port_min = 30000;
	world->config.node.node_port_max = 32767;
	restart(world);
	assert_ports(with_ours);
	assert_int_equal(world->dp->ops->purge(world->dp, NULL), 0);
	assert_ports(before->str);
	set_ports("");
}

/* Where the state directory outlives a boot, what was before us then is not put back now. */
static void test_another_boot_counts_for_nothing(void **state)
{
	struct world *world = *state;
	g_autofree char *path = g_build_filename(state_dir, "reserved-ports", NULL);

	world->config.reserve_node_ports = true;
	world->config.node.node_port_min = 30000;
	world->config.node.node_port_max = 32767;
	assert_true(g_file_set_contents(path, "another-boot\n30000-32767\n31000\n", -1, NULL));
	set_ports("8080");
	restart(world);
	assert_ports("8080,30000-32767");
	assert_int_equal(world->dp->ops->purge(world->dp, NULL), 0);
	assert_ports("8080");
	set_ports("");
}

static unsigned int n_entries_of(const char *path)
{
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	unsigned int n = 0;

	while (dir && g_dir_read_name(dir))
		n++;
	return n;
}

/* As cilium cleanup does it: without a load, by another process. */
static void test_purge_leaves_nothing(void **state)
{
	struct world *world = *state;
	g_autoptr(GError) error = NULL;
	struct link_info link;

	attach_all(world);
	finish(world);
	world->dp->ops->free(world->dp);
	world->dp = datapath_real_new(bpf_root, state_dir);
	for (int i = 0; i < 2; i++) {
		if (world->dp->ops->purge(world->dp, &error))
			fail_msg("%s", error->message);
		/* The first load mounted it; below it is the test's own, empty directory. */
		assert_false(bpffs_is_mounted(bpf_root));
		assert_int_equal(n_entries_of(bpf_root), 0);
		assert_int_equal(n_entries_of(state_dir), 0);
		assert_int_equal(link_get_by_name(nl, "cilium_host", &link, NULL), -ENODEV);
		assert_int_equal(link_get_by_name(nl, "cilium_net", &link, NULL), -ENODEV);
		assert_false(has_clsact(world->pod_ifindex));
		assert_false(has_clsact(world->device_ifindex));
		assert_int_equal(get_sysctl("net/ipv4/conf/all/forwarding"), 0);
		assert_int_equal(get_sysctl("net/ipv6/conf/all/forwarding"), 0);
		assert_int_equal(get_sysctl("net/ipv6/conf/ethp/accept_ra"), 1);
	}
}

static void test_strict_filter_moves_to_the_devices(void **state)
{
	struct world *world = *state;

	assert_int_equal(world->dp->ops->purge(world->dp, NULL), 0);
	assert_int_equal(sysctl_put("net/ipv4/conf/all/rp_filter", 1), 0);
	assert_int_equal(sysctl_put("net/ipv4/conf/ethp/forwarding", 1), 0);
	restart(world);
	assert_int_equal(get_sysctl("net/ipv4/conf/all/rp_filter"), 0);
	assert_int_equal(get_sysctl("net/ipv4/conf/eth0.5/rp_filter"), 1);
	assert_int_equal(get_sysctl("net/ipv4/conf/lxc1/rp_filter"), 0);
	/* A second start does not take what the first one set for the original. */
	restart(world);
	assert_int_equal(world->dp->ops->purge(world->dp, NULL), 0);
	assert_int_equal(get_sysctl("net/ipv4/conf/all/rp_filter"), 1);
	assert_int_equal(get_sysctl("net/ipv4/conf/eth0.5/rp_filter"), 0);
	assert_int_equal(get_sysctl("net/ipv4/conf/ethp/forwarding"), 1);
	assert_int_equal(get_sysctl("net/ipv4/conf/eth0.5/forwarding"), 0);
	assert_int_equal(sysctl_put("net/ipv4/conf/all/rp_filter", 0), 0);
}

static void test_runtime(void **state)
{
	struct world *world = *state;
	struct runtime_config runtime = {.trace_events = 1, .trace_interval = 5};
	struct runtime_config read;
	struct bpf_map_ref map;
	const uint32_t first = 0;

	assert_int_equal(world->dp->ops->set_runtime(world->dp, &runtime), 0);
	assert_int_equal(bpf_map_open(bpf_root, "cilium_runtime_config", &map, NULL), 0);
	assert_int_equal(bpf_map_get(&map, &first, &read), 0);
	assert_int_equal(read.trace_events, 1);
	assert_in_range(read.trace_interval, 4, 7); /* ticks */
	bpf_map_close(&map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_load_fills_in_what_it_found),
		TEST(test_ensure_repairs),
		TEST(test_index_of_another),
		TEST(test_router_address_changes),
		TEST(test_sweep_goes_on_where_a_bucket_is_full),
		TEST(test_entries_are_estimated),
		TEST(test_every_lru_map_is_counted),
		TEST(test_full_map_says_so),
		TEST(test_router_address_changes_while_running),
		TEST(test_routes),
		TEST(test_routes_of_others_stay),
		TEST(test_ports_are_reserved),
		TEST(test_long_list_of_ports_stays),
		TEST(test_another_boot_counts_for_nothing),
		TEST(test_purge_leaves_nothing),
		TEST(test_strict_filter_moves_to_the_devices),
		TEST(test_runtime),
	};

	return RUN(tests);
}
