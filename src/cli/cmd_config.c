/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "src/cli/commands.h"
#include "src/cli/json_get.h"
#include "src/cli/output.h"
#include "src/cli/tabwriter.h"

static bool arg_all, arg_read_only, arg_list_options, arg_verbose;
static unsigned int arg_num_pages;

static const struct {
	const char *name, *help;
} mutable_options[] = {
	{"Debug", "Enable debugging trace statements"},
	{"DropNotification", "Enable drop notifications"},
	{"MonitorAggregationLevel", "Set the verbosity of trace notifications"},
	{"PolicyAuditMode", "Report what policies deny instead of dropping it"},
	{"PolicyEnforcement", "Policy enforcement: default, always or never"},
	{"PolicyVerdictNotification", "Enable policy verdicts while somebody listens"},
	{"TraceNotification", "Enable trace notifications while somebody listens"},
	{"<key>", "Any key that \"cilium config view -v\" marks as live, such as log-opt"},
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
		printf("%-34s: %lld\n", "MonitorNumPages",
		       json_get_number(config, "status", "nodeMonitor", "npages", NULL));
		printf("%-34s: %s\n", "PolicyEnforcement",
		       json_get_text(config, "spec", "policy-enforcement", NULL));
	}
}

/* "Option=value" into the body of PATCH /config. */
static int add_word(json_t *body, const char *word)
{
	const char *equals = strchr(word, '=');
	g_autofree char *name = NULL;

	if (!equals || equals == word)
		return cli_fail("Improper configuration format provided: \"%s\" is not "
				"OPTION=VALUE; \"cilium config get NAME\" shows one, \"cilium "
				"config view\" all",
				word);
	name = g_strndup(word, equals - word);
	if (!strcmp(name, "PolicyEnforcement"))
		json_object_set_new(body, "policy-enforcement", json_string(equals + 1));
	else
		json_object_set_new(json_object_get(body, "options"), name,
				    json_string(equals + 1));
	return EXIT_SUCCESS;
}

static int change(int n, char *const words[])
{
	json_auto_t *body = json_pack("{s:{}}", "options");
	struct api_client_request request = {.call = API_CONFIG_PATCH};
	g_autofree char *text = NULL;
	GError *error = NULL;

	for (int i = 0; i < n; i++) {
		int status = add_word(body, words[i]);

		if (status)
			return status;
	}
	text = json_dumps(body, JSON_COMPACT);
	request.body = text;
	if (api_client_call(cli_api(), &request, NULL, &error) < 0) {
		g_prefix_error(&error, "Unable to change agent configuration: ");
		return cli_fail_error(error);
	}
	return EXIT_SUCCESS;
}

/* Cilium's agent makes its ring anew with so many pages for each CPU; ours is one, made with the programs. */
static int check_num_pages(void)
{
	json_auto_t *config = NULL;
	long long n_pages;
	int status = get_config(&config);

	if (status)
		return status;
	n_pages = json_get_number(config, "status", "nodeMonitor", "npages", NULL);
	if (arg_num_pages == n_pages)
		return EXIT_SUCCESS;
	return cli_fail("The ring of events has %lld pages and cannot be changed while the agent "
			"runs; fewer events: \"cilium config MonitorAggregationLevel=max\"",
			n_pages);
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
	if (arg_num_pages) {
		status = check_num_pages();
		if (status || !argc)
			return status;
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
	{"num-pages", 'n', CLI_FLAG_NUMBER,
	 "Pages of the ring of events; it is fixed, others are refused", &arg_num_pages},
	{"read-only", 'r', CLI_FLAG_BOOL, "Display read-only configurations", &arg_read_only},
	OUTPUT_FLAG,
	{NULL},
};

const struct cli_command cmd_config = {
	.path = "config",
	.args = "[<option>=(enable|disable) …]",
	.n_args_max = 16,
	.help = "Configuration options, and their change until the agent restarts; option= undoes "
		"it",
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
	/* A key as it is written means the key, not the option of its name. */
	value = json_get(config, "status", "daemonConfigurationMap", argv[0], NULL);
	if (!value)
		value = find_member(json_get(config, "spec", "options", NULL), wanted);
	if (!value)
		value = find_member(json_get(config, "status", "immutable", NULL), wanted);
	if (!value)
		value = find_member(json_get(config, "status", "daemonConfigurationMap", NULL),
				    wanted);
	if (!value)
		return cli_fail("Configuration does not exist: %s is no option and no key; see "
				"\"cilium config view\"",
				argv[0]);
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

static int compare_keys(const void *a, const void *b)
{
	return strcmp(json_get_text(*(json_t *const *)a, "key", NULL),
		      json_get_text(*(json_t *const *)b, "key", NULL));
}

static const char *change_text(const json_t *key)
{
	if (!json_is_true(json_get(key, "acts", NULL)))
		return "no effect";
	return json_is_true(json_get(key, "live", NULL)) ? "live" : "restart";
}

/* One line, whatever the file held. */
static char *line_text(const char *value)
{
	return g_strdelimit(g_strdup(value), "\t\r\n", ' ');
}

static int run_view(int argc, char *const argv[])
{
	g_autoptr(GPtrArray) keys = g_ptr_array_new();
	g_autoptr(GString) text = g_string_new(NULL);
	json_auto_t *config = NULL;
	int status = get_config(&config);
	const json_t *list;
	json_t *key;
	size_t i;

	if (status)
		return status;
	list = json_get(config, "status", "axoneme", "keys", NULL);
	if (output_format)
		return output_print(
			arg_verbose ? list
				    : json_get(config, "status", "daemonConfigurationMap", NULL));
	json_array_foreach(list, i, key) g_ptr_array_add(keys, key);
	g_ptr_array_sort(keys, compare_keys);
	if (arg_verbose)
		g_string_append(text, "KEY\tVALUE\tFROM\tCHANGE\n");
	for (i = 0; i < keys->len; i++) {
		g_autofree char *value = NULL;
		const char *place;

		key = g_ptr_array_index(keys, i);
		value = line_text(json_get_text(key, "value", NULL));
		place = json_get_text(key, "place", NULL);
		g_string_append_printf(text, "%s\t%s", json_get_text(key, "key", NULL), value);
		if (arg_verbose)
			g_string_append_printf(text, "\t%s\t%s",
					       *place ? place : json_get_text(key, "from", NULL),
					       change_text(key));
		g_string_append_c(text, '\n');
	}
	tabwriter_print(text->str);
	return EXIT_SUCCESS;
}

static const struct cli_flag view_flags[] = {
	OUTPUT_FLAG,
	{"verbose", 'v', CLI_FLAG_BOOL,
	 "Where each value is from, and whether its change needs a restart", &arg_verbose},
	{NULL},
};

const struct cli_command cmd_config_view = {
	.path = "config view",
	.help = "Every key and its value in force",
	.flags = view_flags,
	.run = run_view,
};
