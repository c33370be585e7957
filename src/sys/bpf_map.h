/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BPF maps by their pins, without the programs: for the agent, and for the command line while the agent
 * is dead. Calls return 0 or −errno.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "src/base/error.h"

struct bpf_map_ref {
	int fd;
	uint32_t id;
	uint32_t type; /* enum bpf_map_type */
	uint32_t n_key_bytes;
	uint32_t n_value_bytes; /* of one CPU's value, where the map is per CPU */
	uint32_t max_entries;
	uint32_t flags; /* BPF_F_* of the map's creation */
	/* Values of an entry: 1, or the number of possible CPUs. Each begins at a multiple of 8. */
	uint32_t n_values;
	/* The types of keys and values, as the kernel keeps them; 0: it does not. */
	uint32_t btf_id;
	uint32_t btf_key_id;
	uint32_t btf_value_id;
};

/*
 * Opens <bpf_root>/tc/globals/<name>; bpf_root is where bpffs_find() says. −ENOENT: no agent has
 * run since the boot.
 */
NODISCARD int bpf_map_open(const char *bpf_root, const char *name, struct bpf_map_ref *ret_map,
			   GError **error);
NODISCARD int bpf_map_open_path(const char *path, struct bpf_map_ref *ret_map);
/* Takes fd, also on failure. */
NODISCARD int bpf_map_open_fd(int fd, struct bpf_map_ref *ret_map);
void bpf_map_close(struct bpf_map_ref *map); /* takes one that is closed */

/* Bytes that bpf_map_get() and the callback of bpf_map_foreach() have for the values of an entry. */
size_t bpf_map_n_entry_bytes(const struct bpf_map_ref *map);
/* The value of one CPU among those of an entry. */
const void *bpf_map_cpu_value(const struct bpf_map_ref *map, const void *values, unsigned int cpu);

NODISCARD int bpf_map_get(const struct bpf_map_ref *map, const void *key, void *ret_values);
/* −E2BIG or −ENOSPC: the map is full. */
NODISCARD int bpf_map_put(const struct bpf_map_ref *map, const void *key, const void *values);
/* As bpf_map_put, but −EEXIST where the key is there. */
NODISCARD int bpf_map_add(const struct bpf_map_ref *map, const void *key, const void *values);
NODISCARD int bpf_map_remove(const struct bpf_map_ref *map, const void *key);
/*
 * n entries of a hash in one system call (Linux 5.6), in the order in which they stand in keys and
 * values. The first failure ends it; *ret_n_done: how many are done, also then.
 */
NODISCARD int bpf_map_put_batch(const struct bpf_map_ref *map, const void *keys, const void *values,
				uint32_t n, uint32_t *ret_n_done);
/* The same; a key that is not there is done. */
NODISCARD int bpf_map_remove_batch(const struct bpf_map_ref *map, const void *keys, uint32_t n,
				   uint32_t *ret_n_done);

/*
 * Calls fn with each entry; fn returns false to stop. Entries that come or go meanwhile may be missed,
 * one may be seen twice; others may not. fn does not change the map.
 */
NODISCARD int bpf_map_foreach(const struct bpf_map_ref *map,
			      bool (*fn)(const void *key, const void *values, void *data),
			      void *data);
