// SPDX-License-Identifier: Apache-2.0
#include "src/derive/ipcache.h"

#include <string.h>
#include "abi/ipcache.h"
#include "src/base/intern.h"
#include "src/model/endpoint.h"
#include "src/model/identity.h"
#include "src/model/plan.h"
#include "src/store/keyed_set.h"

struct endpoint_addrs {
	struct addr addr[2]; /* zero: none */
};

/* What a layer says of a prefix may be something else. */
struct change {
	struct cidr cidr;
	bool is_of_policy; /* of IPCACHE_LAYER_PREFIX */
};

struct ipcache_derivation {
	struct store *store;
	struct tables *tables;
	struct keyed_set layers[IPCACHE_LAYER__MAX]; /* struct ipcache_entry, a reference each */
	GArray *changes;                             /* struct change, since the last flush */
	GHashTable
		*addrs; /* endpoint id to struct endpoint_addrs: what to remove when it is gone */
};

static void entry_key(const void *item, struct row_key *ret_key)
{
	*ret_key = (struct row_key){&((const struct ipcache_entry *)item)->cidr, CIDR_KEY_BYTES};
}

const struct ipcache_entry *ipcache_get(const struct ipcache_derivation *derivation,
					enum ipcache_layer layer, const struct cidr *cidr)
{
	return keyed_set_get(&derivation->layers[layer], cidr, CIDR_KEY_BYTES);
}

static const struct ipcache_entry *strongest(const struct ipcache_derivation *derivation,
					     const struct cidr *cidr, enum ipcache_layer weakest)
{
	for (int layer = IPCACHE_LAYER__MAX - 1; layer >= (int)weakest; layer--) {
		const struct ipcache_entry *entry = ipcache_get(derivation, layer, cidr);

		if (entry)
			return entry;
	}
	return NULL;
}

struct ipcache_prefix_key ipcache_prefix_map_key(const struct cidr *cidr)
{
	return (struct ipcache_prefix_key){.prefix_len = cidr->prefix_len, .addr = cidr->addr};
}

/* entry NULL: the map has nothing under the key. */
static void plan(struct ipcache_derivation *derivation, struct txn *txn, enum plan_map map,
		 const struct ipcache_entry *entry, const struct cidr *cidr)
{
	struct ipcache_prefix_key prefix = ipcache_prefix_map_key(cidr);
	struct ipcache_key addr = {.addr = cidr->addr};
	bool is_addr = map == PLAN_MAP_cilium_ipcache;
	const void *key = is_addr ? (const void *)&addr : &prefix;
	size_t n_bytes = is_addr ? sizeof(addr) : sizeof(prefix);
	uint8_t data[1 + sizeof(prefix)] = {map};

	if (entry) {
		struct ipcache_info info = {.identity = entry->identity, .flags = entry->flags};
		struct plan_map_entry *planned =
			plan_map_entry_new(map, key, n_bytes, &info, sizeof(info), 0);

		txn_put(txn, derivation->tables->plan_map_entries, &planned->row);
	} else {
		memcpy(data + 1, key, n_bytes);
		txn_remove(txn, derivation->tables->plan_map_entries, data, 1 + n_bytes);
	}
}

static void mark(struct ipcache_derivation *derivation, enum ipcache_layer layer,
		 const struct cidr *cidr)
{
	struct change change = {
		.cidr = *cidr,
		.is_of_policy = layer == IPCACHE_LAYER_PREFIX,
	};

	g_array_append_val(derivation->changes, change);
}

void ipcache_put(struct ipcache_derivation *derivation, enum ipcache_layer layer,
		 struct ipcache_entry *take_entry)
{
	const struct ipcache_entry *old = ipcache_get(derivation, layer, &take_entry->cidr);

	if (old && row_equal(&old->row, &take_entry->row)) {
		row_unref(&take_entry->row);
		return;
	}
	mark(derivation, layer, &take_entry->cidr);
	row_unref(keyed_set_put(&derivation->layers[layer], take_entry));
}

void ipcache_remove(struct ipcache_derivation *derivation, enum ipcache_layer layer,
		    const struct cidr *cidr)
{
	struct row *old = keyed_set_remove(&derivation->layers[layer], cidr, CIDR_KEY_BYTES);

	if (old)
		mark(derivation, layer, cidr);
	row_unref(old);
}

