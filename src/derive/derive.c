/* SPDX-License-Identifier: Apache-2.0 */
#include "src/derive/derive.h"

#include <string.h>
#include "src/derive/api_server.h"
#include "src/derive/device.h"
#include "src/derive/endpoint.h"
#include "src/derive/host.h"
#include "src/derive/identity.h"
#include "src/derive/ipcache.h"
#include "src/derive/lb.h"
#include "src/derive/masquerade.h"
#include "src/derive/node.h"
#include "src/derive/node_identity.h"
#include "src/derive/policy.h"
#include "src/derive/remote_pod.h"
#include "src/derive/route.h"
#include "src/derive/row_set.h"
#include "src/derive/slice_index.h"

/* What the node wants of each table, as it was put last. */
struct node_plan {
	GPtrArray *entries;
	GPtrArray *attachments;
	GPtrArray *routes;
};

struct derive {
	struct store *store;
	struct tables *tables;
	const struct derive_config *config;
	struct addr router4;
	struct addr router6;
	struct api_server *api_server;
	struct local_identities *local;
	struct identity_derivation *identity;
	struct endpoint_derivation *endpoint;
	struct ipcache_derivation *ipcache;
	struct node_identity *node_identity;
	struct prefix_derivation *prefix;
	struct policy_named_ports *named_ports;
	struct remote_pods *remote_pods;
	struct policy_derivation *policy;
	struct lb_derivation *lb;
	struct node_plan node_plan;
	GHashTable *ifindexes; /* of the devices that counted when they were last looked at */
};

static void node_plan_init(struct node_plan *plan)
{
	plan->entries = row_set_new();
	plan->attachments = row_set_new();
	plan->routes = row_set_new();
}

static void node_plan_fini(struct node_plan *plan)
{
	g_ptr_array_unref(plan->entries);
	g_ptr_array_unref(plan->attachments);
	g_ptr_array_unref(plan->routes);
}

static void derive_node_addrs(struct derive *derive, const struct node_view *view, struct txn *txn)
{
	g_autoptr(GPtrArray) wanted = row_set_new();

	node_identity_derive(derive->node_identity, view, txn, wanted);
	ipcache_replace(derive->ipcache, IPCACHE_LAYER_NODE, wanted);
	prefix_derivation_set_api_server(derive->prefix, txn,
					 api_server_get_addrs(derive->api_server));
	ipcache_flush(derive->ipcache, txn);
}

static void derive_node(struct derive *derive)
{
	struct node_view *view =
		node_view_new(derive->tables, derive->config, &derive->router4, &derive->router6);
	struct txn *txn = txn_new(derive->store);
	struct tables *tables = derive->tables;
	struct node_plan *old = &derive->node_plan;
	struct node_plan plan;

	node_plan_init(&plan);
	derive_node_addrs(derive, view, txn);
	host_derive(view, plan.entries);
	device_derive_info(view, plan.entries);
	masquerade_derive(view, plan.entries);
	device_derive_attachments(view, plan.attachments);
	route_derive(view, plan.routes);
	node_view_free(view);

	row_set_replace(txn, tables->plan_map_entries, row_set_key_map_entry, old->entries,
			plan.entries);
	row_set_replace(txn, tables->plan_attachments, row_set_key_attachment, old->attachments,
			plan.attachments);
	row_set_replace(txn, tables->plan_routes, row_set_key_route, old->routes, plan.routes);
	txn_commit(txn);
	node_plan_fini(old);
	*old = plan;
}

/* An endpoint's device comes and goes without a look at the node. */
static bool device_concerns_node(struct derive *derive, const struct row_key *key)
{
	const struct device *device =
		(const struct device *)table_get(derive->tables->devices, key->data, key->n_bytes);
	uint32_t ifindex;

	memcpy(&ifindex, key->data, sizeof(ifindex));
	if (device && node_device_counts(device)) {
		g_hash_table_add(derive->ifindexes, GUINT_TO_POINTER(ifindex));
		return true;
	}
	return g_hash_table_remove(derive->ifindexes, GUINT_TO_POINTER(ifindex));
}

