/* SPDX-License-Identifier: Apache-2.0 */
/* metrics list. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "src/cli/commands.h"
#include "src/cli/json_get.h"
#include "src/cli/output.h"
#include "src/cli/tabwriter.h"

static const char *pattern;

static const struct cli_flag flags[] = {
	{"match-pattern", 'p', CLI_FLAG_TEXT,
	 "Show only metrics whose name and labels, as in the columns, match this regular "
	 "expression",
	 &pattern},
	OUTPUT_FLAG,
	{NULL},
};

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "direction=INGRESS reason=Invalid source ip", by name. Free with g_free. */
static char *format_labels(json_t *labels)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	GString *text = g_string_new(NULL);
	const char *name;
	json_t *value;

	json_object_foreach(labels, name, value) g_ptr_array_add(names, (char *)name);
	g_ptr_array_sort(names, compare_names);
	for (unsigned int i = 0; i < names->len; i++)
		g_string_append_printf(text, "%s%s=%s", i ? " " : "", (char *)names->pdata[i],
				       json_get_text(labels, names->pdata[i], NULL));
	return g_string_free(text, FALSE);
}

/* "2.5m" of 0.0025: four digits and the prefix of SI. */
static void append_quantile(GString *out, double value)
{
	static const struct {
		double factor;
		const char *prefix;
	} prefixes[] = {{1e9, "G"}, {1e6, "M"}, {1e3, "k"}, {1, ""}, {1e-3, "m"}, {1e-6, "µ"}};

	for (unsigned int i = 0; i < G_N_ELEMENTS(prefixes); i++)
		if (fabs(value) >= prefixes[i].factor) {
			g_string_append_printf(out, "%.4g%s", value / prefixes[i].factor,
					       prefixes[i].prefix);
			return;
		}
	if (value == 0)
		g_string_append_c(out, '0');
	else
		g_string_append_printf(out, "%.4gn", value * 1e9);
}

static void append_value(GString *out, const json_t *metric)
{
	static const char *const quantiles[] = {"p50", "p90", "p99"};
	const json_t *value = json_get(metric, "value", NULL);
	const json_t *histogram = json_get(metric, "histogram", NULL);
	bool is_time = g_str_has_suffix(json_get_text(metric, "name", NULL), "seconds");

	if (!histogram) {
		/* JSON has no infinity, which here is the lack of a limit. */
		g_string_append_printf(out, "%f",
				       json_is_number(value) ? json_number_value(value) : INFINITY);
		return;
	}
	for (unsigned int i = 0; i < G_N_ELEMENTS(quantiles); i++) {
		g_string_append(out, i ? " / " : "");
		append_quantile(out, json_number_value(json_get(histogram, quantiles[i], NULL)));
		g_string_append(out, is_time ? "s" : "");
	}
}

static bool matches(const GRegex *regex, const json_t *metric)
{
	g_autofree char *labels = format_labels(json_get(metric, "labels", NULL));
	g_autofree char *text = g_strconcat(json_get_text(metric, "name", NULL), labels, NULL);

	return !regex || g_regex_match(regex, text, 0, NULL);
}

static void print_table(json_t *list)
{
	g_autoptr(GString) table = g_string_new("Metric\tLabels\tValue\n");
	json_t *metric;
	size_t i;

	json_array_foreach(list, i, metric)
	{
		g_autofree char *labels = format_labels(json_get(metric, "labels", NULL));

		g_string_append_printf(table, "%s\t%s\t", json_get_text(metric, "name", NULL),
				       labels);
		append_value(table, metric);
		g_string_append_c(table, '\n');
	}
	tabwriter_print(table->str);
}

static int run_list(int argc, char *const argv[])
{
	const struct api_client_request request = {.call = API_METRICS_GET};
	json_auto_t *answer = NULL, *list = json_array();
	g_autoptr(GRegex) regex = NULL;
	GError *error = NULL;
	json_t *metric;
	size_t i;

	if (pattern) {
		regex = g_regex_new(pattern, 0, 0, &error);
		if (!regex) {
			g_prefix_error(&error, "--match-pattern: ");
			return cli_fail_error(error);
		}
	}
	if (api_client_call(cli_api(), &request, &answer, &error) < 0)
		return cli_fail_error(error);
	json_array_foreach(answer, i, metric)
	{
		if (matches(regex, metric))
			json_array_append(list, metric);
	}
	if (output_format)
		return output_print(list);
	print_table(list);
	return EXIT_SUCCESS;
}

const struct cli_command cmd_metrics_list = {
	.path = "metrics list",
	.help = "List all metrics of the agent",
	.flags = flags,
	.run = run_list,
};