/* The map of addresses counts as one of prefixes that are longer than any. */
static int rank(const struct change *change)
{
	return change->cidr.prefix_len + (change->cidr.prefix_len == 128 && !change->is_of_policy);
}

static int compare_changes(const void *a, const void *b)
{
	const struct change *left = a, *right = b;
	int order = rank(right) - rank(left);

	return order ? order : addr_compare(&left->cidr.addr, &right->cidr.addr);
}

static enum plan_map map_of(const struct change *change)
{
	return rank(change) > 128 ? PLAN_MAP_cilium_ipcache : PLAN_MAP_cilium_ipcache_prefix;
}

static const struct ipcache_entry *planned(const struct ipcache_derivation *derivation,
					   const struct change *change)
{
	return change->is_of_policy ? ipcache_get(derivation, IPCACHE_LAYER_PREFIX, &change->cidr)
				    : strongest(derivation, &change->cidr, IPCACHE_LAYER_NODE);
}

static void put_change(struct ipcache_derivation *derivation, struct txn *txn,
		       const struct change *change)
{
	const struct ipcache_entry *row = strongest(derivation, &change->cidr, 0);
	const struct ipcache_entry *entry = planned(derivation, change);

	if (row)
		txn_put(txn, derivation->tables->ipcache, row_ref(&row->row));
	if (entry)
		plan(derivation, txn, map_of(change), entry, &change->cidr);
}

static void remove_change(struct ipcache_derivation *derivation, struct txn *txn,
			  const struct change *change)
{
	if (!strongest(derivation, &change->cidr, 0))
		txn_remove(txn, derivation->tables->ipcache, &change->cidr, CIDR_KEY_BYTES);
	if (!planned(derivation, change))
		plan(derivation, txn, map_of(change), NULL, &change->cidr);
}

void ipcache_flush(struct ipcache_derivation *derivation, struct txn *txn)
{
	GArray *changes = derivation->changes;

	g_array_sort(changes, compare_changes);
	for (unsigned int i = 0; i < changes->len; i++)
		put_change(derivation, txn, &g_array_index(changes, struct change, i));
	for (unsigned int i = changes->len; i-- > 0;)
		remove_change(derivation, txn, &g_array_index(changes, struct change, i));
	g_array_set_size(changes, 0);
}

struct unwanted {
	const struct keyed_set *wanted;
	GArray *cidrs; /* struct cidr */
};

static bool collect_unwanted(void *item, void *data)
{
	const struct ipcache_entry *entry = item;
	struct unwanted *unwanted = data;

	if (!keyed_set_get(unwanted->wanted, &entry->cidr, CIDR_KEY_BYTES))
		g_array_append_val(unwanted->cidrs, entry->cidr);
	return true;
}

void ipcache_replace(struct ipcache_derivation *derivation, enum ipcache_layer layer,
		     const GPtrArray *wanted)
{
	g_autoptr(GArray) cidrs = g_array_new(false, false, sizeof(struct cidr));
	struct keyed_set keys;
	struct unwanted unwanted = {&keys, cidrs};

	keyed_set_init(&keys, entry_key);
	for (unsigned int i = 0; i < wanted->len; i++) {
		struct ipcache_entry *entry = wanted->pdata[i];

		if (keyed_set_get(&keys, &entry->cidr, CIDR_KEY_BYTES))
			continue;
		keyed_set_put(&keys, entry);
		row_ref(&entry->row);
		ipcache_put(derivation, layer, entry);
	}
	keyed_set_foreach(&derivation->layers[layer], collect_unwanted, &unwanted);
	for (unsigned int i = 0; i < cidrs->len; i++)
		ipcache_remove(derivation, layer, &g_array_index(cidrs, struct cidr, i));
	keyed_set_fini(&keys);
}

/* ---- endpoints ---- */

