/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "src/cli/complete.h"
#include "src/cli/flag.h"
#include "src/cli/help.h"
#include "src/base/nearest.h"

static const struct cli_command *running;
static GString *group; /* where no command is running: the words that begin some */

/* ---- errors ---- */

int cli_fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fflush(stdout);
	fputs("Error: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	return EXIT_FAILURE;
}

int cli_fail_error(GError *error)
{
	cli_fail("%s", error->message);
	g_error_free(error);
	return EXIT_FAILURE;
}

int cli_fail_usage(const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list args;

	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	cli_fail("%s", text);
	fputc('\n', stderr);
	if (running)
		help_print_command(stderr, running);
	else
		help_print_group(stderr, group ? group->str : "");
	return EXIT_FAILURE;
}

/* "; did you mean --output?", or "". g_free. */
static char *hint(const struct nearest *nearest, const char *dashes)
{
	return nearest->best ? g_strdup_printf("; did you mean \"%s%s\"?", dashes, nearest->best)
			     : g_strdup("");
}

/* ---- flags ---- */

static int unknown_flag(const struct cli_command *command, const char *word, size_t n_name)
{
	g_autofree char *name = g_strndup(word, n_name);
	g_autofree char *meant = NULL;
	struct nearest nearest;

	nearest_init(&nearest, name);
	for (const struct cli_flag *flag = command ? command->flags : NULL; flag && flag->name;
	     flag++)
		nearest_offer(&nearest, flag->name);
	for (const struct cli_flag *flag = cli_global_flags; flag->name; flag++)
		nearest_offer(&nearest, flag->name);
	meant = hint(&nearest, "--");
	return cli_fail_usage("unknown flag: --%s%s", name, meant);
}

struct words {
	char **next;
	char **end;
};

static int parse_long(const struct cli_command *command, struct words *words, char *word)
{
	size_t n_name = strcspn(word, "=");
	const struct cli_flag *flag = flag_find(command, word, n_name, 0);
	char *value = word[n_name] ? word + n_name + 1 : NULL;

	if (!flag)
		return unknown_flag(command, word, n_name);
	if (!value && flag_takes_value(flag)) {
		if (words->next == words->end)
			return cli_fail_usage("flag needs an argument: --%s", flag->name);
		value = *words->next++;
	}
	if (flag_set(flag, value) < 0)
		return cli_fail_usage("invalid argument \"%s\" for --%s: expected %s",
				      value ? value : "", flag->name, flag_wants(flag));
	return 0;
}

/* "-vvo json": switches together, the value of the last behind it or in the next word. */
static int parse_short(const struct cli_command *command, struct words *words, char *word)
{
	for (; *word; word++) {
		const struct cli_flag *flag = flag_find(command, NULL, 0, *word);
		char *value = NULL;

		if (!flag)
			return cli_fail_usage("unknown shorthand flag: -%c", *word);
		if (flag_takes_value(flag)) {
			value = word[1] ? word + 1 + (word[1] == '=') : NULL;
			if (!value && words->next == words->end)
				return cli_fail_usage("flag needs an argument: -%c", *word);
			if (!value)
				value = *words->next++;
		}
		if (flag_set(flag, value) < 0)
			return cli_fail_usage("invalid argument \"%s\" for -%c: expected %s",
					      value ? value : "", *word, flag_wants(flag));
		if (value)
			break;
	}
	return 0;
}

/*
 * Parses flags up to the end, or with stop_at_word up to the first word that is none; other words are
 * collected. "--" ends the flags. 0 or the exit status.
 */
static int parse_flags(const struct cli_command *command, struct words *words, GPtrArray *rest)
{
	while (words->next < words->end) {
		char *word = *words->next++;
		int status = 0;

		if (!strcmp(word, "--")) {
			while (words->next < words->end)
				g_ptr_array_add(rest, *words->next++);
		} else if (g_str_has_prefix(word, "--")) {
			status = parse_long(command, words, word + 2);
		} else if (word[0] == '-' && word[1]) {
			status = parse_short(command, words, word + 1);
		} else if (!command) {
			words->next--;
			return 0;
		} else {
			g_ptr_array_add(rest, word);
		}
		if (status)
			return status;
	}
	return 0;
}

/* ---- which command ---- */

/* The command whose path the next words spell, the longest one; NULL: none. Takes its words. */
static const struct cli_command *take_command(struct words *words)
{
	const struct cli_command *found = NULL;
	char **found_next = words->next;
	g_autoptr(GString) path = g_string_new(NULL);

	for (char **word = words->next; word < words->end && (*word)[0] != '-'; word++) {
		bool is_group = false;

		g_string_append_printf(path, "%s%s", path->len ? " " : "", *word);
		for (const struct cli_command *const *command = cli_commands; *command; command++) {
			if (!strcmp((*command)->path, path->str)) {
				found = *command;
				found_next = word + 1;
			} else if (help_is_below((*command)->path, path->str)) {
				is_group = true;
			}
		}
		if (is_group)
			g_string_assign(group, path->str);
		else
			break;
	}
	words->next = found_next;
	return found;
}

