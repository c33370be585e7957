// SPDX-License-Identifier: Apache-2.0
#include "src/derive/remote_pod.h"

#include <string.h>
#include "src/base/intern.h"
#include "src/model/identity.h"
#include "src/store/keyed_set.h"

struct remote_pods {
	struct store *store;
	struct tables *tables;
	const struct derive_config *config;
	struct identity_derivation *identity;
	struct ipcache_derivation *ipcache;
	struct policy_named_ports *named_ports; /* one use for each address in the ipcache */
	struct table_index *by_namespace;
	/* The rows as they were derived last, a reference each: what to undo when they are others. */
	struct keyed_set derived;
};

typedef void (*add_key)(const void *key, size_t n_bytes, void *data);

static void key_namespace(const struct row *row, add_key add, void *data)
{
	const struct pod *pod = (const struct pod *)row;

	add(pod->meta.namespace, strlen(pod->meta.namespace), data);
}

static void derived_key(const void *item, struct row_key *ret_key)
{
	const struct pod *pod = item;

	*ret_key = (struct row_key){pod->meta.key, strlen(pod->meta.key)};
}

/* Those of this node are endpoints, or nobody that it knows. */
static bool is_remote(const struct remote_pods *pods, const struct pod *pod)
{
	return pod->node_name && !pod->host_network &&
	       strcmp(pod->node_name, pods->config->node_name) != 0;
}

static bool is_enabled(const struct remote_pods *pods, const struct addr *addr)
{
	if (addr_is_zero(addr))
		return false;
	return addr_is_v4(addr) ? pods->config->enable_ipv4 : pods->config->enable_ipv6;
}

static bool is_of(const struct ipcache_entry *entry, const struct pod *pod)
{
	return entry->namespace == pod->meta.namespace && strcmp(entry->name, pod->meta.name) == 0;
}

/*
 * The address is about to be another pod's, or nobody's: whoever has it has its named ports no longer by it. before:
 * the pod that is being looked at, as it was; what the entry was made of, if it is of that pod.
 */
static void drop_ports(struct remote_pods *pods, const struct cidr *cidr, const struct pod *before)
{
	const struct ipcache_entry *entry = ipcache_get(pods->ipcache, IPCACHE_LAYER_POD, cidr);
	const struct pod *owner = before;

	if (!entry)
		return;
	if (!before || !is_of(entry, before)) {
		g_autofree char *key = g_strdup_printf("%s/%s", entry->namespace, entry->name);

		owner = keyed_set_get(&pods->derived, key, strlen(key));
	}
	policy_named_ports_remove(pods->named_ports, entry->identity, owner->ports);
}

static void put_addr(struct remote_pods *pods, const struct pod *pod, const struct pod *before,
		     const struct addr *addr, uint32_t identity)
{
	struct ipcache_entry *entry;
	struct cidr cidr = cidr_from_addr(addr);

	if (!is_enabled(pods, addr))
		return;
	policy_named_ports_add(pods->named_ports, identity, pod->ports);
	drop_ports(pods, &cidr, before);
	entry = (struct ipcache_entry *)row_new(&ipcache_entry_class);
	entry->cidr = cidr;
	entry->identity = identity;
	entry->host = pod->host;
	entry->source = "k8s";
	entry->namespace = intern_ref(pod->meta.namespace);
	entry->name = g_strdup(pod->meta.name);
	ipcache_put(pods->ipcache, IPCACHE_LAYER_POD, entry);
}

/* An address may be another pod's by now. */
static void remove_addr(struct remote_pods *pods, const struct pod *pod, const struct addr *addr)
{
	struct cidr cidr = cidr_from_addr(addr);
	const struct ipcache_entry *entry = ipcache_get(pods->ipcache, IPCACHE_LAYER_POD, &cidr);

	if (!entry || !is_of(entry, pod))
		return;
	drop_ports(pods, &cidr, pod);
	ipcache_remove(pods->ipcache, IPCACHE_LAYER_POD, &cidr);
}

static bool has_addr(const struct pod *pod, const struct addr *addr)
{
	return addr_is_zero(addr) || addr_equal(addr, &pod->addr4) || addr_equal(addr, &pod->addr6);
}

