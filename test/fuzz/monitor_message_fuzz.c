/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "src/observe/agent_event_text.h"
#include "src/observe/event_text.h"
#include "src/observe/monitor_client.h"
#include "test/fuzz/fuzz.h"

static void print_event(const struct event *event)
{
	for (int detail = EVENT_BRIEF; detail <= EVENT_HEX; detail++) {
		const struct event_format format = {.detail = detail};
		g_autofree char *text = event_format(event, &format);
		json_auto_t *json = event_to_json(event, &format);

		g_assert(g_str_has_suffix(text, "\n") && json_object_get(json, "type"));
		g_assert(detail != EVENT_BRIEF || strchr(text, '\n')[1] == '\0');
	}
}

static void print_agent_event(const struct monitor_message *message, size_t n_bytes)
{
	size_t n_text_bytes = monitor_message_n_text_bytes(n_bytes);
	g_autofree char *text = agent_event_format(message->header.n, message->text, n_text_bytes);
	json_auto_t *json = agent_event_to_json(message->header.n, message->text, n_text_bytes);

	g_assert(strlen(text) <= n_text_bytes + 64 && json_object_get(json, "message"));
}

/* What is accepted as a message can be printed, in every form. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
	struct monitor_message *message;

	if (n_bytes > sizeof(*message))
		return 0;
	message = g_malloc0(sizeof(*message));
	memcpy(message, data, n_bytes);
	if (monitor_message_is_valid(message, n_bytes)) {
		if (message->header.type == MONITOR_MESSAGE_EVENT)
			print_event(&message->event);
		else if (message->header.type == MONITOR_MESSAGE_AGENT)
			print_agent_event(message, n_bytes);
	}
	g_free(message);
	return 0;
}
