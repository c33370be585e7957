// SPDX-License-Identifier: Apache-2.0
/* The maps of the datapath in memory, and how tests make writes to them fail. */
#include "src/datapath/fake_private.h"

#include <limits.h>
#include <string.h>
#include "src/datapath/layout.h"

void fake_fail_write(struct datapath *dp, unsigned int n, int err)
{
	fake_get(dp)->fails_at = fake_get(dp)->n_writes + n;
	fake_get(dp)->write_error = err;
}

void fake_die_after(struct datapath *dp, unsigned int n)
{
	fake_get(dp)->dies_at = fake_get(dp)->n_writes + n;
}

void fake_revive(struct datapath *dp)
{
	fake_get(dp)->dies_at = UINT_MAX;
}

unsigned int fake_n_writes(const struct datapath *dp)
{
	return fake_get(dp)->n_writes;
}

void fake_set_write_observer(struct datapath *dp, void (*fn)(void *data), void *data)
{
	fake_get(dp)->on_write = fn;
	fake_get(dp)->on_write_data = data;
}

/* Counts a write. 0, or −errno where it is to fail. */
static int begin_write(struct fake *fake)
{
	int err = 0;

	if (fake->n_writes >= fake->dies_at)
		return -EIO;
	if (fake->write_error && fake->n_writes == fake->fails_at) {
		err = -fake->write_error;
		fake->write_error = 0;
	}
	fake->n_writes++;
	return err;
}

static void end_write(const struct fake *fake)
{
	if (fake->on_write)
		fake->on_write(fake->on_write_data);
}

const void *fake_map_value(const struct datapath *dp, enum plan_map map, const void *key)
{
	g_autoptr(GBytes) bytes = g_bytes_new(key, map_layout_get(map)->n_key_bytes);
	GBytes *value = g_hash_table_lookup(fake_get(dp)->maps[map], bytes);

	return value ? g_bytes_get_data(value, NULL) : NULL;
}

unsigned int fake_map_n_entries(const struct datapath *dp, enum plan_map map)
{
	return g_hash_table_size(fake_get(dp)->maps[map]);
}

int fake_map_foreach(struct datapath *dp, enum plan_map map,
		     bool (*fn)(const void *key, const void *value, void *data), void *data)
{
	int err = fake_begin(dp, FAKE_OP_MAP_FOREACH);
	GHashTableIter iter;
	void *key;
	void *value;

	if (err)
		return err;
	g_hash_table_iter_init(&iter, fake_get(dp)->maps[map]);
	while (g_hash_table_iter_next(&iter, &key, &value))
		if (!fn(g_bytes_get_data(key, NULL), g_bytes_get_data(value, NULL), data))
			break;
	return 0;
}

static int put_entry(struct fake *fake, enum plan_map map, const void *key, const void *value)
{
	const struct map_layout *layout = map_layout_get(map);
	uint32_t max_entries = fake->config.max_entries[map];
	int err = begin_write(fake);

	if (err)
		return err;
	if (max_entries && fake_map_n_entries(&fake->datapath, map) >= max_entries &&
	    !fake_map_value(&fake->datapath, map, key))
		return -ENOSPC;
	g_hash_table_insert(fake->maps[map], g_bytes_new(key, layout->n_key_bytes),
			    g_bytes_new(value, layout->n_value_bytes));
	end_write(fake);
	return 0;
}

static int delete_entry(struct fake *fake, enum plan_map map, const void *key)
{
	int err = begin_write(fake);
	g_autoptr(GBytes) bytes = NULL;

	if (err)
		return err;
	bytes = g_bytes_new(key, map_layout_get(map)->n_key_bytes);
	g_hash_table_remove(fake->maps[map], bytes);
	end_write(fake);
	return 0;
}

int fake_map_update(struct datapath *dp, enum plan_map map, const void *key, const void *value)
{
	int err = fake_begin(dp, FAKE_OP_MAP_UPDATE);

	return err ? err : put_entry(fake_get(dp), map, key, value);
}

