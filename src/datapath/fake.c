// SPDX-License-Identifier: Apache-2.0
#include "src/datapath/fake_private.h"

#include <limits.h>
#include <string.h>
#include "src/datapath/layout.h"

/* Stands for cilium_host. */
#define FAKE_HOST_IFINDEX 2

/* About a second at 250 Hz. */
#define FAKE_TICK_SHIFT 8

int fake_begin(struct datapath *dp, enum fake_op op)
{
	struct fake *fake = fake_get(dp);

	fake->n_calls[op]++;
	return -GPOINTER_TO_INT(g_queue_pop_head(&fake->failures[op]));
}

void fake_fail_next(struct datapath *dp, enum fake_op op, int err)
{
	g_queue_push_tail(&fake_get(dp)->failures[op], GINT_TO_POINTER(err));
}

unsigned int fake_n_calls(const struct datapath *dp, enum fake_op op)
{
	return fake_get(dp)->n_calls[op];
}

void fake_reset_calls(struct datapath *dp)
{
	memset(fake_get(dp)->n_calls, 0, sizeof(fake_get(dp)->n_calls));
	fake_get(dp)->n_writes = 0;
}

void fake_set_outdated(struct datapath *dp)
{
	GHashTableIter iter;

	g_hash_table_iter_init(&iter, fake_get(dp)->attachments);
	while (g_hash_table_iter_next(&iter, NULL, NULL))
		g_hash_table_iter_replace(&iter, GINT_TO_POINTER(PLAN_PROGRAM__MAX));
}

static int fake_load(struct datapath *dp, struct datapath_config *config, GError **error)
{
	int err = fake_begin(dp, FAKE_OP_LOAD);

	if (err)
		return error_set_errno(error, -err, "loading into memory");
	config->node.host_ifindex = FAKE_HOST_IFINDEX;
	config->node.ct_tick_shift = FAKE_TICK_SHIFT;
	fake_get(dp)->config = *config;
	return 0;
}

/* There is never another version. */
static int fake_load_catch_up(struct datapath *dp, GError **error)
{
	return 0;
}

static int fake_load_finish(struct datapath *dp, GError **error)
{
	int err = fake_begin(dp, FAKE_OP_LOAD_FINISH);

	return err ? error_set_errno(error, -err, "finishing the load in memory") : 0;
}

static int fake_ensure(struct datapath *dp, GString *ret_repaired, GError **error)
{
	int err = fake_begin(dp, FAKE_OP_ENSURE);

	return err ? error_set_errno(error, -err, "ensuring what is in memory") : 0;
}

static int fake_set_router(struct datapath *dp, const struct addr *router4,
			   const struct addr *router6, GError **error)
{
	struct fake *fake = fake_get(dp);
	int err = fake_begin(dp, FAKE_OP_SET_ROUTER);

	if (err)
		return error_set_errno(error, -err, "changing what is in memory");
	fake->config.router4 = *router4;
	fake->config.router6 = *router6;
	return 0;
}

static int fake_set_runtime(struct datapath *dp, const struct runtime_config *runtime)
{
	int err = fake_begin(dp, FAKE_OP_SET_RUNTIME);

	if (!err)
		fake_get(dp)->config.runtime = *runtime;
	return err;
}

static int fake_wait_programs(struct datapath *dp)
{
	return fake_begin(dp, FAKE_OP_WAIT_PROGRAMS);
}

static const struct datapath_statistics *fake_get_statistics(struct datapath *dp)
{
	struct fake *fake = fake_get(dp);

	for (enum plan_map map = 0; map < PLAN_MAP__MAX; map++) {
		fake->statistics.maps[map].max_entries = fake->config.max_entries[map];
		fake->statistics.maps[map].n_entries =
			fake->maps[map] ? g_hash_table_size(fake->maps[map]) : 0;
	}
	return &fake->statistics;
}

static int fake_get_memory(struct datapath *dp, uint64_t *ret_map_bytes,
			   uint64_t *ret_program_bytes)
{
	return -EOPNOTSUPP;
}

static int fake_attachment_foreach(struct datapath *dp,
				   bool (*fn)(const struct plan_attachment_key *key,
					      enum plan_program program, void *data),
				   void *data)
{
	int err = fake_begin(dp, FAKE_OP_ATTACHMENT_FOREACH);
	GHashTableIter iter;
	void *key;
	void *program;

	if (err)
		return err;
	g_hash_table_iter_init(&iter, fake_get(dp)->attachments);
	while (g_hash_table_iter_next(&iter, &key, &program))
		if (!fn(g_bytes_get_data(key, NULL), GPOINTER_TO_INT(program), data))
			break;
	return 0;
}

static int fake_attach(struct datapath *dp, const struct plan_attachment *attachment)
{
	int err = fake_begin(dp, FAKE_OP_ATTACH);

	if (!err)
		g_hash_table_insert(fake_get(dp)->attachments,
				    g_bytes_new(&attachment->key, sizeof(attachment->key)),
				    GINT_TO_POINTER(attachment->program));
	return err;
}

