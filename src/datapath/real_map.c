// SPDX-License-Identifier: Apache-2.0
#include "src/datapath/real_private.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <unistd.h>
#include "src/base/clock.h"

int real_set_runtime(struct datapath *dp, const struct runtime_config *runtime)
{
	struct real *real = real_get(dp);
	struct runtime_config in_ticks = *runtime;
	const uint32_t first = 0;

	in_ticks.trace_interval = jiffies_ticks_from_seconds(&real->clock, runtime->trace_interval);
	return real_map_update(dp, PLAN_MAP_cilium_runtime_config, &first, &in_ticks);
}

struct visit {
	bool (*fn)(const void *key, const void *value, void *data);
	void *data;
	int64_t n;
	bool wanted; /* fn has not stopped it */
};

static bool visit_entry(const void *key, const void *value, void *data)
{
	struct visit *visit = data;

	visit->n++;
	visit->wanted = visit->fn(key, value, visit->data);
	return visit->wanted;
}

int real_map_foreach(struct datapath *dp, enum plan_map map,
		     bool (*fn)(const void *key, const void *value, void *data), void *data)
{
	struct real *real = real_get(dp);
	struct visit visit = {.fn = fn, .data = data, .wanted = true};
	int64_t started_ns = clock_monotonic_ns();
	int err = bpf_map_foreach(&real->maps[map], visit_entry, &visit);

	real_count(real, map, DATAPATH_MAP_DUMP, started_ns, err);
	if (!err && visit.wanted)
		real->statistics.maps[map].n_entries = visit.n;
	return err;
}

int real_map_update(struct datapath *dp, enum plan_map map, const void *key, const void *value)
{
	int64_t started_ns = clock_monotonic_ns();
	int err = bpf_map_put(&real_get(dp)->maps[map], key, value);

	real_count(real_get(dp), map, DATAPATH_MAP_UPDATE, started_ns, err);
	/* A full hash says "Argument list too long", which leads nobody to the cause. */
	return err == -E2BIG ? -ENOSPC : err;
}

int real_map_delete(struct datapath *dp, enum plan_map map, const void *key)
{
	int64_t started_ns = clock_monotonic_ns();
	int err = bpf_map_remove(&real_get(dp)->maps[map], key);

	real_count(real_get(dp), map, DATAPATH_MAP_DELETE, started_ns, err);
	return err == -ENOENT ? 0 : err;
}

int real_map_update_batch(struct datapath *dp, enum plan_map map, const void *keys,
			  const void *values, uint32_t n, uint32_t *ret_n_done)
{
	int64_t started_ns = clock_monotonic_ns();
	int err = bpf_map_put_batch(&real_get(dp)->maps[map], keys, values, n, ret_n_done);

	real_count(real_get(dp), map, DATAPATH_MAP_UPDATE, started_ns, err);
	return err == -E2BIG ? -ENOSPC : err;
}

int real_map_delete_batch(struct datapath *dp, enum plan_map map, const void *keys, uint32_t n,
			  uint32_t *ret_n_done)
{
	int64_t started_ns = clock_monotonic_ns();
	int err = bpf_map_remove_batch(&real_get(dp)->maps[map], keys, n, ret_n_done);

	real_count(real_get(dp), map, DATAPATH_MAP_DELETE, started_ns, err);
	return err;
}

uint32_t real_map_max_entries(struct datapath *dp, enum plan_map map)
{
	return real_get(dp)->maps[map].max_entries;
}

char *real_map_path(const struct real *real, enum plan_map map)
{
	return g_build_filename(real->bpf_root, "tc", "globals", map_layout_get(map)->name, NULL);
}

struct carry {
	const struct bpf_map_ref *from;
	const struct bpf_map_ref *to;
	const struct conversion *conversion;
	bool only_new;
	int err;
	uint8_t *key; /* of the map that is filled */
	uint8_t *values;
};

static void convert(const struct carry *carry, const void *key, const void *values)
{
	conversion_run_key(carry->conversion, key, carry->key);
	for (uint32_t i = 0; i < carry->to->n_values; i++)
		conversion_run_value(carry->conversion, bpf_map_cpu_value(carry->from, values, i),
				     (uint8_t *)bpf_map_cpu_value(carry->to, carry->values, i));
}

static bool carry_entry(const void *key, const void *values, void *data)
{
	struct carry *carry = data;

	convert(carry, key, values);
	if (carry->only_new)
		carry->err = bpf_map_add(carry->to, carry->key, carry->values);
	else
		carry->err = bpf_map_put(carry->to, carry->key, carry->values);
	if (carry->err == -EEXIST)
		carry->err = 0;
	return !carry->err;
}

int real_map_carry(struct real *real, enum plan_map map, bool only_new, GError **error)
{
	const struct bpf_map_ref *from = &real->old_maps[map];
	struct carry carry = {
		.from = from,
		.to = &real->maps[map],
		.conversion = real->conversions[map],
		.only_new = only_new,
	};
	int err;

	/* Entries that say nothing to us: the reconcilers and the programs fill the map. */
	if (from->fd < 0 || !carry.conversion)
		return 0;
	carry.key = g_malloc0(carry.to->n_key_bytes);
	carry.values = g_malloc0(bpf_map_n_entry_bytes(carry.to));
	err = bpf_map_foreach(from, carry_entry, &carry);
	g_free(carry.key);
	g_free(carry.values);
	if (!err && carry.err != -E2BIG && carry.err != -ENOSPC)
		err = carry.err;
	if (err)
		return error_set_errno(error, -err, "carrying over the entries of %s",
				       map_layout_get(map)->name);
	return 0;
}

int real_map_pin(struct real *real, enum plan_map map, GError **error)
{
	g_autofree char *path = real_map_path(real, map);
	g_autofree char *new_path = g_strconcat(path, ":new", NULL);
	int err;

	/* Renaming replaces the old pin at one instant: whoever opens it finds one or the other. */
	unlink(new_path);
	err = bpf_obj_pin(real->maps[map].fd, new_path);
	if (!err && rename(new_path, path))
		err = -errno;
	if (err)
		return error_set_errno(error, -err, "pinning %s", path);
	return 0;
}
