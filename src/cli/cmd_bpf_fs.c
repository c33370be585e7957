/* SPDX-License-Identifier: Apache-2.0 */
/* bpf fs show. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "src/cli/commands.h"
#include "src/cli/map_dump.h"
#include "src/cli/output.h"

/* The columns of /proc/self/mountinfo, see proc(5); the optional fields between are any number. */
enum {
	MOUNT_ID,
	PARENT_ID,
	MOUNT_POINT = 4,
	MOUNT_OPTIONS,
	FIRST_OPTIONAL,
};

/* Behind the "-". */
enum {
	TYPE,
	SOURCE,
	SUPER_OPTIONS,
	N_BEHIND,
};

static bool is_below(const char *path, const char *mount_point)
{
	size_t n = strlen(mount_point);

	return g_str_equal(mount_point, "/") ||
	       (!strncmp(path, mount_point, n) && (!path[n] || path[n] == '/'));
}

static char **find_dash(char **columns)
{
	for (; *columns; columns++)
		if (g_str_equal(*columns, "-"))
			return columns;
	return NULL;
}

/* The columns of the mount that holds the path: the longest mount point, of those the last. */
static char **find_mount(const char *path)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;
	char **found = NULL;

	if (!g_file_get_contents("/proc/self/mountinfo", &text, NULL, NULL))
		return NULL;
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line; line++) {
		char **columns = g_strsplit(*line, " ", -1);

		if (g_strv_length(columns) > FIRST_OPTIONAL &&
		    is_below(path, columns[MOUNT_POINT]) &&
		    (!found || strlen(columns[MOUNT_POINT]) >= strlen(found[MOUNT_POINT]))) {
			g_strfreev(found);
			found = columns;
		} else {
			g_strfreev(columns);
		}
	}
	return found;
}

static char *join_optional(char **columns, char **dash)
{
	GString *text = g_string_new("[");

	for (char **field = columns + FIRST_OPTIONAL; field < dash; field++)
		g_string_append_printf(text, "%s%s", text->len > 1 ? " " : "", *field);
	return g_string_free(g_string_append_c(text, ']'), FALSE);
}

static int print_mount(char **columns, char **dash)
{
	g_autofree char *optional = join_optional(columns, dash);
	const struct {
		const char *label, *value;
	} rows[] = {
		{"MountID", columns[MOUNT_ID]},
		{"ParentID", columns[PARENT_ID]},
		{"Mounted State", "true"},
		{"MountPoint", columns[MOUNT_POINT]},
		{"MountOptions", columns[MOUNT_OPTIONS]},
		{"OptionFields", optional},
		{"FilesystemType", dash[1 + TYPE]},
		{"MountSource", dash[1 + SOURCE]},
		{"SuperOptions", dash[1 + SUPER_OPTIONS]},
	};
	json_auto_t *object = json_object();

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *label = g_strconcat(rows[i].label, ":", NULL);

		json_object_set_new(object, rows[i].label, json_string(rows[i].value));
		if (!output_format)
			printf("%-17s %s\n", label, rows[i].value);
	}
	return output_format ? output_print(object) : EXIT_SUCCESS;
}

static int run_show(int argc, char *const argv[])
{
	g_auto(GStrv) columns = find_mount(map_dump_root());
	char **dash = columns ? find_dash(columns) : NULL;

	if (!dash || g_strv_length(dash) <= N_BEHIND || !g_str_equal(dash[1 + TYPE], "bpf"))
		return cli_fail("no BPF file system is mounted on %s: the agent mounts one when it "
				"starts, or say with --bpf-root where it is",
				map_dump_root());
	return print_mount(columns, dash);
}

static const struct cli_flag flags[] = {BPF_ROOT_FLAG, OUTPUT_FLAG, {NULL}};

const struct cli_command cmd_bpf_fs_show = {
	.path = "bpf fs show",
	.help = "Display the mount of the BPF file system that maps and programs are pinned in",
	.flags = flags,
	.needs_root = true,
	.run = run_show,
};
