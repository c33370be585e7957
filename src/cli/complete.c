/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/complete.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "src/cli/flag.h"
#include "src/cli/help.h"
#include "src/cli/json_get.h"
#include "src/cli/service_text.h"
#include "src/datapath/layout.h"

/* A person waits in front of a prompt. */
#define ANSWER_TIMEOUT_NS INT64_C(1000000000)

struct completion {
	const struct cli_command *command; /* NULL: its words are not all there */
	GString *path;                     /* of the words so far */
	unsigned int n_args;
	const struct cli_flag *flag; /* whose value is begun */
	bool flags_ended;            /* by "--" */
	const char *prefix;          /* the word that is begun, or the value */
	const char *begun; /* the same, with the flag, where its value is begun in the same word */
	GHashTable *printed;
};

static void offer(struct completion *completion, const char *candidate, const char *help)
{
	if (!g_str_has_prefix(candidate, completion->prefix) ||
	    !g_hash_table_add(completion->printed, g_strdup(candidate)))
		return;
	printf("%.*s%s%s%s\n", (int)(completion->prefix - completion->begun), completion->begun,
	       candidate, help ? "\t" : "", help ? help : "");
}

/* ---- what the agent knows ---- */

/* NULL where no agent answers. */
static json_t *ask(enum api_call call)
{
	const struct api_client_request request = {.call = call};
	json_t *json = NULL;

	api_client_set_timeout(cli_api(), ANSWER_TIMEOUT_NS);
	if (api_client_call(cli_api(), &request, &json, NULL) < 0)
		return NULL;
	return json;
}

/* The number of each element at name, with what is at help as its text. */
static void offer_numbers(struct completion *completion, enum api_call call)
{
	json_auto_t *list = ask(call);
	json_t *element;
	size_t i;

	json_array_foreach(list, i, element)
	{
		g_autofree char *number =
			g_strdup_printf("%lld", json_get_number(element, "id", NULL));
		const char *pod =
			json_get_text(element, "status", "external-identifiers", "pod-name", NULL);
		const char *label =
			json_string_value(json_array_get(json_object_get(element, "labels"), 0));

		offer(completion, number, *pod ? pod : label);
	}
}

static void offer_ips(struct completion *completion)
{
	json_auto_t *list = ask(API_IP_LIST);
	json_t *element;
	size_t i;

	json_array_foreach(list, i, element)
		offer(completion, json_get_text(element, "cidr", NULL), NULL);
}

static void offer_services(struct completion *completion, bool all)
{
	json_auto_t *list = ask(API_SERVICE_LIST);
	json_t *element;
	size_t i;

	json_array_foreach(list, i, element)
	{
		long long id = json_get_number(element, "spec", "id", NULL);
		g_autofree char *number = g_strdup_printf("%lld", id);
		g_autofree char *what = service_format_frontend(element);

		/* 0: the kernel has not taken it. */
		if (id && (all || service_is_requested(element)))
			offer(completion, number, what);
	}
}

static void offer_labels(struct completion *completion)
{
	json_auto_t *list = ask(API_ENDPOINT_LIST);
	json_t *element, *label;
	size_t i, j;

	json_array_foreach(list, i, element)
		json_array_foreach(json_get(element, "status", "labels", "security-relevant", NULL),
				   j, label) offer(completion, json_string_value(label), NULL);
}

static void offer_members(struct completion *completion, const char *parent, const char *child,
			  const char *suffix)
{
	json_auto_t *config = ask(API_CONFIG_GET);
	json_t *value;
	const char *name;

	json_object_foreach(json_get(config, parent, child, NULL), name, value)
	{
		g_autofree char *word = g_strconcat(name, suffix, NULL);

		offer(completion, word, json_string_value(value));
	}
}

/* ---- what the tables know ---- */

static void offer_maps(struct completion *completion)
{
	for (int map = 0; map < PLAN_MAP__MAX; map++)
		offer(completion, map_layout_get(map)->name, NULL);
}

/* The next words of the commands that begin with the words of path. */
static void offer_commands(struct completion *completion, const char *path)
{
	size_t n_path = strlen(path);

	for (const struct cli_command *const *command = cli_commands; *command; command++) {
		const char *rest = (*command)->path + n_path + (n_path > 0);
		g_autofree char *word = NULL;

		if (!help_is_below((*command)->path, path))
			continue;
		word = g_strndup(rest, strcspn(rest, " "));
		offer(completion, word, rest[strlen(word)] ? NULL : (*command)->help);
	}
}

static void offer_choices(struct completion *completion, const char *choices)
{
	g_auto(GStrv) words = g_strsplit(choices ? choices : "", " ", -1);

	for (char **word = words; *word; word++)
		if (**word)
			offer(completion, *word, NULL);
}

static void offer_flags(struct completion *completion, const struct cli_flag *flags)
{
	for (; flags && flags->name; flags++) {
		g_autofree char *word =
			g_strconcat("--", flags->name, flag_takes_value(flags) ? "=" : "", NULL);

		offer(completion, word, flags->help);
	}
}

