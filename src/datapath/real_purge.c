// SPDX-License-Identifier: Apache-2.0
#include "src/datapath/real_private.h"

#include <unistd.h>
#include "src/sys/route.h"

/* Goes on after a failure: what can be removed is removed, and the first failure is told. */
struct purge {
	struct real *real;
	int err;
	GError **error;
};

static void note_failure(struct purge *purge, int err, const char *what)
{
	if (err && !purge->err)
		purge->err = error_set_errno(purge->error, -err, "%s", what);
}

/* Programs were not loaded by this process, so that none is known: all are PLAN_PROGRAM__MAX. */
static bool collect_key(const struct plan_attachment_key *key, enum plan_program program,
			void *data)
{
	g_array_append_val((GArray *)data, *key);
	return true;
}

static void purge_attachments(struct purge *purge)
{
	struct datapath *dp = &purge->real->datapath;
	g_autoptr(GArray) keys = g_array_new(FALSE, FALSE, sizeof(struct plan_attachment_key));

	note_failure(purge, real_attachment_foreach(dp, collect_key, keys), "listing programs");
	for (guint i = 0; i < keys->len; i++)
		note_failure(purge,
			     real_detach(dp, &g_array_index(keys, struct plan_attachment_key, i)),
			     "detaching a program");
}

static bool remove_route(const struct plan_route *route, void *data)
{
	struct purge *purge = data;

	note_failure(purge, real_route_remove(&purge->real->datapath, &route->destination),
		     "removing a route");
	return true;
}

static void purge_pins(struct purge *purge)
{
	/* Innermost first. */
	static const char *const dirs[] = {"cilium/socketlb/links/cgroup",
					   "cilium/socketlb/links",
					   "cilium/socketlb",
					   "cilium/programs",
					   "cilium/devices",
					   "cilium",
					   "tc/globals",
					   "tc"};
	struct real *real = purge->real;

	for (enum plan_map map = 0; map < PLAN_MAP__MAX; map++) {
		g_autofree char *path = real_map_path(real, map);
		g_autofree char *new_path = g_strconcat(path, ":new", NULL);

		if (unlink(path) && errno != ENOENT)
			note_failure(purge, -errno, path);
		unlink(new_path);
	}
	real_program_prune(real, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(dirs); i++) {
		g_autofree char *path = g_build_filename(real->bpf_root, dirs[i], NULL);

		/* Somebody else's pins stay, with their directories. */
		rmdir(path);
	}
}

int real_purge(struct datapath *dp, GError **error)
{
	struct purge purge = {.real = real_get(dp), .error = error};
	int err = real_open(purge.real, error);

	if (err)
		return err;
	purge_attachments(&purge);
	note_failure(&purge, real_route_foreach(dp, remove_route, &purge), "listing routes");
	err = real_node_purge(purge.real, purge.err ? NULL : error);
	purge.err = purge.err ? purge.err : err;
	purge_pins(&purge);
	err = real_bpffs_purge(purge.real, purge.err ? NULL : error);
	purge.err = purge.err ? purge.err : err;
	err = real_cgroup_purge(purge.real, purge.err ? NULL : error);
	purge.err = purge.err ? purge.err : err;
	err = real_ports_purge(purge.real, purge.err ? NULL : error);
	purge.err = purge.err ? purge.err : err;
	err = real_sysctl_purge(purge.real, purge.err ? NULL : error);
	return purge.err ? purge.err : err;
}
