/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include "src/cli/commands.h"
#include "src/cli/json_get.h"
#include "src/cli/output.h"
#include "src/cli/tabwriter.h"
#include "src/rpc/http_client.h"

static bool arg_endpoints;
static GPtrArray *arg_label;

/* A row for the identity, and one for each further label. ref_count < 0: no such column. */
static void append_identity(GString *table, const json_t *identity, long long ref_count)
{
	const json_t *labels = json_get(identity, "labels", NULL);
	const char *first = json_string_value(json_array_get(labels, 0));

	g_string_append_printf(table, "%lld\t%s\t", json_get_number(identity, "id", NULL),
			       first ? first : "");
	if (ref_count >= 0)
		g_string_append_printf(table, "%lld\t", ref_count);
	g_string_append_c(table, '\n');
	for (size_t i = 1; i < json_array_size(labels); i++)
		g_string_append_printf(table, "\t%s\t%s\n",
				       json_string_value(json_array_get(labels, i)),
				       ref_count >= 0 ? "\t" : "");
}

static int print_identities(const json_t *list)
{
	g_autoptr(GString) table = g_string_new("ID\tLABELS\t\n");
	json_t *identity;
	size_t i;

	if (output_format)
		return output_print(list);
	json_array_foreach(list, i, identity) append_identity(table, identity, -1);
	tabwriter_print(table->str);
	return EXIT_SUCCESS;
}

static int print_references(const json_t *list)
{
	g_autoptr(GString) table = g_string_new("ID\tLABELS\tREFCOUNT\t\n");
	json_t *entry;
	size_t i;

	if (output_format)
		return output_print(list);
	json_array_foreach(list, i, entry) append_identity(
		table, json_get(entry, "identity", NULL), json_get_number(entry, "refCount", NULL));
	tabwriter_print(table->str);
	return EXIT_SUCCESS;
}

/* ?labels= of the words, each of which may hold several with commas. g_free. */
static char *labels_query(char *const *labels, size_t n)
{
	GString *query = g_string_new("labels=");

	for (size_t i = 0; i < n; i++) {
		if (i)
			g_string_append_c(query, ',');
		http_target_append(query, labels[i]);
	}
	return g_string_free(query, FALSE);
}

static int list(enum api_call call, const char *query, json_t **ret_list)
{
	const struct api_client_request request = {.call = call, .query = query};
	GError *error = NULL;

	if (api_client_call(cli_api(), &request, ret_list, &error) == 0)
		return EXIT_SUCCESS;
	g_prefix_error(&error, "Cannot get identities: ");
	return cli_fail_error(error);
}

static int run_list(int argc, char *const argv[])
{
	g_autofree char *query = argc ? labels_query(argv, argc) : NULL;
	json_auto_t *answer = NULL;
	int status =
		list(arg_endpoints ? API_IDENTITY_ENDPOINTS : API_IDENTITY_LIST, query, &answer);

	if (status)
		return status;
	return arg_endpoints ? print_references(answer) : print_identities(answer);
}

static const struct cli_flag list_flags[] = {
	{"endpoints", 0, CLI_FLAG_BOOL, "List identities of locally managed endpoints",
	 &arg_endpoints},
	OUTPUT_FLAG,
	{NULL},
};

const struct cli_command cmd_identity_list = {
	.path = "identity list",
	.args = "[LABEL…]",
	.n_args_max = 64,
	.help = "List identities",
	.flags = list_flags,
	.words = CLI_WORDS_LABELS,
	.run = run_list,
};

static int run_get(int argc, char *const argv[])
{
	struct api_client_request request = {.call = API_IDENTITY_GET};
	json_auto_t *identity = NULL, *answer = NULL;
	GError *error = NULL;

	if (!argc == !arg_label)
		return cli_fail_usage("expected an identity, or labels with --label");
	if (arg_label) {
		g_autofree char *query =
			labels_query((char *const *)arg_label->pdata, arg_label->len);
		int status = list(API_IDENTITY_LIST, query, &answer);

		return status ? status : print_identities(answer);
	}
	request.arg = argv[0];
	if (api_client_call(cli_api(), &request, &identity, &error) < 0) {
		g_prefix_error(&error, "Cannot get identity for given ID %s: ", argv[0]);
		return cli_fail_error(error);
	}
	answer = json_pack("[O]", identity);
	return print_identities(answer);
}

static const struct cli_flag get_flags[] = {
	{"label", 0, CLI_FLAG_LIST, "Label to look up", &arg_label},
	OUTPUT_FLAG,
	{NULL},
};

const struct cli_command cmd_identity_get = {
	.path = "identity get",
	.args = "ID | --label LABEL",
	.n_args_max = 1,
	.help = "Retrieve information about an identity",
	.flags = get_flags,
	.words = CLI_WORDS_IDENTITIES,
	.run = run_get,
};
