/* SPDX-License-Identifier: Apache-2.0 */
/* What the bpf commands share: pinned maps as tables of key and value, with or without an agent. */
#pragma once

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

struct map_dump {
	GString *table;   /* key, tab, value */
	json_t *object;   /* key to list of values */
	const void *data; /* the caller's */
};

void map_dump_init(struct map_dump *dump, const char *heading, const void *data);
/* Takes the strings. */
void map_dump_add(struct map_dump *dump, char *key, char *value);
/* Adds each entry of the map by fn; a map that is not there adds none. 0 or the exit status. */
NODISCARD int map_dump_read(struct map_dump *dump, const char *name,
			    bool (*fn)(const void *key, const void *values, void *dump));
/* Prints as -o says, frees. Returns the exit status. */
int map_dump_finish(struct map_dump *dump);
