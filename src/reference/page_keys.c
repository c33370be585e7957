/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of the configuration. */
#include "src/agent/option.h"
#include "src/reference/page.h"

static const struct {
	enum option_state state;
	const char *title, *text;
} groups[] = {
	{OPTION_STATE_ACTS, "Keys that act", "What the agent does is up to these."},
	{OPTION_STATE_LATER, "Keys without effect yet",
	 "Cilium's. A value is checked; one that is not the default is named in the log and in "
	 "`cilium status`."},
	{OPTION_STATE_OPERATOR, "Keys of the operator",
	 "They stand in the same ConfigMap. The agent checks their values and says nothing more."},
};

void page_append_keys(GString *page)
{
	g_string_append(
		page,
		"# Configuration keys\n\n"
		"A key is a file of `config-dir`, a flag `--key=value` of `cilium-agent`, or a "
		"variable of its environment: `enable-ipv4` is `CILIUM_ENABLE_IPV4`. A flag is "
		"stronger than a variable, a variable stronger than a file.\n");
	for (size_t group = 0; group < G_N_ELEMENTS(groups); group++) {
		g_string_append_printf(page, "\n## %s\n\n%s\n\n", groups[group].title,
				       groups[group].text);
		page_append_heading(page, "Key", "Default", "Value", "What it does", NULL);
		for (size_t i = 0; i < option_n(); i++) {
			const struct option *option = option_get(i);
			g_autofree char *key = g_strdup_printf("`%s`", option->key);
			g_autofree char *value = g_strdup_printf("`%s`", option->default_text);
			g_autofree char *allowed = option_format_allowed(option);
			g_autofree char *help = g_strconcat(
				option->help, option->live ? ". Changes without a restart" : "",
				NULL);

			if (option->state == groups[group].state)
				page_append_row(page, key, *option->default_text ? value : "",
						allowed, help, NULL);
		}
	}
}
