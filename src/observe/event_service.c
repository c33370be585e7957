/* SPDX-License-Identifier: Apache-2.0 */
#include "src/observe/event_service.h"

#include <arpa/inet.h>
#include "src/model/addr.h"

bool event_is_of_service(const struct event *event)
{
	return event->service_port != 0;
}

/* "10.96.0.1:80", "[fd00::1]:80"; g_free. */
static char *format_frontend(const struct event *event)
{
	char text[ADDR_TEXT_BYTES];

	return g_strdup_printf(addr_is_v4(&event->service_addr) ? "%s:%u" : "[%s]:%u",
			       addr_format(&event->service_addr, text), ntohs(event->service_port));
}

void event_service_append(GString *text, const struct event *event,
			  const struct event_format *format)
{
	g_autofree char *frontend = format_frontend(event);
	g_autofree char *name = format->service ? format->service(frontend) : NULL;

	g_string_append_printf(text, "service %s%s%s", name ? name : "", name ? " " : "", frontend);
}

void event_service_add_json(json_t *object, const struct event *event,
			    const struct event_format *format)
{
	g_autofree char *frontend = format_frontend(event);
	g_autofree char *name = format->service ? format->service(frontend) : NULL;

	json_object_set_new(object, "service",
			    json_pack("{s:s, s:s*}", "frontend", frontend, "name", name));
}
