// SPDX-License-Identifier: Apache-2.0
/* Loading and attaching against the kernel. Each test begins with a purged node and ends with a purge. */
#include "src/datapath/real_test.h"

#include <bpf/bpf.h>
#include "abi/conntrack.h"

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

static void assert_pod_filter(struct world *world, int expected)
{
	struct tc_filter filter;

	assert_int_equal(tc_filter_get(nl, world->pod_ifindex, TC_HOOK_INGRESS, &filter, NULL),
			 expected);
}

static void test_pods_change_to_tcx_and_back(void **state)
{
	struct world *world = *state;

	if (!world->config.enable_tcx)
		skip();
	attach_all(world);
	finish(world);
	assert_pod_filter(world, 0);

	world->config.enable_pod_tcx = true;
	restart(world);
	assert_attached(world, 3, 2);
	attach_all(world);
	assert_attached(world, N_ATTACHMENTS, 0);
	assert_pod_filter(world, -ENOENT);
	assert_false(has_clsact(world->pod_ifindex));

	world->config.enable_pod_tcx = false;
	restart(world);
	assert_attached(world, 3, 2);
	attach_all(world);
	assert_attached(world, N_ATTACHMENTS, 0);
	assert_pod_filter(world, 0);
}

/* The ingress qdisc of another leaves no room for filters: links stay, whatever is asked for. */
static void test_pods_keep_tcx_beside_ingress(void **state)
{
	struct world *world = *state;

	if (!world->config.enable_tcx)
		skip();
	world->config.enable_pod_tcx = true;
	restart(world);
	attach_all(world);
	finish(world);
	root_test_qdisc(nl, RTM_NEWQDISC, world->pod_ifindex, "ingress");

	world->config.enable_pod_tcx = false;
	restart(world);
	assert_attached(world, N_ATTACHMENTS, 0);
	attach_all(world);
	assert_attached(world, N_ATTACHMENTS, 0);
	assert_int_equal(tc_filter_count(nl, world->pod_ifindex, NULL), 0);

	root_test_qdisc(nl, RTM_DELQDISC, world->pod_ifindex, "ingress");
	assert_attached(world, 3, 2);
	attach_all(world);
	assert_attached(world, N_ATTACHMENTS, 0);
	assert_pod_filter(world, 0);
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

/* Nor is one of a device of the node replaced; on a kernel with tcx nobody is in the way. */
static void test_filter_of_another_stays(void **state)
{
	struct world *world = *state;
	struct plan_attachment row = {.key = {world->device_ifindex, PLAN_HOOK_INGRESS},
				      .program = PLAN_PROGRAM_FROM_NETDEV,
				      .ifname = (char *)"eth0.5"};
	struct tc_filter filter;

	world->config.enable_tcx = false;
	restart(world);
	tc_append_clsact(nl, world->device_ifindex);
	tc_append_filter(nl, world->device_ifindex, TC_HOOK_INGRESS,
			 real_get(world->dp)->program_fds[PLAN_PROGRAM_FROM_NETDEV], "theirs");
	root_test_send(nl);
	assert_int_equal(world->dp->ops->attach(world->dp, &row), -EEXIST);
	assert_int_equal(tc_filter_get(nl, world->device_ifindex, TC_HOOK_INGRESS, &filter, NULL),
			 0);
	assert_string_equal(filter.name, "theirs");
	tc_append_filter_delete(nl, world->device_ifindex, TC_HOOK_INGRESS);
	root_test_send(nl);
	assert_int_equal(world->dp->ops->attach(world->dp, &row), 0);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_adopts_twice),
		TEST(test_upgrade_replaces_in_place),
		TEST(test_resize_carries_entries_over),
		TEST(test_shrinking_keeps_what_fits),
		TEST(test_crash_before_finish),
		TEST(test_changes_between_tcx_and_clsact),
		TEST(test_pods_change_to_tcx_and_back),
		TEST(test_pods_keep_tcx_beside_ingress),
		TEST(test_detach),
		TEST(test_leaves_filters_of_others),
		TEST(test_filter_of_another_stays),
		TEST(test_devices_that_go),
		TEST(test_missing_device),
	};

	return RUN(tests);
}
