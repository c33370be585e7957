/* SPDX-License-Identifier: Apache-2.0 */
/* endpoint labels, config, log, disconnect, regenerate: what an operator does with one endpoint. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "src/cli/commands.h"
#include "src/cli/endpoint_name.h"
#include "src/cli/json_get.h"
#include "src/cli/output.h"
#include "src/cli/tabwriter.h"

static GPtrArray *arg_add, *arg_delete;
static bool arg_list_options;

/* body may be NULL. what: "Cannot … endpoint", in front of the error. */
static int call(enum api_call number, const char *id, const json_t *body, json_t **ret_json,
		const char *what)
{
	g_autofree char *selector = endpoint_name_selector(id);
	struct api_client_request request = {.call = number, .arg = selector};
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	GError *error = NULL;
	int err;

	request.body = text;
	err = api_client_call(cli_api(), &request, ret_json, &error);
	free(text);
	if (!err)
		return EXIT_SUCCESS;
	g_prefix_error(&error, "%s %s: ", what, id);
	return cli_fail_error(error);
}

static const struct cli_flag output_flags[] = {OUTPUT_FLAG, {NULL}};

/* ---- labels ---- */

static json_t *texts_to_json(const GPtrArray *texts)
{
	json_t *list = json_array();

	for (unsigned int i = 0; texts && i < texts->len; i++)
		json_array_append_new(list, json_string(texts->pdata[i]));
	return list;
}

static int run_labels(int argc, char *const argv[])
{
	g_autoptr(GString) table = g_string_new(NULL);
	json_auto_t *labels = NULL, *body = NULL;
	const json_t *state;
	json_t *label;
	int status;
	size_t i;

	if (arg_add || arg_delete) {
		/* The agent adds and deletes, so that two who do it at once both get what they asked for. */
		body = json_pack("{s:o, s:o}", "add", texts_to_json(arg_add), "delete",
				 texts_to_json(arg_delete));
		status = call(API_ENDPOINT_LABELS_PATCH, argv[0], body, &labels,
			      "Cannot modify labels of endpoint");
	} else {
		status = call(API_ENDPOINT_LABELS_GET, argv[0], NULL, &labels,
			      "Cannot get endpoint labels of endpoint");
	}
	if (status)
		return status;
	if (output_format)
		return output_print(labels);
	state = json_get(labels, "status", NULL);
	json_array_foreach(json_get(state, "security-relevant", NULL), i, label)
		g_string_append_printf(table, "%s\tEnabled\n", json_string_value(label));
	json_array_foreach(json_get(state, "disabled", NULL), i, label)
		g_string_append_printf(table, "%s\tDisabled\n", json_string_value(label));
	tabwriter_print(table->str);
	return EXIT_SUCCESS;
}

static const struct cli_flag labels_flags[] = {
	{"add", 'a', CLI_FLAG_LIST, "Labels to add, or to enable again", &arg_add},
	{"delete", 'd', CLI_FLAG_LIST, "Labels to delete; one that a manifest gives is disabled",
	 &arg_delete},
	OUTPUT_FLAG,
	{NULL},
};

const struct cli_command cmd_endpoint_labels = {
	.path = "endpoint labels",
	.args = "ID",
	.n_args_min = 1,
	.n_args_max = 1,
	.help = "Show or change the labels that make the identity of an endpoint",
	.flags = labels_flags,
	.words = CLI_WORDS_ENDPOINTS,
	.run = run_labels,
};

/* ---- config ---- */

static const struct {
	const char *name, *help;
} options[] = {
#define ENDPOINT_OPTION(name, text, help) {text, help},
#include "src/model/endpoint_option.def"
#undef ENDPOINT_OPTION
};

static void print_options(const json_t *values)
{
	for (size_t i = 0; i < G_N_ELEMENTS(options); i++) {
		const char *text = json_get_text(values, options[i].name, NULL);

		if (*text)
			printf("%-34s: %s\n", options[i].name, text);
	}
}

/* Option=value words; more than one change together or not at all. */
static int change_options(const char *id, int n, char *const words[])
{
	json_t *values = json_object();
	json_auto_t *body = json_pack("{s:o}", "options", values);
	int status;

	for (int i = 0; i < n; i++) {
		const char *equals = strchr(words[i], '=');
		g_autofree char *name = NULL;

		if (!equals || equals == words[i])
			return cli_fail("Improper configuration format provided: \"%s\", expected "
					"Option=(enable|disable|default)",
					words[i]);
		name = g_strndup(words[i], equals - words[i]);
		json_object_set_new(values, name, json_string(equals + 1));
	}
	status = call(API_ENDPOINT_CONFIG_PATCH, id, body, NULL, "Cannot update endpoint");
	if (!status)
		printf("Endpoint %s configuration updated successfully\n", id);
	return status;
}

