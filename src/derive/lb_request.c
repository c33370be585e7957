// SPDX-License-Identifier: Apache-2.0
#include "src/derive/lb_request.h"

#include "src/derive/lb_service.h"
#include "src/model/endpoint.h"

struct search {
	const struct addr *addr;
	bool found;
};

char *lb_request_key(uint32_t id)
{
	return g_strdup_printf("%u", id);
}

bool lb_request_is_local(const struct service_request *request)
{
	return request->external_local || request->internal_local;
}

static bool match_endpoint(const struct row *row, void *data)
{
	const struct endpoint *endpoint = (const struct endpoint *)row;
	struct search *search = data;

	search->found = addr_equal(&endpoint->addr4, search->addr) ||
			addr_equal(&endpoint->addr6, search->addr);
	return !search->found;
}

static bool is_here(const struct lb_node *node, const struct table *endpoints,
		    const struct addr *addr)
{
	struct search search = {.addr = addr};

	if (lb_node_is_own_addr(node, addr))
		return true;
	table_foreach (endpoints, match_endpoint, &search)
		;
	return search.found;
}

static uint16_t flags_of(const struct derive_config *config, const struct service_request *request)
{
	bool is_cluster_ip = request->type == LB_TYPE_CLUSTER_IP;
	bool is_dsr = config->lb_mode == LB_MODE_DSR ||
		      (config->lb_mode == LB_MODE_HYBRID && request->protocol == IPPROTO_TCP);
	uint16_t flags = 0;

	if (is_cluster_ip && request->internal_local)
		flags |= LB_FRONTEND_F_INTERNAL_LOCAL | LB_FRONTEND_F_EXTERNAL_LOCAL;
	if (!is_cluster_ip && request->external_local)
		flags |= LB_FRONTEND_F_EXTERNAL_LOCAL;
	if (is_cluster_ip && !config->external_cluster_ip)
		return flags;
	return flags | LB_FRONTEND_F_EXTERNAL | (is_dsr ? LB_FRONTEND_F_DSR : 0);
}

static struct lb_choice choice_of(enum lb_backend_state state)
{
	return (struct lb_choice){
		.rank = state == LB_BACKEND_TERMINATING   ? LB_BACKEND_DRAINING
			: state == LB_BACKEND_MAINTENANCE ? LB_BACKEND_IDLE
							  : LB_BACKEND_READY,
		.is_sick = state == LB_BACKEND_QUARANTINED,
		.is_near = true,
	};
}

static void add_backends(struct lb_draft *draft, const struct lb_node *node,
			 const struct table *endpoints, const struct service_request *request)
{
	bool needs_local = lb_request_is_local(request);

	for (unsigned int i = 0; i < request->backends->len; i++) {
		const struct service_request_backend *asked =
			&g_array_index(request->backends, struct service_request_backend, i);
		bool here = needs_local ? is_here(node, endpoints, &asked->addr)
					: lb_node_is_own_addr(node, &asked->addr);
		struct lb_plan_backend backend = {
			.addr = asked->addr,
			.port = asked->port,
			.weight = asked->weight,
			.state = asked->weight ? asked->state : LB_BACKEND_MAINTENANCE,
			.flags = here ? LB_BACKEND_F_LOCAL : 0,
		};

		if (addr_is_v4(&asked->addr) == addr_is_v4(&request->addr))
			g_array_append_val(draft->backends, backend);
	}
	lb_draft_sort_backends(draft);
}

static void choose(struct lb_draft *draft, bool needs_local)
{
	g_autoptr(GArray) choices = g_array_new(false, false, sizeof(struct lb_choice));

	for (unsigned int i = 0; i < draft->backends->len; i++) {
		const struct lb_plan_backend *backend =
			&g_array_index(draft->backends, struct lb_plan_backend, i);
		struct lb_choice choice = choice_of(backend->state);

		g_array_append_val(choices, choice);
	}
	lb_backends_choose(draft->backends, choices, needs_local);
}

struct lb_draft *lb_request_derive(const struct derive_config *config, const struct lb_node *node,
				   const struct table *endpoints,
				   const struct service_request *request)
{
	g_autofree char *key = lb_request_key(request->id);
	const struct lb_owner owner = {LB_OWNER_REQUEST, key};
	bool v4 = addr_is_v4(&request->addr);
	struct lb_draft *draft;

	if (!(v4 ? config->enable_ipv4 : config->enable_ipv6) || !request->port)
		return NULL;
	draft = lb_draft_new(&owner, NULL, request->protocol, v4);
	draft->fields.namespace = request->namespace;
	draft->fields.name = request->name;
	draft->fields.algorithm = config->lb_algorithm;
	draft->fields.external_local = request->external_local;
	draft->fields.internal_local = request->internal_local;
	draft->guards_addrs = true;
	lb_draft_add_frontend(draft, &request->addr, request->port, request->type,
			      flags_of(config, request));
	g_array_index(draft->frontends, struct lb_plan_frontend, 0).id = request->id;
	add_backends(draft, node, endpoints, request);
	choose(draft, lb_request_is_local(request));
	draft->fields.needs_maglev = lb_draft_needs_maglev(draft);
	return draft;
}
