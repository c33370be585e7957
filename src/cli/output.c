/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "src/cli/jsonpath.h"
#include "src/cli/yaml_text.h"

const char *output_format;

static int print_jsonpath(const json_t *json, const char *pattern)
{
	g_autoptr(GString) out = g_string_new(NULL);
	GError *error = NULL;

	if (jsonpath_format(out, json, pattern, &error) < 0)
		return cli_fail_error(error);
	puts(out->str);
	return EXIT_SUCCESS;
}

int output_print(const json_t *json)
{
	if (!strcmp(output_format, "json")) {
		char *text = json_dumps(json, JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_SORT_KEYS);

		puts(text);
		free(text);
		return EXIT_SUCCESS;
	}
	if (!strcmp(output_format, "yaml")) {
		g_autoptr(GString) out = g_string_new(NULL);

		yaml_text_append(out, json);
		fputs(out->str, stdout);
		return EXIT_SUCCESS;
	}
	if (g_str_has_prefix(output_format, "jsonpath="))
		return print_jsonpath(json, output_format + strlen("jsonpath="));
	return cli_fail("output \"%s\": expected json, yaml or jsonpath='{}'", output_format);
}
