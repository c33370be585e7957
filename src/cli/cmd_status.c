/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include "src/base/clock.h"
#include "src/cli/commands.h"
#include "src/cli/output.h"
#include "src/cli/status_text.h"
#include "src/cli/tabwriter.h"

static bool arg_all_addresses, arg_all_controllers, arg_all_health, arg_all_nodes, arg_brief,
	arg_verbose;
static bool arg_require_k8s = true;
/* Lists of what this version has nothing of. */
static bool arg_all_clusters, arg_all_redirects;
static int64_t arg_timeout_ns = 30 * NSEC_PER_SEC;

static int print_status(const json_t *status)
{
	const struct status_format format = {
		.all_addresses = arg_all_addresses || arg_verbose,
		.all_controllers = arg_all_controllers || arg_verbose,
		.all_health = arg_all_health || arg_verbose,
		.all_nodes = arg_all_nodes || arg_verbose,
		.verbose = arg_verbose,
		.now_ns = clock_realtime_ns(),
	};
	g_autoptr(GString) text = g_string_new(NULL);

	if (output_format)
		return output_print(status);
	if (arg_brief) {
		status_append_brief(text, status);
		fputs(text->str, stdout);
	} else {
		status_append_text(text, status, &format);
		tabwriter_print(text->str);
	}
	return EXIT_SUCCESS;
}

static int run_status(int argc, char *const argv[])
{
	const struct api_client_request request = {
		.call = API_HEALTHZ_GET,
		.headers = arg_require_k8s ? "require-k8s-connectivity: true\r\n"
					   : "require-k8s-connectivity: false\r\n",
	};
	json_auto_t *status = NULL;
	GError *error = NULL;
	int exit_status;

	api_client_set_timeout(cli_api(), arg_timeout_ns);
	if (api_client_call(cli_api(), &request, &status, &error) < 0) {
		if (!arg_brief)
			return cli_fail_error(error);
		g_error_free(error);
		fputs("cilium: daemon unreachable\n", stderr);
		return EXIT_FAILURE;
	}
	exit_status = print_status(status);
	return exit_status || status_is_healthy(status) ? exit_status : EXIT_FAILURE;
}

static const struct cli_flag flags[] = {
	{"all-addresses", 0, CLI_FLAG_BOOL, "Show all allocated addresses", &arg_all_addresses},
	{"all-clusters", 0, CLI_FLAG_BOOL, "Show all clusters", &arg_all_clusters},
	{"all-controllers", 0, CLI_FLAG_BOOL, "Show all controllers, not just failing",
	 &arg_all_controllers},
	{"all-health", 0, CLI_FLAG_BOOL, "Show all health status", &arg_all_health},
	{"all-nodes", 0, CLI_FLAG_BOOL, "Show all nodes", &arg_all_nodes},
	{"all-redirects", 0, CLI_FLAG_BOOL, "Show all redirects", &arg_all_redirects},
	{"brief", 0, CLI_FLAG_BOOL, "Only print a one-line status message", &arg_brief},
	{"require-k8s-connectivity", 0, CLI_FLAG_BOOL,
	 "If true, a lost connection to Kubernetes is a failure", &arg_require_k8s},
	{"timeout", 0, CLI_FLAG_DURATION, "How long to wait for the agent", &arg_timeout_ns},
	{"verbose", 0, CLI_FLAG_BOOL, "All of the --all-*, and more", &arg_verbose},
	OUTPUT_FLAG,
	{NULL},
};

const struct cli_command cmd_status = {
	.path = "status",
	.help = "Display status of daemon",
	.flags = flags,
	.run = run_status,
};
