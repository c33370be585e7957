/* SPDX-License-Identifier: Apache-2.0 */
/* The text of --help. */
#include "src/agent/config.h"

#include "src/agent/option.h"

static void append_option(GString *help, const struct option *option)
{
	g_autofree char *allowed = option_format_allowed(option);

	g_string_append_printf(help, "  --%s", option->key);
	if (*option->default_text)
		g_string_append_printf(help, " (default %s)", option->default_text);
	g_string_append_printf(help, "\n        %s. %c%s.%s\n", option->help,
			       g_ascii_toupper(*allowed), allowed + 1,
			       option->live ? " Changes without a restart." : "");
}

char *config_format_help(void)
{
	static const char *const titles[] = {
		[OPTION_STATE_ACTS] = "Keys:",
		[OPTION_STATE_LATER] = "Accepted and checked, without effect in this version:",
		[OPTION_STATE_OPERATOR] = "Read by the operator or by installers:",
	};
	GString *help = g_string_new("Usage: cilium-agent [--KEY VALUE | --KEY=VALUE]...\n\n"
				     "The network of a node. A key may also stand in the "
				     "environment, as CILIUM_KEY, or in a file of its name in "
				     "the directory of --config-dir; the command line wins, "
				     "then the environment.\n");

	for (size_t state = 0; state < G_N_ELEMENTS(titles); state++) {
		g_string_append_printf(help, "\n%s\n", titles[state]);
		for (size_t i = 0; i < option_n(); i++)
			if (option_get(i)->state == state)
				append_option(help, option_get(i));
	}
	g_string_append(help, "\n  --help, --version\n");
	return g_string_free(help, false);
}
