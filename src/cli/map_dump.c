/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/map_dump.h"

#include <stdio.h>
#include <stdlib.h>
#include "src/cli/output.h"
#include "src/cli/tabwriter.h"
#include "src/sys/bpffs.h"

const char *map_dump_bpf_root;

int map_dump_open(const char *name, struct bpf_map_ref *ret_map, GError **error)
{
	const char *root = map_dump_bpf_root ? map_dump_bpf_root : g_getenv("CILIUM_BPF_ROOT");
	int err = bpf_map_open(bpffs_find(root ? root : BPFFS_DEFAULT_ROOT), name, ret_map, error);

	if (err == -ENOENT) {
		fprintf(stderr, "Map %s is not there: no agent has run since the boot\n", name);
		g_clear_error(error);
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
