/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "src/base/clock.h"
#include "src/base/log.h"

#define DEFAULT_HOST "unix:///var/run/cilium/cilium.sock"
#define PROGRAM      "cilium"

static const char *arg_host;
static const char *arg_config; /* accepted, as scripts give it; nothing is read from there */
static bool arg_debug;
static bool arg_help;

static const struct cli_flag global_flags[] = {
	{"config", 0, CLI_FLAG_TEXT, "Config file (accepted, not used)", &arg_config},
	{"debug", 'D', CLI_FLAG_BOOL, "Enable debug messages", &arg_debug},
	{"help", 'h', CLI_FLAG_BOOL, "Help for the command", &arg_help},
	{"host", 'H', CLI_FLAG_TEXT, "URI to server-side API (default " DEFAULT_HOST ")",
	 &arg_host},
	{NULL},
};

static const struct cli_command *running;
static GString *group; /* where no command is running: the words that begin some */

/* ---- errors and help ---- */

static void print_flags(FILE *file, const char *title, const struct cli_flag *flags)
{
	static const char *const arguments[] = {
		[CLI_FLAG_BOOL] = "",        [CLI_FLAG_COUNT] = "",
		[CLI_FLAG_TEXT] = " string", [CLI_FLAG_LIST] = " strings",
		[CLI_FLAG_NUMBER] = " uint", [CLI_FLAG_DURATION] = " duration",
	};

	fprintf(file, "\n%s:\n", title);
	for (; flags->name; flags++) {
		g_autofree char *name = g_strconcat(flags->name, arguments[flags->kind], NULL);

		if (flags->short_name)
			fprintf(file, "  -%c, --%-30s %s\n", flags->short_name, name, flags->help);
		else
			fprintf(file, "      --%-30s %s\n", name, flags->help);
	}
}

static void print_command_help(FILE *file, const struct cli_command *command)
{
	const char *args = command->args ? command->args : "";
	/* What is behind dashes is an argument, whatever it looks like. */
	bool flags_first = g_str_has_prefix(args, "--");

	fprintf(file, "%s\n\nUsage:\n  " PROGRAM " %s%s%s%s%s\n", command->help, command->path,
		flags_first ? " [flags]" : "", *args ? " " : "", args,
		flags_first ? "" : " [flags]");
	if (command->flags)
		print_flags(file, "Flags", command->flags);
	print_flags(file, "Global Flags", global_flags);
}

/* The commands whose path begins with prefix ("bpf ct"; "" for all). Returns how many there are. */
static unsigned int print_group_help(FILE *file, const char *prefix)
{
	size_t n_prefix = strlen(prefix);
	unsigned int n = 0;

	for (const struct cli_command *const *command = cli_commands; *command; command++) {
		const char *path = (*command)->path;

		if (n_prefix && (strncmp(path, prefix, n_prefix) || path[n_prefix] != ' '))
			continue;
		if (!n++)
			fprintf(file,
				"Usage:\n  " PROGRAM "%s%s [command]\n\nAvailable Commands:\n",
				n_prefix ? " " : "", prefix);
		fprintf(file, "  %-22s %s\n", path + n_prefix + (n_prefix > 0), (*command)->help);
	}
	if (n)
		print_flags(file, "Flags", global_flags);
	return n;
}

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
		print_command_help(stderr, running);
	else
		print_group_help(stderr, group ? group->str : "");
	return EXIT_FAILURE;
}

/* ---- flags ---- */

static const struct cli_flag *find_flag(const struct cli_flag *flags, const char *name, size_t n,
					char short_name)
{
	for (; flags && flags->name; flags++)
		if (name ? strlen(flags->name) == n && !strncmp(flags->name, name, n)
			 : flags->short_name && flags->short_name == short_name)
			return flags;
	return NULL;
}

static const struct cli_flag *get_flag(const struct cli_command *command, const char *name,
				       size_t n, char short_name)
{
	const struct cli_flag *flag =
		find_flag(command ? command->flags : NULL, name, n, short_name);

	return flag ? flag : find_flag(global_flags, name, n, short_name);
}

static bool takes_value(const struct cli_flag *flag)
{
	return flag->kind != CLI_FLAG_BOOL && flag->kind != CLI_FLAG_COUNT;
}

/* "1m30s", "500ms", "30s". 0 or −EINVAL. */
static int parse_duration(const char *text, int64_t *ret_ns)
{
	static const struct {
		const char *unit;
		int64_t ns;
	} units[] = {
		{"ms", NSEC_PER_MSEC}, {"us", NSEC_PER_USEC},    {"ns", 1},
		{"s", NSEC_PER_SEC},   {"m", 60 * NSEC_PER_SEC}, {"h", 3600 * NSEC_PER_SEC},
	};
	int64_t sum_ns = 0;

	if (!*text)
		return -EINVAL;
	while (*text) {
		char *end;
		double number = g_ascii_strtod(text, &end);
		size_t i = 0;

		while (i < G_N_ELEMENTS(units) && !g_str_has_prefix(end, units[i].unit))
			i++;
		if (end == text || i == G_N_ELEMENTS(units) || !(number >= 0 && number < 1e6))
			return -EINVAL;
		sum_ns += (int64_t)(number * (double)units[i].ns);
		text = end + strlen(units[i].unit);
	}
	*ret_ns = sum_ns;
	return 0;
}

