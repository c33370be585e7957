// SPDX-License-Identifier: Apache-2.0
#include "src/derive/node_identity.h"

#include <string.h>
#include "abi/ipcache.h"
#include "src/derive/label_filter.h"
#include "src/model/cidr_label.h"
#include "src/model/identity.h"
#include "src/model/ipcache_entry.h"

#define NODE_LABEL_SOURCE "node"
#define KEY_CLUSTER       "io.cilium.k8s.policy.cluster"

/* An address has an identity of the node scope. */
struct use {
	struct cidr cidr;
	uint32_t number;
};

struct node_identity {
	const struct tables *tables;
	const struct derive_config *config;
	const struct api_server *api_server;
	struct local_identities *local;
	struct label_filter *filter; /* of node labels */
	GArray *uses;                /* struct use, of the last run */
};

struct node_identity *node_identity_new(const struct tables *tables,
					const struct derive_config *config,
					const struct api_server *api_server,
					struct local_identities *local, GError **error)
{
	struct label_filter *filter = label_filter_new_nodes(config->node_label_patterns, error);
	struct node_identity *identity;

	if (!filter)
		return NULL;
	identity = g_new0(struct node_identity, 1);
	identity->tables = tables;
	identity->config = config;
	identity->api_server = api_server;
	identity->local = local;
	identity->filter = filter;
	identity->uses = g_array_new(false, false, sizeof(struct use));
	return identity;
}

void node_identity_free(struct node_identity *identity)
{
	if (!identity)
		return;
	label_filter_free(identity->filter);
	g_array_unref(identity->uses);
	g_free(identity);
}

/* ---- labels ---- */

struct labels {
	GArray *labels;   /* struct label */
	GPtrArray *texts; /* char *: keys that are not anybody's */
};

static void add_label(struct labels *labels, const char *source, const char *key, const char *value)
{
	struct label label = {source, key, value};

	g_array_append_val(labels->labels, label);
}

static void add_cidr(struct labels *labels, const struct addr *addr)
{
	struct cidr cidr = cidr_from_addr(addr);
	char *key = g_malloc(CIDR_LABEL_KEY_BYTES);

	cidr_label_format(&cidr, key);
	g_ptr_array_add(labels->texts, key);
	add_label(labels, CIDR_LABEL_SOURCE, key, "");
}

static void add_node_labels(const struct node_identity *identity, const char *name,
			    struct labels *labels)
{
	const struct node *node = node_find(identity->tables, "Node", name);

	if (!identity->config->enable_node_labels)
		return;
	if (!node)
		node = node_find(identity->tables, "CiliumNode", name);
	for (size_t i = 0; node && i < label_set_n(node->meta.labels); i++) {
		struct label label = *label_set_get(node->meta.labels, i);

		label.source = NODE_LABEL_SOURCE;
		if (label_filter_accepts(identity->filter, &label))
			g_array_append_val(labels->labels, label);
	}
	add_label(labels, "k8s", KEY_CLUSTER, identity->config->cluster_name);
}

static struct labels labels_begin(const char *reserved, bool is_api_server)
{
	struct labels labels = {
		.labels = g_array_new(false, false, sizeof(struct label)),
		.texts = g_ptr_array_new_with_free_func(g_free),
	};

	add_label(&labels, "reserved", reserved, "");
	if (is_api_server)
		add_label(&labels, "reserved", "kube-apiserver", "");
	return labels;
}

static const struct label_set *labels_end(struct labels *labels)
{
	const struct label_set *set = label_set_new(
		(const struct label *)(void *)labels->labels->data, labels->labels->len);

	g_array_unref(labels->labels);
	g_ptr_array_unref(labels->texts);
	return set;
}

/* Nothing depends on which of the numbers the host's labels stand beside: it stays 1. */
static void put_host(const struct node_identity *identity, const struct node_view *view,
		     struct txn *txn)
{
	const uint32_t number = IDENTITY_HOST;
	bool is_api_server = false;
	struct labels labels;
	struct identity *row;

	for (unsigned int i = 0; i < view->local_addrs->len; i++)
		is_api_server |= api_server_has(identity->api_server,
						&g_array_index(view->local_addrs, struct addr, i));
	labels = labels_begin("host", is_api_server);
	add_node_labels(identity, identity->config->node_name, &labels);
	for (unsigned int i = 0; identity->config->cidrs_match_nodes && i < view->local_addrs->len;
	     i++)
		add_cidr(&labels, &g_array_index(view->local_addrs, struct addr, i));
	row = (struct identity *)row_new(&identity_class);
	row->number = number;
	row->labels = labels_end(&labels);
	if (label_set_n(row->labels) > 1) {
		txn_put(txn, identity->tables->identities, &row->row);
	} else {
		txn_remove(txn, identity->tables->identities, &number, sizeof(number));
		row_unref(&row->row);
	}
}

/* ---- other nodes ---- */

struct derivation {
	struct node_identity *identity;
	struct txn *txn;
	GPtrArray *wanted;
	GArray *uses;
};

static void add_entry(GPtrArray *wanted, const struct cidr *cidr, uint32_t number, uint8_t flags,
		      const char *source)
{
	struct ipcache_entry *entry = (struct ipcache_entry *)row_new(&ipcache_entry_class);

	entry->cidr = *cidr;
	entry->identity = number;
	entry->source = source;
	entry->flags = flags;
	if (flags & IPCACHE_F_REMOTE_NODE)
		entry->host = cidr->addr;
	g_ptr_array_add(wanted, entry);
}