static int run_config(int argc, char *const argv[])
{
	json_auto_t *config = NULL;
	int status;

	if (arg_list_options) {
		for (size_t i = 0; i < G_N_ELEMENTS(options); i++)
			printf("%-24s %s\n", options[i].name, options[i].help);
		return EXIT_SUCCESS;
	}
	if (!argc)
		return cli_fail_usage("missing endpoint id argument");
	if (argc > 1)
		return change_options(argv[0], argc - 1, argv + 1);
	status = call(API_ENDPOINT_CONFIG_GET, argv[0], NULL, &config,
		      "Cannot get configuration of endpoint");
	if (status)
		return status;
	if (output_format)
		return output_print(config);
	print_options(json_get(config, "immutable", NULL));
	print_options(json_get(config, "realized", "options", NULL));
	return EXIT_SUCCESS;
}

static const struct cli_flag config_flags[] = {
	{"list-options", 0, CLI_FLAG_BOOL, "List available options", &arg_list_options},
	OUTPUT_FLAG,
	{NULL},
};

const struct cli_command cmd_endpoint_config = {
	.path = "endpoint config",
	.args = "ID [<option>=(enable|disable|default) …]",
	.n_args_max = 16,
	.help = "View and change the options of an endpoint",
	.flags = config_flags,
	.words = CLI_WORDS_ENDPOINTS,
	.run = run_config,
};

/* ---- log ---- */

static int run_log(int argc, char *const argv[])
{
	g_autoptr(GString) table = g_string_new("Timestamp\tStatus\tState\tMessage\n");
	json_auto_t *log = NULL;
	json_t *entry;
	size_t i;
	int status = call(API_ENDPOINT_LOG_GET, argv[0], NULL, &log, "Cannot get endpoint log of");

	if (status)
		return status;
	if (output_format)
		return output_print(log);
	json_array_foreach(log, i, entry) g_string_append_printf(
		table, "%s\t%s\t%s\t%s\n", json_get_text(entry, "timestamp", NULL),
		json_get_text(entry, "code", NULL), json_get_text(entry, "state", NULL),
		json_get_text(entry, "message", NULL));
	tabwriter_print(table->str);
	return EXIT_SUCCESS;
}

const struct cli_command cmd_endpoint_log = {
	.path = "endpoint log",
	.args = "ID",
	.n_args_min = 1,
	.n_args_max = 1,
	.help = "View what happened to an endpoint since the agent started",
	.flags = output_flags,
	.words = CLI_WORDS_ENDPOINTS,
	.run = run_log,
};

/* ---- disconnect ---- */

static int run_disconnect(int argc, char *const argv[])
{
	int status = call(API_ENDPOINT_DELETE, argv[0], NULL, NULL, "Cannot disconnect endpoint");

	if (status)
		return status;
	printf("Endpoint %s disconnected: its container has no network until the runtime makes it "
	       "anew\n",
	       argv[0]);
	return EXIT_SUCCESS;
}

const struct cli_command cmd_endpoint_disconnect = {
	.path = "endpoint disconnect",
	.args = "ID",
	.n_args_min = 1,
	.n_args_max = 1,
	.help = "Remove an endpoint; its container stays, without network",
	.words = CLI_WORDS_ENDPOINTS,
	.run = run_disconnect,
};

/* ---- regenerate ---- */

static int run_regenerate(int argc, char *const argv[])
{
	const json_t *differences;
	json_auto_t *answer = NULL;
	json_t *difference;
	bool failed = false;
	size_t i;
	int status =
		call(API_ENDPOINT_REGENERATE, argv[0], NULL, &answer, "Cannot regenerate endpoint");

	if (status)
		return status;
	if (output_format)
		return output_print(answer);
	differences = json_get(answer, "differences", NULL);
	json_array_foreach(differences, i, difference)
	{
		const char *error = json_get_text(difference, "error", NULL);

		printf("%s was %s%s%s\n", json_get_text(difference, "object", NULL),
		       json_get_text(difference, "was", NULL), *error ? ": " : "", error);
		failed |= *error != '\0';
	}
	if (failed)
		return cli_fail("endpoint %s: not everything could be applied, see cilium endpoint "
				"log %s",
				argv[0], argv[0]);
	printf("Endpoint %s successfully regenerated: %lld objects, %zu differed\n", argv[0],
	       json_get_number(answer, "objects", NULL), json_array_size(differences));
	return EXIT_SUCCESS;
}

const struct cli_command cmd_endpoint_regenerate = {
	.path = "endpoint regenerate",
	.args = "ID",
	.n_args_min = 1,
	.n_args_max = 1,
	.help = "Apply everything that an endpoint needs in the kernel anew",
	.flags = output_flags,
	.words = CLI_WORDS_ENDPOINTS,
	.run = run_regenerate,
};
