/* SPDX-License-Identifier: Apache-2.0 */
/* The help texts of the command line, made of its tables. */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include "src/cli/command.h"

#define CLI_PROGRAM "cilium"

/* "cilium bpf ct list global | endpoint ID [flags]"; g_free. */
char *help_format_usage(const struct cli_command *command);
void help_print_command(FILE *file, const struct cli_command *command);
/* The commands whose path begins with the words of group ("bpf ct"; "" for all). */
void help_print_group(FILE *file, const char *group);
/* Whether path is below the words of group. */
bool help_is_below(const char *path, const char *group);
