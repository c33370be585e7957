/* SPDX-License-Identifier: Apache-2.0 */
/* A node for the tests of the real datapath: a pod's device, one of the node, and a datapath loaded. */
#pragma once

#include "src/datapath/root_test.h"

#include <net/if.h>
#include <string.h>
#include "abi/endpoint.h"
#include "src/datapath/real_private.h"
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

static inline void start(struct world *world)
{
	g_autoptr(GError) error = NULL;

	world->dp = datapath_real_new(bpf_root, state_dir);
	if (world->dp->ops->load(world->dp, &world->config, &error))
		fail_msg("%s", error->message);
}

static inline void finish(struct world *world)
{
	g_autoptr(GError) error = NULL;

	if (world->dp->ops->load_finish(world->dp, &error))
		fail_msg("%s", error->message);
}

/* The agent dies, and another takes over what is in the kernel. */
static inline void restart(struct world *world)
{
	world->dp->ops->free(world->dp);
	start(world);
}

static inline void attach(struct world *world, uint32_t ifindex, enum plan_hook hook,
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

static inline void attach_all(struct world *world)
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

static inline bool count_attachment(const struct plan_attachment_key *key,
				    enum plan_program program, void *data)
{
	struct tally *tally = data;
	const struct world *world = tally->world;
	bool ingress = key->hook == PLAN_HOOK_INGRESS;

	if (program == PLAN_PROGRAM__MAX) {
		tally->n_outdated++;
		return true;
	}
	tally->n_current++;
	if (key->hook == PLAN_HOOK_XDP)
		assert_int_equal(program, PLAN_PROGRAM_XDP_ENTRY);
	else if (key->ifindex == world->pod_ifindex)
		assert_int_equal(program,
				 ingress ? PLAN_PROGRAM_FROM_CONTAINER : PLAN_PROGRAM_TO_CONTAINER);
	else if (key->ifindex == world->device_ifindex)
		assert_int_equal(program,
				 ingress ? PLAN_PROGRAM_FROM_NETDEV : PLAN_PROGRAM_TO_NETDEV);
	else
		assert_int_equal(program, PLAN_PROGRAM_FROM_HOST);
	return true;
}

static inline void assert_attached(const struct world *world, unsigned int n_current,
				   unsigned int n_outdated)
{
	struct tally tally = {.world = world};

	assert_int_equal(world->dp->ops->attachment_foreach(world->dp, count_attachment, &tally),
			 0);
	assert_int_equal(tally.n_current, n_current);
	assert_int_equal(tally.n_outdated, n_outdated);
}

static inline void put_endpoint(struct world *world, uint32_t number)
{
	struct endpoint_key key = {.addr.words = {number}};
	struct endpoint_info info = {.id = number};

	assert_int_equal(world->dp->ops->map_update(world->dp, PLAN_MAP_cilium_lxc, &key, &info),
			 0);
}

static inline bool count_entry(const void *key, const void *values, void *data)
{
	++*(unsigned int *)data;
	return true;
}

/* Entries of the map that the pin names. */
static inline unsigned int n_pinned_entries(const char *name)
{
	struct bpf_map_ref map;
	unsigned int n = 0;

	assert_int_equal(bpf_map_open(bpf_root, name, &map, NULL), 0);
	assert_int_equal(bpf_map_foreach(&map, count_entry, &n), 0);
	bpf_map_close(&map);
	return n;
}

static inline int get_sysctl(const char *name)
{
	int value;

	assert_int_equal(sysctl_get(name, &value), 0);
	return value;
}

static inline int set_up(void **state)
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
	assert_int_equal(addr_parse("10.0.0.1", &world->config.router4), 0);
	assert_int_equal(addr_parse("fd00::1", &world->config.router6), 0);
	world->pod_ifindex = root_test_add_pair(nl, "lxc1", "lxcp");
	world->device_ifindex = root_test_add_pair(nl, "eth0.5", "ethp");
	start(world);
	*state = world;
	return 0;
}

static inline int tear_down(void **state)
{
	struct world *world = *state;

	assert_int_equal(world->dp->ops->purge(world->dp, NULL), 0);
	world->dp->ops->free(world->dp);
	root_test_delete(nl, "lxc1");
	root_test_delete(nl, "eth0.5");
	g_free(world);
	return 0;
}

static inline bool has_clsact(uint32_t ifindex)
{
	g_autoptr(GArray) ifindexes = NULL;

	assert_int_equal(tc_qdisc_dump(nl, "clsact", &ifindexes, NULL), 0);
	for (guint i = 0; i < ifindexes->len; i++)
		if (g_array_index(ifindexes, uint32_t, i) == ifindex)
			return true;
	return false;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* Runs the tests in namespaces of their own. The exit status of the program. */
#define RUN(tests) (begin() ? 1 : end(cmocka_run_group_tests(tests, NULL, NULL)))

static char root_dir[] = "/tmp/real_test.XXXXXX";

static inline int begin(void)
{
	root_test_unshare();
	/* The mount goes with the namespace; the directory is left empty for rmdir. */
	if (!mkdtemp(root_dir) || mount("none", root_dir, "tmpfs", 0, NULL))
		return -errno;
	bpf_root = g_build_filename(root_dir, "bpf", NULL);
	state_dir = g_build_filename(root_dir, "state", NULL);
	nl = netlink_new(NULL);
	return nl ? 0 : -EIO;
}

static inline int end(int failed)
{
	netlink_free(nl);
	umount2(root_dir, MNT_DETACH);
	rmdir(root_dir);
	return failed;
}
