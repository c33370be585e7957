/* SPDX-License-Identifier: Apache-2.0 */
#include "src/derive/ipcache.h"

#include <string.h>
#include "abi/ipcache.h"
#include "src/model/endpoint.h"
#include "src/model/identity.h"
#include "src/model/ipcache_entry.h"
#include "src/model/plan.h"

struct endpoint_addrs {
	struct addr addr[2]; /* zero: none */
};

struct ipcache_derivation {
	struct store *store;
	struct tables *tables;
	GHashTable
		*addrs; /* endpoint id to struct endpoint_addrs: what to remove when it is gone */
};

static void add_entry(GPtrArray *wanted, const struct cidr *cidr, uint32_t identity,
		      const char *source)
{
	struct ipcache_entry *entry = (struct ipcache_entry *)row_new(&ipcache_entry_class);

	entry->cidr = *cidr;
	entry->identity = identity;
	entry->source = source;
	if (identity == IDENTITY_HOST)
		entry->flags = IPCACHE_F_LOCAL_HOST;
	if (identity == IDENTITY_REMOTE_NODE) {
		entry->flags = IPCACHE_F_REMOTE_NODE;
		entry->host = cidr->addr;
	}
	g_ptr_array_add(wanted, entry);
}

struct remote {
	const struct derive_config *config;
	GPtrArray *wanted;
	bool cilium_nodes; /* the kind to look at: the stronger first */
};

static bool add_remote_node(const struct row *row, void *data)
{
	const struct node *node = (const struct node *)row;
	struct remote *remote = data;
	bool is_cilium_node = g_str_has_prefix(node->meta.key, "CiliumNode/");

	if (is_cilium_node != remote->cilium_nodes ||
	    !strcmp(node->meta.name, remote->config->node_name))
		return true;
	for (unsigned int i = 0; i < node->addresses->len; i++) {
		const struct node_address *address =
			&g_array_index(node->addresses, struct node_address, i);
		struct cidr cidr = cidr_from_addr(&address->addr);
		bool enabled = cidr_is_v4(&cidr) ? remote->config->enable_ipv4
						 : remote->config->enable_ipv6;

		if (enabled && address->type != NODE_ADDRESS_HOSTNAME)
			add_entry(remote->wanted, &cidr, IDENTITY_REMOTE_NODE,
				  is_cilium_node ? "custom-resource" : "k8s");
	}
	return true;
}

/* With both families on, the two halves of the world are told apart, as in Cilium. */
static void add_world(const struct derive_config *config, GPtrArray *wanted)
{
	bool dual = config->enable_ipv4 && config->enable_ipv6;
	struct cidr world;

	if (config->enable_ipv4 && !cidr_parse("0.0.0.0/0", &world))
		add_entry(wanted, &world, dual ? IDENTITY_WORLD_IPV4 : IDENTITY_WORLD, "local");
	if (config->enable_ipv6 && !cidr_parse("::/0", &world))
		add_entry(wanted, &world, dual ? IDENTITY_WORLD_IPV6 : IDENTITY_WORLD, "local");
}

void ipcache_derive_node(const struct node_view *view, GPtrArray *wanted)
{
	struct remote remote = {.config = view->config, .wanted = wanted, .cilium_nodes = true};

	for (unsigned int i = 0; i < view->local_addrs->len; i++) {
		struct cidr cidr =
			cidr_from_addr(&g_array_index(view->local_addrs, struct addr, i));

		add_entry(wanted, &cidr, IDENTITY_HOST, "local");
	}
	table_foreach (view->tables->nodes, add_remote_node, &remote)
		;
	remote.cilium_nodes = false;
	table_foreach (view->tables->nodes, add_remote_node, &remote)
		;
	add_world(view->config, wanted);
}

static void put_endpoint_entry(struct ipcache_derivation *derivation, struct txn *txn,
			       const struct endpoint *endpoint, const struct endpoint_state *state,
			       const struct addr *addr)
{
	struct ipcache_entry *entry = (struct ipcache_entry *)row_new(&ipcache_entry_class);

	entry->cidr = cidr_from_addr(addr);
	entry->identity = state->identity;
	entry->source = "local";
	entry->namespace = g_strdup(endpoint->namespace);
	entry->name = g_strdup(endpoint->pod_name);
	txn_put(txn, derivation->tables->ipcache, &entry->row);
}

static void remove_endpoint(struct ipcache_derivation *derivation, struct txn *txn, uint16_t id)
{
	const struct endpoint_addrs *addrs =
		g_hash_table_lookup(derivation->addrs, GUINT_TO_POINTER(id));

	for (unsigned int i = 0; addrs && i < G_N_ELEMENTS(addrs->addr); i++) {
		struct cidr cidr = cidr_from_addr(&addrs->addr[i]);

		if (!addr_is_zero(&addrs->addr[i]))
			txn_remove(txn, derivation->tables->ipcache, &cidr, CIDR_KEY_BYTES);
	}
	g_hash_table_remove(derivation->addrs, GUINT_TO_POINTER(id));
}

