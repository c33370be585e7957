// SPDX-License-Identifier: Apache-2.0
/* Writes to the maps: many in a system call, each with its own outcome. */
#include "src/datapath/lb_private.h"

#include "src/datapath/layout.h"

void lb_batch_init(struct lb_batch *batch)
{
	batch->keys = g_byte_array_new();
	batch->values = g_byte_array_new();
	batch->owners = g_array_new(false, false, sizeof(struct lb_owner));
}

void lb_batch_fini(struct lb_batch *batch)
{
	g_byte_array_unref(batch->keys);
	g_byte_array_unref(batch->values);
	g_array_unref(batch->owners);
}

void lb_count(struct lb_maps *maps, enum plan_map map, int change)
{
	if (change > 0 || maps->n_entries[map])
		maps->n_entries[map] += change;
	if (change < 0)
		maps->n_deleted++;
}

static const uint8_t *key_at(const struct lb_batch *batch, uint32_t i)
{
	return batch->keys->data + i * map_layout_get(batch->map)->n_key_bytes;
}

static const uint8_t *value_at(const struct lb_batch *batch, uint32_t i)
{
	if (batch->removes)
		return NULL;
	return batch->values->data + i * map_layout_get(batch->map)->n_value_bytes;
}

static int write_one(struct lb_maps *maps, enum plan_map map, const void *key, const void *value)
{
	struct datapath *dp = maps->datapath;

	return value ? dp->ops->map_update(dp, map, key, value) : dp->ops->map_delete(dp, map, key);
}

/* The entries from first on, as many as go at once. */
static int write_some(struct lb_maps *maps, uint32_t first, uint32_t n, uint32_t *ret_n_done)
{
	const struct lb_batch *batch = &maps->batch;
	struct datapath *dp = maps->datapath;
	int err;

	/* A trie takes no batch on all kernels. */
	if (n == 1 || batch->map == PLAN_MAP_cilium_lb_source_range) {
		err = write_one(maps, batch->map, key_at(batch, first), value_at(batch, first));
		*ret_n_done = !err;
		return err;
	}
	if (batch->removes)
		return dp->ops->map_delete_batch(dp, batch->map, key_at(batch, first), n,
						 ret_n_done);
	return dp->ops->map_update_batch(dp, batch->map, key_at(batch, first),
					 value_at(batch, first), n, ret_n_done);
}

static void note(struct lb_maps *maps, uint32_t i, int err)
{
	const struct lb_batch *batch = &maps->batch;
	const struct lb_owner *owner = &g_array_index(batch->owners, struct lb_owner, i);
	const void *value = value_at(batch, i);

	owner->work->n_writes++;
	lb_tell_write(maps, batch->map, key_at(batch, i), value, err);
	if (err) {
		if (!owner->work->error)
			owner->work->map = batch->map;
		owner->work->error = -err;
		return;
	}
	if (batch->done(owner->work, owner->index, value))
		lb_count(maps, batch->map, 1);
	else if (batch->removes)
		lb_count(maps, batch->map, -1);
}

static void flush(struct lb_maps *maps)
{
	struct lb_batch *batch = &maps->batch;
	uint32_t i = 0;

	while (i < batch->owners->len) {
		uint32_t n_done = 0;
		int err = write_some(maps, i, batch->owners->len - i, &n_done);

		for (uint32_t k = 0; k < n_done; k++)
			note(maps, i++, 0);
		/* One that is at fault for what the kernel does not say which. */
		if (err && i < batch->owners->len)
			note(maps, i++, err);
	}
	g_byte_array_set_size(batch->keys, 0);
	g_byte_array_set_size(batch->values, 0);
	g_array_set_size(batch->owners, 0);
}

void lb_batch_begin(struct lb_maps *maps, enum plan_map map, bool removes, lb_done done)
{
	maps->batch.map = map;
	maps->batch.removes = removes;
	maps->batch.done = done;
}

void lb_batch_add(struct lb_maps *maps, const struct lb_owner *owner, const void *key,
		  const void *value)
{
	struct lb_batch *batch = &maps->batch;
	const struct map_layout *layout = map_layout_get(batch->map);

	if (owner->work->error)
		return;
	g_byte_array_append(batch->keys, key, layout->n_key_bytes);
	if (value)
		g_byte_array_append(batch->values, value, layout->n_value_bytes);
	g_array_append_val(batch->owners, *owner);
	if (batch->owners->len >= LB_BATCH || batch->values->len >= LB_BATCH_BYTES)
		flush(maps);
}

void lb_batch_end(struct lb_maps *maps)
{
	flush(maps);
}

int lb_write(struct lb_maps *maps, enum plan_map map, const void *key, const void *value)
{
	int err = write_one(maps, map, key, value);

	lb_tell_write(maps, map, key, value, err);
	return err;
}
