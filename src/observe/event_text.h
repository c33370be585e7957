/* SPDX-License-Identifier: Apache-2.0 */
/* Events as people and programs read them: the lines and JSON of cilium monitor. */
#pragma once

#include <stdbool.h>
#include <glib.h>
#include <jansson.h>
#include <stdint.h>
#include "abi/event.h"

/* Names of numbers; never NULL: a number that no list knows is "unknown". */
const char *event_drop_reason_text(uint8_t reason);
const char *event_trace_point_text(uint8_t point);
const char *event_source_file_text(uint8_t file);
const char *event_ct_state_text(uint8_t state);
/* A reason of cilium_metrics, a drop's or another. */
const char *event_metric_reason_text(unsigned int reason);

/* Of abi/drop_help.def: what packet that is, and what to do; NULL for a reason that no program gives. */
const char *event_drop_cause(uint8_t reason);
const char *event_drop_next(uint8_t reason);

enum event_detail {
	EVENT_BRIEF,   /* one line */
	EVENT_VERBOSE, /* -v: a block with the decoded packet */
	EVENT_HEX,     /* --hex: a block with the packet's bytes */
};

struct event_format {
	enum event_detail detail;
	bool numeric; /* identities as numbers, not names */
	/* Writes a device's name into buffer (IF_NAMESIZE) and returns it, or NULL; as if_indextoname. */
	char *(*ifname)(unsigned int ifindex, char *buffer);
	/* What a rule's number stands for, g_free, or NULL where that is not known; may be NULL. */
	char *(*rule)(uint32_t number);
	/* Whose the front end "10.96.0.1:80" is, g_free, or NULL where that is not known; may be NULL. */
	char *(*service)(const char *frontend);
};

/* With the newline at its end. Free with g_free. */
char *event_format(const struct event *event, const struct event_format *format);
/* "10.0.0.1:80 -> 10.0.0.2:4321 tcp SYN, ACK", or "[unknown]". Free with g_free. */
char *event_format_connection(const struct event *event);
/* One object; json_decref. */
json_t *event_to_json(const struct event *event, const struct event_format *format);
