// SPDX-License-Identifier: Apache-2.0
#include "src/derive/lb_node.h"

#include <linux/rtnetlink.h>
#include <string.h>
#include "src/base/intern.h"
#include "src/derive/node.h"
#include "src/store/keyed_set.h"

#define LABEL_ZONE     "topology.kubernetes.io/zone"
#define LABEL_ZONE_OLD "failure-domain.beta.kubernetes.io/zone"

struct lb_node {
	const struct tables *tables;
	const struct derive_config *config;
	struct lb_node_ops ops;
	const char *name;      /* interned */
	struct keyed_set rows; /* of nodes, as they were looked at last, a reference each */
	GHashTable *zones;     /* name of a node to its zone, both interned */
	GHashTable *addrs; /* struct addr to how many have it: nodes of manifests, and this one */
	GHashTable *ifindexes; /* of the devices that were looked at last */
	GHashTable *own_addrs; /* struct addr */
	GArray *port_addrs4;   /* struct addr, sorted */
	GArray *port_addrs6;
	const struct label_set *labels;
	bool devices_changed;
	bool self_changed;
};

static void row_key_of(const void *item, struct row_key *ret_key)
{
	const struct node *row = item;

	*ret_key = (struct row_key){row->meta.key, strlen(row->meta.key)};
}

static unsigned int hash_addr(const void *pointer)
{
	const struct addr *addr = pointer;
	unsigned int hash = 0;

	for (unsigned int i = 0; i < G_N_ELEMENTS(addr->words); i++)
		hash = (hash ^ addr->words[i]) * 16777619U;
	return hash;
}

static gboolean equal_addrs(const void *a, const void *b)
{
	return addr_equal(a, b);
}

static void free_text(void *text)
{
	intern_unref(text);
}

static GHashTable *addr_set_new(void)
{
	return g_hash_table_new_full(hash_addr, equal_addrs, g_free, NULL);
}

struct lb_node *lb_node_new(const struct tables *tables, const struct derive_config *config,
			    const struct lb_node_ops *ops)
{
	struct lb_node *node = g_new0(struct lb_node, 1);

	node->tables = tables;
	node->config = config;
	node->ops = *ops;
	node->name = intern_new(config->node_name);
	keyed_set_init(&node->rows, row_key_of);
	node->zones = g_hash_table_new_full(NULL, NULL, free_text, free_text);
	node->addrs = addr_set_new();
	node->own_addrs = addr_set_new();
	node->ifindexes = g_hash_table_new(NULL, NULL);
	node->port_addrs4 = g_array_new(false, false, sizeof(struct addr));
	node->port_addrs6 = g_array_new(false, false, sizeof(struct addr));
	return node;
}

static bool unref_item(void *item, void *data)
{
	row_unref(item);
	return true;
}

void lb_node_free(struct lb_node *node)
{
	if (!node)
		return;
	keyed_set_foreach(&node->rows, unref_item, NULL);
	keyed_set_fini(&node->rows);
	g_hash_table_unref(node->zones);
	g_hash_table_unref(node->addrs);
	g_hash_table_unref(node->own_addrs);
	g_hash_table_unref(node->ifindexes);
	g_array_unref(node->port_addrs4);
	g_array_unref(node->port_addrs6);
	label_set_unref(node->labels);
	intern_unref(node->name);
	g_free(node);
}

/* ---- addresses of nodes ---- */

static void count_addr(struct lb_node *node, const struct addr *addr, int more)
{
	int before = GPOINTER_TO_INT(g_hash_table_lookup(node->addrs, addr));

	if (before + more)
		g_hash_table_insert(node->addrs, g_memdup2(addr, sizeof(*addr)),
				    GINT_TO_POINTER(before + more));
	else
		g_hash_table_remove(node->addrs, addr);
	if (!before || !(before + more))
		node->ops.addr_changed(addr, node->ops.data);
}

static void count_row(struct lb_node *node, const struct node *row, int more)
{
	for (unsigned int i = 0; row && i < row->addresses->len; i++)
		count_addr(node, &g_array_index(row->addresses, struct node_address, i).addr, more);
}

/* ---- nodes ---- */

