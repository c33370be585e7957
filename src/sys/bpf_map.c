// SPDX-License-Identifier: Apache-2.0
#include "src/sys/bpf_map.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <string.h>
#include <unistd.h>
#include "src/sys/bpffs.h"

/* Entries a batch. Also the most that a batch needs room for, unless one hash bucket has more. */
#define BATCH_ENTRIES 256

static bool is_per_cpu(uint32_t type)
{
	return type == BPF_MAP_TYPE_PERCPU_HASH || type == BPF_MAP_TYPE_PERCPU_ARRAY ||
	       type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
}

int bpf_map_open_fd(int fd, struct bpf_map_ref *ret_map)
{
	struct bpf_map_info info = {0};
	uint32_t n_bytes = sizeof(info);
	int n_values = 1;
	int err;

	if (fd < 0)
		return fd;
	err = bpf_obj_get_info_by_fd(fd, &info, &n_bytes);
	if (!err && is_per_cpu(info.type)) {
		n_values = libbpf_num_possible_cpus();
		err = MIN(n_values, 0);
	}
	if (err) {
		close(fd);
		return err;
	}
	*ret_map = (struct bpf_map_ref){
		.fd = fd,
		.id = info.id,
		.type = info.type,
		.n_key_bytes = info.key_size,
		.n_value_bytes = info.value_size,
		.max_entries = info.max_entries,
		.flags = info.map_flags,
		.n_values = n_values,
		.btf_id = info.btf_id,
		.btf_key_id = info.btf_key_type_id,
		.btf_value_id = info.btf_value_type_id,
	};
	return 0;
}

int bpf_map_open_path(const char *path, struct bpf_map_ref *ret_map)
{
	return bpf_map_open_fd(bpffs_open_pin(path), ret_map);
}

int bpf_map_open(const char *bpf_root, const char *name, struct bpf_map_ref *ret_map,
		 GError **error)
{
	g_autofree char *path = g_build_filename(bpf_root, "tc", "globals", name, NULL);
	int err = bpf_map_open_path(path, ret_map);

	if (err)
		error_set_errno(error, -err, "opening the map %s", path);
	return err;
}

void bpf_map_close(struct bpf_map_ref *map)
{
	if (map->fd > 0)
		close(map->fd);
	map->fd = -1;
}

static size_t stride(const struct bpf_map_ref *map)
{
	return (map->n_value_bytes + 7) & ~7u;
}

size_t bpf_map_n_entry_bytes(const struct bpf_map_ref *map)
{
	return map->n_values == 1 ? map->n_value_bytes : stride(map) * map->n_values;
}

const void *bpf_map_cpu_value(const struct bpf_map_ref *map, const void *values, unsigned int cpu)
{
	return (const uint8_t *)values + stride(map) * cpu;
}

int bpf_map_get(const struct bpf_map_ref *map, const void *key, void *ret_values)
{
	return bpf_map_lookup_elem(map->fd, key, ret_values);
}

int bpf_map_put(const struct bpf_map_ref *map, const void *key, const void *values)
{
	return bpf_map_update_elem(map->fd, key, values, BPF_ANY);
}

int bpf_map_add(const struct bpf_map_ref *map, const void *key, const void *values)
{
	return bpf_map_update_elem(map->fd, key, values, BPF_NOEXIST);
}

int bpf_map_remove(const struct bpf_map_ref *map, const void *key)
{
	return bpf_map_delete_elem(map->fd, key);
}

/* What the kernel refuses as a whole it leaves uncounted: the number is still that of all. */
static uint32_t count_done(uint32_t count, uint32_t n, int err)
{
	return err && count == n ? 0 : count;
}

int bpf_map_put_batch(const struct bpf_map_ref *map, const void *keys, const void *values,
		      uint32_t n, uint32_t *ret_n_done)
{
	uint32_t count = n;
	int err = bpf_map_update_batch(map->fd, keys, values, &count, NULL);

	*ret_n_done = count_done(count, n, err);
	return err;
}

