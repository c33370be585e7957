/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of cilium and their flags. */
#include <string.h>
#include "src/cli/flag.h"
#include "src/cli/help.h"
#include "src/reference/page.h"

static void append_flags(GString *page, const struct cli_flag *flags)
{
	page_append_heading(page, "Flag", "What it does", NULL);
	for (; flags->name; flags++) {
		g_autoptr(GString) name = g_string_new("`");

		if (flags->short_name)
			g_string_append_printf(name, "-%c`, `", flags->short_name);
		g_string_append_printf(name, "--%s%s`", flags->name, flag_argument(flags));
		page_append_row(page, name->str, flags->help, NULL);
	}
}

void page_append_commands(GString *page)
{
	g_string_append(page, "# Commands\n\n"
			      "`cilium`, and by another name `cilium-dbg`. Each command has the "
			      "global flags too.\n\n## Global flags\n\n");
	append_flags(page, cli_global_flags);
	for (const struct cli_command *const *each = cli_commands; *each; each++) {
		const struct cli_command *command = *each;
		g_autofree char *usage = help_format_usage(command);

		g_string_append_printf(page, "\n## " CLI_PROGRAM " %s\n\n%s.%s\n\n    %s\n",
				       command->path, command->help,
				       command->needs_root ? " Needs root." : "", usage);
		if (command->flags && command->flags->name) {
			g_string_append_c(page, '\n');
			append_flags(page, command->flags);
		}
	}
}