static void put_endpoint(struct ipcache_derivation *derivation, struct txn *txn,
			 const struct endpoint *endpoint, const struct endpoint_state *state)
{
	struct endpoint_addrs *addrs = g_new(struct endpoint_addrs, 1);

	*addrs = (struct endpoint_addrs){{endpoint->addr4, endpoint->addr6}};
	g_hash_table_insert(derivation->addrs, GUINT_TO_POINTER(endpoint->id), addrs);
	for (unsigned int i = 0; i < G_N_ELEMENTS(addrs->addr); i++)
		if (!addr_is_zero(&addrs->addr[i]))
			put_endpoint_entry(derivation, txn, endpoint, state, &addrs->addr[i]);
}

/* Removes first: an address may have gone from one endpoint to another. */
static void run_endpoints(struct watch *watch, void *data)
{
	struct ipcache_derivation *derivation = data;
	struct tables *tables = derivation->tables;
	g_autoptr(GArray) ids = g_array_new(false, false, sizeof(uint16_t));
	struct txn *txn = txn_new(derivation->store);
	struct table *table;
	struct row_key key;

	while (watch_pop(watch, &table, &key)) {
		remove_endpoint(derivation, txn, *(const uint16_t *)key.data);
		g_array_append_vals(ids, key.data, 1);
	}
	for (unsigned int i = 0; i < ids->len; i++) {
		const void *id = &g_array_index(ids, uint16_t, i);
		const struct row *endpoint = table_get(tables->endpoints, id, sizeof(uint16_t));
		const struct row *row = table_get(tables->endpoint_states, id, sizeof(uint16_t));
		const struct endpoint_state *state = (const struct endpoint_state *)row;

		if (endpoint && state && state->identity != IDENTITY_UNKNOWN)
			put_endpoint(derivation, txn, (const struct endpoint *)endpoint, state);
	}
	txn_commit(txn);
}

/* The map and the key in it that a prefix stands under. */
static size_t map_key(const struct cidr *cidr, enum plan_map *ret_map, uint8_t ret_key[static 20])
{
	struct ipcache_prefix_key prefix = {.prefix_len = cidr->prefix_len, .addr = cidr->addr};

	if (cidr->prefix_len == 128) {
		*ret_map = PLAN_MAP_cilium_ipcache;
		memcpy(ret_key, &cidr->addr, sizeof(cidr->addr));
		return sizeof(struct ipcache_key);
	}
	*ret_map = PLAN_MAP_cilium_ipcache_prefix;
	memcpy(ret_key, &prefix, sizeof(prefix));
	return sizeof(prefix);
}

static void plan_entry(struct ipcache_derivation *derivation, struct txn *txn,
		       const struct row_key *cidr_key)
{
	const struct ipcache_entry *entry = (const struct ipcache_entry *)table_get(
		derivation->tables->ipcache, cidr_key->data, cidr_key->n_bytes);
	uint8_t data[1 + sizeof(struct ipcache_prefix_key)];
	enum plan_map map;
	struct cidr cidr;
	size_t n_bytes;

	memcpy(&cidr, cidr_key->data, CIDR_KEY_BYTES);
	n_bytes = map_key(&cidr, &map, data + 1);
	data[0] = map;
	if (entry) {
		struct ipcache_info info = {.identity = entry->identity, .flags = entry->flags};
		struct plan_map_entry *planned =
			plan_map_entry_new(map, data + 1, n_bytes, &info, sizeof(info), 0);

		txn_put(txn, derivation->tables->plan_map_entries, &planned->row);
	} else {
		txn_remove(txn, derivation->tables->plan_map_entries, data, 1 + n_bytes);
	}
}

static void run_entries(struct watch *watch, void *data)
{
	struct ipcache_derivation *derivation = data;
	struct txn *txn = txn_new(derivation->store);
	struct table *table;
	struct row_key key;

	while (watch_pop(watch, &table, &key))
		plan_entry(derivation, txn, &key);
	txn_commit(txn);
}

struct ipcache_derivation *ipcache_derivation_new(struct store *store, struct tables *tables)
{
	struct ipcache_derivation *derivation = g_new0(struct ipcache_derivation, 1);
	struct watch *endpoints = watch_new(store, "ipcache-endpoints", run_endpoints, derivation);
	struct watch *entries = watch_new(store, "ipcache-entries", run_entries, derivation);

	derivation->store = store;
	derivation->tables = tables;
	derivation->addrs = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	watch_add(endpoints, tables->endpoints);
	watch_add(endpoints, tables->endpoint_states);
	watch_add(entries, tables->ipcache);
	return derivation;
}

void ipcache_derivation_free(struct ipcache_derivation *derivation)
{
	if (!derivation)
		return;
	g_hash_table_unref(derivation->addrs);
	g_free(derivation);
}
