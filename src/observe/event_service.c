/* SPDX-License-Identifier: Apache-2.0 */
#include "src/observe/event_service.h"

#include "src/model/connection_text.h"

bool event_is_of_service(const struct event *event)
{
	return event->service_port != 0;
}

void event_service_append(GString *text, const struct event *event,
			  const struct event_format *format)
{
	g_autofree char *frontend =
		connection_format_end(&event->service_addr, event->service_port);
	g_autofree char *name = format->service ? format->service(frontend) : NULL;

	g_string_append_printf(text, "service %s%s%s", name ? name : "", name ? " " : "", frontend);
}

void event_service_add_json(json_t *object, const struct event *event,
			    const struct event_format *format)
{
	g_autofree char *frontend =
		connection_format_end(&event->service_addr, event->service_port);
	g_autofree char *name = format->service ? format->service(frontend) : NULL;

	json_object_set_new(object, "service",
			    json_pack("{s:s, s:s*}", "frontend", frontend, "name", name));
}
