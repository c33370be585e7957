// SPDX-License-Identifier: Apache-2.0
#include "src/cli/commands.h"

#include <string.h>
#include "src/cli/run.h"

/* As shells have it. */
#define EXIT_CANNOT_EXECUTE 126
#define EXIT_NOT_FOUND      127

static const char *flag_name;
static const char *flag_namespace = "default";
static GPtrArray *flag_labels;

/* "app=web" is k8s:app=web, as in a Pod manifest; "container:app=web" is what it says. */
static int parse_labels(const struct label_set **ret_set, GError **error)
{
	size_t n_labels = flag_labels ? flag_labels->len : 0;
	g_autofree struct label *labels = g_new0(struct label, n_labels + 1);
	g_autofree struct label *named = g_new0(struct label, n_labels + 1);
	size_t n_parsed = 0;
	int status = 0;

	for (; n_parsed < n_labels; n_parsed++) {
		const char *text = g_ptr_array_index(flag_labels, n_parsed);

		status = label_parse(text, &labels[n_parsed]);
		if (status) {
			error_set(error, EINVAL, "--labels: got \"%s\", want key=value", text);
			break;
		}
		named[n_parsed] = labels[n_parsed];
		if (!strcmp(named[n_parsed].source, "unspec"))
			named[n_parsed].source = "k8s";
	}
	if (!status)
		*ret_set = label_set_new(named, n_labels);
	for (size_t i = 0; i < n_parsed; i++)
		label_fini(&labels[i]);
	return status;
}

static int exit_status_of(int status)
{
	return status == -ENOENT ? EXIT_NOT_FOUND : status == -EACCES ? EXIT_CANNOT_EXECUTE : 1;
}

static int run(int argc, char *const argv[])
{
	g_autofree char **command = g_new0(char *, (size_t)argc + 1);
	struct run_request request = {
		.socket_path = cli_socket_path(),
		.name = flag_name,
		.namespace = flag_namespace,
		.argv = command,
	};
	GError *error = NULL;
	int exit_status;
	int status;

	if (!flag_name || !*flag_name)
		return cli_fail_usage("--name: missing, it is the name of the endpoint's pod");
	if (!*flag_namespace)
		return cli_fail_usage("--namespace: got nothing, want a name");
	memcpy(command, argv, (size_t)argc * sizeof(*command));
	status = parse_labels(&request.labels, &error);
	if (status)
		return cli_fail_error(error);
	status = run_in_endpoint(&request, &exit_status, &error);
	label_set_unref(request.labels);
	if (!status)
		return exit_status;
	cli_fail_error(error);
	return exit_status_of(status);
}

static const struct cli_flag flags[] = {
	{"name", 0, CLI_FLAG_TEXT, "Name of the pod that the endpoint is", &flag_name},
	{"namespace", 'n', CLI_FLAG_TEXT, "Namespace of the pod (default \"default\")",
	 &flag_namespace},
	{"labels", 'l', CLI_FLAG_LIST, "Labels, key=value[,…]; source k8s unless one is given",
	 &flag_labels},
	{NULL},
};

const struct cli_command cmd_run = {
	.path = "run",
	.args = "-- COMMAND [ARG...]",
	.n_args_min = 1,
	.n_args_max = 4096,
	.help = "Run a command in a network namespace of its own, as an endpoint",
	.flags = flags,
	.needs_root = true,
	.words = CLI_WORDS_FILES,
	.run = run,
};
