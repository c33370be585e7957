/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent tells of itself, as lines and JSON of cilium monitor. */
#pragma once

#include <glib.h>
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

enum agent_event {
#define AGENT_EVENT(name, number, text, what) AGENT_EVENT_##name = number,
#include "src/observe/agent_event.def"
#undef AGENT_EVENT
};

/* "Endpoint created"; never NULL: what no list knows is "unspecified". */
const char *agent_event_name(uint64_t number);
/* ">> Endpoint created: {…}", with a newline. json: not ended by a NUL. Free with g_free. */
char *agent_event_format(uint64_t number, const char *json, size_t n_bytes);
/* {"type": "agent", "subtype": "Endpoint created", "message": …}: json_decref. */
json_t *agent_event_to_json(uint64_t number, const char *json, size_t n_bytes);