static void append_list(GPtrArray **list, char *text)
{
	if (!*list)
		*list = g_ptr_array_new();
	for (char *part = strtok(text, ","); part; part = strtok(NULL, ","))
		g_ptr_array_add(*list, part);
}

/* value: what stands behind '=' or in the next word; NULL for a switch without one. 0 or −EINVAL. */
static int set_flag(const struct cli_flag *flag, char *value)
{
	guint64 number;

	switch (flag->kind) {
	case CLI_FLAG_BOOL:
		if (value && strcmp(value, "true") && strcmp(value, "false"))
			return -EINVAL;
		*(bool *)flag->value = !value || !strcmp(value, "true");
		return 0;
	case CLI_FLAG_COUNT:
		++*(unsigned int *)flag->value;
		return value ? -EINVAL : 0;
	case CLI_FLAG_TEXT:
		*(const char **)flag->value = value;
		return 0;
	case CLI_FLAG_LIST:
		append_list(flag->value, value);
		return 0;
	case CLI_FLAG_NUMBER:
		if (!g_ascii_string_to_unsigned(value, 10, 0, G_MAXUINT, &number, NULL))
			return -EINVAL;
		*(unsigned int *)flag->value = number;
		return 0;
	case CLI_FLAG_DURATION:
		return parse_duration(value, flag->value);
	}
	g_assert_not_reached();
}

struct words {
	char **next;
	char **end;
};

static int parse_long(const struct cli_command *command, struct words *words, char *word)
{
	size_t n_name = strcspn(word, "=");
	const struct cli_flag *flag = get_flag(command, word, n_name, 0);
	char *value = word[n_name] ? word + n_name + 1 : NULL;

	if (!flag)
		return cli_fail_usage("unknown flag: --%.*s", (int)n_name, word);
	if (!value && takes_value(flag)) {
		if (words->next == words->end)
			return cli_fail_usage("flag needs an argument: --%s", flag->name);
		value = *words->next++;
	}
	if (set_flag(flag, value) < 0)
		return cli_fail_usage("invalid argument \"%s\" for --%s", value ? value : "",
				      flag->name);
	return 0;
}

/* "-vvo json": switches together, the value of the last behind it or in the next word. */
static int parse_short(const struct cli_command *command, struct words *words, char *word)
{
	for (; *word; word++) {
		const struct cli_flag *flag = get_flag(command, NULL, 0, *word);
		char *value = NULL;

		if (!flag)
			return cli_fail_usage("unknown shorthand flag: -%c", *word);
		if (takes_value(flag)) {
			value = word[1] ? word + 1 + (word[1] == '=') : NULL;
			if (!value && words->next == words->end)
				return cli_fail_usage("flag needs an argument: -%c", *word);
			if (!value)
				value = *words->next++;
		}
		if (set_flag(flag, value) < 0)
			return cli_fail_usage("invalid argument \"%s\" for -%c", value ? value : "",
					      *word);
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
			} else if (g_str_has_prefix((*command)->path, path->str) &&
				   (*command)->path[path->len] == ' ') {
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

static int no_command(struct words *words)
{
	unsigned int n_group_words = group->len ? 1 : 0;

	for (const char *c = group->str; *c; c++)
		n_group_words += *c == ' ';
	if (words->end - words->next > n_group_words && words->next[n_group_words][0] != '-')
		return cli_fail_usage("unknown command \"%s\" for \"" PROGRAM "%s%s\"",
				      words->next[n_group_words], group->len ? " " : "",
				      group->str);
	print_group_help(stdout, group->str);
	return EXIT_SUCCESS;
}

static int run(const struct cli_command *command, GPtrArray *rest)
{
	unsigned int n_args = rest->len;

	if (arg_debug)
		log_set_level(LOG_LEVEL_DEBUG);
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
	int status = parse_flags(NULL, &words, rest);

	if (status)
		return status;
	group = g_string_new(NULL);
	running = take_command(&words);
	if (!running)
		return no_command(&words);
	status = parse_flags(running, &words, rest);
	if (status)
		return status;
	if (arg_help) {
		print_command_help(stdout, running);
		return EXIT_SUCCESS;
	}
	return run(running, rest);
}

const char *cli_socket_path(void)
{
	const char *host = arg_host ? arg_host : g_getenv("CILIUM_SOCK");

	if (!host || !*host)
		host = DEFAULT_HOST;
	return g_str_has_prefix(host, "unix://") ? host + strlen("unix://") : host;
}

struct api_client *cli_api(void)
{
	static struct api_client *client;

	if (!client)
		client = api_client_new(cli_socket_path());
	return client;
}
