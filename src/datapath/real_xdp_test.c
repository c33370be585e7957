// SPDX-License-Identifier: Apache-2.0
/* Programs of XDP on devices that can and that cannot, against the kernel. */
#include "src/datapath/real_test.h"

#include <bpf/bpf.h>
#include "src/sys/xdp.h"

struct sighting {
	uint32_t ifindex;
	int n;
	enum plan_program program;
};

static bool see(const struct plan_attachment_key *key, enum plan_program program, void *data)
{
	struct sighting *sighting = data;

	if (key->hook != PLAN_HOOK_XDP || key->ifindex != sighting->ifindex)
		return true;
	sighting->n++;
	sighting->program = program;
	return true;
}

/* What is said of the device's hook; 0: nothing is there. */
static int look(const struct world *world, uint32_t ifindex, enum plan_program *ret_program)
{
	struct sighting sighting = {.ifindex = ifindex};

	assert_int_equal(world->dp->ops->attachment_foreach(world->dp, see, &sighting), 0);
	*ret_program = sighting.program;
	return sighting.n;
}

static void assert_current(const struct world *world, uint32_t ifindex, enum xdp_mode want)
{
	enum plan_program program;
	enum xdp_mode mode;

	assert_int_equal(look(world, ifindex, &program), 1);
	assert_int_equal(program, PLAN_PROGRAM_XDP_ENTRY);
	assert_int_equal(xdp_mode_get(ifindex, &mode), 0);
	assert_int_equal(mode, want);
}

static void assert_outdated(const struct world *world, uint32_t ifindex)
{
	enum plan_program program;

	assert_int_equal(look(world, ifindex, &program), 1);
	assert_int_equal(program, PLAN_PROGRAM__MAX);
}

static void assert_none(const struct world *world, uint32_t ifindex)
{
	enum plan_program program;
	enum xdp_mode mode;

	assert_int_equal(look(world, ifindex, &program), 0);
	assert_int_equal(xdp_mode_get(ifindex, &mode), 0);
	assert_int_equal(mode, XDP_MODE_NONE);
}

static int try_attach(struct world *world, uint32_t ifindex, const char *ifname)
{
	struct plan_attachment row = {
		.key = {ifindex, PLAN_HOOK_XDP},
		.program = PLAN_PROGRAM_XDP_ENTRY,
		.ifname = (char *)ifname,
	};

	return world->dp->ops->attach(world->dp, &row);
}

static void restart_with(struct world *world, enum datapath_xdp xdp)
{
	world->config.xdp = xdp;
	world->config.node.enable_node_port = xdp != DATAPATH_XDP_OFF;
	restart(world);
}

static uint32_t link_id(const struct world *world)
{
	g_autofree char *path = g_build_filename(real_get(world->dp)->bpf_root, "cilium", "devices",
						 "eth0:5", "links", "cil_xdp_entry", NULL);
	struct bpf_link_info info = {0};
	uint32_t n_bytes = sizeof(info);
	int fd = bpf_obj_get(path);

	assert_true(fd >= 0);
	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &n_bytes), 0);
	close(fd);
	return info.id;
}

static void test_native(void **state)
{
	struct world *world = *state;
	struct plan_attachment_key key = {world->device_ifindex, PLAN_HOOK_XDP};

	restart_with(world, DATAPATH_XDP_NATIVE);
	attach_all(world);
	assert_int_equal(try_attach(world, world->device_ifindex, "eth0.5"), 0);
	assert_current(world, world->device_ifindex, XDP_MODE_NATIVE);
	/* The links of the other hooks are not taken for it, nor it for one of them. */
	assert_attached(world, N_ATTACHMENTS + 1, 0);
	assert_int_equal(world->dp->ops->detach(world->dp, &key), 0);
	assert_none(world, world->device_ifindex);
	assert_int_equal(world->dp->ops->detach(world->dp, &key), 0);
	assert_attached(world, N_ATTACHMENTS, 0);
}

/* One link for all versions of the program: at no time is there none. */
static void test_upgrade(void **state)
{
	struct world *world = *state;
	uint32_t id;

	restart_with(world, DATAPATH_XDP_NATIVE);
	assert_int_equal(try_attach(world, world->device_ifindex, "eth0.5"), 0);
	finish(world);
	id = link_id(world);
	restart(world);
	assert_current(world, world->device_ifindex, XDP_MODE_NATIVE);
	finish(world);
	world->config.node.ct_timeout_tcp++;
	restart(world);
	assert_outdated(world, world->device_ifindex);
	assert_int_equal(try_attach(world, world->device_ifindex, "eth0.5"), 0);
	assert_current(world, world->device_ifindex, XDP_MODE_NATIVE);
	assert_int_equal(link_id(world), id);
	finish(world);
}

