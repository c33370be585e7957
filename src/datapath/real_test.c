// SPDX-License-Identifier: Apache-2.0
/* The real datapath against the kernel. Each test begins with a purged node and ends with a purge. */
#include "src/datapath/root_test.h"

#include <bpf/bpf.h>
#include <net/if.h>
#include <string.h>
#include "abi/conntrack.h"
#include "abi/endpoint.h"
#include "src/base/clock.h"
#include "src/datapath/real_private.h"
#include "src/sys/route.h"
#include "src/sys/sysctl.h"

static char *bpf_root;
static char *state_dir;
static struct netlink *nl;

struct world {
	struct datapath *dp;
	struct datapath_config config;
	uint32_t pod_ifindex;    /* lxc1 */
	uint32_t device_ifindex; /* eth0.5: a name that bpffs would not have */
};

static void start(struct world *world)
{
	g_autoptr(GError) error = NULL;

	world->dp = datapath_real_new(bpf_root, state_dir);
	if (world->dp->ops->load(world->dp, &world->config, &error))
		fail_msg("%s", error->message);
}

static void finish(struct world *world)
{
	g_autoptr(GError) error = NULL;

	if (world->dp->ops->load_finish(world->dp, &error))
		fail_msg("%s", error->message);
}

/* The agent dies, and another takes over what is in the kernel. */
static void restart(struct world *world)
{
	world->dp->ops->free(world->dp);
	start(world);
}

static void attach(struct world *world, uint32_t ifindex, enum plan_hook hook,
		   enum plan_program program, const char *ifname)
{
	struct plan_attachment *row = (struct plan_attachment *)row_new(&plan_attachment_class);

	row->key = (struct plan_attachment_key){ifindex, hook};
	row->program = program;
	row->ifname = g_strdup(ifname);
	assert_int_equal(world->dp->ops->attach(world->dp, row), 0);
	row_unref(&row->row);
}

#define N_ATTACHMENTS 5

static void attach_all(struct world *world)
{
	attach(world, world->config.node.host_ifindex, PLAN_HOOK_EGRESS, PLAN_PROGRAM_FROM_HOST,
	       "cilium_host");
	attach(world, world->device_ifindex, PLAN_HOOK_INGRESS, PLAN_PROGRAM_FROM_NETDEV, "eth0.5");
	attach(world, world->device_ifindex, PLAN_HOOK_EGRESS, PLAN_PROGRAM_TO_NETDEV, "eth0.5");
	attach(world, world->pod_ifindex, PLAN_HOOK_INGRESS, PLAN_PROGRAM_FROM_CONTAINER, "lxc1");
	attach(world, world->pod_ifindex, PLAN_HOOK_EGRESS, PLAN_PROGRAM_TO_CONTAINER, "lxc1");
}

struct tally {
	const struct world *world;
	unsigned int n_current;
	unsigned int n_outdated;
};

static bool count_attachment(const struct plan_attachment_key *key, enum plan_program program,
			     void *data)
{
	struct tally *tally = data;
	const struct world *world = tally->world;
	bool ingress = key->hook == PLAN_HOOK_INGRESS;

	if (program == PLAN_PROGRAM__MAX) {
		tally->n_outdated++;
		return true;
	}
	tally->n_current++;
	if (key->ifindex == world->pod_ifindex)
		assert_int_equal(program,
				 ingress ? PLAN_PROGRAM_FROM_CONTAINER : PLAN_PROGRAM_TO_CONTAINER);
	else if (key->ifindex == world->device_ifindex)
		assert_int_equal(program,
				 ingress ? PLAN_PROGRAM_FROM_NETDEV : PLAN_PROGRAM_TO_NETDEV);
	else
		assert_int_equal(program, PLAN_PROGRAM_FROM_HOST);
	return true;
}

static void assert_attached(const struct world *world, unsigned int n_current,
			    unsigned int n_outdated)
{
	struct tally tally = {.world = world};

	assert_int_equal(world->dp->ops->attachment_foreach(world->dp, count_attachment, &tally),
			 0);
	assert_int_equal(tally.n_current, n_current);
	assert_int_equal(tally.n_outdated, n_outdated);
}

static void put_endpoint(struct world *world, uint32_t number)
{
	struct endpoint_key key = {.addr.words = {number}};
	struct endpoint_info info = {.id = number};

	assert_int_equal(world->dp->ops->map_update(world->dp, PLAN_MAP_cilium_lxc, &key, &info),
			 0);
}

static bool count_entry(const void *key, const void *values, void *data)
{
	++*(unsigned int *)data;
	return true;
}

