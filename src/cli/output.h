/* SPDX-License-Identifier: Apache-2.0 */
/* -o json, -o yaml and -o jsonpath='{…}' of the commands that read. */
#pragma once

#include <jansson.h>
#include "src/cli/command.h"

/* The flag of the running command; NULL: text. */
extern const char *output_format;

#define OUTPUT_FLAG                                     \
	{"output",       'o',                           \
	 CLI_FLAG_TEXT,  "json | yaml | jsonpath='{}'", \
	 &output_format, "json yaml jsonpath="}

/* Prints json as -o asks for. Returns the exit status. */
int output_print(const json_t *json);
