/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/status_config.h"

#include <string.h>
#include "src/cli/json_get.h"

static void append_waiting(GString *out, const json_t *list)
{
	json_t *change;
	size_t i, n = 0;

	json_array_foreach(list, i, change) n +=
		strcmp(json_get_text(change, "state", NULL), "no-effect") != 0;
	if (!n)
		return;
	g_string_append_printf(out, "Configuration:\t%zu changed key(s) not in force\n", n);
	json_array_foreach(list, i, change)
	{
		const char *state = json_get_text(change, "state", NULL);

		if (!strcmp(state, "no-effect"))
			continue;
		g_string_append_printf(out, "  %s: configured \"%s\", in force \"%s\": %s\n",
				       json_get_text(change, "key", NULL),
				       json_get_text(change, "value", NULL),
				       json_get_text(change, "before", NULL),
				       strcmp(state, "needs-restart") ? "cilium config reload"
								      : "restart the agent");
	}
}

/* As the agent collects them, one a line. */
static void append_errors(GString *out, const char *errors)
{
	g_auto(GStrv) lines = g_strsplit(errors, "\n", -1);

	if (!*errors)
		return;
	g_string_append(out,
			"Configuration:\tnot valid any more: the agent would not start again\n");
	for (char **line = lines; *line; line++)
		g_string_append_printf(out, "  %s\n", *line);
}

void status_append_configuration(GString *out, const json_t *own)
{
	const json_t *runtime = json_get(own, "configuration", "runtime", NULL);
	json_t *value;
	size_t i;

	append_errors(out, json_get_text(own, "configuration", "error", NULL));
	append_waiting(out, json_get(own, "configuration", "waiting", NULL));
	if (json_array_size(runtime))
		g_string_append(out, "Changed until the agent restarts:\t");
	json_array_foreach(runtime, i, value) g_string_append_printf(
		out, "%s%s=%s", i ? ", " : "", json_get_text(value, "key", NULL),
		json_get_text(value, "value", NULL));
	if (json_array_size(runtime))
		g_string_append_c(out, '\n');
}
