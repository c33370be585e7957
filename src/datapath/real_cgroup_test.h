/* SPDX-License-Identifier: Apache-2.0 */
/* A node as in real_test.h, with a directory of the cgroup hierarchy that the test itself is in. */
#pragma once

#include "src/datapath/real_test.h"

#include <sys/stat.h>
#include "src/sys/cgroup.h"

static char *cgroup_parent; /* where the test came from */
static char *cgroup_dir;

static inline void cgroup_enter(const char *dir)
{
	g_autofree char *path = g_build_filename(dir, "cgroup.procs", NULL);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fprintf(file, "%d", getpid());
	assert_int_equal(fclose(file), 0);
}

static inline struct world *cgroup_world_new(void)
{
	static const enum plan_map sized[] = {
		PLAN_MAP_cilium_ct_tcp_global, PLAN_MAP_cilium_ct_any_global,
		PLAN_MAP_cilium_snat_external, PLAN_MAP_cilium_lb_reverse_sk};
	struct world *world = g_new0(struct world, 1);

	world->config.mtu = 1500;
	world->config.node.enable_ipv4 = 1;
	world->config.node.enable_ipv6 = 1;
	world->config.node.enable_socket_lb = 1;
	world->config.node.enable_socket_lb_pods = 1;
	world->config.node.protect_node_ports = 1;
	world->config.node.reject_without_backend = 1;
	world->config.node.node_port_min = 30000;
	world->config.node.node_port_max = 32767;
	world->config.cgroup_root = cgroup_dir;
	for (size_t i = 0; i < G_N_ELEMENTS(sized); i++)
		world->config.max_entries[sized[i]] = 1024;
	assert_int_equal(addr_parse("10.0.0.1", &world->config.router4), 0);
	assert_int_equal(addr_parse("fd00::1", &world->config.router6), 0);
	return world;
}

static inline void cgroup_attach_all(struct world *world)
{
	for (unsigned int i = 0; i < PLAN_HOOK__MAX - PLAN_HOOK_SOCK__FIRST; i++)
		attach(world, 0, PLAN_HOOK_SOCK__FIRST + i, PLAN_PROGRAM_SOCK__FIRST + i, "cgroup");
}

/* Runs the tests. The exit status of the program. */
#define CGROUP_RUN(tests) \
	(begin() || cgroup_begin() ? 1 : cgroup_end(cmocka_run_group_tests(tests, NULL, NULL)))

static inline int cgroup_begin(void)
{
	bool mounted;

	if (cgroup_ensure("", &cgroup_parent, &mounted, NULL))
		return -ENOENT;
	cgroup_dir = g_strdup_printf("%s/axoneme-test-%d", cgroup_parent, getpid());
	if (mkdir(cgroup_dir, 0755))
		return -errno;
	cgroup_enter(cgroup_dir);
	link_append_up(nl, 1);
	return netlink_send(nl, NULL, NULL, NULL);
}

static inline int cgroup_end(int failed)
{
	cgroup_enter(cgroup_parent);
	if (rmdir(cgroup_dir)) {
		perror(cgroup_dir);
		failed++;
	}
	return end(failed);
}
