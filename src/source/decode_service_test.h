/* SPDX-License-Identifier: Apache-2.0 */
/* Services, their addresses, pods and local redirects as texts, for the tests of their decoders. */
#pragma once

#include "src/model/cidr_group.h"
#include "src/model/endpoint_slice.h"
#include "src/model/local_redirect.h"
#include "src/model/pod.h"
#include "src/model/service.h"
#include "src/source/decode_policy_test.h"

static inline void append_addrs(GString *text, const char *what, const GArray *addrs)
{
	char buffer[ADDR_TEXT_BYTES];

	g_string_append(text, what);
	for (unsigned int i = 0; addrs && i < addrs->len; i++)
		g_string_append_printf(text, " %s",
				       addr_format(&g_array_index(addrs, struct addr, i), buffer));
}

static inline void append_service_ports(GString *text, const struct service *service)
{
	for (unsigned int i = 0; service->ports && i < service->ports->len; i++) {
		const struct service_port *port =
			&g_array_index(service->ports, struct service_port, i);

		g_string_append_printf(text, " %s=%u/%u", port->name ? port->name : "",
				       port->protocol, port->port);
		if (port->node_port)
			g_string_append_printf(text, ":%u", port->node_port);
	}
}

static inline void append_service_words(GString *text, const struct service *service)
{
	static const char *const types[] = {"", " NodePort", " LoadBalancer", " ExternalName"};
	static const char *const exposures[] = {"", " only-ClusterIP", " only-NodePort",
						" only-LoadBalancer"};
	static const char *const choices[] = {"", " random", " maglev"};
	static const char *const modes[] = {"", " snat", " dsr"};
	static const char *const distributions[] = {"", " hints", " same-zone", " same-node"};

	g_string_append_printf(text, "%s%s%s%s%s%s%s%s%s%s", types[service->type],
			       exposures[service->exposure], choices[service->choice],
			       modes[service->forwarding], distributions[service->distribution],
			       service->delegation ? " delegate" : "",
			       service->external_local ? " external-local" : "",
			       service->internal_local ? " internal-local" : "",
			       service->deny_ranges ? " deny" : "",
			       service->publish_not_ready ? " not-ready" : "");
	if (service->affinity_timeout)
		g_string_append_printf(text, " affinity %us", service->affinity_timeout);
	if (service->health_check_node_port)
		g_string_append_printf(text, " health %u", service->health_check_node_port);
	if (service->node)
		g_string_append_printf(text, " node %s", service->node);
	if (service->node_selector)
		append_selector(text, service->node_selector);
}

static inline void append_service(GString *text, const struct service *service)
{
	const struct service_health *health = service->health;
	char buffer[CIDR_TEXT_BYTES];

	g_string_append(text, service->selector ? service->selector : "-");
	append_service_ports(text, service);
	append_service_words(text, service);
	if (service->cluster_ips)
		append_addrs(text, " cluster", service->cluster_ips);
	if (service->external_ips)
		append_addrs(text, " external", service->external_ips);
	if (service->ingress_ips)
		append_addrs(text, " ingress", service->ingress_ips);
	for (unsigned int i = 0; service->source_ranges && i < service->source_ranges->len; i++)
		g_string_append_printf(
			text, " from %s",
			cidr_format(&g_array_index(service->source_ranges, struct cidr, i),
				    buffer));
	if (health)
		g_string_append_printf(text, " %s %s %u/%ums %u/%u",
				       health->probe == HEALTH_PROBE_HTTP ? "http" : "tcp",
				       health->path ? health->path : "-", health->timeout_ms,
				       health->interval_ms, health->n_fail, health->n_recover);
}

static inline void append_slice(GString *text, const struct endpoint_slice *slice)
{
	char buffer[ADDR_TEXT_BYTES];

	g_string_append_printf(text, "of %s", slice->service ? slice->service : "-");
	for (unsigned int i = 0; i < slice->ports->len; i++) {
		const struct slice_port *port = &g_array_index(slice->ports, struct slice_port, i);

		g_string_append_printf(text, " %u:%s=%u/%u", port->group,
				       port->name ? port->name : "", port->protocol, port->port);
	}
	for (unsigned int i = 0; i < slice->n_endpoints; i++) {
		const struct slice_endpoint one = endpoint_slice_get(slice, i), *endpoint = &one;

		g_string_append_printf(text, "\n  %u:%s%s%s%s", endpoint->group,
				       addr_format(&endpoint->addr, buffer),
				       endpoint->flags & SLICE_ENDPOINT_READY ? " ready" : "",
				       endpoint->flags & SLICE_ENDPOINT_SERVING ? " serving" : "",
				       endpoint->flags & SLICE_ENDPOINT_TERMINATING ? " ends" : "");
		if (endpoint->weight != SLICE_DEFAULT_WEIGHT)
			g_string_append_printf(text, " weight %u", endpoint->weight);
		if (endpoint->node)
			g_string_append_printf(text, " node %s", endpoint->node);
		if (endpoint->zone)
			g_string_append_printf(text, " zone %s", endpoint->zone);
		if (endpoint->zones)
			g_string_append_printf(text, " zones %s", endpoint->zones);
		if (endpoint->nodes)
			g_string_append_printf(text, " nodes %s", endpoint->nodes);
	}
}

