/* SPDX-License-Identifier: Apache-2.0 */
#include "src/derive/endpoint.h"

#include <string.h>
#include "abi/endpoint.h"
#include "abi/lb.h"
#include "src/derive/ipam.h"
#include "src/derive/masquerade.h"
#include "src/derive/row_set.h"
#include "src/model/device.h"
#include "src/model/endpoint.h"
#include "src/model/identity.h"
#include "src/model/plan.h"

struct endpoint_derivation {
	struct store *store;
	struct tables *tables;
	const struct derive_config *config;
	struct addr router4;
	struct addr router6;
	GArray *pools4; /* struct cidr: as they were when endpoints were derived last */
	GArray *pools6;
	struct table_index *entries; /* plan rows by endpoint: what it had before */
	struct table_index *attachments;
	struct table_index *routes;
	struct table_index *by_ifindex; /* endpoints */
};

/* The plan of one endpoint, one set a table. */
struct endpoint_plan {
	GPtrArray *entries;
	GPtrArray *attachments;
	GPtrArray *routes;
};

typedef void (*add_key)(const void *key, size_t n_bytes, void *data);

/* The node's own rows are many and never looked for. */
static void key_id(uint16_t id, add_key add, void *data)
{
	if (id)
		add(&id, sizeof(id), data);
}

static void key_entry(const struct row *row, add_key add, void *data)
{
	key_id(((const struct plan_map_entry *)row)->endpoint_id, add, data);
}

static void key_attachment(const struct row *row, add_key add, void *data)
{
	key_id(((const struct plan_attachment *)row)->endpoint_id, add, data);
}

static void key_route(const struct row *row, add_key add, void *data)
{
	key_id(((const struct plan_route *)row)->endpoint_id, add, data);
}

static void key_ifindex(const struct row *row, add_key add, void *data)
{
	const struct endpoint *endpoint = (const struct endpoint *)row;

	add(&endpoint->ifindex, sizeof(endpoint->ifindex), data);
}

static void plan_init(struct endpoint_plan *plan)
{
	plan->entries = row_set_new();
	plan->attachments = row_set_new();
	plan->routes = row_set_new();
}

static void plan_fini(struct endpoint_plan *plan)
{
	g_ptr_array_unref(plan->entries);
	g_ptr_array_unref(plan->attachments);
	g_ptr_array_unref(plan->routes);
}

/* Packets go where the queues and filters stand that others have put on the device. */
static uint16_t info_flags(const struct endpoint_derivation *derivation,
			   const struct endpoint *endpoint)
{
	const struct device *device = (const struct device *)table_get(
		derivation->tables->devices, &endpoint->ifindex, sizeof(endpoint->ifindex));

	if (!device)
		return 0;
	/* On the way into a queue cil_to_container would take what is delivered for the stack's. */
	if (device->filtered || (device->queued && derivation->config->enable_endpoint_routes))
		return ENDPOINT_F_VIA_STACK;
	return device->queued ? ENDPOINT_F_QUEUED : 0;
}

/* What has been set for this endpoint alone. */
static uint16_t option_flags(const struct endpoint *endpoint)
{
	static const uint16_t flags[ENDPOINT_OPTION__MAX][ENDPOINT_OPTION_OFF + 1] = {
		[ENDPOINT_OPTION_CONNTRACK_ACCOUNTING] = {0, 0, ENDPOINT_F_UNCOUNTED},
		[ENDPOINT_OPTION_DROP_NOTIFICATION] = {0, ENDPOINT_F_DROP_EVENTS,
						       ENDPOINT_F_NO_DROP_EVENTS},
		[ENDPOINT_OPTION_POLICY_VERDICT_NOTIFICATION] = {0, ENDPOINT_F_VERDICTS,
								 ENDPOINT_F_NO_VERDICTS},
		[ENDPOINT_OPTION_SOURCE_IP_VERIFICATION] = {0, ENDPOINT_F_SIP_CHECK,
							    ENDPOINT_F_SKIP_SIP_CHECK},
		[ENDPOINT_OPTION_TRACE_NOTIFICATION] = {0, ENDPOINT_F_TRACE, ENDPOINT_F_NO_TRACE},
	};
	uint16_t result = 0;

	for (unsigned int i = 0; i < ENDPOINT_OPTION__MAX; i++)
		result |= flags[i][endpoint->options[i]];
	return result;
}

static void plan_entries(const struct endpoint_derivation *derivation,
			 const struct endpoint *endpoint, const struct endpoint_state *state,
			 GPtrArray *wanted)
{
	const struct addr *addrs[] = {&endpoint->addr4, &endpoint->addr6};
	struct endpoint_info info = {
		.ifindex = endpoint->ifindex,
		.identity = state->identity,
		.generation = endpoint->generation,
		.id = endpoint->id,
		.flags = info_flags(derivation, endpoint) | option_flags(endpoint),
		.mac = endpoint->mac,
		.node_mac = endpoint->host_mac,
	};

	for (unsigned int i = 0; i < G_N_ELEMENTS(addrs); i++)
		if (!addr_is_zero(addrs[i]))
			g_ptr_array_add(wanted, plan_map_entry_new(PLAN_MAP_cilium_lxc, addrs[i],
								   sizeof(*addrs[i]), &info,
								   sizeof(info), endpoint->id));
	g_ptr_array_add(wanted, plan_map_entry_new(PLAN_MAP_cilium_lxc_device, &endpoint->ifindex,
						   sizeof(endpoint->ifindex), &info, sizeof(info),
						   endpoint->id));
}