/* Where no number is left, a node is what it would be without labels. */
static uint32_t remote_number(struct derivation *derivation, const char *name,
			      const struct addr *addr, bool is_api_server)
{
	const struct node_identity *identity = derivation->identity;
	uint32_t reserved = is_api_server ? IDENTITY_KUBE_APISERVER : IDENTITY_REMOTE_NODE;
	struct use use = {.cidr = cidr_from_addr(addr)};
	const struct label_set *set;
	struct labels labels;

	if (!identity->config->enable_node_labels && !identity->config->cidrs_match_nodes)
		return reserved;
	labels = labels_begin("remote-node", is_api_server);
	add_node_labels(identity, name, &labels);
	if (identity->config->cidrs_match_nodes)
		add_cidr(&labels, addr);
	set = labels_end(&labels);
	use.number =
		local_identities_take(identity->local, IDENTITY_SCOPE_NODE, set, derivation->txn);
	label_set_unref(set);
	if (!use.number)
		return reserved;
	g_array_append_val(derivation->uses, use);
	return use.number;
}

static void add_remote_node(struct derivation *derivation, const struct node *node)
{
	const struct derive_config *config = derivation->identity->config;
	bool is_cilium_node = g_str_has_prefix(node->meta.key, "CiliumNode/");

	for (unsigned int i = 0; i < node->addresses->len; i++) {
		const struct node_address *address =
			&g_array_index(node->addresses, struct node_address, i);
		struct cidr cidr = cidr_from_addr(&address->addr);
		bool enabled = cidr_is_v4(&cidr) ? config->enable_ipv4 : config->enable_ipv6;
		bool is_api_server =
			api_server_has(derivation->identity->api_server, &address->addr);

		if (enabled && address->type != NODE_ADDRESS_HOSTNAME)
			add_entry(derivation->wanted, &cidr,
				  remote_number(derivation, node->meta.name, &address->addr,
						is_api_server),
				  IPCACHE_F_REMOTE_NODE,
				  is_api_server    ? "kube-apiserver"
				  : is_cilium_node ? "custom-resource"
						   : "k8s");
	}
}

static bool collect_node(const struct row *row, void *data)
{
	g_ptr_array_add(data, (void *)row);
	return true;
}

static int compare_nodes(const void *a, const void *b)
{
	const struct node *left = *(const struct node *const *)a;
	const struct node *right = *(const struct node *const *)b;

	return strcmp(left->meta.key, right->meta.key);
}

/*
 * In the order of their keys: so CiliumNodes, which are the stronger, come before Nodes, and the same
 * nodes get the same numbers.
 */
static void add_remote_nodes(struct derivation *derivation)
{
	const struct node_identity *identity = derivation->identity;
	g_autoptr(GPtrArray) nodes = g_ptr_array_new();

	table_foreach (identity->tables->nodes, collect_node, nodes)
		;
	g_ptr_array_sort(nodes, compare_nodes);
	for (unsigned int i = 0; i < nodes->len; i++) {
		const struct node *node = nodes->pdata[i];

		if (strcmp(node->meta.name, identity->config->node_name) != 0)
			add_remote_node(derivation, node);
	}
}

static void drop_uses(struct node_identity *identity)
{
	for (unsigned int i = 0; i < identity->uses->len; i++) {
		const struct use *use = &g_array_index(identity->uses, struct use, i);

		local_identities_drop(identity->local, use->number, &use->cidr);
	}
	g_array_unref(identity->uses);
}

/* With both families on, the two halves of the world are told apart, as in Cilium. */
static void add_world(const struct derive_config *config, GPtrArray *wanted)
{
	bool dual = config->enable_ipv4 && config->enable_ipv6;
	struct cidr world;

	if (config->enable_ipv4 && !cidr_parse("0.0.0.0/0", &world))
		add_entry(wanted, &world, dual ? IDENTITY_WORLD_IPV4 : IDENTITY_WORLD, 0, "local");
	if (config->enable_ipv6 && !cidr_parse("::/0", &world))
		add_entry(wanted, &world, dual ? IDENTITY_WORLD_IPV6 : IDENTITY_WORLD, 0, "local");
}

void node_identity_derive(struct node_identity *identity, const struct node_view *view,
			  struct txn *txn, GPtrArray *wanted)
{
	struct derivation derivation = {
		.identity = identity,
		.txn = txn,
		.wanted = wanted,
		.uses = g_array_new(false, false, sizeof(struct use)),
	};

	put_host(identity, view, txn);
	for (unsigned int i = 0; i < view->local_addrs->len; i++) {
		const struct addr *addr = &g_array_index(view->local_addrs, struct addr, i);
		struct cidr cidr = cidr_from_addr(addr);

		add_entry(wanted, &cidr, IDENTITY_HOST, IPCACHE_F_LOCAL_HOST,
			  api_server_has(identity->api_server, addr) ? "kube-apiserver" : "local");
	}
	add_remote_nodes(&derivation);
	add_world(identity->config, wanted);
	/* Those of the last run, after those of this one: what goes on has a user all the time. */
	drop_uses(identity);
	identity->uses = derivation.uses;
}
