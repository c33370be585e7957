/* SPDX-License-Identifier: Apache-2.0 */
/* What events say of policy: the line of a verdict, and the rule behind verdicts and drops. */
#pragma once

#include "src/observe/event_text.h"

/* The policy's decision is what the event tells: a verdict, or a drop for what rules say. */
bool event_is_of_policy(const struct event *event);

/* "rule CiliumNetworkPolicy default/web spec.ingress[0]", "no rule allows it". */
void event_policy_append_rule(GString *text, const struct event *event,
			      const struct event_format *format);

/* "Policy verdict log: flow 0x…", up to the connection; without the newline. */
void event_policy_append_verdict(GString *text, const struct event *event,
				 const struct event_format *format);
/* A line: the command that explains the packet. */
void event_policy_append_command(GString *text, const struct event *event);
/* The members that say the same. */
void event_policy_add_json(json_t *object, const struct event *event,
			   const struct event_format *format);
