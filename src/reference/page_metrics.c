/* SPDX-License-Identifier: Apache-2.0 */
/* The metrics of the agent. */
#include "src/reference/page.h"

static const struct {
	const char *name, *type, *labels, *state, *help;
} metrics[] = {
#define METRIC(name, type, labels, state, help) {"cilium_" #name, #type, labels, #state, help},
#include "src/agent/metric.def"
#undef METRIC
};

void page_append_metrics(GString *page)
{
	g_string_append(page,
			"# Metrics\n\n"
			"Served in Prometheus' text format where `prometheus-serve-addr` says, "
			"shown by `cilium metrics list`. The key `metrics` turns one on "
			"(`+name`) or off (`-name`).\n\n");
	page_append_heading(page, "Name", "Type", "Labels", "Unless said otherwise", "What it is",
			    NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(metrics); i++) {
		g_autofree char *name = g_strdup_printf("`%s`", metrics[i].name);
		g_autofree char *type = g_ascii_strdown(metrics[i].type, -1);
		g_autofree char *state = g_ascii_strdown(metrics[i].state, -1);

		page_append_row(page, name, type, metrics[i].labels, state, metrics[i].help, NULL);
	}
}