/* Entries of the map that the pin names. */
static unsigned int n_pinned_entries(const char *name)
{
	struct bpf_map_ref map;
	unsigned int n = 0;

	assert_int_equal(bpf_map_open(bpf_root, name, &map, NULL), 0);
	assert_int_equal(bpf_map_foreach(&map, count_entry, &n), 0);
	bpf_map_close(&map);
	return n;
}

static int get_sysctl(const char *name)
{
	int value;

	assert_int_equal(sysctl_get(name, &value), 0);
	return value;
}

static int set_up(void **state)
{
	struct world *world = g_new0(struct world, 1);

	world->config.enable_tcx = true;
	world->config.mtu = 1500;
	world->config.node.enable_ipv4 = 1;
	world->config.node.enable_ipv6 = 1;
	world->config.node.ct_timeout_tcp = 8000;
	world->config.max_entries[PLAN_MAP_cilium_ct_tcp_global] = 2048;
	world->config.max_entries[PLAN_MAP_cilium_ct_any_global] = 1024;
	world->config.max_entries[PLAN_MAP_cilium_snat_external] = 1024;
	assert_int_equal(addr_parse("10.0.0.1", &world->config.node.router4), 0);
	assert_int_equal(addr_parse("fd00::1", &world->config.node.router6), 0);
	world->pod_ifindex = root_test_add_pair(nl, "lxc1", "lxcp");
	world->device_ifindex = root_test_add_pair(nl, "eth0.5", "ethp");
	start(world);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	assert_int_equal(world->dp->ops->purge(world->dp, NULL), 0);
	world->dp->ops->free(world->dp);
	root_test_delete(nl, "lxc1");
	root_test_delete(nl, "eth0.5");
	g_free(world);
	return 0;
}

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

static void test_adopts_twice(void **state)
{
	struct world *world = *state;
	uint32_t program_ids[PLAN_PROGRAM__MAX];

	attach_all(world);
	finish(world);
	put_endpoint(world, 1);
	assert_attached(world, N_ATTACHMENTS, 0);
	memcpy(program_ids, real_get(world->dp)->program_ids, sizeof(program_ids));
	for (int i = 0; i < 2; i++) {
		restart(world);
		assert_attached(world, N_ATTACHMENTS, 0);
		assert_memory_equal(program_ids, real_get(world->dp)->program_ids,
				    sizeof(program_ids));
		assert_int_equal(n_pinned_entries("cilium_lxc"), 1);
		finish(world);
	}
}

static bool find_deletion(const struct nlmsghdr *message, void *data)
{
	if (message->nlmsg_type == RTM_DELTFILTER || message->nlmsg_type == RTM_DELQDISC)
		*(bool *)data = true;
	return true;
}

static void collect_link_id(const struct real_link *link, void *data)
{
	int fd = bpf_obj_get(link->path);
	struct bpf_link_info info = {0};
	uint32_t n_bytes = sizeof(info);

	assert_true(fd >= 0);
	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &n_bytes), 0);
	close(fd);
	*(uint32_t *)data += info.id;
}

/* A number that is the same while all links are. */
static uint32_t sum_of_link_ids(struct world *world)
{
	uint32_t sum = 0;

	real_link_foreach(real_get(world->dp), collect_link_id, &sum);
	return sum;
}

static void test_upgrade_replaces_in_place(void **state)
{
	struct world *world = *state;
	const unsigned int groups[] = {RTNLGRP_TC};
	struct netlink *listener;
	bool deleted = false;
	uint32_t links;

	attach_all(world);
	finish(world);
	links = sum_of_link_ids(world);
	world->config.node.ct_timeout_tcp = 9000;
	restart(world);
	/* Until they are replaced the old programs run. */
	assert_attached(world, 0, N_ATTACHMENTS);

	listener = netlink_new_listener(groups, 1, NULL);
	assert_non_null(listener);
	attach_all(world);
	finish(world);
	assert_attached(world, N_ATTACHMENTS, 0);
	assert_int_equal(sum_of_link_ids(world), links);
	assert_int_equal(netlink_receive(listener, find_deletion, &deleted), 0);
	assert_false(deleted);
	netlink_free(listener);
}

