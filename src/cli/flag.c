/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/flag.h"

#include <errno.h>
#include <string.h>
#include "src/base/clock.h"
#include "src/base/log.h"
#include "src/cli/user_config.h"

static const char *arg_host;
static const char *arg_config;
static bool arg_debug;
static bool arg_help;

const struct cli_flag cli_global_flags[] = {
	{"config", 0, CLI_FLAG_TEXT,
	 "File of these flags, as \"host: unix:///…\" (default ~/.cilium.yaml)", &arg_config,
	 .words = CLI_WORDS_FILES},
	{"debug", 'D', CLI_FLAG_BOOL, "Say on standard error what is asked of the agent",
	 &arg_debug},
	{"help", 'h', CLI_FLAG_BOOL, "Help for the command", &arg_help},
	{"host", 'H', CLI_FLAG_TEXT,
	 "Socket of the agent, a path or unix://path (env CILIUM_SOCK, default "
	 "/var/run/cilium/cilium.sock)",
	 &arg_host, .words = CLI_WORDS_FILES},
	{NULL},
};

static const struct cli_flag *find(const struct cli_flag *flags, const char *name, size_t n,
				   char short_name)
{
	for (; flags && flags->name; flags++)
		if (name ? strlen(flags->name) == n && !strncmp(flags->name, name, n)
			 : flags->short_name && flags->short_name == short_name)
			return flags;
	return NULL;
}

const struct cli_flag *flag_find(const struct cli_command *command, const char *name, size_t n,
				 char short_name)
{
	const struct cli_flag *flag = find(command ? command->flags : NULL, name, n, short_name);

	return flag ? flag : find(cli_global_flags, name, n, short_name);
}

bool flag_takes_value(const struct cli_flag *flag)
{
	return flag->kind != CLI_FLAG_BOOL && flag->kind != CLI_FLAG_COUNT;
}

const char *flag_argument(const struct cli_flag *flag)
{
	static const char *const arguments[] = {
		[CLI_FLAG_BOOL] = "",        [CLI_FLAG_COUNT] = "",
		[CLI_FLAG_TEXT] = " string", [CLI_FLAG_LIST] = " strings",
		[CLI_FLAG_NUMBER] = " uint", [CLI_FLAG_DURATION] = " duration",
	};

	return arguments[flag->kind];
}

const char *flag_wants(const struct cli_flag *flag)
{
	static const char *const wants[] = {
		[CLI_FLAG_BOOL] = "true or false",
		[CLI_FLAG_COUNT] = "no value; repeat it instead",
		[CLI_FLAG_TEXT] = "text",
		[CLI_FLAG_LIST] = "a list with commas",
		[CLI_FLAG_NUMBER] = "a number, 0 to 4294967295",
		[CLI_FLAG_DURATION] = "a duration with units, as 30s, 1m30s or 500ms",
	};

	return wants[flag->kind];
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

int flag_set(const struct cli_flag *flag, char *value)
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

/* ---- what the global flags mean together ---- */

bool flag_wants_help(void)
{
	return arg_help;
}

static const char *socket_path;

int flag_settle_globals(GError **error)
{
	static struct user_config from_file;
	const char *environment = g_getenv("CILIUM_SOCK");
	int err = user_config_load(arg_config, &from_file, error);

	if (err < 0)
		return err;
	if (arg_host)
		socket_path = arg_host;
	else if (environment && *environment)
		socket_path = environment;
	else if (from_file.host)
		socket_path = from_file.host;
	else
		socket_path = api_client_default_socket();
	if (g_str_has_prefix(socket_path, "unix://"))
		socket_path += strlen("unix://");
	if (arg_debug || from_file.debug)
		log_set_level(LOG_LEVEL_DEBUG);
	if (!*socket_path || strstr(socket_path, "://"))
		return error_set(error, EINVAL,
				 "--host \"%s\": expected the path of the agent's socket or "
				 "unix://path; an agent listens nowhere else",
				 socket_path);
	return 0;
}

const char *flag_socket_path(void)
{
	return socket_path;
}
