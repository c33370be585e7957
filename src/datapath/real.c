// SPDX-License-Identifier: Apache-2.0
#include "src/datapath/real_private.h"

#include <fcntl.h>
#include <unistd.h>
#include "src/sys/bpffs.h"

int real_open(struct real *real, GError **error)
{
	if (!real->netlink)
		real->netlink = netlink_new(error);
	return real->netlink ? 0 : -EIO;
}

void real_note(GString *repaired, const char *format, ...)
{
	va_list args;

	if (!repaired)
		return;
	if (repaired->len)
		g_string_append(repaired, ", ");
	va_start(args, format);
	g_string_append_vprintf(repaired, format, args);
	va_end(args);
}

static void real_free(struct datapath *dp)
{
	struct real *real = real_get(dp);

	for (enum plan_map map = 0; map < PLAN_MAP__MAX; map++) {
		bpf_map_close(&real->maps[map]);
		bpf_map_close(&real->old_maps[map]);
		conversion_free(real->conversions[map]);
	}
	for (enum plan_program program = 0; program < PLAN_PROGRAM__MAX; program++)
		if (real->program_fds[program] >= 0)
			close(real->program_fds[program]);
	real_policy_close(real);
	real_cgroup_close(real);
	netlink_free(real->netlink);
	real_sysctl_free(real);
	g_free(real->configured_root);
	g_free(real->bpf_root);
	g_free(real->state_dir);
	g_free(real->digest);
	g_hash_table_unref(real->xdp_refusals);
	g_free(real);
}

static const struct datapath_ops real_ops = {
	.load = real_load,
	.load_catch_up = real_load_catch_up,
	.load_finish = real_load_finish,
	.ensure = real_ensure,
	.set_router = real_set_router,
	.set_runtime = real_set_runtime,
	.map_foreach = real_map_foreach,
	.map_update = real_map_update,
	.map_delete = real_map_delete,
	.map_update_batch = real_map_update_batch,
	.map_delete_batch = real_map_delete_batch,
	.map_max_entries = real_map_max_entries,
	.map_get = real_map_get,
	.map_sweep = real_map_sweep,
	.policy_get = real_policy_get,
	.policy_set = real_policy_set,
	.wait_programs = real_wait_programs,
	.get_statistics = real_get_statistics,
	.get_memory = real_get_memory,
	.attachment_foreach = real_attachment_foreach,
	.attach = real_attach,
	.detach = real_detach,
	.route_foreach = real_route_foreach,
	.route_replace = real_route_replace,
	.route_remove = real_route_remove,
	.free = real_free,
	.purge = real_purge,
};

struct datapath *datapath_real_new(const char *bpf_root, const char *state_dir)
{
	struct real *real = g_new0(struct real, 1);

	real->datapath.ops = &real_ops;
	real->configured_root = g_strdup(bpf_root);
	real->bpf_root = g_strdup(bpffs_find(bpf_root));
	real->xdp_refusals = g_hash_table_new(NULL, NULL);
	real->state_dir = g_strdup(state_dir);
	real->sweep_room = REAL_SWEEP_ROOM;
	real->grace_fd = -1;
	real->cgroup_fd = -1;
	for (enum plan_map map = 0; map < PLAN_MAP__MAX; map++) {
		real->maps[map].fd = real->old_maps[map].fd = -1;
		real->statistics.maps[map].n_entries = -1;
	}
	for (enum plan_program program = 0; program < PLAN_PROGRAM__MAX; program++)
		real->program_fds[program] = -1;
	return &real->datapath;
}