/* now NULL: it is gone, or no longer remote. What stays is replaced in place. */
static void undo(struct remote_pods *pods, const struct pod *before, const struct pod *now)
{
	const struct addr *const addrs[] = {&before->addr4, &before->addr6};

	for (size_t i = 0; i < G_N_ELEMENTS(addrs); i++)
		if (!addr_is_zero(addrs[i]) && !(now && has_addr(now, addrs[i])))
			remove_addr(pods, before, addrs[i]);
}

static void derive(struct remote_pods *pods, struct txn *txn, const struct pod *pod,
		   const struct pod *before)
{
	const struct label_set *labels = identity_derivation_pod_labels(pods->identity, pod);
	uint32_t identity = identity_derivation_find_number(pods->identity, labels, txn);

	label_set_unref(labels);
	if (identity == IDENTITY_UNKNOWN) {
		if (before)
			undo(pods, before, NULL);
		return;
	}
	put_addr(pods, pod, before, &pod->addr4, identity);
	put_addr(pods, pod, before, &pod->addr6, identity);
}

static void derive_key(struct remote_pods *pods, const void *key, size_t n_bytes)
{
	const struct row *row = table_get(pods->tables->pods, key, n_bytes);
	const struct pod *pod = (const struct pod *)row;
	struct txn *txn = txn_new(pods->store);
	struct pod *before;

	if (pod &&
	    (!is_remote(pods, pod) || (addr_is_zero(&pod->addr4) && addr_is_zero(&pod->addr6))))
		pod = NULL;
	before = pod ? keyed_set_put(&pods->derived, row_ref(&pod->row))
		     : keyed_set_remove(&pods->derived, key, n_bytes);
	if (before)
		undo(pods, before, pod);
	if (pod)
		derive(pods, txn, pod, before);
	ipcache_flush(pods->ipcache, txn);
	txn_commit(txn);
	if (before)
		row_unref(&before->row);
}

static bool add_pod(const struct row *row, void *data)
{
	g_ptr_array_add(data, row_ref(row));
	return true;
}

static void unref_row(void *row)
{
	row_unref(row);
}

static void derive_namespace(struct remote_pods *pods, const struct row_key *key)
{
	g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func(unref_row);

	table_index_foreach(pods->by_namespace, key->data, key->n_bytes, add_pod, rows);
	for (unsigned int i = 0; i < rows->len; i++) {
		const struct pod *pod = rows->pdata[i];

		derive_key(pods, pod->meta.key, strlen(pod->meta.key));
	}
}

/* One transaction a pod: the next must see an identity that it made. */
static void run(struct watch *watch, void *data)
{
	struct remote_pods *pods = data;
	struct table *table;
	struct row_key key;

	while (watch_pop(watch, &table, &key)) {
		if (table == pods->tables->namespaces)
			derive_namespace(pods, &key);
		else
			derive_key(pods, key.data, key.n_bytes);
	}
}

struct remote_pods *remote_pods_new(struct store *store, struct tables *tables,
				    const struct derive_config *config,
				    struct identity_derivation *identity,
				    struct ipcache_derivation *ipcache,
				    struct policy_named_ports *named_ports)
{
	struct remote_pods *pods = g_new0(struct remote_pods, 1);
	struct watch *watch = watch_new(store, "remote-pods", run, pods);

	pods->store = store;
	pods->tables = tables;
	pods->config = config;
	pods->identity = identity;
	pods->ipcache = ipcache;
	pods->named_ports = named_ports;
	pods->by_namespace = table_index_new(tables->pods, key_namespace);
	keyed_set_init(&pods->derived, derived_key);
	watch_add(watch, tables->pods);
	watch_add(watch, tables->namespaces);
	return pods;
}

static bool unref_item(void *item, void *data)
{
	row_unref(item);
	return true;
}

void remote_pods_free(struct remote_pods *pods)
{
	if (!pods)
		return;
	keyed_set_foreach(&pods->derived, unref_item, NULL);
	keyed_set_fini(&pods->derived);
	g_free(pods);
}
