/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "src/cli/commands.h"
#include "src/cli/json_get.h"
#include "src/cli/output.h"

static bool arg_all, arg_read_only, arg_list_options;

static const struct {
	const char *name, *help;
} mutable_options[] = {
	{"Debug", "Enable debugging trace statements"},
	{"DropNotification", "Enable drop notifications"},
	{"MonitorAggregationLevel", "Set the verbosity of trace notifications"},
	{"TraceNotification", "Enable trace notifications while somebody listens"},
};

static int get_config(json_t **ret_config)
{
	const struct api_client_request request = {.call = API_CONFIG_GET};
	GError *error = NULL;

	if (api_client_call(cli_api(), &request, ret_config, &error) == 0)
		return EXIT_SUCCESS;
	g_prefix_error(&error, "Error while retrieving configuration: ");
	return cli_fail_error(error);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "name   : value", by name; an object's members below it, indented. */
static void print_members(const json_t *object, const char *indent)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)object, name, value) g_ptr_array_add(names, (void *)name);
	g_ptr_array_sort(names, compare_names);
	for (size_t i = 0; i < names->len; i++) {
		name = g_ptr_array_index(names, i);
		value = json_object_get(object, name);
		if (json_is_object(value)) {
			printf("%s%s\n", indent, name);
			print_members(value, "\t");
			continue;
		}
		printf(*indent ? "%s%-26s: " : "%s%-34s: ", indent, name);
		if (json_is_string(value)) {
			puts(json_string_value(value));
		} else {
			char *text = json_dumps(value, JSON_ENCODE_ANY);

			puts(text);
			free(text);
		}
	}
}

static void print_config(const json_t *config)
{
	if (arg_all || arg_read_only) {
		puts("#### Read-only configurations ####");
		print_members(json_get(config, "status", "daemonConfigurationMap", NULL), "");
		print_members(json_get(config, "status", "immutable", NULL), "");
	}
	if (arg_all)
		putchar('\n');
	if (arg_all || !arg_read_only) {
		puts("##### Read-write configurations #####");
		print_members(json_get(config, "spec", "options", NULL), "");
	}
}

/* "Option=value" words to PATCH /config. */
static int change(int n, char *const words[])
{
	json_auto_t *options = json_object(), *body = NULL;
	struct api_client_request request = {.call = API_CONFIG_PATCH};
	g_autofree char *text = NULL;
	GError *error = NULL;

	for (int i = 0; i < n; i++) {
		const char *equals = strchr(words[i], '=');
		g_autofree char *name = NULL;

		if (!equals || equals == words[i])
			return cli_fail("Improper configuration format provided");
		name = g_strndup(words[i], equals - words[i]);
		json_object_set_new(options, name, json_string(equals + 1));
	}
	body = json_pack("{s:O}", "options", options);
	text = json_dumps(body, JSON_COMPACT);
	request.body = text;
	if (api_client_call(cli_api(), &request, NULL, &error) < 0) {
		g_prefix_error(&error, "Unable to change agent configuration: ");
		return cli_fail_error(error);
	}
	return EXIT_SUCCESS;
}

static int run_config(int argc, char *const argv[])
{
	json_auto_t *config = NULL;
	int status;

	if (arg_list_options) {
		for (size_t i = 0; i < G_N_ELEMENTS(mutable_options); i++)
			printf("%-24s %s\n", mutable_options[i].name, mutable_options[i].help);
		return EXIT_SUCCESS;
	}
	if (argc)
		return change(argc, argv);
	status = get_config(&config);
	if (status)
		return status;
	if (output_format)
		return output_print(config);
	print_config(config);
	return EXIT_SUCCESS;
}

static const struct cli_flag flags[] = {
	{"all", 'a', CLI_FLAG_BOOL, "Display all cilium configurations", &arg_all},
	{"list-options", 0, CLI_FLAG_BOOL, "List available options", &arg_list_options},
	{"read-only", 'r', CLI_FLAG_BOOL, "Display read-only configurations", &arg_read_only},
	OUTPUT_FLAG,
	{NULL},
};

const struct cli_command cmd_config = {
	.path = "config",
	.args = "[<option>=(enable|disable) …]",
	.n_args_max = 16,
	.help = "Cilium configuration options",
	.flags = flags,
	.words = CLI_WORDS_OPTIONS,
	.run = run_config,
};

/* "Enable-IPv4", "enable_ipv4" and "enableIPv4" name the same. g_free. */
static char *plain_name(const char *name)
{
	GString *plain = g_string_new(NULL);

	for (; *name; name++)
		if (isalnum((unsigned char)*name))
			g_string_append_c(plain, g_ascii_tolower(*name));
	return g_string_free(plain, FALSE);
}

static const json_t *find_member(const json_t *object, const char *wanted)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)object, name, value)
	{
		g_autofree char *plain = plain_name(name);

		if (!strcmp(plain, wanted))
			return value;
	}
	return NULL;
}

static int run_get(int argc, char *const argv[])
{
	g_autofree char *wanted = plain_name(argv[0]);
	json_auto_t *config = NULL;
	const json_t *value;
	int status = get_config(&config);

	if (status)
		return status;
	value = find_member(json_get(config, "spec", "options", NULL), wanted);
	if (!value)
		value = find_member(json_get(config, "status", "immutable", NULL), wanted);
	if (!value)
		value = find_member(json_get(config, "status", "daemonConfigurationMap", NULL),
				    wanted);
	if (!value)
		return cli_fail("Configuration does not exist");
	if (output_format)
		return output_print(value);
	puts(json_string_value(value));
	return EXIT_SUCCESS;
}

static const struct cli_flag get_flags[] = {OUTPUT_FLAG, {NULL}};

const struct cli_command cmd_config_get = {
	.path = "config get",
	.args = "NAME",
	.n_args_min = 1,
	.n_args_max = 1,
	.help = "Retrieve cilium configuration",
	.flags = get_flags,
	.words = CLI_WORDS_KEYS,
	.run = run_get,
};