static void offer_words(struct completion *completion, enum cli_words words)
{
	switch (words) {
	case CLI_WORDS_NONE:
	case CLI_WORDS_COMMANDS: /* goes on with each word: complete_argument() */
		break;
	case CLI_WORDS_ENDPOINTS:
		offer_numbers(completion, API_ENDPOINT_LIST);
		break;
	case CLI_WORDS_FILES:
		puts(COMPLETE_FILES);
		break;
	case CLI_WORDS_IDENTITIES:
		offer_numbers(completion, API_IDENTITY_LIST);
		break;
	case CLI_WORDS_IPS:
		offer_ips(completion);
		break;
	case CLI_WORDS_KEYS:
		offer_members(completion, "status", "daemonConfigurationMap", "");
		break;
	case CLI_WORDS_LABELS:
		offer_labels(completion);
		break;
	case CLI_WORDS_MAPS:
		offer_maps(completion);
		break;
	case CLI_WORDS_REQUESTED:
		offer_services(completion, false);
		break;
	case CLI_WORDS_SERVICES:
		offer_services(completion, true);
		break;
	case CLI_WORDS_OPTIONS:
		offer_members(completion, "spec", "options", "=");
		break;
	}
}

/* ---- the line so far ---- */

static const struct cli_command *find_command(const char *path)
{
	for (const struct cli_command *const *command = cli_commands; *command; command++)
		if (!strcmp((*command)->path, path))
			return *command;
	return NULL;
}

/* --host says whom to ask. What is wrong with a value, the command will say. */
static void keep_value(const struct cli_flag *flag, char *value)
{
	int err = flag_set(flag, value);

	(void)err;
}

/* A word that is complete and no flag. */
static void take_word(struct completion *completion, const char *word)
{
	g_autofree char *path =
		g_strconcat(completion->path->str, completion->path->len ? " " : "", word, NULL);
	const struct cli_command *command = find_command(path);
	bool goes_on = command != NULL;

	for (const struct cli_command *const *each = cli_commands; *each && !goes_on; each++)
		goes_on = help_is_below((*each)->path, path);
	if (goes_on && !completion->n_args && !completion->flags_ended) {
		g_string_assign(completion->path, path);
		completion->command = command;
		return;
	}
	completion->n_args++;
	/* "help bpf ct" goes on where "bpf ct" does. */
	if (completion->command && completion->command->words == CLI_WORDS_COMMANDS)
		g_string_append_printf(completion->path, " %s", word);
}

/* A word that is complete: the flag that the next one is the value of, or NULL. Global flags count. */
static const struct cli_flag *take_flag(struct completion *completion, char *word)
{
	bool is_long = g_str_has_prefix(word, "--");
	char *name = word + 1 + is_long;
	size_t n_name = strcspn(name, "=");
	const struct cli_flag *flag;

	if (!strcmp(word, "--")) {
		completion->flags_ended = true;
		return NULL;
	}
	flag = is_long ? flag_find(completion->command, name, n_name, 0)
		       : flag_find(completion->command, NULL, 0, name[strlen(name) - 1]);
	if (!flag || !flag_takes_value(flag))
		return NULL;
	if (is_long && name[n_name]) {
		keep_value(flag, name + n_name + 1);
		return NULL;
	}
	return flag;
}

static void take_words(struct completion *completion, int n_words, char *words[])
{
	for (int i = 0; i < n_words; i++) {
		if (completion->flag) {
			keep_value(completion->flag, words[i]);
			completion->flag = NULL;
		} else if (!completion->flags_ended && words[i][0] == '-' && words[i][1]) {
			completion->flag = take_flag(completion, words[i]);
		} else {
			take_word(completion, words[i]);
		}
	}
}

/* "--output=j": the value is what is begun. */
static void split_value(struct completion *completion, char *word)
{
	size_t n_name = strcspn(word, "=");

	if (completion->flag || completion->flags_ended || !g_str_has_prefix(word, "--") ||
	    !word[n_name])
		return;
	completion->flag = flag_find(completion->command, word + 2, n_name - 2, 0);
	completion->prefix = word + n_name + 1;
}

static void complete_argument(struct completion *completion)
{
	const struct cli_command *command = completion->command;

	if (command && command->words == CLI_WORDS_COMMANDS) {
		const char *path = completion->path->str + strlen(command->path);

		offer_commands(completion, *path ? path + 1 : "");
		return;
	}
	if (!completion->n_args)
		offer_commands(completion, completion->path->str);
	if (!command || completion->n_args >= command->n_args_max)
		return;
	if (!completion->n_args && command->choices)
		offer_choices(completion, command->choices);
	else
		offer_words(completion, command->words);
}

int complete_print(int argc, char *argv[])
{
	char nothing[] = "";
	char *begun = argc ? argv[argc - 1] : nothing;
	struct completion completion = {
		.path = g_string_new(NULL),
		.prefix = begun,
		.begun = begun,
		.printed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
	};

	take_words(&completion, argc ? argc - 1 : 0, argv);
	split_value(&completion, begun);
	/* Who set a socket that cannot be is told so by the command itself. */
	if (flag_settle_globals(NULL) < 0)
		return EXIT_SUCCESS;
	if (completion.flag) {
		offer_choices(&completion, completion.flag->choices);
		offer_words(&completion, completion.flag->words);
	} else if (*begun == '-' && !completion.flags_ended) {
		offer_flags(&completion, completion.command ? completion.command->flags : NULL);
		offer_flags(&completion, cli_global_flags);
	} else {
		complete_argument(&completion);
	}
	return EXIT_SUCCESS;
}
