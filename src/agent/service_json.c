/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/service_json.h"

#include <arpa/inet.h>
#include "src/agent/agent.h"

/* A front end that clients know, and what the kernel calls it. */
struct listed {
	uint32_t id; /* 0: the kernel has not taken it */
	const struct lb_service *service;
	const struct lb_plan_frontend *frontend;
};

struct listing {
	const struct agent *agent;
	GArray *entries; /* struct listed */
};

static uint32_t find_id(const struct agent *agent, const struct lb_service *service,
			const struct lb_plan_frontend *frontend)
{
	const struct lb_frontend_key key = {
		.addr = frontend->addr,
		.port = htons(frontend->port),
		.protocol = service->protocol,
	};
	struct lb_frontend value;

	if (!agent->datapath || agent->datapath->ops->map_get(
					agent->datapath, PLAN_MAP_cilium_lb_services, &key, &value))
		return 0;
	return value.id;
}

static bool add_service(const struct row *row, void *data)
{
	const struct lb_service *service = (const struct lb_service *)row;
	struct listing *listing = data;

	for (unsigned int i = 0; i < service->n_frontends; i++) {
		const struct lb_plan_frontend *frontend = &service->frontends[i];
		struct listed entry = {.service = service, .frontend = frontend};

		if (frontend->flags & LB_FRONTEND_F_WILDCARD)
			continue;
		entry.id = find_id(listing->agent, service, frontend);
		g_array_append_val(listing->entries, entry);
	}
	return true;
}

/* Made by PUT /service/{id}, not by a manifest. */
static bool is_requested(const struct lb_service *service)
{
	return g_str_has_prefix(service->key, "request/");
}

static int compare_listed(gconstpointer a, gconstpointer b)
{
	const struct listed *left = a, *right = b;
	bool v4 = addr_is_v4(&left->frontend->addr);
	int order = addr_compare(&left->frontend->addr, &right->frontend->addr);

	if (v4 != addr_is_v4(&right->frontend->addr))
		order = v4 ? -1 : 1;
	if (left->id != right->id)
		return left->id - 1 < right->id - 1 ? -1 : 1; /* 0 is the last */
	if (order)
		return order;
	return (int)left->frontend->port - (int)right->frontend->port;
}

static const char *protocol_name(uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return "TCP";
	case IPPROTO_UDP:
		return "UDP";
	case IPPROTO_SCTP:
		return "SCTP";
	default:
		return "ANY";
	}
}

static json_t *backend_to_json(const struct lb_service *service,
			       const struct lb_plan_backend *backend)
{
	char text[ADDR_TEXT_BYTES];
	json_t *json =
		json_pack("{s:s, s:i, s:s, s:s, s:i, s:b}", "ip", addr_format(&backend->addr, text),
			  "port", backend->port, "protocol", protocol_name(service->protocol),
			  "state", lb_backend_state_name(backend->state), "weight", backend->weight,
			  "preferred", backend->preferred);

	if (backend->node)
		json_object_set_new(json, "nodeName", json_string(backend->node));
	if (backend->zone_name)
		json_object_set_new(json, "zone", json_string(backend->zone_name));
	return json;
}

/* Where all who may use the front end are served by this node's back ends, the others are none of its. */
static bool is_behind(const struct lb_plan_frontend *frontend,
		      const struct lb_plan_backend *backend)
{
	const unsigned int local = LB_FRONTEND_F_EXTERNAL_LOCAL | LB_FRONTEND_F_INTERNAL_LOCAL;

	return (frontend->flags & local) != local || (backend->flags & LB_BACKEND_F_LOCAL);
}

static const char *policy_name(bool local)
{
	return local ? "Local" : "Cluster";
}

static json_t *flags_to_json(const struct lb_service *service,
			     const struct lb_plan_frontend *frontend)
{
	json_t *flags = json_pack("{s:s, s:s, s:s, s:s}", "type", lb_type_name(frontend->type),
				  "trafficPolicy", policy_name(service->external_local),
				  "extTrafficPolicy", policy_name(service->external_local),
				  "intTrafficPolicy", policy_name(service->internal_local));

	json_object_set_new(flags, "natPolicy", json_string("None"));
	if (service->name)
		json_object_set_new(flags, "name", json_string(service->name));
	if (service->namespace)
		json_object_set_new(flags, "namespace", json_string(service->namespace));
	if (service->health_check_node_port)
		json_object_set_new(flags, "healthCheckNodePort",
				    json_integer(service->health_check_node_port));
	return flags;
}

static json_t *spec_to_json(const struct listed *entry)
{
	const struct lb_service *service = entry->service;
	json_t *backends = json_array();
	char text[ADDR_TEXT_BYTES];

	for (uint32_t i = 0; i < service->n_backends; i++)
		if (is_behind(entry->frontend, &service->backends[i]))
			json_array_append_new(backends,
					      backend_to_json(service, &service->backends[i]));
	return json_pack("{s:I, s:{s:s, s:i, s:s, s:s}, s:o, s:o}", "id", (json_int_t)entry->id,
			 "frontend-address", "ip", addr_format(&entry->frontend->addr, text),
			 "port", entry->frontend->port, "protocol",
			 protocol_name(service->protocol), "scope", "external", "backend-addresses",
			 backends, "flags", flags_to_json(service, entry->frontend));
}

json_t *services_to_json(const struct agent *agent, uint32_t id)
{
	g_autoptr(GArray) entries = g_array_new(false, false, sizeof(struct listed));
	struct listing listing = {.agent = agent, .entries = entries};
	json_t *list = json_array();

	table_foreach (agent->tables.lb_services, add_service, &listing)
		;
	g_array_sort(entries, compare_listed);
	for (unsigned int i = 0; i < entries->len; i++) {
		const struct listed *entry = &g_array_index(entries, struct listed, i);
		json_t *spec;

		if (id && entry->id != id)
			continue;
		spec = spec_to_json(entry);
		/* Both members hold the same object. */
		json_array_append_new(
			list, json_pack("{s:O, s:{s:o*}, s:{s:b}}", "spec", spec, "status",
					"realized", entry->id ? json_incref(spec) : NULL, "axoneme",
					"requested", is_requested(entry->service)));
		json_decref(spec);
	}
	return list;
}