int bpf_map_remove_batch(const struct bpf_map_ref *map, const void *keys, uint32_t n,
			 uint32_t *ret_n_done)
{
	uint32_t n_done = 0;
	int err = 0;

	while (!err && n_done < n) {
		uint32_t n_left = n - n_done, count = n_left;

		err = bpf_map_delete_batch(
			map->fd, (const uint8_t *)keys + (size_t)n_done * map->n_key_bytes, &count,
			NULL);
		n_done += count_done(count, n_left, err);
		if (err == -ENOENT) {
			n_done++;
			err = 0;
		}
	}
	*ret_n_done = n_done;
	return err;
}

/* Where a walk over a map stands. */
struct walk {
	const struct bpf_map_ref *map;
	bool (*fn)(const void *key, const void *values, void *data);
	void *data;
	uint32_t room; /* entries that keys and values have room for */
	uint8_t *keys;
	uint8_t *values;
};

static void walk_make_room(struct walk *walk, uint32_t n_entries)
{
	walk->room = n_entries;
	walk->keys = g_realloc_n(walk->keys, n_entries, walk->map->n_key_bytes);
	walk->values = g_realloc_n(walk->values, n_entries, bpf_map_n_entry_bytes(walk->map));
}

static bool walk_visit(struct walk *walk, uint32_t n_entries)
{
	size_t n_entry_bytes = bpf_map_n_entry_bytes(walk->map);

	for (uint32_t i = 0; i < n_entries; i++)
		if (!walk->fn(walk->keys + i * walk->map->n_key_bytes,
			      walk->values + i * n_entry_bytes, walk->data))
			return false;
	return true;
}

/*
 * One system call for many entries. −EINVAL or −ENOTSUPP (524) at the first call where the kernel or
 * the type of the map knows no batches.
 */
static int walk_batches(struct walk *walk)
{
	/* A hash map keeps the number of a bucket here, another map the last key. */
	g_autofree uint8_t *position = g_malloc0(MAX(walk->map->n_key_bytes, sizeof(uint32_t)));
	bool first = true;

	for (;;) {
		uint32_t n_entries = walk->room;
		int err = bpf_map_lookup_batch(walk->map->fd, first ? NULL : position, position,
					       walk->keys, walk->values, &n_entries, NULL);

		if (err == -ENOSPC && walk->room < walk->map->max_entries) {
			walk_make_room(walk, walk->room * 2); /* a bucket has more than that */
			continue;
		}
		if (err && err != -ENOENT)
			return err;
		if (!walk_visit(walk, n_entries) || err == -ENOENT)
			return 0;
		first = false;
	}
}

/* Key by key. A key that is removed meanwhile would begin the walk anew: the limit ends it. */
static int walk_keys(struct walk *walk)
{
	g_autofree uint8_t *next = g_malloc(walk->map->n_key_bytes);
	uint64_t n_left = (uint64_t)walk->map->max_entries * 2;
	int err = bpf_map_get_next_key(walk->map->fd, NULL, walk->keys);

	while (!err && n_left--) {
		int next_err = bpf_map_get_next_key(walk->map->fd, walk->keys, next);

		err = bpf_map_get(walk->map, walk->keys, walk->values);
		if (!err && !walk_visit(walk, 1))
			return 0;
		if (err && err != -ENOENT)
			return err;
		memcpy(walk->keys, next, walk->map->n_key_bytes);
		err = next_err;
	}
	return err == -ENOENT ? 0 : err;
}

int bpf_map_foreach(const struct bpf_map_ref *map,
		    bool (*fn)(const void *key, const void *values, void *data), void *data)
{
	struct walk walk = {.map = map, .fn = fn, .data = data};
	int err;

	walk_make_room(&walk, MIN(BATCH_ENTRIES, map->max_entries));
	err = walk_batches(&walk);
	if (err == -EINVAL || err == -524)
		err = walk_keys(&walk);
	g_free(walk.keys);
	g_free(walk.values);
	return err;
}
