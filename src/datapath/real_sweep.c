// SPDX-License-Identifier: Apache-2.0
#include "src/datapath/real_private.h"

#include <bpf/bpf.h>
#include <string.h>

/* More than a bucket of the kernel's hash table ever holds. */
#define BATCH 512

int real_map_get(struct datapath *dp, enum plan_map map, const void *key, void *ret_value)
{
	return bpf_map_get(&real_get(dp)->maps[map], key, ret_value);
}

/*
 * The entry may have come to life since it was read: look again, so that what is left of the race is the
 * time between two system calls.
 */
static void remove_dead(const struct bpf_map_ref *map, const void *key, const void *value)
{
	g_autofree void *now = g_malloc(map->n_value_bytes);

	/* Where removing fails the next sweep finds it again. */
	if (bpf_map_get(map, key, now) == 0 && memcmp(now, value, map->n_value_bytes) == 0)
		(void)!bpf_map_remove(map, key);
}

int real_map_sweep(struct datapath *dp, enum plan_map map, struct map_cursor *cursor,
		   bool (*fn)(const void *key, const void *value, void *data), void *data)
{
	const struct bpf_map_ref *ref = &real_get(dp)->maps[map];
	g_autofree uint8_t *keys = g_malloc_n(BATCH, ref->n_key_bytes);
	g_autofree uint8_t *values = g_malloc_n(BATCH, ref->n_value_bytes);
	uint8_t next[sizeof(cursor->position)] = {0};
	uint32_t n = BATCH;
	int err = 0;

	if (bpf_map_lookup_batch(ref->fd, cursor->started ? cursor->position : NULL, next, keys,
				 values, &n, NULL))
		err = -errno;
	if (err && err != -ENOENT)
		return err;
	for (uint32_t i = 0; i < n; i++) {
		const void *key = keys + (size_t)i * ref->n_key_bytes;
		const void *value = values + (size_t)i * ref->n_value_bytes;

		if (fn(key, value, data))
			remove_dead(ref, key, value);
	}
	cursor->started = true;
	memcpy(cursor->position, next, sizeof(next));
	return err;
}
