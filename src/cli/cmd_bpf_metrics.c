/* SPDX-License-Identifier: Apache-2.0 */
/* bpf metrics list. */
#include <stdio.h>
#include <stdlib.h>
#include "src/cli/commands.h"
#include "src/cli/map_dump.h"
#include "src/cli/output.h"
#include "src/cli/tabwriter.h"
#include "src/observe/event_text.h"
#include "src/sys/datapath_metric.h"

static const struct cli_flag flags[] = {BPF_ROOT_FLAG, OUTPUT_FLAG, {NULL}};

static void collect(const struct datapath_metric *metric, void *metrics)
{
	g_array_append_val((GArray *)metrics, *metric);
}

static int compare(const void *a_, const void *b_)
{
	const struct datapath_metric *a = a_, *b = b_;

	if (a->reason != b->reason)
		return a->reason - b->reason;
	if (a->dir != b->dir)
		return a->dir - b->dir;
	return a->file != b->file ? a->file - b->file : a->line - b->line;
}

static const char *direction_text(uint8_t dir)
{
	static const char *const texts[METRIC_DIR__MAX] = {"Unknown", "Ingress", "Egress",
							   "Service"};

	return dir < METRIC_DIR__MAX ? texts[dir] : "Unknown";
}

static const char *reason_text(uint8_t reason)
{
	return reason == METRIC_REASON_EVENT_LOST ? "Events lost"
						  : event_metric_reason_text(reason);
}

static void add_row(GString *table, const struct datapath_metric *metric)
{
	g_string_append_printf(table, "%s\t%s\t%llu\t%llu\t", reason_text(metric->reason),
			       direction_text(metric->dir), metric->sum.packets, metric->sum.bytes);
	if (metric->line)
		g_string_append_printf(table, "%u\t%s\n", metric->line,
				       event_source_file_text(metric->file));
	else
		g_string_append(table, "\t\n");
}

static json_t *to_json(const struct datapath_metric *metric)
{
	json_t *object = json_pack(
		"{s:i, s:s, s:{s:{s:I, s:I}}}", "reason", metric->reason, "description",
		reason_text(metric->reason), "values", direction_text(metric->dir), "packets",
		(json_int_t)metric->sum.packets, "bytes", (json_int_t)metric->sum.bytes);

	if (metric->line) {
		json_object_set_new(object, "line", json_integer(metric->line));
		json_object_set_new(object, "file",
				    json_string(event_source_file_text(metric->file)));
	}
	return object;
}

static int run_list(int argc, char *const argv[])
{
	g_autoptr(GArray) metrics = g_array_new(FALSE, FALSE, sizeof(struct datapath_metric));
	g_autoptr(GString) table = g_string_new("REASON\tDIRECTION\tPACKETS\tBYTES\tLINE\tFILE\n");
	json_auto_t *list = json_array();
	GError *error = NULL;
	int err = datapath_metric_foreach(map_dump_root(), collect, metrics, &error);

	if (err == -ENOENT)
		map_dump_note_missing("cilium_metrics", error);
	else if (err < 0)
		return cli_fail_error(error);
	g_array_sort(metrics, compare);
	for (guint i = 0; i < metrics->len; i++) {
		const struct datapath_metric *metric =
			&g_array_index(metrics, struct datapath_metric, i);

		add_row(table, metric);
		json_array_append_new(list, to_json(metric));
	}
	if (output_format)
		return output_print(list);
	if (!err)
		tabwriter_print(table->str);
	return EXIT_SUCCESS;
}

const struct cli_command cmd_bpf_metrics_list = {
	.path = "bpf metrics list",
	.help = "List BPF datapath traffic metrics",
	.flags = flags,
	.needs_root = true,
	.run = run_list,
};
