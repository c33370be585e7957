/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/endpoint_arg.h"

#include <stdlib.h>
#include "src/cli/commands.h"
#include "src/cli/endpoint_name.h"
#include "src/cli/json_get.h"

static int ask_agent(const char *flag, const char *text, uint16_t *ret_id)
{
	g_autofree char *selector = endpoint_name_selector(text);
	json_auto_t *endpoint = NULL;
	GError *error = NULL;

	if (api_client_endpoint_get(cli_api(), selector, &endpoint, &error) < 0) {
		error_prefix(&error, "--%s \"%s\"", flag, text);
		return cli_fail_error(error);
	}
	*ret_id = json_get_number(endpoint, "id", NULL);
	return EXIT_SUCCESS;
}

int endpoint_arg_parse(const char *flag, const char *text, uint16_t *ret_id)
{
	guint64 number;

	if (!g_ascii_isdigit(*text) && *text != '-')
		return ask_agent(flag, text, ret_id);
	if (!g_ascii_string_to_unsigned(text, 10, 0, UINT16_MAX, &number, NULL))
		return cli_fail_usage(
			"--%s \"%s\": expected the number of an endpoint, 0 to 65535, "
			"or its name",
			flag, text);
	*ret_id = number;
	return EXIT_SUCCESS;
}
