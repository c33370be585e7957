/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/map_dump.h"

#include <stdio.h>
#include <stdlib.h>
#include "src/cli/output.h"
#include "src/cli/tabwriter.h"
#include "src/datapath/layout.h"
#include "src/sys/bpffs.h"

const char *map_dump_bpf_root;

const char *map_dump_root(void)
{
	const char *root = map_dump_bpf_root ? map_dump_bpf_root : g_getenv("CILIUM_BPF_ROOT");

	return bpffs_find(root ? root : BPFFS_DEFAULT_ROOT);
}

void map_dump_note_missing(const char *name, GError *error)
{
	fprintf(stderr, "Map %s is not there: no agent has run since the boot\n", name);
	g_error_free(error);
}

/* What another version, or somebody else, has pinned is not read as if it were ours. */
static int check_layout(const char *name, const struct bpf_map_ref *map, GError **error)
{
	const struct map_layout *layout = map_layout_find(name);

	g_assert(layout);
	if (map->n_key_bytes == layout->n_key_bytes && map->n_value_bytes == layout->n_value_bytes)
		return 0;
	return error_set(
		error, EPROTO,
		"the map %s has keys of %u and values of %u bytes, want %zu and %zu: it is of "
		"another version; use the cilium of the agent that runs, or restart the agent",
		name, map->n_key_bytes, map->n_value_bytes, layout->n_key_bytes,
		layout->n_value_bytes);
}

int map_dump_open(const char *name, struct bpf_map_ref *ret_map, GError **error)
{
	int err = bpf_map_open(map_dump_root(), name, ret_map, error);

	if (err == -ENOENT) {
		map_dump_note_missing(name, *error);
		*error = NULL;
	}
	if (err < 0)
		return err;
	err = check_layout(name, ret_map, error);
	if (err < 0)
		bpf_map_close(ret_map);
	return err;
}

int map_dump_find_ipcache(const struct addr *addr, struct ipcache_info *ret_info, GError **error)
{
	const struct ipcache_prefix_key prefix = {.prefix_len = 128, .addr = *addr};
	const void *const keys[] = {addr, &prefix};
	const char *const names[] = {"cilium_ipcache", "cilium_ipcache_prefix"};
	int err = -ENOENT;

	for (size_t i = 0; i < G_N_ELEMENTS(names) && err == -ENOENT; i++) {
		struct bpf_map_ref map;

		err = map_dump_open(names[i], &map, error);
		if (err < 0)
			return err;
		err = bpf_map_get(&map, keys[i], ret_info);
		bpf_map_close(&map);
	}
	return err;
}

void map_dump_init(struct map_dump *dump, const char *heading, const void *data)
{
	dump->table = g_string_new(heading);
	dump->object = json_object();
	dump->data = data;
}

void map_dump_add(struct map_dump *dump, char *key, char *value)
{
	json_t *values = json_object_get(dump->object, key);

	/* The key stands on the first row of its values only. */
	g_string_append_printf(dump->table, "%s\t%s\t\n", values ? "" : key, value);
	if (!values) {
		values = json_array();
		json_object_set_new(dump->object, key, values);
	}
	json_array_append_new(values, json_string(value));
	g_free(key);
	g_free(value);
}

int map_dump_foreach(const char *name, bool (*fn)(const void *key, const void *values, void *data),
		     void *data)
{
	struct bpf_map_ref map;
	GError *error = NULL;
	int err = map_dump_open(name, &map, &error);

	if (err == -ENOENT)
		return EXIT_SUCCESS;
	if (err < 0)
		return cli_fail_error(error);
	err = bpf_map_foreach(&map, fn, data);
	bpf_map_close(&map);
	return err < 0 ? cli_fail("reading %s: %s", name, g_strerror(-err)) : EXIT_SUCCESS;
}

int map_dump_read(struct map_dump *dump, const char *name,
		  bool (*fn)(const void *key, const void *values, void *dump))
{
	return map_dump_foreach(name, fn, dump);
}

void map_dump_note_empty(void)
{
	fputs("No entries found.\n", stderr);
}

