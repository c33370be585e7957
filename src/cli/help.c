/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/help.h"

#include <string.h>
#include "src/cli/flag.h"

static void print_flags(FILE *file, const char *title, const struct cli_flag *flags)
{
	fprintf(file, "\n%s:\n", title);
	for (; flags->name; flags++) {
		g_autofree char *name = g_strconcat(flags->name, flag_argument(flags), NULL);

		if (flags->short_name)
			fprintf(file, "  -%c, --%-30s %s\n", flags->short_name, name, flags->help);
		else
			fprintf(file, "      --%-30s %s\n", name, flags->help);
	}
}

char *help_format_usage(const struct cli_command *command)
{
	const char *args = command->args ? command->args : "";
	/* What is behind dashes is an argument, whatever it looks like. */
	bool flags_first = g_str_has_prefix(args, "--");

	return g_strdup_printf(CLI_PROGRAM " %s%s%s%s%s", command->path,
			       flags_first ? " [flags]" : "", *args ? " " : "", args,
			       flags_first ? "" : " [flags]");
}

void help_print_command(FILE *file, const struct cli_command *command)
{
	g_autofree char *usage = help_format_usage(command);

	fprintf(file, "%s\n\nUsage:\n  %s\n", command->help, usage);
	if (command->flags)
		print_flags(file, "Flags", command->flags);
	print_flags(file, "Global Flags", cli_global_flags);
}

bool help_is_below(const char *path, const char *group)
{
	size_t n_group = strlen(group);

	return !n_group || (!strncmp(path, group, n_group) && path[n_group] == ' ');
}

void help_print_group(FILE *file, const char *group)
{
	size_t n_group = strlen(group);

	fprintf(file, "Usage:\n  " CLI_PROGRAM "%s%s [command]\n\nAvailable Commands:\n",
		n_group ? " " : "", group);
	for (const struct cli_command *const *command = cli_commands; *command; command++)
		if (help_is_below((*command)->path, group))
			fprintf(file, "  %-22s %s\n", (*command)->path + n_group + (n_group > 0),
				(*command)->help);
	print_flags(file, "Flags", cli_global_flags);
	fprintf(file, "\n\"" CLI_PROGRAM " help%s%s [command]\" says more about a command.\n",
		n_group ? " " : "", group);
}