/* What this version lacks for a command that Cilium has, or NULL. */
static const char *find_later(const char *word)
{
	static const struct {
		const char *path, *why;
	} later[] = {
#define LATER(path, why) {path, why},
#include "src/cli/command_later.def"
#undef LATER
	};
	g_autofree char *path = g_strconcat(group->str, group->len ? " " : "", word, NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(later); i++) {
		if (!strcmp(later[i].path, path))
			return later[i].why;
	}
	return NULL;
}

static int unknown_command(const char *word)
{
	g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *meant = NULL;
	const char *why = find_later(word);
	struct nearest nearest;

	if (why)
		return cli_fail("unknown command \"%s\" for \"" CLI_PROGRAM
				"%s%s\": Cilium has it, this version %s",
				word, group->len ? " " : "", group->str, why);
	nearest_init(&nearest, word);
	for (const struct cli_command *const *command = cli_commands; *command; command++) {
		const char *rest = (*command)->path + group->len + (group->len > 0);

		if (!help_is_below((*command)->path, group->str))
			continue;
		g_ptr_array_add(words, g_strndup(rest, strcspn(rest, " ")));
		nearest_offer(&nearest, g_ptr_array_index(words, words->len - 1));
	}
	meant = hint(&nearest, "");
	return cli_fail_usage("unknown command \"%s\" for \"" CLI_PROGRAM "%s%s\"%s", word,
			      group->len ? " " : "", group->str, meant);
}

static int no_command(struct words *words)
{
	unsigned int n_group_words = group->len ? 1 : 0;

	for (const char *c = group->str; *c; c++)
		n_group_words += *c == ' ';
	words->next += n_group_words;
	/* Behind a group there is nothing but the flags that every command has. */
	if (words->next < words->end && (*words->next)[0] == '-') {
		g_autoptr(GPtrArray) rest = g_ptr_array_new();
		int status = parse_flags(NULL, words, rest);

		if (status)
			return status;
	}
	if (words->next < words->end)
		return unknown_command(*words->next);
	help_print_group(stdout, group->str);
	return EXIT_SUCCESS;
}

/* As a command line of these words, but for its help. */
static int run_help(int argc, char *const argv[])
{
	struct words words = {.next = (char **)argv, .end = (char **)argv + argc};

	running = take_command(&words);
	if (!running)
		return no_command(&words);
	help_print_command(stdout, running);
	return EXIT_SUCCESS;
}

const struct cli_command cmd_help = {
	.path = "help",
	.args = "[COMMAND…]",
	.n_args_max = 8,
	.help = "Say what a command does, and its flags",
	.words = CLI_WORDS_COMMANDS,
	.run = run_help,
};

static int run(const struct cli_command *command, GPtrArray *rest)
{
	unsigned int n_args = rest->len;

	if (n_args < command->n_args_min)
		return cli_fail_usage("%s is missing", command->args);
	if (n_args > command->n_args_max)
		return cli_fail_usage("unexpected argument \"%s\"",
				      (char *)g_ptr_array_index(rest, command->n_args_max));
	if (command->needs_root && geteuid())
		return cli_fail("%s must be run as root", command->path);
	g_ptr_array_add(rest, NULL);
	return command->run(n_args, (char *const *)rest->pdata);
}

int cli_main(int argc, char *argv[])
{
	struct words words = {.next = argv + 1, .end = argv + argc};
	g_autoptr(GPtrArray) rest = g_ptr_array_new();
	g_autoptr(GError) error = NULL;
	int status;

	if (argc > 1 && !strcmp(argv[1], COMPLETE_WORD))
		return complete_print(argc - 2, argv + 2);
	status = parse_flags(NULL, &words, rest);
	if (status)
		return status;
	group = g_string_new(NULL);
	running = take_command(&words);
	if (!running)
		return no_command(&words);
	status = parse_flags(running, &words, rest);
	if (status)
		return status;
	if (flag_wants_help()) {
		help_print_command(stdout, running);
		return EXIT_SUCCESS;
	}
	if (flag_settle_globals(&error) < 0)
		return cli_fail("%s", error->message);
	return run(running, rest);
}

const char *cli_socket_path(void)
{
	return flag_socket_path();
}

struct api_client *cli_api(void)
{
	static struct api_client *client;

	if (!client)
		client = api_client_new(cli_socket_path());
	return client;
}
