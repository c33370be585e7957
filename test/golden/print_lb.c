// SPDX-License-Identifier: Apache-2.0
#include "test/golden/print_lb.h"

#include "src/model/connection_text.h"
#include "src/model/lb.h"

static void append_end(GString *text, const struct addr *addr, uint16_t port)
{
	connection_append_end(text, addr, htons(port));
}

/* Takes the text. */
static void add_line(GPtrArray *lines, GString *text)
{
	g_ptr_array_add(lines, g_string_free(text, false));
}

static void add_service(const struct lb_service *service, GPtrArray *lines)
{
	GString *text = g_string_new(service->key);

	if (service->port_name)
		g_string_append_printf(text, " port %s", service->port_name);
	if (service->algorithm == LB_ALGORITHM_MAGLEV)
		g_string_append(text, service->needs_maglev ? " maglev" : " maglev, no table");
	if (service->affinity_timeout)
		g_string_append_printf(text, " affinity %us", service->affinity_timeout);
	if (service->external_local)
		g_string_append(text, " external-local");
	if (service->internal_local)
		g_string_append(text, " internal-local");
	if (service->health_check_node_port)
		g_string_append_printf(text, " health-check %u", service->health_check_node_port);
	add_line(lines, text);
}

static void add_frontend(const struct lb_service *service, const struct lb_plan_frontend *frontend,
			 GPtrArray *lines)
{
	GString *text = g_string_new(service->key);

	g_string_append(text, "  <- ");
	append_end(text, &frontend->addr, frontend->port);
	g_string_append_printf(text, " %s", lb_type_name(frontend->type));
	lb_frontend_append_flags(text, frontend->flags, " ", " ");
	if (frontend->id)
		g_string_append_printf(text, " id %u", frontend->id);
	add_line(lines, text);
}

static void add_backend(const struct lb_service *service, const struct lb_plan_backend *backend,
			GPtrArray *lines)
{
	GString *text = g_string_new(service->key);

	g_string_append(text, "  -> ");
	append_end(text, &backend->addr, backend->port);
	g_string_append_printf(text, " %s", lb_backend_state_name(backend->state));
	lb_backend_append_flags(text, backend->flags, " ", " ");
	g_string_append_printf(text, " weight %u", backend->weight);
	if (backend->node)
		g_string_append_printf(text, " node %s", backend->node);
	if (backend->zone_name)
		g_string_append_printf(text, " zone %s (%u)", backend->zone_name, backend->zone);
	if (backend->preferred)
		g_string_append(text, " preferred");
	add_line(lines, text);
}

static bool add_row(const struct row *row, void *data)
{
	const struct lb_service *service = (const struct lb_service *)row;

	add_service(service, data);
	for (unsigned int i = 0; i < service->n_frontends; i++)
		add_frontend(service, &service->frontends[i], data);
	for (unsigned int i = 0; i < service->n_source_ranges; i++) {
		char text[CIDR_TEXT_BYTES];

		g_ptr_array_add(data,
				g_strdup_printf("%s  <| %s", service->key,
						cidr_format(&service->source_ranges[i], text)));
	}
	for (uint32_t i = 0; i < service->n_backends; i++)
		add_backend(service, &service->backends[i], data);
	return true;
}

void print_lb_services(const struct tables *tables, GPtrArray *lines)
{
	table_foreach (tables->lb_services, add_row, lines)
		;
}
