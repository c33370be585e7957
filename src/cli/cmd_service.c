/* SPDX-License-Identifier: Apache-2.0 */
/* service list, service get, lrp list. */
#include <stdlib.h>
#include "src/cli/commands.h"
#include "src/cli/output.h"
#include "src/cli/service_text.h"
#include "src/cli/tabwriter.h"

static bool arg_affinity;

static int print_services(const json_t *list)
{
	g_autoptr(GString) table = g_string_new(NULL);

	service_append_table(table, list, arg_affinity);
	tabwriter_print(table->str);
	return EXIT_SUCCESS;
}

static int run_list(int argc, char *const argv[])
{
	const struct api_client_request request = {.call = API_SERVICE_LIST};
	json_auto_t *list = NULL;
	GError *error = NULL;

	if (api_client_call(cli_api(), &request, &list, &error) < 0) {
		g_prefix_error(&error, "Cannot get services list: ");
		return cli_fail_error(error);
	}
	return output_format ? output_print(list) : print_services(list);
}

static const struct cli_flag list_flags[] = {
	{"clustermesh-affinity", 0, CLI_FLAG_BOOL, "Name the back ends that are preferred",
	 &arg_affinity},
	OUTPUT_FLAG,
	{NULL},
};

const struct cli_command cmd_service_list = {
	.path = "service list",
	.help = "List services",
	.flags = list_flags,
	.run = run_list,
};

static int run_get(int argc, char *const argv[])
{
	const struct api_client_request request = {.call = API_SERVICE_GET, .arg = argv[0]};
	json_auto_t *service = NULL, *list = NULL;
	GError *error = NULL;

	if (api_client_call(cli_api(), &request, &service, &error) < 0) {
		g_prefix_error(&error, "Cannot get service '%s': ", argv[0]);
		return cli_fail_error(error);
	}
	if (output_format)
		return output_print(service);
	list = json_pack("[O]", service);
	return print_services(list);
}

static const struct cli_flag get_flags[] = {OUTPUT_FLAG, {NULL}};

const struct cli_command cmd_service_get = {
	.path = "service get",
	.args = "ID",
	.n_args_min = 1,
	.n_args_max = 1,
	.help = "Display service information",
	.flags = get_flags,
	.words = CLI_WORDS_SERVICES,
	.run = run_get,
};

static int run_lrp_list(int argc, char *const argv[])
{
	const struct api_client_request request = {.call = API_LRP_LIST};
	g_autoptr(GString) table = NULL;
	json_auto_t *list = NULL;
	GError *error = NULL;

	if (api_client_call(cli_api(), &request, &list, &error) < 0) {
		g_prefix_error(&error, "Cannot get local redirect policies: ");
		return cli_fail_error(error);
	}
	if (output_format)
		return output_print(list);
	table = g_string_new(NULL);
	redirect_append_table(table, list);
	tabwriter_print(table->str);
	return EXIT_SUCCESS;
}

const struct cli_command cmd_lrp_list = {
	.path = "lrp list",
	.help = "List local redirect policies",
	.flags = get_flags,
	.run = run_lrp_list,
};