static void run_node(struct watch *watch, void *data)
{
	struct derive *derive = data;
	bool concerned = false, servers_concerned = false;
	struct table *table;
	struct row_key key;

	while (watch_pop(watch, &table, &key)) {
		if (table == derive->tables->endpoint_slices)
			servers_concerned |= api_server_is_slice(&key);
		else if (table != derive->tables->devices || device_concerns_node(derive, &key))
			concerned = true;
	}
	if (servers_concerned)
		concerned |= api_server_update(derive->api_server);
	if (concerned)
		derive_node(derive);
}

/* In the order in which the watches are to run. */
static void make_derivations(struct derive *derive, struct label_filter *take_filter)
{
	struct store *store = derive->store;
	struct tables *tables = derive->tables;
	const struct table_index *slices = slice_index_new(tables);
	struct watch *watch;

	derive->identity = identity_derivation_new(store, tables, derive->config, take_filter);
	derive->endpoint = endpoint_derivation_new(store, tables, derive->config);
	watch = watch_new(store, "node-plan", run_node, derive);
	watch_add(watch, tables->devices);
	watch_add(watch, tables->nodes);
	watch_add(watch, tables->masquerade_ranges);
	watch_add(watch, tables->endpoint_slices);
	derive->ipcache = ipcache_derivation_new(store, tables);
	derive->prefix = prefix_derivation_new(store, tables, derive->config, derive->local,
					       derive->ipcache, slices);
	derive->named_ports = policy_named_ports_new();
	derive->remote_pods = remote_pods_new(store, tables, derive->config, derive->identity,
					      derive->ipcache, derive->named_ports);
	derive->policy = policy_derivation_new(store, tables, derive->config, derive->prefix,
					       derive->named_ports, slices);
	derive->lb = lb_derivation_new(store, tables, derive->config, slices);
}

struct derive *derive_new(struct store *store, struct tables *tables,
			  const struct derive_config *config, GError **error)
{
	struct derive *derive = g_new0(struct derive, 1);
	struct label_filter *filter;

	derive->store = store;
	derive->tables = tables;
	derive->config = config;
	derive->ifindexes = g_hash_table_new(NULL, NULL);
	node_plan_init(&derive->node_plan);
	derive->api_server = api_server_new(tables);
	derive->local = local_identities_new(tables);
	derive->node_identity =
		node_identity_new(tables, config, derive->api_server, derive->local, error);
	filter = derive->node_identity ? label_filter_new(config->label_patterns, error) : NULL;
	if (!filter) {
		derive_free(derive);
		return NULL;
	}
	make_derivations(derive, filter);
	return derive;
}

void derive_set_router(struct derive *derive, const struct addr *router4,
		       const struct addr *router6)
{
	derive->router4 = *router4;
	derive->router6 = *router6;
	derive_node(derive);
	endpoint_derivation_set_router(derive->endpoint, router4, router6);
}

void derive_set_last_identity(struct derive *derive, enum identity_scope scope, uint32_t number)
{
	if (scope == IDENTITY_SCOPE_LABELS)
		identity_derivation_set_last(derive->identity, number);
	else
		local_identities_set_last(derive->local, scope, number);
}

void derive_reconfigure(struct derive *derive)
{
	policy_derivation_reconfigure(derive->policy);
}

void derive_recompile_policies(struct derive *derive)
{
	policy_derivation_recompile(derive->policy);
}

struct local_identities *derive_get_local_identities(struct derive *derive)
{
	return derive->local;
}

struct prefix_derivation *derive_get_prefixes(struct derive *derive)
{
	return derive->prefix;
}

const struct lb_derivation *derive_get_lb(const struct derive *derive)
{
	return derive->lb;
}

const struct policy_derivation *derive_get_policy(const struct derive *derive)
{
	return derive->policy;
}

void derive_free(struct derive *derive)
{
	if (!derive)
		return;
	lb_derivation_free(derive->lb);
	identity_derivation_free(derive->identity);
	endpoint_derivation_free(derive->endpoint);
	policy_derivation_free(derive->policy);
	remote_pods_free(derive->remote_pods);
	policy_named_ports_free(derive->named_ports);
	prefix_derivation_free(derive->prefix);
	ipcache_derivation_free(derive->ipcache);
	node_identity_free(derive->node_identity);
	local_identities_free(derive->local);
	api_server_free(derive->api_server);
	node_plan_fini(&derive->node_plan);
	g_hash_table_unref(derive->ifindexes);
	g_free(derive);
}