static void test_resize_carries_entries_over(void **state)
{
	struct world *world = *state;
	struct bpf_map_ref old;
	struct ct_key key = {.protocol = 6};
	struct ct_entry entry = {.expires = 1};

	attach_all(world);
	finish(world);
	for (uint32_t i = 1; i <= 600; i++)
		put_endpoint(world, i);
	assert_int_equal(bpf_map_open(bpf_root, "cilium_ct_tcp_global", &old, NULL), 0);
	for (uint16_t i = 1; i <= 300; i++) {
		key.port[0] = i;
		assert_int_equal(bpf_map_put(&old, &key, &entry), 0);
	}

	world->config.max_entries[PLAN_MAP_cilium_ct_tcp_global] = 4096;
	world->config.max_entries[PLAN_MAP_cilium_lxc] = 1000;
	restart(world);
	/* What an old program writes until it is replaced is not lost, and undoes nothing newer. */
	key.port[0] = 301;
	assert_int_equal(bpf_map_put(&old, &key, &entry), 0);
	key.port[0] = 1;
	entry.expires = 2;
	assert_int_equal(bpf_map_put(&real_get(world->dp)->maps[PLAN_MAP_cilium_ct_tcp_global],
				     &key, &entry),
			 0);
	attach_all(world);
	finish(world);
	bpf_map_close(&old);

	assert_int_equal(n_pinned_entries("cilium_ct_tcp_global"), 301);
	assert_int_equal(n_pinned_entries("cilium_lxc"), 600);
	assert_int_equal(bpf_map_open(bpf_root, "cilium_ct_tcp_global", &old, NULL), 0);
	assert_int_equal(old.max_entries, 4096);
	assert_int_equal(bpf_map_get(&old, &key, &entry), 0);
	assert_int_equal(entry.expires, 2);
	bpf_map_close(&old);
	/* The next start finds the maps as it wants them. */
	restart(world);
	assert_attached(world, N_ATTACHMENTS, 0);
}

static void test_shrinking_keeps_what_fits(void **state)
{
	struct world *world = *state;

	for (uint32_t i = 1; i <= 20; i++)
		put_endpoint(world, i);
	world->config.max_entries[PLAN_MAP_cilium_lxc] = 10;
	restart(world);
	finish(world);
	assert_int_equal(n_pinned_entries("cilium_lxc"), 10);
}

/* A start that dies before load_finish has changed nothing that the next one needs. */
static void test_crash_before_finish(void **state)
{
	struct world *world = *state;

	put_endpoint(world, 1);
	world->config.max_entries[PLAN_MAP_cilium_lxc] = 10;
	restart(world);
	assert_int_equal(n_pinned_entries("cilium_lxc"), 1);
	restart(world);
	finish(world);
	assert_int_equal(n_pinned_entries("cilium_lxc"), 1);
}

static void test_changes_between_tcx_and_clsact(void **state)
{
	struct world *world = *state;
	struct tc_filter filter;

	if (!world->config.enable_tcx)
		skip();
	attach_all(world);
	finish(world);
	assert_int_equal(tc_filter_get(nl, world->device_ifindex, TC_HOOK_INGRESS, &filter, NULL),
			 -ENOENT);

	world->config.enable_tcx = false;
	restart(world);
	assert_attached(world, 2, 3);
	attach_all(world);
	assert_attached(world, N_ATTACHMENTS, 0);
	assert_int_equal(tc_filter_get(nl, world->device_ifindex, TC_HOOK_INGRESS, &filter, NULL),
			 0);
	assert_string_equal(filter.name, "cil_from_netdev");
	assert_int_equal(sum_of_link_ids(world), 0);

	world->config.enable_tcx = true;
	restart(world);
	attach_all(world);
	assert_attached(world, N_ATTACHMENTS, 0);
	assert_int_equal(tc_filter_get(nl, world->device_ifindex, TC_HOOK_INGRESS, &filter, NULL),
			 -ENOENT);
}

static bool has_clsact(uint32_t ifindex)
{
	g_autoptr(GArray) ifindexes = NULL;

	assert_int_equal(tc_clsact_dump(nl, &ifindexes, NULL), 0);
	for (guint i = 0; i < ifindexes->len; i++)
		if (g_array_index(ifindexes, uint32_t, i) == ifindex)
			return true;
	return false;
}

static void test_detach(void **state)
{
	struct world *world = *state;
	struct plan_attachment_key keys[] = {
		{world->pod_ifindex, PLAN_HOOK_INGRESS},
		{world->pod_ifindex, PLAN_HOOK_EGRESS},
		{world->device_ifindex, PLAN_HOOK_INGRESS},
	};

	attach_all(world);
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
		assert_true(has_clsact(world->pod_ifindex) == (i < 2));
		assert_int_equal(world->dp->ops->detach(world->dp, &keys[i]), 0);
	}
	assert_attached(world, N_ATTACHMENTS - 3, 0);
	/* What is not there is detached. */
	assert_int_equal(world->dp->ops->detach(world->dp, &keys[0]), 0);
}

