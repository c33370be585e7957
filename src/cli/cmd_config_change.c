/* SPDX-License-Identifier: Apache-2.0 */
/* cilium config set, cilium config reload: what is configured, and then in force. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "src/cli/commands.h"
#include "src/cli/json_get.h"
#include "src/cli/output.h"

/* The exit status of a change that is taken, but not all in force. */
#define EXIT_NEEDS_RESTART 2

static bool waits(const json_t *change)
{
	return !strcmp(json_get_text(change, "state", NULL), "needs-restart");
}

static void print_change(const json_t *change)
{
	const char *state = json_get_text(change, "state", NULL);

	printf("%s: \"%s\" instead of \"%s\": ", json_get_text(change, "key", NULL),
	       json_get_text(change, "value", NULL), json_get_text(change, "before", NULL));
	if (waits(change))
		puts("needs a restart of the agent");
	else if (!strcmp(state, "no-effect"))
		puts("this version does not act on the key");
	else
		puts("in force");
}

/* Prints what came of it. Returns the exit status. */
static int finish(const json_t *answer)
{
	const json_t *changes = json_get(answer, "changes", NULL);
	json_t *change;
	int status = EXIT_SUCCESS;
	size_t i;

	if (output_format)
		status = output_print(answer);
	else if (!json_array_size(changes))
		puts("Nothing has changed: what is configured is in force");
	json_array_foreach(changes, i, change)
	{
		if (!output_format)
			print_change(change);
		if (waits(change) && !status)
			status = EXIT_NEEDS_RESTART;
	}
	return status;
}

static int run_reload(int argc, char *const argv[])
{
	const struct api_client_request request = {.call = API_CONFIG_RELOAD};
	json_auto_t *answer = NULL;
	GError *error = NULL;

	if (api_client_call(cli_api(), &request, &answer, &error) < 0) {
		g_prefix_error(&error, "The configuration was not read again, and what was in "
				       "force stays: ");
		return cli_fail_error(error);
	}
	return finish(answer);
}

/* Only the agent knows its config-dir, and what a value may be. */
static int fail_down(GError *error)
{
	g_autoptr(GError) cause = error;

	return cli_fail(
		"Nothing was written: %s. While the agent is down, edit the file of the key "
		"in its config-dir: the agent checks all of them when it starts",
		cause->message);
}

static int run_set(int argc, char *const argv[])
{
	json_auto_t *body = json_pack("{s:s}", "value", argv[1]), *answer = NULL;
	struct api_client_request request = {.call = API_CONFIG_SET, .arg = argv[0]};
	GError *error = NULL;
	char *text;
	int err;

	if (!body)
		return cli_fail("the value is not UTF-8");
	text = json_dumps(body, JSON_COMPACT);
	request.body = text;
	err = api_client_call(cli_api(), &request, &answer, &error);
	free(text);
	if (err == -ECONNREFUSED)
		return fail_down(error);
	if (err == -EIO) /* it may be written */
		return cli_fail_error(error);
	if (err < 0) {
		g_prefix_error(&error, "Nothing was written: ");
		return cli_fail_error(error);
	}
	return finish(answer);
}

static const struct cli_flag flags[] = {OUTPUT_FLAG, {NULL}};

const struct cli_command cmd_config_reload = {
	.path = "config reload",
	.help = "Read the configuration again, as SIGHUP does; exit status 2: a key needs a "
		"restart",
	.flags = flags,
	.run = run_reload,
};

const struct cli_command cmd_config_set = {
	.path = "config set",
	.args = "KEY VALUE",
	.n_args_min = 2,
	.n_args_max = 2,
	.words = CLI_WORDS_KEYS,
	.help = "Write a key into config-dir and read it; exit status 2: it needs a restart",
	.flags = flags,
	.run = run_set,
};