static void put_endpoint_entry(struct ipcache_derivation *derivation,
			       const struct endpoint *endpoint, const struct endpoint_state *state,
			       const struct addr *addr)
{
	struct ipcache_entry *entry = (struct ipcache_entry *)row_new(&ipcache_entry_class);

	entry->cidr = cidr_from_addr(addr);
	entry->identity = state->identity;
	entry->source = "local";
	entry->namespace = intern_new(endpoint->namespace);
	entry->name = g_strdup(endpoint->pod_name);
	ipcache_put(derivation, IPCACHE_LAYER_ENDPOINT, entry);
}

static void remove_endpoint(struct ipcache_derivation *derivation, uint16_t id)
{
	const struct endpoint_addrs *addrs =
		g_hash_table_lookup(derivation->addrs, GUINT_TO_POINTER(id));

	for (unsigned int i = 0; addrs && i < G_N_ELEMENTS(addrs->addr); i++) {
		struct cidr cidr = cidr_from_addr(&addrs->addr[i]);

		if (!addr_is_zero(&addrs->addr[i]))
			ipcache_remove(derivation, IPCACHE_LAYER_ENDPOINT, &cidr);
	}
	g_hash_table_remove(derivation->addrs, GUINT_TO_POINTER(id));
}

static void put_endpoint(struct ipcache_derivation *derivation, const struct endpoint *endpoint,
			 const struct endpoint_state *state)
{
	struct endpoint_addrs *addrs = g_new(struct endpoint_addrs, 1);

	*addrs = (struct endpoint_addrs){{endpoint->addr4, endpoint->addr6}};
	g_hash_table_insert(derivation->addrs, GUINT_TO_POINTER(endpoint->id), addrs);
	for (unsigned int i = 0; i < G_N_ELEMENTS(addrs->addr); i++)
		if (!addr_is_zero(&addrs->addr[i]))
			put_endpoint_entry(derivation, endpoint, state, &addrs->addr[i]);
}

/* Removes first: an address may have gone from one endpoint to another. */
static void run_endpoints(struct watch *watch, void *data)
{
	struct ipcache_derivation *derivation = data;
	struct tables *tables = derivation->tables;
	g_autoptr(GArray) ids = g_array_new(false, false, sizeof(uint16_t));
	struct table *table;
	struct row_key key;
	struct txn *txn;

	while (watch_pop(watch, &table, &key)) {
		remove_endpoint(derivation, *(const uint16_t *)key.data);
		g_array_append_vals(ids, key.data, 1);
	}
	for (unsigned int i = 0; i < ids->len; i++) {
		const void *id = &g_array_index(ids, uint16_t, i);
		const struct row *endpoint = table_get(tables->endpoints, id, sizeof(uint16_t));
		const struct row *row = table_get(tables->endpoint_states, id, sizeof(uint16_t));
		const struct endpoint_state *state = (const struct endpoint_state *)row;

		if (endpoint && state && state->identity != IDENTITY_UNKNOWN)
			put_endpoint(derivation, (const struct endpoint *)endpoint, state);
	}
	txn = txn_new(derivation->store);
	ipcache_flush(derivation, txn);
	txn_commit(txn);
}

struct ipcache_derivation *ipcache_derivation_new(struct store *store, struct tables *tables)
{
	struct ipcache_derivation *derivation = g_new0(struct ipcache_derivation, 1);
	struct watch *endpoints = watch_new(store, "ipcache-endpoints", run_endpoints, derivation);

	derivation->store = store;
	derivation->tables = tables;
	derivation->changes = g_array_new(false, false, sizeof(struct change));
	derivation->addrs = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	for (int layer = 0; layer < IPCACHE_LAYER__MAX; layer++)
		keyed_set_init(&derivation->layers[layer], entry_key);
	watch_add(endpoints, tables->endpoints);
	watch_add(endpoints, tables->endpoint_states);
	return derivation;
}

static bool unref_entry(void *item, void *data)
{
	row_unref(item);
	return true;
}

void ipcache_derivation_free(struct ipcache_derivation *derivation)
{
	if (!derivation)
		return;
	for (int layer = 0; layer < IPCACHE_LAYER__MAX; layer++) {
		keyed_set_foreach(&derivation->layers[layer], unref_entry, NULL);
		keyed_set_fini(&derivation->layers[layer]);
	}
	g_array_unref(derivation->changes);
	g_hash_table_unref(derivation->addrs);
	g_free(derivation);
}