static void test_changes_mode(void **state)
{
	struct world *world = *state;

	restart_with(world, DATAPATH_XDP_NATIVE);
	assert_int_equal(try_attach(world, world->device_ifindex, "eth0.5"), 0);
	restart_with(world, DATAPATH_XDP_GENERIC);
	assert_outdated(world, world->device_ifindex);
	assert_int_equal(try_attach(world, world->device_ifindex, "eth0.5"), 0);
	assert_current(world, world->device_ifindex, XDP_MODE_GENERIC);
	restart_with(world, DATAPATH_XDP_BEST_EFFORT);
	assert_outdated(world, world->device_ifindex);
	assert_int_equal(try_attach(world, world->device_ifindex, "eth0.5"), 0);
	assert_current(world, world->device_ifindex, XDP_MODE_NATIVE);
	/* What another configuration has no use for is there to be taken away. */
	restart_with(world, DATAPATH_XDP_OFF);
	assert_outdated(world, world->device_ifindex);
	assert_int_equal(try_attach(world, world->device_ifindex, "eth0.5"), -EINVAL);
}

/* A device whose driver knows no XDP, in every namespace. */
#define LOOPBACK_IFINDEX 1

static void test_driver_that_cannot(void **state)
{
	struct world *world = *state;
	uint32_t ifindex = LOOPBACK_IFINDEX;
	enum plan_program program;
	struct plan_attachment_key key = {ifindex, PLAN_HOOK_XDP};

	restart_with(world, DATAPATH_XDP_NATIVE);
	assert_int_equal(try_attach(world, ifindex, "lo"), -EOPNOTSUPP);
	assert_none(world, ifindex);
	restart_with(world, DATAPATH_XDP_BEST_EFFORT);
	assert_int_equal(try_attach(world, ifindex, "lo"), 0);
	/* Not tried again and again. */
	assert_int_equal(look(world, ifindex, &program), 1);
	assert_int_equal(program, PLAN_PROGRAM_XDP_ENTRY);
	assert_int_equal(world->dp->ops->detach(world->dp, &key), 0);
	assert_none(world, ifindex);
	restart_with(world, DATAPATH_XDP_GENERIC);
	assert_int_equal(try_attach(world, ifindex, "lo"), 0);
	assert_current(world, ifindex, XDP_MODE_GENERIC);
	assert_int_equal(world->dp->ops->detach(world->dp, &key), 0);
	assert_none(world, ifindex);
}

/* Somebody else's program stays. */
static void test_place_is_taken(void **state)
{
	struct world *world = *state;
	int theirs;

	restart_with(world, DATAPATH_XDP_NATIVE);
	theirs = xdp_link_new(world->device_ifindex, XDP_MODE_NATIVE,
			      real_get(world->dp)->program_fds[PLAN_PROGRAM_XDP_ENTRY]);
	assert_true(theirs >= 0);
	assert_int_equal(try_attach(world, world->device_ifindex, "eth0.5"), -EBUSY);
	close(theirs);
	assert_int_equal(try_attach(world, world->device_ifindex, "eth0.5"), 0);
	assert_int_equal(try_attach(world, 999999, "none"), -ENODEV);
}

static void test_devices_that_go(void **state)
{
	struct world *world = *state;
	enum plan_program program;
	uint32_t gone = world->device_ifindex;

	restart_with(world, DATAPATH_XDP_NATIVE);
	assert_int_equal(try_attach(world, gone, "eth0.5"), 0);
	root_test_delete(nl, "eth0.5");
	assert_int_equal(look(world, gone, &program), 0);
	world->device_ifindex = root_test_add_pair(nl, "eth0.5", "ethp");
	assert_none(world, world->device_ifindex);
	assert_int_equal(try_attach(world, world->device_ifindex, "eth0.5"), 0);
	assert_current(world, world->device_ifindex, XDP_MODE_NATIVE);
	root_test_take_down(nl, world->device_ifindex, "eth1");
	assert_int_equal(try_attach(world, world->device_ifindex, "eth1"), 0);
	assert_current(world, world->device_ifindex, XDP_MODE_NATIVE);
	root_test_take_down(nl, world->device_ifindex, "eth0.5");
}

/* By a process that has loaded nothing. */
static void test_purge(void **state)
{
	struct world *world = *state;
	struct datapath *other;

	restart_with(world, DATAPATH_XDP_NATIVE);
	assert_int_equal(try_attach(world, world->device_ifindex, "eth0.5"), 0);
	finish(world);
	other = datapath_real_new(bpf_root, state_dir);
	assert_int_equal(other->ops->purge(other, NULL), 0);
	other->ops->free(other);
	assert_none(world, world->device_ifindex);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_native),         TEST(test_upgrade),
		TEST(test_changes_mode),   TEST(test_driver_that_cannot),
		TEST(test_place_is_taken), TEST(test_devices_that_go),
		TEST(test_purge),
	};

	return RUN(tests);
}
