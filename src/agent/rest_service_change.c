/* SPDX-License-Identifier: Apache-2.0 */
/* PUT and DELETE /service/{id}: services that somebody makes by hand. */
#include "src/agent/rest_private.h"

#include <arpa/inet.h>
#include "src/agent/service_requests.h"
#include "src/api/service_spec.h"
#include "src/derive/lb_draft.h"
#include "src/model/lb.h"

static bool parse_id(struct rest_call *call, uint32_t *ret_id)
{
	guint64 id;

	if (g_ascii_string_to_unsigned(call->arg, 10, 1, UINT32_MAX, &id, NULL)) {
		*ret_id = id;
		return true;
	}
	rest_refuse(call, 400, "service \"%s\" is not a number from 1 on", call->arg);
	return false;
}

/* Whoever has what the request asks for and is not made by hand. */
struct conflict {
	const struct service_request *request;
	const struct lb_service *service; /* with this front end; NULL: none */
	bool id_is_taken;                 /* by a front end in the kernel that is another */
};

static bool is_wanted(const struct service_request *request, const struct addr *addr, uint16_t port,
		      uint8_t protocol)
{
	return addr_equal(addr, &request->addr) && port == request->port &&
	       protocol == request->protocol;
}

static bool compare_service(const struct row *row, void *data)
{
	const struct lb_service *service = (const struct lb_service *)row;
	struct conflict *conflict = data;

	if (lb_owner_kind_of(service->key) == LB_OWNER_REQUEST)
		return true;
	for (unsigned int i = 0; i < service->n_frontends; i++)
		if (is_wanted(conflict->request, &service->frontends[i].addr,
			      service->frontends[i].port, service->protocol))
			conflict->service = service;
	return !conflict->service;
}

/* An address's other ports have numbers that nobody sees: they give way. */
static bool compare_entry(const void *key_data, const void *value_data, void *data)
{
	const struct lb_frontend_key *key = key_data;
	const struct lb_frontend *value = value_data;
	struct conflict *conflict = data;

	conflict->id_is_taken =
		value->id == conflict->request->id && !(value->flags & LB_FRONTEND_F_WILDCARD) &&
		!is_wanted(conflict->request, &key->addr, ntohs(key->port), key->protocol);
	return !conflict->id_is_taken;
}

static bool is_made(const struct agent *agent, uint32_t id)
{
	return table_get(agent->tables.service_requests, &id, sizeof(id));
}

/* False after the refusal. Between services made by hand service_requests_put() looks. */
static bool check_free(struct rest_call *call, const struct service_request *request)
{
	struct agent *agent = call->agent;
	struct conflict conflict = {.request = request};

	table_foreach (agent->tables.lb_services, compare_service, &conflict)
		;
	if (conflict.service) {
		rest_refuse(call, 409, "the front end is of the service %s/%s",
			    conflict.service->namespace ? conflict.service->namespace : "",
			    conflict.service->name ? conflict.service->name : "");
		return false;
	}
	if (!is_made(agent, request->id))
		(void)!agent->datapath->ops->map_foreach(
			agent->datapath, PLAN_MAP_cilium_lb_services, compare_entry, &conflict);
	if (conflict.id_is_taken)
		rest_refuse(call, 409,
			    "the number %u is of another service: take one that GET /service does "
			    "not list",
			    request->id);
	return !conflict.id_is_taken;
}

/* False after the refusal. */
static bool can_keep(struct rest_call *call)
{
	if (!call->agent->service_requests)
		rest_refuse(call, 500,
			    "services cannot be kept: make room in lib-dir and restart the agent");
	return call->agent->service_requests;
}

void rest_service_put(struct rest_call *call)
{
	struct service_request *request;
	g_autoptr(GError) error = NULL;
	bool is_new;
	uint32_t id;
	int err;

	if (!parse_id(call, &id) || !can_keep(call))
		return;
	err = service_spec_decode(id, call->request->body, call->request->n_body_bytes, &request,
				  &error);
	if (!err && !check_free(call, request)) {
		row_unref(&request->row);
		return;
	}
	if (!err)
		err = service_requests_put(call->agent->service_requests, request, &is_new, &error);
	if (err)
		rest_refuse_error(call, err, error);
	else
		call->response->status = is_new ? 201 : 200;
}

void rest_service_delete(struct rest_call *call)
{
	g_autoptr(GError) error = NULL;
	uint32_t id;
	int err;

	if (!parse_id(call, &id) || !can_keep(call))
		return;
	err = service_requests_remove(call->agent->service_requests, id, &error);
	if (err)
		rest_refuse_error(call, err, error);
}