int fake_map_delete(struct datapath *dp, enum plan_map map, const void *key)
{
	int err = fake_begin(dp, FAKE_OP_MAP_DELETE);

	return err ? err : delete_entry(fake_get(dp), map, key);
}

int fake_map_update_batch(struct datapath *dp, enum plan_map map, const void *keys,
			  const void *values, uint32_t n, uint32_t *ret_n_done)
{
	const struct map_layout *layout = map_layout_get(map);
	int err = fake_begin(dp, FAKE_OP_MAP_UPDATE_BATCH);
	uint32_t n_done = 0;

	while (!err && n_done < n) {
		err = put_entry(fake_get(dp), map,
				(const uint8_t *)keys + n_done * layout->n_key_bytes,
				(const uint8_t *)values + n_done * layout->n_value_bytes);
		n_done += !err;
	}
	*ret_n_done = n_done;
	return err;
}

int fake_map_delete_batch(struct datapath *dp, enum plan_map map, const void *keys, uint32_t n,
			  uint32_t *ret_n_done)
{
	size_t n_key_bytes = map_layout_get(map)->n_key_bytes;
	int err = fake_begin(dp, FAKE_OP_MAP_DELETE_BATCH);
	uint32_t n_done = 0;

	while (!err && n_done < n) {
		err = delete_entry(fake_get(dp), map, (const uint8_t *)keys + n_done * n_key_bytes);
		n_done += !err;
	}
	*ret_n_done = n_done;
	return err;
}

uint32_t fake_map_max_entries(struct datapath *dp, enum plan_map map)
{
	uint32_t max_entries = fake_get(dp)->config.max_entries[map];

	return max_entries ? max_entries : UINT32_MAX;
}

int fake_map_get(struct datapath *dp, enum plan_map map, const void *key, void *ret_value)
{
	const void *value = fake_get(dp)->maps[map] ? fake_map_value(dp, map, key) : NULL;

	if (!value)
		return -ENOENT;
	memcpy(ret_value, value, map_layout_get(map)->n_value_bytes);
	return 0;
}

/* All in one step, which is the last. Maps that the programs fill are empty here. */
int fake_map_sweep(struct datapath *dp, enum plan_map map, struct map_cursor *cursor,
		   bool (*fn)(const void *key, const void *value, void *data), void *data)
{
	GHashTableIter iter;
	void *key, *value;

	cursor->started = true;
	if (!fake_get(dp)->maps[map])
		return -ENOENT;
	g_hash_table_iter_init(&iter, fake_get(dp)->maps[map]);
	while (g_hash_table_iter_next(&iter, &key, &value))
		if (fn(g_bytes_get_data(key, NULL), g_bytes_get_data(value, NULL), data))
			g_hash_table_iter_remove(&iter);
	return -ENOENT;
}

/* An element that is not there is zero. */
struct policy_endpoint fake_policy_get(struct datapath *dp, uint16_t endpoint_id)
{
	const uint32_t key = endpoint_id;
	struct policy_endpoint element = {0};
	const void *value = fake_map_value(dp, PLAN_MAP_cilium_policy_endpoint, &key);

	if (value)
		memcpy(&element, value, sizeof(element));
	return element;
}

void fake_policy_set(struct datapath *dp, uint16_t endpoint_id,
		     const struct policy_endpoint *element)
{
	static const struct policy_endpoint none;
	const uint32_t key = endpoint_id;
	g_autoptr(GBytes) bytes = g_bytes_new(&key, sizeof(key));

	/* A store: only an agent that is dead does not do it. */
	if (fake_get(dp)->n_writes >= fake_get(dp)->dies_at)
		return;
	fake_get(dp)->n_writes++;
	fake_get(dp)->fails_at++;
	if (memcmp(element, &none, sizeof(none)) == 0)
		g_hash_table_remove(fake_get(dp)->maps[PLAN_MAP_cilium_policy_endpoint], bytes);
	else
		g_hash_table_insert(fake_get(dp)->maps[PLAN_MAP_cilium_policy_endpoint],
				    g_bytes_ref(bytes), g_bytes_new(element, sizeof(*element)));
	end_write(fake_get(dp));
}