/* By which programs on sockets know whose they are. */
static void plan_netns(const struct derive_config *config, const struct endpoint *endpoint,
		       GPtrArray *wanted)
{
	struct lb_netns_key key = {.cookie = endpoint->netns_cookie};
	struct lb_netns netns = {
		.addr4 = endpoint->addr4, .addr6 = endpoint->addr6, .endpoint = endpoint->id};

	if (!config->enable_socket_lb || config->socket_lb_hostns_only || !key.cookie)
		return;
	g_ptr_array_add(wanted, plan_map_entry_new(PLAN_MAP_cilium_lb_netns, &key, sizeof(key),
						   &netns, sizeof(netns), endpoint->id));
}

static void plan_attachment(const struct endpoint *endpoint, enum plan_hook hook,
			    enum plan_program program, GPtrArray *wanted)
{
	struct plan_attachment *attachment =
		(struct plan_attachment *)row_new(&plan_attachment_class);

	attachment->key = (struct plan_attachment_key){endpoint->ifindex, hook};
	attachment->program = program;
	attachment->endpoint_id = endpoint->id;
	attachment->ifname = g_strdup(endpoint->host_ifname);
	g_ptr_array_add(wanted, attachment);
}

static void plan_route(const struct endpoint *endpoint, const struct addr *addr,
		       const struct addr *router, const char *ifname, GPtrArray *wanted)
{
	struct plan_route *route = (struct plan_route *)row_new(&plan_route_class);

	route->destination = cidr_from_addr(addr);
	route->source = *router;
	route->endpoint_id = endpoint->id;
	route->ifname = g_strdup(ifname);
	g_ptr_array_add(wanted, route);
}

static void plan_addr(const struct endpoint_derivation *derivation, const struct endpoint *endpoint,
		      const struct addr *addr, struct endpoint_plan *plan)
{
	bool v4 = addr_is_v4(addr);
	const struct addr *router = v4 ? &derivation->router4 : &derivation->router6;
	bool in_pools = ipam_pools_contain(v4 ? derivation->pools4 : derivation->pools6, addr);

	if (addr_is_zero(addr))
		return;
	if (derivation->config->enable_endpoint_routes)
		plan_route(endpoint, addr, router, endpoint->host_ifname, plan->routes);
	else if (!in_pools)
		plan_route(endpoint, addr, router, NODE_HOST_DEVICE, plan->routes);
	if (!in_pools)
		masquerade_derive_addr(derivation->config, addr, endpoint->id, plan->entries);
}

static void plan_endpoint(const struct endpoint_derivation *derivation,
			  const struct endpoint *endpoint, const struct endpoint_state *state,
			  struct endpoint_plan *plan)
{
	const struct derive_config *config = derivation->config;

	plan_entries(derivation, endpoint, state, plan->entries);
	plan_netns(config, endpoint, plan->entries);
	plan_attachment(endpoint, PLAN_HOOK_INGRESS, PLAN_PROGRAM_FROM_CONTAINER,
			plan->attachments);
	/* Only then does the node's own stack hand packets to the veth. */
	if (config->enable_endpoint_routes || config->enable_host_legacy_routing)
		plan_attachment(endpoint, PLAN_HOOK_EGRESS, PLAN_PROGRAM_TO_CONTAINER,
				plan->attachments);
	plan_addr(derivation, endpoint, &endpoint->addr4, plan);
	plan_addr(derivation, endpoint, &endpoint->addr6, plan);
}

static bool add_row(const struct row *row, void *data)
{
	g_ptr_array_add(data, row_ref(row));
	return true;
}

static GPtrArray *planned_before(const struct table_index *index, uint16_t id)
{
	GPtrArray *rows = row_set_new();

	table_index_foreach(index, &id, sizeof(id), add_row, rows);
	return rows;
}

static void replace(struct txn *txn, struct table *table, row_set_key key,
		    const struct table_index *index, uint16_t id, const GPtrArray *wanted)
{
	g_autoptr(GPtrArray) old = planned_before(index, id);

	row_set_replace(txn, table, key, old, wanted);
}

