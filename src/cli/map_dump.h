/* SPDX-License-Identifier: Apache-2.0 */
/* What the bpf commands share: pinned maps as tables of key and value, with or without an agent. */
#pragma once

#include "abi/ipcache.h"
#include "src/cli/command.h"
#include "src/sys/bpf_map.h"

/* --bpf-root, of the running command; else CILIUM_BPF_ROOT, else the default. */
extern const char *map_dump_bpf_root;

#define BPF_ROOT_FLAG                                                            \
	{"bpf-root", 0, CLI_FLAG_TEXT,                                           \
	 "Where the maps are pinned (env CILIUM_BPF_ROOT, default /sys/fs/bpf)", \
	 &map_dump_bpf_root}

/* The directory of the BPF file system to read; borrowed. */
const char *map_dump_root(void);
/* The note on standard error; takes the error. */
void map_dump_note_missing(const char *name, GError *error);
/* 0; −ENOENT after a note on standard error: no agent has run; another −errno with *error, −EPROTO where the map is not
 * laid out as ours. error is not NULL. */
NODISCARD int map_dump_open(const char *name, struct bpf_map_ref *ret_map, GError **error);

/*
 * The ipcache's value for an address as the programs find it: the address itself, else the longest
 * prefix. 0; −ENOENT, without *error where it is the address that is not there; or another −errno.
 */
NODISCARD int map_dump_find_ipcache(const struct addr *addr, struct ipcache_info *ret_info,
				    GError **error);

struct map_dump {
	GString *table;   /* key, tab, value */
	json_t *object;   /* key to list of values */
	const void *data; /* the caller's */
};

void map_dump_init(struct map_dump *dump, const char *heading, const void *data);
/* Takes the strings. */
void map_dump_add(struct map_dump *dump, char *key, char *value);
/*
 * Calls fn with each entry; a map that is not there has none, and a note says so. 0, or the exit status
 * after the complaint.
 */
NODISCARD int map_dump_foreach(const char *name,
			       bool (*fn)(const void *key, const void *values, void *data),
			       void *data);
/* The same, with the dump as data, to which fn adds. */
NODISCARD int map_dump_read(struct map_dump *dump, const char *name,
			    bool (*fn)(const void *key, const void *values, void *dump));
/* "No entries found." on standard error. */
void map_dump_note_empty(void);
/* Prints as -o says, unless status is a failure already; frees. Returns the exit status. */
int map_dump_finish(struct map_dump *dump, int status);

/* A map of which each entry is a line, or some: printed at once, or a list of texts for -o. */
struct line_dump {
	json_t *list;
	unsigned int n_lines;
};

void line_dump_init(struct line_dump *dump);
void line_dump_add(struct line_dump *dump, const char *line);
/* As map_dump_finish. */
int line_dump_finish(struct line_dump *dump, int status);

/*
 * Changes by hand. Each returns 0, or the exit status after the complaint. The first two say that the agent
 * repairs what it plans; what is the name of the key for people.
 */
NODISCARD int map_dump_delete(const char *name, const void *key, const char *what);
NODISCARD int map_dump_put(const char *name, const void *key, const void *value);
/* Removes the entries that is_flushed chooses, and adds to *n_flushed. */
NODISCARD int map_dump_flush(const char *name,
			     bool (*is_flushed)(const void *key, const void *value,
						const void *data),
			     const void *data, unsigned int *n_flushed);