static const char *zone_of(const struct node *row)
{
	const char *zone = row ? label_set_find(row->meta.labels, NULL, LABEL_ZONE) : NULL;

	if (row && !zone)
		zone = label_set_find(row->meta.labels, NULL, LABEL_ZONE_OLD);
	return zone && *zone ? zone : NULL;
}

/* Of the Node, as the labels of a CiliumNode are a copy that may be old. */
static const struct node *find_labelled(const struct lb_node *node, const char *name)
{
	const struct node *row = node_find(node->tables, "Node", name);

	return row ? row : node_find(node->tables, "CiliumNode", name);
}

static void update_zone(struct lb_node *node, const char *name)
{
	const char *interned = intern_new(name);
	const char *before = g_hash_table_lookup(node->zones, interned);
	const char *now = intern_new(zone_of(find_labelled(node, name)));

	if (now == before) {
		intern_unref(now);
	} else {
		if (now)
			g_hash_table_insert(node->zones, (void *)intern_ref(interned), (void *)now);
		else
			g_hash_table_remove(node->zones, interned);
		node->ops.zone_changed(interned, node->ops.data);
	}
	intern_unref(interned);
}

static void update_labels(struct lb_node *node)
{
	const struct node *row = find_labelled(node, node->config->node_name);
	const struct label_set *labels = row ? label_set_ref(row->meta.labels) : NULL;

	if (labels != node->labels)
		node->self_changed = true;
	label_set_unref(node->labels);
	node->labels = labels;
}

void lb_node_update_node(struct lb_node *node, const struct row_key *key)
{
	const struct node *row =
		(const struct node *)table_get(node->tables->nodes, key->data, key->n_bytes);
	struct node *before = keyed_set_remove(&node->rows, key->data, key->n_bytes);
	const struct node *any = row ? row : before;

	if (!any)
		return;
	/* What comes before what goes: an address of both stays. */
	count_row(node, row, 1);
	count_row(node, before, -1);
	update_zone(node, any->meta.name);
	if (!strcmp(any->meta.name, node->config->node_name)) {
		update_labels(node);
		/* Addresses of a Node say which devices lead out. */
		node->devices_changed = true;
	}
	if (row)
		keyed_set_put(&node->rows, row_ref(&row->row));
	if (before)
		row_unref(&before->row);
}

/* ---- devices ---- */

/* The loopback may have addresses that others know. */
static bool is_of_interest(const struct device *device)
{
	return node_device_counts(device) || !strcmp(device->name, "lo");
}

void lb_node_update_device(struct lb_node *node, const struct row_key *key)
{
	const struct device *device =
		(const struct device *)table_get(node->tables->devices, key->data, key->n_bytes);
	uint32_t ifindex;

	memcpy(&ifindex, key->data, sizeof(ifindex));
	if (device && is_of_interest(device)) {
		g_hash_table_add(node->ifindexes, GUINT_TO_POINTER(ifindex));
		node->devices_changed = true;
	} else if (g_hash_table_remove(node->ifindexes, GUINT_TO_POINTER(ifindex))) {
		node->devices_changed = true;
	}
}

static bool add_own_addrs(const struct row *row, void *data)
{
	const struct device *device = (const struct device *)row;
	GHashTable *addrs = data;

	for (unsigned int i = 0; is_of_interest(device) && i < device->addresses->len; i++) {
		const struct device_address *address =
			&g_array_index(device->addresses, struct device_address, i);

		if (address->scope < RT_SCOPE_LINK)
			g_hash_table_add(addrs, g_memdup2(&address->addr, sizeof(address->addr)));
	}
	return true;
}

static void count_missing(struct lb_node *node, GHashTable *set, GHashTable *other, int more)
{
	GHashTableIter iter;
	void *addr;

	g_hash_table_iter_init(&iter, set);
	while (g_hash_table_iter_next(&iter, &addr, NULL)) {
		if (g_hash_table_contains(other, addr))
			continue;
		count_addr(node, addr, more);
		node->self_changed = true;
	}
}

static void update_own_addrs(struct lb_node *node)
{
	GHashTable *now = addr_set_new(), *before = node->own_addrs;

	table_foreach (node->tables->devices, add_own_addrs, now)
		;
	node->own_addrs = now;
	count_missing(node, now, before, 1);
	count_missing(node, before, now, -1);
	g_hash_table_unref(before);
}

