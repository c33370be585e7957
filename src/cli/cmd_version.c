/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include "src/cli/commands.h"
#include "src/cli/json_get.h"
#include "src/cli/output.h"

#if defined(__x86_64__)
#define ARCH "linux/amd64"
#elif defined(__aarch64__)
#define ARCH "linux/arm64"
#else
#define ARCH "linux"
#endif

static bool arg_client;

/* Cilium's members, as far as there is something to say. */
static int print_json(const char *daemon)
{
	json_auto_t *versions =
		json_pack("{s:{s:s, s:s}}", "Client", "Version", AXONEME_VERSION, "Arch", ARCH);

	if (!arg_client)
		json_object_set_new(versions, "Daemon", json_pack("{s:s*}", "Version", daemon));
	return output_print(versions);
}

/* Without an agent the own version is still worth printing. */
static int run_version(int argc, char *const argv[])
{
	const struct api_client_request request = {.call = API_CONFIG_GET};
	json_auto_t *answer = NULL;
	const char *daemon = NULL;

	if (!arg_client && api_client_call(cli_api(), &request, &answer, NULL) == 0)
		daemon = json_get_text(answer, "status", "version", NULL);
	if (output_format)
		return print_json(daemon);
	puts("Client: " AXONEME_VERSION " (axoneme) " ARCH);
	if (daemon)
		printf("Daemon: %s (axoneme)\n", daemon);
	else if (!arg_client)
		puts("Daemon: Not responding");
	return EXIT_SUCCESS;
}

static const struct cli_flag flags[] = {
	{"client", 0, CLI_FLAG_BOOL, "The version of this program alone; the agent is not asked",
	 &arg_client},
	OUTPUT_FLAG,
	{NULL},
};

const struct cli_command cmd_version = {
	.path = "version",
	.help = "Print version information",
	.flags = flags,
	.run = run_version,
};
