/* SPDX-License-Identifier: Apache-2.0 */
/* policy get, policy selectors, policy list: what the agent has in force. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "src/cli/commands.h"
#include "src/cli/json_get.h"
#include "src/cli/output.h"
#include "src/cli/policy_text.h"
#include "src/cli/tabwriter.h"
#include "src/rpc/http_client.h"

static bool arg_verbose;

static int get(enum api_call call, const char *query, const char *what, json_t **ret_json)
{
	const struct api_client_request request = {.call = call, .query = query};
	GError *error = NULL;

	if (api_client_call(cli_api(), &request, ret_json, &error) == 0)
		return EXIT_SUCCESS;
	g_prefix_error(&error, "Cannot get %s: ", what);
	return cli_fail_error(error);
}

static const struct cli_flag output_flags[] = {OUTPUT_FLAG, {NULL}};

static int run_get(int argc, char *const argv[])
{
	g_autoptr(GString) query = g_string_new("labels=");
	json_auto_t *answer = NULL;
	int status;

	for (int i = 0; i < argc; i++) {
		if (i)
			g_string_append_c(query, ',');
		http_target_append(query, argv[i]);
	}
	status = get(API_POLICY_GET, argc ? query->str : NULL, "policy", &answer);
	if (status)
		return status;
	if (output_format)
		return output_print(answer);
	printf("%s\nRevision: %lld\n", json_get_text(answer, "policy", NULL),
	       json_get_number(answer, "revision", NULL));
	return EXIT_SUCCESS;
}

const struct cli_command cmd_policy_get = {
	.path = "policy get",
	.args = "[LABEL…]",
	.n_args_max = 64,
	.help = "Display the rules in force, of all policies or of those whose rules have the "
		"labels",
	.flags = output_flags,
	.run = run_get,
};

static int run_selectors(int argc, char *const argv[])
{
	g_autoptr(GString) table = g_string_new(NULL);
	json_auto_t *answer = NULL;
	int status = get(API_POLICY_SELECTORS, NULL, "selectors", &answer);

	if (status)
		return status;
	if (output_format)
		return output_print(answer);
	policy_append_selectors(table, answer, arg_verbose);
	tabwriter_print(table->str);
	return EXIT_SUCCESS;
}

static const struct cli_flag selector_flags[] = {
	{"verbose", 'v', CLI_FLAG_BOOL, "All labels of the rules, not only their policies' names",
	 &arg_verbose},
	OUTPUT_FLAG,
	{NULL},
};

const struct cli_command cmd_policy_selectors = {
	.path = "policy selectors",
	.help = "Display what the rules in force select, and which identities that are",
	.flags = selector_flags,
	.run = run_selectors,
};

static int run_list(int argc, char *const argv[])
{
	g_autoptr(GString) table = g_string_new(NULL), notes = g_string_new(NULL);
	json_auto_t *answer = NULL;
	int status = get(API_POLICY_STATUS, NULL, "the policies' status", &answer);

	if (status)
		return status;
	if (output_format)
		return output_print(answer);
	if (!json_array_size(json_get(answer, "policies", NULL))) {
		fputs("No policies: put their manifests into the directory that \"cilium config "
		      "get manifest-dir\" names.\n",
		      stderr);
		return EXIT_SUCCESS;
	}
	policy_append_list(table, answer);
	policy_append_notes(notes, answer);
	tabwriter_print(table->str);
	fputs(notes->str, stdout);
	return EXIT_SUCCESS;
}

const struct cli_command cmd_policy_list = {
	.path = "policy list",
	.help = "List the policies: whether each is valid and in force, whom it selects, what its "
		"author should know",
	.flags = output_flags,
	.run = run_list,
};
