/* SPDX-License-Identifier: Apache-2.0 */
/* map list, map get, map events: the maps as the agent knows them. cilium bpf … reads the maps themselves. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "src/cli/commands.h"
#include "src/cli/json_get.h"
#include "src/cli/output.h"
#include "src/cli/tabwriter.h"

/* Between two questions of --follow. */
#define POLL_US 250000

static bool arg_verbose;
static bool arg_follow;

static int get(enum api_call call, const char *map, const char *query, json_t **ret_json)
{
	const struct api_client_request request = {.call = call, .arg = map, .query = query};
	GError *error = NULL;

	return api_client_call(cli_api(), &request, ret_json, &error) < 0 ? cli_fail_error(error)
									  : EXIT_SUCCESS;
}

static char *map_name(const json_t *map)
{
	return g_path_get_basename(json_get_text(map, "path", NULL));
}

/* ---- entries ---- */

static void print_entries(const json_t *map)
{
	g_autoptr(GString) table = g_string_new("Key\tValue\tState\tError\n");
	json_t *entry, *cache = json_get(map, "cache", NULL);
	size_t i;

	if (!cache) {
		puts("Cache is disabled");
		return;
	}
	if (!json_array_size(cache)) {
		puts("Cache is empty");
		return;
	}
	json_array_foreach(cache, i, entry)
	{
		g_string_append_printf(table, "%s\t%s\t%s\t%s\n", json_get_text(entry, "key", NULL),
				       json_get_text(entry, "value", NULL),
				       json_get_text(entry, "desired-action", NULL),
				       json_get_text(entry, "last-error", NULL));
	}
	tabwriter_print(table->str);
}

static int run_get(int argc, char *const argv[])
{
	json_auto_t *map = NULL;
	int status = get(API_MAP_GET, argv[0], NULL, &map);

	if (status)
		return status;
	if (output_format)
		return output_print(map);
	print_entries(map);
	return EXIT_SUCCESS;
}

static const struct cli_flag get_flags[] = {OUTPUT_FLAG, {NULL}};

const struct cli_command cmd_map_get = {
	.path = "map get",
	.args = "NAME",
	.n_args_min = 1,
	.n_args_max = 1,
	.help = "Display what the agent wants in a BPF map, and what the kernel does not take",
	.flags = get_flags,
	.words = CLI_WORDS_MAPS,
	.run = run_get,
};

/* ---- map list ---- */

static void print_summary(const json_t *maps)
{
	g_autoptr(GString) table = g_string_new("Name\tNum entries\tNum errors\tCache enabled\n");
	json_t *map;
	size_t i;

	json_array_foreach(maps, i, map)
	{
		g_autofree char *name = map_name(map);

		g_string_append_printf(
			table, "%s\t%lld\t%lld\t%s\n", name,
			json_get_number(map, "num-entries", NULL),
			json_get_number(map, "num-errors", NULL),
			json_is_true(json_get(map, "cache-enabled", NULL)) ? "true" : "false");
	}
	tabwriter_print(table->str);
}

static void print_all(const json_t *maps)
{
	json_t *map;
	size_t i;

	json_array_foreach(maps, i, map)
	{
		g_autofree char *name = map_name(map);

		printf("%s## Map: %s\n", i ? "\n" : "", name);
		print_entries(map);
	}
}

static int run_list(int argc, char *const argv[])
{
	json_auto_t *answer = NULL;
	int status = get(API_MAP_LIST, NULL, NULL, &answer);

	if (status)
		return status;
	if (output_format)
		return output_print(answer);
	if (arg_verbose)
		print_all(json_get(answer, "maps", NULL));
	else
		print_summary(json_get(answer, "maps", NULL));
	return EXIT_SUCCESS;
}

static const struct cli_flag list_flags[] = {
	{"verbose", 0, CLI_FLAG_BOOL, "Print the entries of each map", &arg_verbose},
	OUTPUT_FLAG,
	{NULL},
};

const struct cli_command cmd_map_list = {
	.path = "map list",
	.help = "List all open BPF maps",
	.flags = list_flags,
	.run = run_list,
};

/* ---- map events ---- */

static void print_event(const json_t *event)
{
	const char *error = json_get_text(event, "last-error", NULL);

	printf("key=\"%s\" value=\"%s\" time=%s action=%s desiredState=%s",
	       json_get_text(event, "key", NULL), json_get_text(event, "value", NULL),
	       json_get_text(event, "timestamp", NULL), json_get_text(event, "action", NULL),
	       json_get_text(event, "desired-action", NULL));
	if (*error)
		printf(" lastError=\"%s\"", error);
	putchar('\n');
}

/* Numbers of a map's events have no gaps: what is missing came and went between two questions. */
static int print_events(const json_t *events, long long *since)
{
	json_t *event;
	size_t i;

	json_array_foreach(events, i, event)
	{
		long long number = json_get_number(event, "number", NULL);
		int status = EXIT_SUCCESS;

		if (*since && number > *since + 1)
			fputs("Events are missing: more came than bpf-map-event-buffers keeps, or "
			      "the agent was restarted.\n",
			      stderr);
		*since = number;
		if (output_format)
			status = output_print(event);
		else
			print_event(event);
		if (status)
			return status;
	}
	fflush(stdout);
	return ferror(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run_events(int argc, char *const argv[])
{
	long long since = 0;

	for (;;) {
		g_autofree char *query = g_strdup_printf("since=%lld", since);
		json_auto_t *events = NULL;
		int status = get(API_MAP_EVENTS, argv[0], query, &events);

		if (!status)
			status = print_events(events, &since);
		if (!status && !since && !arg_follow)
			fprintf(stderr,
				"No changes of %s are kept: the agent has made none of late; -f "
				"waits "
				"for the next\n",
				argv[0]);
		if (status || !arg_follow)
			return status;
		usleep(POLL_US);
	}
}

static const struct cli_flag events_flags[] = {
	{"follow", 'f', CLI_FLAG_BOOL, "Go on with what comes, until interrupted", &arg_follow},
	OUTPUT_FLAG,
	{NULL},
};

const struct cli_command cmd_map_events = {
	.path = "map events",
	.args = "NAME",
	.n_args_min = 1,
	.n_args_max = 1,
	.help = "Display the last changes that the agent made to a BPF map; not those of programs "
		"or by hand",
	.flags = events_flags,
	.words = CLI_WORDS_MAPS,
	.run = run_events,
};
