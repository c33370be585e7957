// SPDX-License-Identifier: Apache-2.0
/* Programs on sockets: how they are attached, taken over, replaced and removed. */
#include "src/datapath/real_cgroup_test.h"

#include <bpf/bpf.h>

#define N_LINKS (PLAN_HOOK__MAX - PLAN_HOOK_SOCK__FIRST)

static int set_up_cgroup(void **state)
{
	struct world *world = cgroup_world_new();

	*state = world;
	start(world);
	return 0;
}

static int tear_down_cgroup(void **state)
{
	struct world *world = *state;
	g_autofree char *pins = g_build_filename(bpf_root, "cilium", NULL);

	assert_int_equal(world->dp->ops->purge(world->dp, NULL), 0);
	assert_false(g_file_test(pins, G_FILE_TEST_EXISTS));
	world->dp->ops->free(world->dp);
	g_free(world);
	return 0;
}

struct count {
	unsigned int n_current;
	unsigned int n_outdated;
};

static bool count_link(const struct plan_attachment_key *key, enum plan_program program, void *data)
{
	struct count *count = data;

	if (!plan_hook_is_socket(key->hook))
		return true;
	assert_int_equal(key->ifindex, 0);
	if (program == PLAN_PROGRAM__MAX) {
		count->n_outdated++;
		return true;
	}
	assert_int_equal(program - PLAN_PROGRAM_SOCK__FIRST, key->hook - PLAN_HOOK_SOCK__FIRST);
	count->n_current++;
	return true;
}

static struct count count_links(struct world *world)
{
	struct count count = {0};

	assert_int_equal(world->dp->ops->attachment_foreach(world->dp, count_link, &count), 0);
	return count;
}

static void assert_links(struct world *world, unsigned int n_current, unsigned int n_outdated)
{
	struct count count = count_links(world);

	assert_int_equal(count.n_current, n_current);
	assert_int_equal(count.n_outdated, n_outdated);
}

/* What is attached to the directory of the test, as the kernel says it. */
static unsigned int n_attached(const char *dir, enum bpf_attach_type type)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY);
	uint32_t flags, n_programs = 0;

	assert_true(fd >= 0);
	assert_int_equal(bpf_prog_query(fd, type, 0, &flags, NULL, &n_programs), 0);
	close(fd);
	return n_programs;
}

static uint32_t link_id(const char *program)
{
	g_autofree char *path =
		g_build_filename(bpf_root, "cilium/socketlb/links/cgroup", program, NULL);
	struct bpf_link_info info = {0};
	uint32_t n_bytes = sizeof(info);
	int fd = bpf_obj_get(path);

	assert_true(fd >= 0);
	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &n_bytes), 0);
	close(fd);
	return info.id;
}

static void test_is_taken_over(void **state)
{
	struct world *world = *state;
	uint32_t id;

	assert_links(world, 0, 0);
	cgroup_attach_all(world);
	finish(world);
	assert_links(world, N_LINKS, 0);
	id = link_id("cil_sock4_connect");
	restart(world);
	assert_links(world, N_LINKS, 0);
	cgroup_attach_all(world);
	finish(world);
	assert_links(world, N_LINKS, 0);
	assert_int_equal(link_id("cil_sock4_connect"), id);
	assert_int_equal(n_attached(cgroup_dir, BPF_CGROUP_INET4_CONNECT), 1);
}

/* Another configuration makes other programs: the links stay and get them. */
static void test_is_replaced_in_place(void **state)
{
	struct world *world = *state;
	uint32_t id;

	cgroup_attach_all(world);
	finish(world);
	id = link_id("cil_sock6_sendmsg");
	world->config.node.ct_timeout_tcp++;
	restart(world);
	assert_links(world, 0, N_LINKS);
	cgroup_attach_all(world);
	finish(world);
	assert_links(world, N_LINKS, 0);
	assert_int_equal(link_id("cil_sock6_sendmsg"), id);
}

static void test_is_switched_off(void **state)
{
	struct world *world = *state;

	cgroup_attach_all(world);
	finish(world);
	world->config.node.enable_socket_lb = 0;
	world->config.node.protect_node_ports = 0;
	restart(world);
	assert_links(world, 0, N_LINKS);
	for (unsigned int hook = PLAN_HOOK_SOCK__FIRST; hook < PLAN_HOOK__MAX; hook++) {
		struct plan_attachment_key key = {0, hook};

		assert_int_equal(world->dp->ops->detach(world->dp, &key), 0);
		assert_int_equal(world->dp->ops->detach(world->dp, &key), 0);
	}
	assert_links(world, 0, 0);
	assert_int_equal(n_attached(cgroup_dir, BPF_CGROUP_INET4_CONNECT), 0);
}

/* A link that somebody has detached, and one whose pin is gone. */
static void test_drift_is_seen(void **state)
{
	struct world *world = *state;
	g_autofree char *dir = g_build_filename(bpf_root, "cilium/socketlb/links/cgroup", NULL);
	g_autofree char *detached = g_build_filename(dir, "cil_sock4_connect", NULL);
	g_autofree char *unpinned = g_build_filename(dir, "cil_sock6_connect", NULL);
	int fd;

	cgroup_attach_all(world);
	fd = bpf_obj_get(detached);
	assert_true(fd >= 0);
	assert_int_equal(bpf_link_detach(fd), 0);
	close(fd);
	assert_int_equal(unlink(unpinned), 0);
	assert_links(world, N_LINKS - 2, 0);
	cgroup_attach_all(world);
	assert_links(world, N_LINKS, 0);
}

static void test_moves_to_another_directory(void **state)
{
	struct world *world = *state;
	g_autofree char *below = g_build_filename(cgroup_dir, "below", NULL);

	cgroup_attach_all(world);
	assert_int_equal(mkdir(below, 0755), 0);
	world->config.cgroup_root = below;
	restart(world);
	assert_links(world, 0, N_LINKS);
	cgroup_attach_all(world);
	assert_links(world, N_LINKS, 0);
	assert_int_equal(n_attached(cgroup_dir, BPF_CGROUP_INET4_CONNECT), 0);
	assert_int_equal(n_attached(below, BPF_CGROUP_INET4_CONNECT), 1);
	assert_int_equal(rmdir(below), 0);
	/* The kernel detaches when it gets to it. */
	for (int i = 0; i < 200 && count_links(world).n_current; i++)
		g_usleep(10000);
	assert_links(world, 0, 0);
}

static void test_mounts_the_hierarchy(void **state)
{
	struct world *world = *state;
	g_autofree char *root = g_build_filename(root_dir, "cgroup", NULL);

	world->config.cgroup_root = root;
	restart(world);
	assert_true(cgroup_is_mounted(root));
	assert_int_equal(world->dp->ops->purge(world->dp, NULL), 0);
	assert_false(cgroup_is_mounted(root));
}

#define CGROUP_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_cgroup, tear_down_cgroup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CGROUP_TEST(test_is_taken_over),
		CGROUP_TEST(test_is_replaced_in_place),
		CGROUP_TEST(test_is_switched_off),
		CGROUP_TEST(test_drift_is_seen),
		CGROUP_TEST(test_moves_to_another_directory),
		CGROUP_TEST(test_mounts_the_hierarchy),
	};

	return CGROUP_RUN(tests);
}
