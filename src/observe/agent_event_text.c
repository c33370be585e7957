/* SPDX-License-Identifier: Apache-2.0 */
#include "src/observe/agent_event_text.h"

const char *agent_event_name(uint64_t number)
{
	switch (number) {
#define AGENT_EVENT(name, number, text, what) \
	case number:                          \
		return text;
#include "src/observe/agent_event.def"
#undef AGENT_EVENT
	default:
		return "unspecified";
	}
}

char *agent_event_format(uint64_t number, const char *json, size_t n_bytes)
{
	GString *text = g_string_new(">> ");

	g_string_append_printf(text, "%s: ", agent_event_name(number));
	/* Whatever comes, it stays one line. */
	for (size_t i = 0; i < n_bytes; i++)
		g_string_append_c(text, g_ascii_iscntrl(json[i]) ? ' ' : json[i]);
	g_string_append_c(text, '\n');
	return g_string_free(text, FALSE);
}

json_t *agent_event_to_json(uint64_t number, const char *json, size_t n_bytes)
{
	json_t *message = json_loadb(json, n_bytes, JSON_DECODE_ANY, NULL);

	return json_pack("{s:s, s:s, s:o}", "type", "agent", "subtype", agent_event_name(number),
			 "message", message ? message : json_null());
}
