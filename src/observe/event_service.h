/* SPDX-License-Identifier: Apache-2.0 */
/* Which service a packet of an event went to or came from. */
#pragma once

#include "src/observe/event_text.h"

bool event_is_of_service(const struct event *event);
/* "service default/web 10.96.0.1:80", without the name where nobody knows it. */
void event_service_append(GString *text, const struct event *event,
			  const struct event_format *format);
/* {name, frontend} as the member "service". */
void event_service_add_json(json_t *object, const struct event *event,
			    const struct event_format *format);