static void derive_endpoint(struct endpoint_derivation *derivation, uint16_t id)
{
	struct tables *tables = derivation->tables;
	const struct endpoint *endpoint =
		(const struct endpoint *)table_get(tables->endpoints, &id, sizeof(id));
	const struct endpoint_state *state =
		(const struct endpoint_state *)table_get(tables->endpoint_states, &id, sizeof(id));
	struct txn *txn = txn_new(derivation->store);
	struct endpoint_plan plan;

	plan_init(&plan);
	if (endpoint && state && state->identity != IDENTITY_UNKNOWN)
		plan_endpoint(derivation, endpoint, state, &plan);
	replace(txn, tables->plan_map_entries, row_set_key_map_entry, derivation->entries, id,
		plan.entries);
	replace(txn, tables->plan_attachments, row_set_key_attachment, derivation->attachments, id,
		plan.attachments);
	replace(txn, tables->plan_routes, row_set_key_route, derivation->routes, id, plan.routes);
	txn_commit(txn);
	plan_fini(&plan);
}

static bool add_id(const struct row *row, void *data)
{
	g_array_append_val(data, ((const struct endpoint *)row)->id);
	return true;
}

static void derive_all(struct endpoint_derivation *derivation)
{
	g_autoptr(GArray) ids = g_array_new(false, false, sizeof(uint16_t));

	table_foreach (derivation->tables->endpoints, add_id, ids)
		;
	for (unsigned int i = 0; i < ids->len; i++)
		derive_endpoint(derivation, g_array_index(ids, uint16_t, i));
}

static bool is_same(const GArray *a, const GArray *b)
{
	if (!a || a->len != b->len)
		return false;
	for (unsigned int i = 0; i < a->len; i++)
		if (!cidr_equal(&g_array_index(a, struct cidr, i),
				&g_array_index(b, struct cidr, i)))
			return false;
	return true;
}

/* True when they are others than before. */
static bool update_pools(struct endpoint_derivation *derivation, bool v4)
{
	GArray **pools = v4 ? &derivation->pools4 : &derivation->pools6;
	GArray *now = ipam_get_pools(derivation->tables, derivation->config, v4);
	bool changed = !is_same(*pools, now);

	g_clear_pointer(pools, g_array_unref);
	*pools = now;
	return changed;
}

static void run_nodes(struct watch *watch, void *data)
{
	struct endpoint_derivation *derivation = data;
	struct table *table;
	struct row_key key;
	bool changed;

	while (watch_pop(watch, &table, &key))
		continue;
	changed = update_pools(derivation, true);
	changed |= update_pools(derivation, false);
	if (changed)
		derive_all(derivation);
}

/*
 * One transaction an endpoint: the index shows what an earlier one of the same run put. Endpoints that
 * are gone come first, as what they had may be another's now.
 */
static void run(struct watch *watch, void *data)
{
	struct endpoint_derivation *derivation = data;
	g_autoptr(GArray) present = g_array_new(false, false, sizeof(uint16_t));
	g_autoptr(GArray) gone = g_array_new(false, false, sizeof(uint16_t));
	struct table *table;
	struct row_key key;

	while (watch_pop(watch, &table, &key)) {
		if (table == derivation->tables->devices) {
			table_index_foreach(derivation->by_ifindex, key.data, key.n_bytes, add_id,
					    present);
			continue;
		}
		g_array_append_vals(table_get(derivation->tables->endpoints, key.data, key.n_bytes)
					    ? present
					    : gone,
				    key.data, 1);
	}
	for (unsigned int i = 0; i < gone->len; i++)
		derive_endpoint(derivation, g_array_index(gone, uint16_t, i));
	for (unsigned int i = 0; i < present->len; i++)
		derive_endpoint(derivation, g_array_index(present, uint16_t, i));
}

struct endpoint_derivation *endpoint_derivation_new(struct store *store, struct tables *tables,
						    const struct derive_config *config)
{
	struct endpoint_derivation *derivation = g_new0(struct endpoint_derivation, 1);
	struct watch *nodes = watch_new(store, "endpoint-pools", run_nodes, derivation);
	struct watch *watch = watch_new(store, "endpoint-plan", run, derivation);

	derivation->store = store;
	derivation->tables = tables;
	derivation->config = config;
	derivation->entries = table_index_new(tables->plan_map_entries, key_entry);
	derivation->attachments = table_index_new(tables->plan_attachments, key_attachment);
	derivation->routes = table_index_new(tables->plan_routes, key_route);
	derivation->by_ifindex = table_index_new(tables->endpoints, key_ifindex);
	update_pools(derivation, true);
	update_pools(derivation, false);
	watch_add(nodes, tables->nodes);
	watch_add(watch, tables->endpoints);
	watch_add(watch, tables->endpoint_states);
	watch_add(watch, tables->devices);
	return derivation;
}

void endpoint_derivation_free(struct endpoint_derivation *derivation)
{
	if (!derivation)
		return;
	g_array_unref(derivation->pools4);
	g_array_unref(derivation->pools6);
	g_free(derivation);
}

void endpoint_derivation_set_router(struct endpoint_derivation *derivation,
				    const struct addr *router4, const struct addr *router6)
{
	derivation->router4 = *router4;
	derivation->router6 = *router6;
	derive_all(derivation);
}
