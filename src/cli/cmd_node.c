/* SPDX-License-Identifier: Apache-2.0 */
/* node list. */
#include <stdio.h>
#include <stdlib.h>
#include "src/cli/commands.h"
#include "src/cli/json_get.h"
#include "src/cli/output.h"
#include "src/cli/tabwriter.h"

static const struct cli_flag output_flags[] = {OUTPUT_FLAG, {NULL}};

static int get(enum api_call call, json_t **ret_json)
{
	const struct api_client_request request = {.call = call};
	GError *error = NULL;

	return api_client_call(cli_api(), &request, ret_json, &error) < 0 ? cli_fail_error(error)
									  : EXIT_SUCCESS;
}

static int run_node_list(int argc, char *const argv[])
{
	g_autoptr(GString) table = g_string_new(
		"Name\tIPv4 Address\tEndpoint CIDR\tIPv6 Address\tEndpoint CIDR\tSource\n");
	json_auto_t *answer = NULL;
	int status = get(API_NODES_GET, &answer);
	json_t *node;
	size_t i;

	if (status)
		return status;
	if (output_format)
		return output_print(json_get(answer, "nodes-added", NULL));
	json_array_foreach(json_get(answer, "nodes-added", NULL), i, node)
	{
		const json_t *address = json_get(node, "primary-address", NULL);

		g_string_append_printf(table, "%s\t%s\t%s\t%s\t%s\t%s\n",
				       json_get_text(node, "name", NULL),
				       json_get_text(address, "ipv4", "ip", NULL),
				       json_get_text(address, "ipv4", "alloc-range", NULL),
				       json_get_text(address, "ipv6", "ip", NULL),
				       json_get_text(address, "ipv6", "alloc-range", NULL),
				       json_get_text(node, "source", NULL));
	}
	tabwriter_print(table->str);
	return EXIT_SUCCESS;
}

const struct cli_command cmd_node_list = {
	.path = "node list",
	.help = "List nodes",
	.flags = output_flags,
	.run = run_node_list,
};
