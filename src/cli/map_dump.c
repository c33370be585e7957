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

int map_dump_read(struct map_dump *dump, const char *name,
		  bool (*fn)(const void *key, const void *values, void *dump))
{
	struct bpf_map_ref map;
	GError *error = NULL;
	int err = map_dump_open(name, &map, &error);

	if (err == -ENOENT)
		return EXIT_SUCCESS;
	if (err < 0)
		return cli_fail_error(error);
	err = bpf_map_foreach(&map, fn, dump);
	bpf_map_close(&map);
	return err < 0 ? cli_fail("reading %s: %s", name, g_strerror(-err)) : EXIT_SUCCESS;
}

int map_dump_finish(struct map_dump *dump)
{
	int status = EXIT_SUCCESS;

	if (output_format)
		status = output_print(dump->object);
	else if (!json_object_size(dump->object))
		fputs("No entries found.\n", stderr);
	else
		tabwriter_print(dump->table->str);
	g_string_free(dump->table, TRUE);
	json_decref(dump->object);
	return status;
}