static int fake_detach(struct datapath *dp, const struct plan_attachment_key *key)
{
	int err = fake_begin(dp, FAKE_OP_DETACH);
	g_autoptr(GBytes) bytes = g_bytes_new(key, sizeof(*key));

	if (!err)
		g_hash_table_remove(fake_get(dp)->attachments, bytes);
	return err;
}

/* Address and length are adjacent; what is behind them is padding. */
static GBytes *cidr_bytes(const struct cidr *cidr)
{
	return g_bytes_new(cidr, offsetof(struct cidr, prefix_len) + 1);
}

static int fake_route_foreach(struct datapath *dp,
			      bool (*fn)(const struct plan_route *route, void *data), void *data)
{
	int err = fake_begin(dp, FAKE_OP_ROUTE_FOREACH);
	GHashTableIter iter;
	void *route;

	if (err)
		return err;
	g_hash_table_iter_init(&iter, fake_get(dp)->routes);
	while (g_hash_table_iter_next(&iter, NULL, &route))
		if (!fn(route, data))
			break;
	return 0;
}

static int fake_route_replace(struct datapath *dp, const struct plan_route *route)
{
	int err = fake_begin(dp, FAKE_OP_ROUTE_REPLACE);

	if (!err)
		g_hash_table_insert(fake_get(dp)->routes, cidr_bytes(&route->destination),
				    row_ref(&route->row));
	return err;
}

static int fake_route_remove(struct datapath *dp, const struct cidr *destination)
{
	int err = fake_begin(dp, FAKE_OP_ROUTE_REMOVE);
	g_autoptr(GBytes) bytes = cidr_bytes(destination);

	if (!err)
		g_hash_table_remove(fake_get(dp)->routes, bytes);
	return err;
}

static int fake_purge(struct datapath *dp, GError **error)
{
	struct fake *fake = fake_get(dp);
	int err = fake_begin(dp, FAKE_OP_PURGE);

	if (err)
		return error_set_errno(error, -err, "purging what is in memory");
	for (enum plan_map map = 0; map < PLAN_MAP__MAX; map++)
		if (fake->maps[map])
			g_hash_table_remove_all(fake->maps[map]);
	g_hash_table_remove_all(fake->attachments);
	g_hash_table_remove_all(fake->routes);
	return 0;
}

static void fake_free(struct datapath *dp)
{
	struct fake *fake = fake_get(dp);

	for (enum plan_map map = 0; map < PLAN_MAP__MAX; map++)
		g_clear_pointer(&fake->maps[map], g_hash_table_unref);
	for (enum fake_op op = 0; op < FAKE_OP__MAX; op++)
		g_queue_clear(&fake->failures[op]);
	g_hash_table_unref(fake->attachments);
	g_hash_table_unref(fake->routes);
	g_free(fake);
}

static const struct datapath_ops fake_ops = {
	.load = fake_load,
	.load_catch_up = fake_load_catch_up,
	.load_finish = fake_load_finish,
	.ensure = fake_ensure,
	.set_router = fake_set_router,
	.set_runtime = fake_set_runtime,
	.map_foreach = fake_map_foreach,
	.map_update = fake_map_update,
	.map_delete = fake_map_delete,
	.map_update_batch = fake_map_update_batch,
	.map_delete_batch = fake_map_delete_batch,
	.map_max_entries = fake_map_max_entries,
	.map_get = fake_map_get,
	.map_sweep = fake_map_sweep,
	.policy_get = fake_policy_get,
	.policy_set = fake_policy_set,
	.wait_programs = fake_wait_programs,
	.get_statistics = fake_get_statistics,
	.get_memory = fake_get_memory,
	.attachment_foreach = fake_attachment_foreach,
	.attach = fake_attach,
	.detach = fake_detach,
	.route_foreach = fake_route_foreach,
	.route_replace = fake_route_replace,
	.route_remove = fake_route_remove,
	.free = fake_free,
	.purge = fake_purge,
};

static void unref_bytes(void *bytes)
{
	g_bytes_unref(bytes);
}

static void unref_row(void *row)
{
	row_unref(row);
}

struct datapath *datapath_fake_new(void)
{
	struct fake *fake = g_new0(struct fake, 1);

	fake->datapath.ops = &fake_ops;
	fake->dies_at = UINT_MAX;
	for (enum plan_map map = 0; map < PLAN_MAP__MAX; map++)
		if (map_layout_get(map)->n_key_bytes)
			fake->maps[map] = g_hash_table_new_full(g_bytes_hash, g_bytes_equal,
								unref_bytes, unref_bytes);
	fake->attachments = g_hash_table_new_full(g_bytes_hash, g_bytes_equal, unref_bytes, NULL);
	fake->routes = g_hash_table_new_full(g_bytes_hash, g_bytes_equal, unref_bytes, unref_row);
	return &fake->datapath;
}