int map_dump_finish(struct map_dump *dump, int status)
{
	if (!status && output_format)
		status = output_print(dump->object);
	else if (!status && !json_object_size(dump->object))
		map_dump_note_empty();
	else if (!status)
		tabwriter_print(dump->table->str);
	g_string_free(dump->table, TRUE);
	json_decref(dump->object);
	return status;
}

/* ---- lines ---- */

void line_dump_init(struct line_dump *dump)
{
	*dump = (struct line_dump){.list = json_array()};
}

void line_dump_add(struct line_dump *dump, const char *line)
{
	dump->n_lines++;
	if (output_format)
		json_array_append_new(dump->list, json_string(line));
	else
		puts(line);
}

int line_dump_finish(struct line_dump *dump, int status)
{
	if (!status && output_format)
		status = output_print(dump->list);
	else if (!status && !dump->n_lines)
		map_dump_note_empty();
	json_decref(dump->list);
	return status;
}

/* ---- changes by hand ---- */

static void note_repair(void)
{
	fputs("A running agent repairs what its plan says otherwise, within 10 s.\n", stderr);
}

int map_dump_delete(const char *name, const void *key, const char *what)
{
	struct bpf_map_ref map;
	GError *error = NULL;
	int err = map_dump_open(name, &map, &error);

	if (err == -ENOENT)
		return EXIT_FAILURE;
	if (err < 0)
		return cli_fail_error(error);
	err = bpf_map_remove(&map, key);
	bpf_map_close(&map);
	if (err == -ENOENT)
		return cli_fail("%s has no entry for %s", name, what);
	if (err < 0)
		return cli_fail("deleting from %s: %s", name, g_strerror(-err));
	note_repair();
	return EXIT_SUCCESS;
}

int map_dump_put(const char *name, const void *key, const void *value)
{
	struct bpf_map_ref map;
	GError *error = NULL;
	int err = map_dump_open(name, &map, &error);

	if (err == -ENOENT)
		return EXIT_FAILURE;
	if (err < 0)
		return cli_fail_error(error);
	err = bpf_map_put(&map, key, value);
	bpf_map_close(&map);
	if (err == -E2BIG || err == -ENOSPC)
		return cli_fail("%s is full: it has room for %u entries", name, map.max_entries);
	if (err < 0)
		return cli_fail("writing to %s: %s", name, g_strerror(-err));
	note_repair();
	return EXIT_SUCCESS;
}

struct flush {
	bool (*is_flushed)(const void *key, const void *value, const void *data);
	const void *data;
	size_t n_key_bytes;
	GByteArray *keys;
};

static bool collect_key(const void *key, const void *value, void *data)
{
	struct flush *flush = data;

	if (flush->is_flushed(key, value, flush->data))
		g_byte_array_append(flush->keys, key, flush->n_key_bytes);
	return true;
}

/* What comes while the map is read is not meant; what goes by itself is not counted. */
static int flush_map(struct bpf_map_ref *map, struct flush *flush, unsigned int *n_flushed)
{
	int err;

	flush->n_key_bytes = map->n_key_bytes;
	err = bpf_map_foreach(map, collect_key, flush);
	for (size_t at = 0; !err && at < flush->keys->len; at += map->n_key_bytes) {
		err = bpf_map_remove(map, flush->keys->data + at);
		*n_flushed += !err;
		if (err == -ENOENT)
			err = 0;
	}
	return err;
}

int map_dump_flush(const char *name,
		   bool (*is_flushed)(const void *key, const void *value, const void *data),
		   const void *data, unsigned int *n_flushed)
{
	struct flush flush = {.is_flushed = is_flushed, .data = data};
	struct bpf_map_ref map;
	GError *error = NULL;
	int err = map_dump_open(name, &map, &error);

	if (err == -ENOENT)
		return EXIT_SUCCESS;
	if (err < 0)
		return cli_fail_error(error);
	flush.keys = g_byte_array_new();
	err = flush_map(&map, &flush, n_flushed);
	g_byte_array_unref(flush.keys);
	bpf_map_close(&map);
	return err < 0 ? cli_fail("flushing %s: %s", name, g_strerror(-err)) : EXIT_SUCCESS;
}