static void test_leaves_filters_of_others(void **state)
{
	struct world *world = *state;
	struct plan_attachment_key key = {world->pod_ifindex, PLAN_HOOK_INGRESS};
	struct tc_filter filter;

	attach_all(world);
	/* Under our handle, but not by our name. */
	tc_append_filter(nl, world->pod_ifindex, TC_HOOK_EGRESS,
			 real_get(world->dp)->program_fds[PLAN_PROGRAM_TO_CONTAINER], "theirs");
	root_test_send(nl);
	assert_attached(world, N_ATTACHMENTS - 1, 0);
	assert_int_equal(world->dp->ops->detach(world->dp, &key), 0);
	key.hook = PLAN_HOOK_EGRESS;
	assert_int_equal(world->dp->ops->detach(world->dp, &key), 0);
	assert_int_equal(tc_filter_get(nl, world->pod_ifindex, TC_HOOK_EGRESS, &filter, NULL), 0);
	assert_string_equal(filter.name, "theirs");
}

static void test_devices_that_go(void **state)
{
	struct world *world = *state;
	struct plan_attachment_key key = {world->device_ifindex, PLAN_HOOK_INGRESS};

	attach_all(world);
	root_test_delete(nl, "eth0.5");
	assert_attached(world, N_ATTACHMENTS - 2, 0);
	assert_int_equal(world->dp->ops->detach(world->dp, &key), 0);
	/* The name comes back with another device. */
	world->device_ifindex = root_test_add_pair(nl, "eth0.5", "ethp");
	attach_all(world);
	assert_attached(world, N_ATTACHMENTS, 0);
}

static void test_missing_device(void **state)
{
	struct world *world = *state;
	struct plan_attachment row = {.key = {999999, PLAN_HOOK_INGRESS}, .ifname = (char *)"none"};

	assert_int_equal(world->dp->ops->attach(world->dp, &row), -ENODEV);
	row.program = PLAN_PROGRAM_FROM_NETDEV;
	assert_int_equal(world->dp->ops->attach(world->dp, &row), -ENODEV);
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
	address.addr = world->config.node.router4;
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

	/* The programs have the index built in. */
	root_test_delete(nl, "cilium_net");
	assert_ensured(world, (const char *const[]){"cilium_host was missing", NULL});
	assert_int_equal(link_get_by_name(nl, "cilium_host", &link, NULL), 0);
	assert_int_equal(link.ifindex, world->config.node.host_ifindex);
	assert_ensured(world, (const char *const[]){NULL});
}

static void test_router_address_changes(void **state)
{
	struct world *world = *state;
	g_autoptr(GArray) addresses = NULL;

	assert_int_equal(addr_parse("10.0.1.1", &world->config.node.router4), 0);
	memset(&world->config.node.router6, 0, sizeof(world->config.node.router6));
	restart(world);
	assert_int_equal(address_dump(nl, world->config.node.host_ifindex, &addresses, NULL), 0);
	assert_int_equal(addresses->len, 1);
	assert_memory_equal(&g_array_index(addresses, struct address, 0).addr,
			    &world->config.node.router4, sizeof(struct addr));
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
		row->source = i ? world->config.node.router6 : world->config.node.router4;
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

static unsigned int n_entries_of(const char *path)
{
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	unsigned int n = 0;
	const char *name;

	/* The kernel's own two files of a bpffs. */
	while (dir && (name = g_dir_read_name(dir)))
		n += !g_str_has_suffix(name, ".debug");
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_load_fills_in_what_it_found),
		TEST(test_adopts_twice),
		TEST(test_upgrade_replaces_in_place),
		TEST(test_resize_carries_entries_over),
		TEST(test_shrinking_keeps_what_fits),
		TEST(test_crash_before_finish),
		TEST(test_changes_between_tcx_and_clsact),
		TEST(test_detach),
		TEST(test_leaves_filters_of_others),
		TEST(test_devices_that_go),
		TEST(test_missing_device),
		TEST(test_ensure_repairs),
		TEST(test_router_address_changes),
		TEST(test_routes),
		TEST(test_purge_leaves_nothing),
		TEST(test_strict_filter_moves_to_the_devices),
		TEST(test_runtime),
	};
	char dir[] = "/tmp/real_test.XXXXXX";
	int failed;

	root_test_unshare();
	/* The mount goes with the namespace; the directory is left empty for rmdir. */
	if (!mkdtemp(dir) || mount("none", dir, "tmpfs", 0, NULL))
		return 1;
	bpf_root = g_build_filename(dir, "bpf", NULL);
	state_dir = g_build_filename(dir, "state", NULL);
	nl = netlink_new(NULL);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	netlink_free(nl);
	umount2(dir, MNT_DETACH);
	rmdir(dir);
	return failed;
}
