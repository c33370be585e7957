// SPDX-License-Identifier: Apache-2.0
#include "src/datapath/real_private.h"

#include <bpf/bpf.h>
#include <string.h>
#include "src/base/clock.h"

int real_map_get(struct datapath *dp, enum plan_map map, const void *key, void *ret_value)
{
	int64_t started_ns = clock_monotonic_ns();
	int err = bpf_map_get(&real_get(dp)->maps[map], key, ret_value);

	real_count(real_get(dp), map, DATAPATH_MAP_LOOKUP, started_ns, err);
	return err;
}

/*
 * The entry may have come to life since it was read: look again, so that what is left of the race is the
 * time between two system calls.
 */
static bool remove_dead(struct real *real, enum plan_map map, const void *key, const void *value)
{
	g_autofree void *now = g_malloc(real->maps[map].n_value_bytes);

	/* Where removing fails the next sweep finds it again. */
	return real_map_get(&real->datapath, map, key, now) == 0 &&
	       memcmp(now, value, real->maps[map].n_value_bytes) == 0 &&
	       real_map_delete(&real->datapath, map, key) == 0;
}

struct batch {
	uint8_t *keys;
	uint8_t *values;
	uint32_t n;
	uint8_t next[sizeof(((struct map_cursor *)0)->position)];
};

static int read_batch(const struct bpf_map_ref *map, const struct map_cursor *cursor, uint32_t room,
		      struct batch *batch)
{
	batch->n = room;
	batch->keys = g_realloc_n(batch->keys, room, map->n_key_bytes);
	batch->values = g_realloc_n(batch->values, room, map->n_value_bytes);
	if (bpf_map_lookup_batch(map->fd, cursor->started ? (void *)cursor->position : NULL,
				 batch->next, batch->keys, batch->values, &batch->n, NULL))
		return -errno;
	return 0;
}

int real_map_sweep(struct datapath *dp, enum plan_map map, struct map_cursor *cursor,
		   bool (*fn)(const void *key, const void *value, void *data), void *data)
{
	struct real *real = real_get(dp);
	const struct bpf_map_ref *ref = &real->maps[map];
	struct batch batch = {0};
	int64_t started_ns = clock_monotonic_ns();
	int err;

	/* The kernel gives a bucket as a whole or not at all. */
	while ((err = read_batch(ref, cursor, real->sweep_room, &batch)) == -ENOSPC &&
	       real->sweep_room < ref->max_entries)
		real->sweep_room *= 2;
	real_count(real, map, DATAPATH_MAP_DUMP, started_ns, err);
	for (uint32_t i = 0; (!err || err == -ENOENT) && i < batch.n; i++) {
		const void *key = batch.keys + (size_t)i * ref->n_key_bytes;
		const void *value = batch.values + (size_t)i * ref->n_value_bytes;

		if (fn(key, value, data))
			(void)remove_dead(real, map, key, value);
	}
	if (!err) {
		cursor->started = true;
		memcpy(cursor->position, batch.next, sizeof(batch.next));
	}
	g_free(batch.keys);
	g_free(batch.values);
	return err;
}

static uint32_t round_up_to_power_of_two(uint32_t n)
{
	return n < 2 ? 1 : 1U << (32 - __builtin_clz(n - 1));
}

/* Reads from a bucket on: how many entries, and in *ret_next the bucket behind the last. 0 or −errno. */
static int sample(const struct real *real, const struct bpf_map_ref *ref, uint32_t first,
		  uint32_t *ret_next)
{
	struct map_cursor cursor = {.started = true};
	struct batch batch = {0};
	int err;

	memcpy(cursor.position, &first, sizeof(first));
	err = read_batch(ref, &cursor, MAX(real->sweep_room, 2 * REAL_SWEEP_ROOM), &batch);
	memcpy(ret_next, batch.next, sizeof(*ret_next));
	if (err == -ENOENT)
		*ret_next = UINT32_MAX;
	g_free(batch.keys);
	g_free(batch.values);
	return err && err != -ENOENT ? err : (int)batch.n;
}

/*
 * The position of a batch is the number of a bucket of the kernel's hash table, of which there is a power of two
 * (since 5.6, where batches came): how many entries so many buckets have says how many all have. From a random
 * one of the lower half, so that no order in which keys come can lead astray.
 */
void real_map_estimate(struct real *real, enum plan_map map)
{
	const struct bpf_map_ref *ref = &real->maps[map];
	uint32_t n_buckets = round_up_to_power_of_two(ref->max_entries), first, next, end;
	int n, n_all;

	if (ref->fd < 0)
		return;
	first = n_buckets < 4 ? 0 : g_random_int_range(0, n_buckets / 2);
	n = sample(real, ref, first, &next);
	if (n < 0 || next <= first)
		return;
	real->statistics.maps[map].n_entries =
		MIN((int64_t)n * n_buckets / (MIN(next, n_buckets) - first), ref->max_entries);
	/* Few: count them. */
	n_all = next == UINT32_MAX ? sample(real, ref, 0, &end) : -1;
	if (n_all >= 0 && end == UINT32_MAX)
		real->statistics.maps[map].n_entries = n_all;
}
