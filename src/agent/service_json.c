/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/service_json.h"

#include <stdlib.h>
#include <string.h>
#include "src/agent/agent.h"
#include "src/derive/lb_draft.h"
#include "src/model/connection_text.h"

/* A front end that clients know, and what the kernel calls it. */
struct listed {
	uint32_t id; /* 0: the kernel has not taken it */
	int error;   /* positive errno: the kernel has not taken all of the service; or 0 */
	const struct lb_service *service;
	const struct lb_plan_frontend *frontend;
};

/* One row of the plan: a service each for its front ends. */
static void add_service(const struct reconciler_service *service, void *entries)
{
	for (unsigned int i = 0; i < service->row->n_frontends; i++) {
		const struct lb_plan_frontend *frontend = &service->row->frontends[i];
		const struct listed entry = {
			.id = service->frontend_ids[i],
			.error = service->error,
			.service = service->row,
			.frontend = frontend,
		};

		if (!(frontend->flags & LB_FRONTEND_F_WILDCARD))
			g_array_append_val((GArray *)entries, entry);
	}
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

static json_t *backend_to_json(const struct lb_service *service,
			       const struct lb_plan_backend *backend)
{
	char text[ADDR_TEXT_BYTES];
	json_t *json =
		json_pack("{s:s, s:i, s:s, s:s, s:i, s:b}", "ip", addr_format(&backend->addr, text),
			  "port", backend->port, "protocol", protocol_format(service->protocol),
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
			 protocol_format(service->protocol), "scope", "external",
			 "backend-addresses", backends, "flags",
			 flags_to_json(service, entry->frontend));
}

static json_t *listed_to_json(const struct listed *entry)
{
	json_t *spec = spec_to_json(entry);
	json_t *own = json_pack("{s:b}", "requested",
				lb_owner_kind_of(entry->service->key) == LB_OWNER_REQUEST);
	json_t *status = json_object();

	if (entry->error)
		json_object_set_new(own, "error", json_string(g_strerror(entry->error)));
	/* Both members hold the same object. */
	if (entry->id)
		json_object_set(status, "realized", spec);
	return json_pack("{s:o, s:o, s:o}", "spec", spec, "status", status, "axoneme", own);
}

static bool is_at(const struct listed *entry, const struct service_end *end)
{
	return entry->frontend->port == end->port && addr_equal(&entry->frontend->addr, &end->addr);
}

static GArray *list_sorted(const struct agent *agent)
{
	GArray *entries = g_array_new(false, false, sizeof(struct listed));

	if (agent->reconcilers)
		reconcilers_foreach_service(agent->reconcilers, add_service, entries);
	g_array_sort(entries, compare_listed);
	return entries;
}

json_t *services_to_json(const struct agent *agent, unsigned int n_max)
{
	g_autoptr(GArray) entries = list_sorted(agent);
	json_t *list = json_array();

	for (unsigned int i = 0; i < MIN(entries->len, n_max); i++)
		json_array_append_new(list,
				      listed_to_json(&g_array_index(entries, struct listed, i)));
	return list;
}

json_t *service_to_json(const struct agent *agent, uint32_t id)
{
	g_autoptr(GArray) entries = list_sorted(agent);

	for (unsigned int i = 0; i < entries->len; i++) {
		const struct listed *entry = &g_array_index(entries, struct listed, i);

		if (entry->id == id)
			return listed_to_json(entry);
	}
	return NULL;
}

json_t *services_at_to_json(const struct agent *agent, const struct service_end *end)
{
	g_autoptr(GArray) entries = list_sorted(agent);
	json_t *list = json_array();

	for (unsigned int i = 0; i < entries->len; i++) {
		const struct listed *entry = &g_array_index(entries, struct listed, i);

		if (is_at(entry, end))
			json_array_append_new(list, listed_to_json(entry));
	}
	return list;
}

/* ---- piece by piece: all of them as one tree are hundreds of megabytes ---- */

#define PIECE_BYTES (64 * 1024)

struct service_stream {
	GArray *entries; /* struct listed, with a reference to the service */
	unsigned int n_done;
	bool has_ended;
};

struct service_stream *service_stream_new(const struct agent *agent)
{
	struct service_stream *stream = g_new0(struct service_stream, 1);

	stream->entries = list_sorted(agent);
	for (unsigned int i = 0; i < stream->entries->len; i++)
		row_ref(&g_array_index(stream->entries, struct listed, i).service->row);
	return stream;
}

static void append_listed(GString *piece, const struct listed *entry)
{
	json_t *json = listed_to_json(entry);
	char *text = json_dumps(json, JSON_COMPACT);

	g_string_append(piece, text);
	free(text);
	json_decref(json);
}

void service_stream_append(GString *piece, void *data)
{
	struct service_stream *stream = data;
	const size_t n_before = piece->len;

	if (stream->has_ended)
		return;
	if (!stream->n_done)
		g_string_append_c(piece, '[');
	while (stream->n_done < stream->entries->len && piece->len - n_before < PIECE_BYTES) {
		if (stream->n_done)
			g_string_append_c(piece, ',');
		append_listed(piece,
			      &g_array_index(stream->entries, struct listed, stream->n_done++));
	}
	stream->has_ended = stream->n_done == stream->entries->len;
	if (stream->has_ended)
		g_string_append(piece, "]\n");
}

void service_stream_free(void *data)
{
	struct service_stream *stream = data;

	for (unsigned int i = 0; i < stream->entries->len; i++)
		row_unref(&g_array_index(stream->entries, struct listed, i).service->row);
	g_array_unref(stream->entries);
	g_free(stream);
}

/* ---- by address ---- */

struct search {
	const struct service_end *end;
	const struct lb_service *found;
};

static bool search_service(const struct row *row, void *data)
{
	const struct lb_service *service = (const struct lb_service *)row;
	struct search *search = data;

	for (unsigned int i = 0; i < service->n_frontends; i++) {
		const struct listed entry = {.service = service,
					     .frontend = &service->frontends[i]};

		if (is_at(&entry, search->end))
			search->found = service;
	}
	return !search->found;
}

char *service_name_of(const struct agent *agent, const struct service_end *end)
{
	struct search search = {.end = end};

	table_foreach (agent->tables.lb_services, search_service, &search)
		;
	if (!search.found || !search.found->name)
		return NULL;
	return g_strdup_printf("%s%s%s", search.found->namespace ? search.found->namespace : "",
			       search.found->namespace ? "/" : "", search.found->name);
}
