/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "src/cli/commands.h"
#include "src/cli/endpoint_name.h"
#include "src/cli/json_get.h"
#include "src/cli/output.h"
#include "src/cli/tabwriter.h"

static bool arg_no_headers;
static GPtrArray *arg_labels;

/* ---- endpoint list ---- */

/* The policy of one direction: "none", "ingress", "egress" and "both", in front "audit-". */
static const char *policy_cell(const char *enabled, const char *direction)
{
	if (!*enabled)
		return "Unknown";
	if (g_str_has_prefix(enabled, "audit-")) {
		enabled += strlen("audit-");
		return !strcmp(enabled, "both") || !strcmp(enabled, direction) ? "Disabled (Audit)"
									       : "Disabled";
	}
	return !strcmp(enabled, "both") || !strcmp(enabled, direction) ? "Enabled" : "Disabled";
}

static const char *address_cell(const json_t *endpoint, const char *family)
{
	const json_t *addressing =
		json_array_get(json_get(endpoint, "status", "networking", "addressing", NULL), 0);
	const char *text = json_string_value(json_object_get(addressing, family));

	return text && *text ? text : "No address";
}

static void append_endpoint(GString *table, const json_t *endpoint)
{
	const char *policy =
		json_get_text(endpoint, "status", "policy", "realized", "policy-enabled", NULL);
	const json_t *identity = json_get(endpoint, "status", "identity", NULL);
	const json_t *labels = json_object_get(identity, "labels");
	const char *first = json_string_value(json_array_get(labels, 0));
	g_autofree char *id =
		identity ? g_strdup_printf("%lld", (long long)json_integer_value(
							   json_object_get(identity, "id")))
			 : g_strdup("<no label id>");

	g_string_append_printf(table, "%lld\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n",
			       (long long)json_integer_value(json_object_get(endpoint, "id")),
			       policy_cell(policy, "ingress"), policy_cell(policy, "egress"), id,
			       first ? first : "no labels", address_cell(endpoint, "ipv6"),
			       address_cell(endpoint, "ipv4"),
			       json_get_text(endpoint, "status", "state", NULL));
	for (size_t i = 1; i < json_array_size(labels); i++)
		g_string_append_printf(table, "\t\t\t\t%s\t\t\t\t\n",
				       json_string_value(json_array_get(labels, i)));
}

static int run_list(int argc, char *const argv[])
{
	const struct api_client_request request = {.call = API_ENDPOINT_LIST};
	g_autoptr(GString) table = g_string_new(NULL);
	json_auto_t *list = NULL;
	GError *error = NULL;
	json_t *endpoint;
	size_t i;

	if (api_client_call(cli_api(), &request, &list, &error) < 0) {
		g_prefix_error(&error, "cannot get endpoint list: ");
		return cli_fail_error(error);
	}
	if (output_format)
		return output_print(list);
	if (!arg_no_headers)
		g_string_append(table, "ENDPOINT\tPOLICY (ingress)\tPOLICY (egress)\tIDENTITY\t"
				       "LABELS (source:key[=value])\tIPv6\tIPv4\tSTATUS\t\n"
				       "\tENFORCEMENT\tENFORCEMENT\t\t\t\t\t\t\n");
	json_array_foreach(list, i, endpoint) append_endpoint(table, endpoint);
	tabwriter_print(table->str);
	return EXIT_SUCCESS;
}

static const struct cli_flag list_flags[] = {
	{"no-headers", 0, CLI_FLAG_BOOL, "Do not print headers", &arg_no_headers},
	OUTPUT_FLAG,
	{NULL},
};

const struct cli_command cmd_endpoint_list = {
	.path = "endpoint list",
	.help = "List all endpoints",
	.flags = list_flags,
	.run = run_list,
};

/* ---- endpoint get ---- */

static json_t *get_by_labels(GError **error)
{
	struct api_client_request request = {.call = API_ENDPOINT_LIST};
	json_auto_t *labels = json_array();
	json_t *list = NULL;
	g_autofree char *body = NULL;

	for (size_t i = 0; i < arg_labels->len; i++)
		json_array_append_new(labels, json_string(g_ptr_array_index(arg_labels, i)));
	body = json_dumps(labels, JSON_COMPACT);
	request.body = body;
	return api_client_call(cli_api(), &request, &list, error) < 0 ? NULL : list;
}

/* "reserved:host" names the endpoint that has the label. */
static json_t *get_by_id(const char *id, GError **error)
{
	g_autofree char *selector = endpoint_name_selector(id);
	json_t *endpoint = NULL;

	if (g_str_has_prefix(id, "reserved:")) {
		arg_labels = g_ptr_array_new();
		g_ptr_array_add(arg_labels, (void *)id);
		return get_by_labels(error);
	}
	if (api_client_endpoint_get(cli_api(), selector, &endpoint, error) < 0)
		return NULL;
	return json_pack("[o]", endpoint);
}

static int run_get(int argc, char *const argv[])
{
	json_auto_t *list = NULL;
	GError *error = NULL;

	if (!argc == !arg_labels)
		return cli_fail_usage("expected an endpoint id, or labels with -l");
	list = argc ? get_by_id(argv[0], &error) : get_by_labels(&error);
	if (!list) {
		g_prefix_error(&error, "cannot get endpoint %s: ", argc ? argv[0] : "by labels");
		return cli_fail_error(error);
	}
	if (!output_format)
		output_format = "json";
	return output_print(list);
}

static const struct cli_flag get_flags[] = {
	{"labels", 'l', CLI_FLAG_LIST, "List of labels", &arg_labels},
	OUTPUT_FLAG,
	{NULL},
};

const struct cli_command cmd_endpoint_get = {
	.path = "endpoint get",
	.args = "ID | -l label,…",
	.n_args_max = 1,
	.help = "Display endpoint information; ID: a number, [NAMESPACE/]POD, ipv4:ADDRESS, …",
	.flags = get_flags,
	.words = CLI_WORDS_ENDPOINTS,
	.run = run_get,
};

/* ---- endpoint health, endpoint labels ---- */

static const struct cli_flag output_flags[] = {OUTPUT_FLAG, {NULL}};

static int get_part(enum api_call call, const char *id, json_t **ret_json)
{
	g_autofree char *selector = endpoint_name_selector(id);
	const struct api_client_request request = {.call = call, .arg = selector};
	GError *error = NULL;

	if (api_client_call(cli_api(), &request, ret_json, &error) == 0)
		return EXIT_SUCCESS;
	g_prefix_error(&error, "cannot get endpoint %s: ", id);
	return cli_fail_error(error);
}

static int run_health(int argc, char *const argv[])
{
	g_autoptr(GString) table = g_string_new(NULL);
	json_auto_t *health = NULL;
	int status = get_part(API_ENDPOINT_HEALTH_GET, argv[0], &health);

	if (status)
		return status;
	if (output_format)
		return output_print(health);
	g_string_append_printf(
		table, "Overall Health:\t%s\nBPF Health:\t%s\nPolicy Health:\t%s\nConnected:\t%s\n",
		json_get_text(health, "overallHealth", NULL), json_get_text(health, "bpf", NULL),
		json_get_text(health, "policy", NULL),
		json_is_true(json_get(health, "connected", NULL)) ? "yes" : "no");
	tabwriter_print(table->str);
	return EXIT_SUCCESS;
}

const struct cli_command cmd_endpoint_health = {
	.path = "endpoint health",
	.args = "ID",
	.n_args_min = 1,
	.n_args_max = 1,
	.help = "View endpoint health",
	.flags = output_flags,
	.words = CLI_WORDS_ENDPOINTS,
	.run = run_health,
};