static bool is_named(const GArray *cidrs, const struct addr *addr)
{
	for (unsigned int i = 0; i < cidrs->len; i++)
		if (cidr_contains(&g_array_index(cidrs, struct cidr, i), addr))
			return true;
	return false;
}

static void add_port_addrs(struct lb_node *node, const struct device *device, bool is_out)
{
	const struct derive_config *config = node->config;

	for (unsigned int i = 0; i < device->addresses->len; i++) {
		const struct device_address *address =
			&g_array_index(device->addresses, struct device_address, i);
		bool v4 = addr_is_v4(&address->addr);
		bool wanted = config->node_port_cidrs
				      ? is_named(config->node_port_cidrs, &address->addr)
				      : is_out;

		if (wanted && address->scope < RT_SCOPE_LINK &&
		    (v4 ? config->enable_ipv4 : config->enable_ipv6))
			g_array_append_val(v4 ? node->port_addrs4 : node->port_addrs6,
					   address->addr);
	}
}

static int compare_addrs(const void *a, const void *b)
{
	return addr_compare(a, b);
}

/* The devices that lead out; and cilium_host where somebody names its addresses. */
static void read_port_addrs(struct lb_node *node)
{
	static const struct addr none;
	struct node_view *view = node_view_new(node->tables, node->config, &none, &none);

	for (unsigned int i = 0; i < view->devices->len; i++)
		add_port_addrs(node, view->devices->pdata[i], true);
	if (view->host_device)
		add_port_addrs(node, view->host_device, false);
	node_view_free(view);
	g_array_sort(node->port_addrs4, compare_addrs);
	g_array_sort(node->port_addrs6, compare_addrs);
}

static bool addrs_equal(const GArray *a, const GArray *b)
{
	return a->len == b->len &&
	       (!a->len || !memcmp(a->data, b->data, a->len * sizeof(struct addr)));
}

static void update_port_addrs(struct lb_node *node)
{
	GArray *before4 = node->port_addrs4, *before6 = node->port_addrs6;

	node->port_addrs4 = g_array_new(false, false, sizeof(struct addr));
	node->port_addrs6 = g_array_new(false, false, sizeof(struct addr));
	read_port_addrs(node);
	if (!addrs_equal(before4, node->port_addrs4) || !addrs_equal(before6, node->port_addrs6))
		node->ops.ports_changed(node->ops.data);
	g_array_unref(before4);
	g_array_unref(before6);
}

void lb_node_finish_update(struct lb_node *node)
{
	if (node->devices_changed) {
		node->devices_changed = false;
		update_own_addrs(node);
		update_port_addrs(node);
	}
	if (node->self_changed) {
		node->self_changed = false;
		node->ops.self_changed(node->ops.data);
	}
}

/* ---- what is asked ---- */

const GArray *lb_node_get_port_addrs(const struct lb_node *node, bool v4)
{
	return v4 ? node->port_addrs4 : node->port_addrs6;
}

bool lb_node_is_node_addr(const struct lb_node *node, const struct addr *addr)
{
	return g_hash_table_contains(node->addrs, addr);
}

bool lb_node_is_own_addr(const struct lb_node *node, const struct addr *addr)
{
	return g_hash_table_contains(node->own_addrs, addr);
}

const struct label_set *lb_node_get_labels(const struct lb_node *node)
{
	return node->labels;
}

const char *lb_node_get_name(const struct lb_node *node)
{
	return node->name;
}

const char *lb_node_zone_of(const struct lb_node *node, const char *name)
{
	return name ? g_hash_table_lookup(node->zones, name) : NULL;
}

const char *lb_node_get_zone(const struct lb_node *node)
{
	return lb_node_zone_of(node, node->name);
}

uint8_t lb_node_zone_number(const struct lb_node *node, const char *zone)
{
	const GArray *zones = node->config->lb_zones;

	for (unsigned int i = 0; zone && zones && i < zones->len; i++) {
		const struct lb_zone *known = &g_array_index(zones, struct lb_zone, i);

		if (!strcmp(known->name, zone))
			return known->number;
	}
	return 0;
}

bool lb_node_is_own(const struct lb_node *node, const char *name)
{
	return name && name == node->name;
}