static inline void append_pod(GString *text, const struct pod *pod)
{
	char buffer[ADDR_TEXT_BYTES];

	g_string_append_printf(text, "%s%s%s%s", pod->host_network ? "host" : "own",
			       pod->ready ? "" : " not-ready", pod->terminating ? " ends" : "",
			       pod->ended ? " ended" : "");
	for (unsigned int i = 0; pod->ports && i < pod->ports->len; i++) {
		const struct pod_port *port = &g_array_index(pod->ports, struct pod_port, i);

		g_string_append_printf(text, " %s=%u/%u", port->name, port->protocol, port->number);
	}
	for (unsigned int i = 0; pod->host_ports && i < pod->host_ports->len; i++) {
		const struct pod_host_port *port =
			&g_array_index(pod->host_ports, struct pod_host_port, i);

		g_string_append_printf(text, " %s:%u->%u/%u",
				       addr_is_zero(&port->addr) ? "*"
								 : addr_format(&port->addr, buffer),
				       port->port, port->number, port->protocol);
	}
}

static inline void append_redirect_ports(GString *text, const GArray *ports)
{
	for (unsigned int i = 0; ports && i < ports->len; i++) {
		const struct redirect_port *port = &g_array_index(ports, struct redirect_port, i);

		g_string_append_printf(text, " %s=%u/%u", port->name ? port->name : "",
				       port->protocol, port->port);
	}
}

static inline void append_redirect(GString *text, const struct local_redirect *redirect)
{
	char buffer[ADDR_TEXT_BYTES];

	g_string_append(text, redirect->service ? redirect->service
						: addr_format(&redirect->addr, buffer));
	append_redirect_ports(text, redirect->frontend_ports);
	g_string_append(text, " -> ");
	append_selector(text, redirect->backend);
	append_redirect_ports(text, redirect->backend_ports);
	if (redirect->skip_from_backend)
		g_string_append(text, " skip");
}

static inline void append_cidr_group(GString *text, const struct cidr_group *group)
{
	char buffer[CIDR_TEXT_BYTES];

	g_string_append_printf(text, "{%s}", label_set_text(group->meta.labels));
	for (unsigned int i = 0; i < group->cidrs->len; i++)
		g_string_append_printf(
			text, " %s",
			cidr_format(&g_array_index(group->cidrs, struct cidr, i), buffer));
}

static inline void append_row(GString *text, const struct object *object)
{
	if (object->row.class == &service_class)
		append_service(text, (const struct service *)object);
	else if (object->row.class == &endpoint_slice_class)
		append_slice(text, (const struct endpoint_slice *)object);
	else if (object->row.class == &cidr_group_class)
		append_cidr_group(text, (const struct cidr_group *)object);
	else if (object->row.class == &pod_class)
		append_pod(text, (const struct pod *)object);
	else
		append_redirect(text, (const struct local_redirect *)object);
}

/* The rows, a line or more each, and then the problems. */
static inline void assert_rows(const char *input, const char *expected)
{
	struct manifest *manifest = manifest_parse("a.yaml", input, strlen(input));
	g_autoptr(GString) text = g_string_new(NULL);

	for (unsigned int i = 0; i < manifest->objects->len; i++) {
		const struct manifest_object *said =
			&g_array_index(manifest->objects, struct manifest_object, i);

		if (!said->object)
			continue;
		g_string_append_printf(text, "%s: ", said->key);
		append_row(text, said->object);
		g_string_append_c(text, '\n');
	}
	for (unsigned int i = 0; i < manifest->problems->len; i++) {
		const struct source_problem *problem = g_ptr_array_index(manifest->problems, i);

		g_string_append_printf(text, "%u %s, %s: %s\n", problem->line,
				       problem->object ? problem->object : "-", problem->field,
				       problem->reason);
	}
	assert_string_equal(text->str, expected);
	manifest_free(manifest);
}
