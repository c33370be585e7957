// SPDX-License-Identifier: Apache-2.0
#include "src/agent/policy_kernel_test.h"

#include <netinet/in.h>
#include <string.h>
#include "abi/endpoint.h"
#include "abi/ipcache.h"
#include "src/base/intern.h"
#include "src/model/cidr_group.h"
#include "src/model/endpoint.h"
#include "src/model/endpoint_slice.h"
#include "src/model/service.h"

static bool is_failing(enum plan_map map, const void *key, size_t n_bytes, void *data)
{
	const struct policy_kernel *kernel = data;

	return kernel->reconcilers &&
	       reconcilers_entry_is_failing(kernel->reconcilers, map, key, n_bytes);
}

static void count_waiting(const struct source_problem *problem, void *data)
{
	((struct policy_kernel *)data)->n_waiting_told++;
}

static int take_version(uint32_t *ret_version, void *data)
{
	*ret_version = ++((struct policy_kernel *)data)->last_version;
	return 0;
}

struct addr policy_kernel_addr(const char *text)
{
	struct addr addr;
	int err = addr_parse(text, &addr);

	g_assert(!err);
	return addr;
}

static void make_datapath(struct policy_kernel *kernel, uint32_t max_prefixes)
{
	struct datapath_config config = {
		.max_entries[PLAN_MAP_cilium_ipcache_prefix] = max_prefixes,
		.max_entries[PLAN_MAP_cilium_policy_peer] = 1 << 20,
		.max_entries[PLAN_MAP_cilium_policy_class] = 1 << 20,
	};
	int err;

	kernel->datapath = datapath_fake_new();
	err = kernel->datapath->ops->load(kernel->datapath, &config, NULL);
	g_assert(!err);
}

static void start_reconcilers(struct policy_kernel *kernel)
{
	int err;

	kernel->reconcilers = reconcilers_new(kernel->store, &kernel->tables, kernel->datapath);
	reconcilers_set_version_source(kernel->reconcilers, take_version, kernel);
	policy_activation_watch(kernel->activation);
	err = reconcilers_adopt(kernel->reconcilers, NULL);
	g_assert(!err);
	store_settle(kernel->store);
	reconcilers_allow_deletion(kernel->reconcilers);
	policy_activation_allow_release(kernel->activation);
	store_settle(kernel->store);
}

/* What was synced at once; with nothing in it. */
static void make_store(struct policy_kernel *kernel)
{
	struct addr router4 = policy_kernel_addr("10.200.255.1");
	struct addr router6 = policy_kernel_addr("fd00:200::ffff");
	struct table **tables;

	kernel->store = tables_new(&kernel->tables);
	kernel->derive = derive_new(kernel->store, &kernel->tables, &kernel->config, NULL);
	kernel->activation = policy_activation_new(&(const struct policy_activation_parts){
		.store = kernel->store,
		.tables = &kernel->tables,
		.derive = kernel->derive,
		.is_failing = is_failing,
		.on_waiting = count_waiting,
		.data = kernel,
	});
	tables = (struct table *[]){
		kernel->tables.namespaces,  kernel->tables.nodes,    kernel->tables.pods,
		kernel->tables.policies,    kernel->tables.services, kernel->tables.endpoint_slices,
		kernel->tables.cidr_groups,
	};
	for (unsigned int i = 0; i < 7; i++)
		table_set_synced(tables[i]);
	derive_set_router(kernel->derive, &router4, &router6);
}

void policy_kernel_init(struct policy_kernel *kernel, const struct derive_config *config,
			uint32_t max_prefixes)
{
	*kernel = (struct policy_kernel){.config = *config};
	kernel->config.node_name = "node1";
	kernel->config.cluster_name = "default";
	kernel->config.enable_ipv4 = kernel->config.enable_ipv6 = true;
	kernel->config.enable_non_default_deny = true;
	memset(kernel->config.enable_policy_kind, true, sizeof(kernel->config.enable_policy_kind));
	g_assert(!cidr_parse("10.200.0.0/16", &kernel->config.ipv4_range));
	g_assert(!cidr_parse("fd00:200::/64", &kernel->config.ipv6_range));
	make_store(kernel);
	policy_activation_begin(kernel->activation);
	store_settle(kernel->store);
	make_datapath(kernel, max_prefixes);
	start_reconcilers(kernel);
}

struct copy {
	struct txn *txn;
	struct table *to;
};

static bool copy_row(const struct row *row, void *data)
{
	struct copy *copy = data;

	txn_put(copy->txn, copy->to, row_ref(row));
	return true;
}

static void copy_table(const struct table *from, struct table *to, struct txn *txn)
{
	struct copy copy = {txn, to};

	table_foreach (from, copy_row, &copy)
		;
}

void policy_kernel_restart(struct policy_kernel *kernel,
			   void (*change)(struct policy_kernel *kernel))
{
	struct policy_kernel before = *kernel;
	struct txn *txn;

	reconcilers_free(before.reconcilers);
	kernel->reconcilers = NULL;
	make_store(kernel);
	txn = txn_new(kernel->store);
	copy_table(before.tables.identities, kernel->tables.identities, txn);
	copy_table(before.tables.endpoints, kernel->tables.endpoints, txn);
	copy_table(before.tables.policies, kernel->tables.policies, txn);
	txn_commit(txn);
	change(kernel);
	policy_activation_begin(kernel->activation);
	store_settle(kernel->store);
	start_reconcilers(kernel);
	policy_activation_free(before.activation);
	derive_free(before.derive);
	store_free(before.store);
}

void policy_kernel_fini(struct policy_kernel *kernel)
{
	fake_set_write_observer(kernel->datapath, NULL, NULL);
	reconcilers_free(kernel->reconcilers);
	kernel->datapath->ops->free(kernel->datapath);
	policy_activation_free(kernel->activation);
	derive_free(kernel->derive);
	store_free(kernel->store);
}

/* ---- what is wanted ---- */

void policy_kernel_put(struct policy_kernel *kernel, struct table *table, struct row *take_row)
{
	struct txn *txn = txn_new(kernel->store);

	txn_put(txn, table, take_row);
	txn_commit(txn);
	store_settle(kernel->store);
}

void policy_kernel_remove(struct policy_kernel *kernel, struct table *table, const char *key)
{
	struct txn *txn = txn_new(kernel->store);

	txn_remove(txn, table, key, strlen(key));
	txn_commit(txn);
	store_settle(kernel->store);
}

void policy_kernel_remove_policy(struct policy_kernel *kernel, const char *name)
{
	g_autofree char *key =
		g_strdup_printf("%s/%s", policy_kind_name(POLICY_KIND_CLUSTERWIDE), name);

	policy_kernel_remove(kernel, kernel->tables.policies, key);
}

void policy_kernel_put_group(struct policy_kernel *kernel, const char *name, const char *cidrs)
{
	struct cidr_group *group;
	g_auto(GStrv) words = NULL;

	if (!cidrs) {
		policy_kernel_remove(kernel, kernel->tables.cidr_groups, name);
		return;
	}
	group = (struct cidr_group *)row_new(&cidr_group_class);
	object_meta_init(&group->meta, NULL, name);
	group->cidrs = g_array_new(false, false, sizeof(struct cidr));
	words = g_strsplit(cidrs, " ", -1);
	for (unsigned int i = 0; words[i]; i++) {
		struct cidr cidr;
		int err = cidr_parse(words[i], &cidr);

		g_assert(!err);
		g_array_append_val(group->cidrs, cidr);
	}
	policy_kernel_put(kernel, kernel->tables.cidr_groups, &group->row);
}

static void add_addrs(struct endpoint_slice *slice, const char *text)
{
	g_auto(GStrv) words = g_strsplit(text, " ", -1);

	for (unsigned int i = 0; words[i]; i++) {
		struct slice_endpoint endpoint = {
			.addr = policy_kernel_addr(words[i]),
			.flags = SLICE_ENDPOINT_READY,
		};

		endpoint_slice_add(slice, &endpoint);
	}
}

void policy_kernel_put_service(struct policy_kernel *kernel, const char *name, const char *addrs)
{
	g_autofree char *service_key = g_strconcat("default/", name, NULL);
	g_autofree char *slice_key = g_strconcat("EndpointSlice/default/", name, NULL);
	struct tables *tables = &kernel->tables;
	struct txn *txn = txn_new(kernel->store);

	if (addrs) {
		struct service *service = (struct service *)row_new(&service_class);
		struct endpoint_slice *slice =
			(struct endpoint_slice *)row_new(&endpoint_slice_class);

		object_meta_init_namespaced(&service->meta, "default", name);
		object_meta_init_namespaced(&slice->meta, "default", name);
		g_free(slice->meta.key);
		slice->meta.key = g_strdup(slice_key);
		slice->meta.name = strrchr(slice->meta.key, '/') + 1;
		endpoint_slice_init(slice, name);
		add_addrs(slice, addrs);
		txn_put(txn, tables->services, &service->row);
		txn_put(txn, tables->endpoint_slices, &slice->row);
	} else {
		txn_remove(txn, tables->services, service_key, strlen(service_key));
		txn_remove(txn, tables->endpoint_slices, slice_key, strlen(slice_key));
	}
	txn_commit(txn);
	store_settle(kernel->store);
}

void policy_kernel_put_node(struct policy_kernel *kernel, const char *name, const char *addrs,
			    const char *label)
{
	g_autofree char *key = g_strconcat("Node/", name, NULL);
	g_auto(GStrv) words = addrs ? g_strsplit(addrs, " ", -1) : NULL;
	struct node *node;

	if (!addrs) {
		policy_kernel_remove(kernel, kernel->tables.nodes, key);
		return;
	}
	node = node_new("Node", name);
	for (unsigned int i = 0; words[i]; i++) {
		struct node_address address = {
			.type = NODE_ADDRESS_INTERNAL,
			.addr = policy_kernel_addr(words[i]),
		};

		g_array_append_val(node->addresses, address);
	}
	if (label) {
		struct label parsed;
		int err = label_parse(label, &parsed);

		g_assert(!err);
		object_meta_take_labels(&node->meta, label_set_new(&parsed, 1));
		label_fini(&parsed);
	}
	policy_kernel_put(kernel, kernel->tables.nodes, &node->row);
}

void policy_kernel_put_endpoint(struct policy_kernel *kernel, uint16_t id, const char *app)
{
	struct endpoint *endpoint = endpoint_new();
	struct label label = {.source = "k8s", .key = "app", .value = app};
	g_autofree char *addr4 = g_strdup_printf("10.200.0.%u", id);
	g_autofree char *addr6 = g_strdup_printf("fd00:200::%x", id);

	endpoint->id = id;
	endpoint->generation = id;
	endpoint->container_id = g_strdup_printf("c%u", id);
	endpoint->container_ifname = g_strdup("eth0");
	endpoint->host_ifname = g_strdup_printf("lxc%u", id);
	endpoint->ifindex = 1000 + id;
	label_set_unref(endpoint->runtime_labels);
	endpoint->runtime_labels = label_set_new(&label, 1);
	endpoint->addr4 = policy_kernel_addr(addr4);
	endpoint->addr6 = policy_kernel_addr(addr6);
	policy_kernel_put(kernel, kernel->tables.endpoints, &endpoint->row);
}

void policy_kernel_remove_endpoint(struct policy_kernel *kernel, uint16_t id)
{
	struct txn *txn = txn_new(kernel->store);

	txn_remove(txn, kernel->tables.endpoints, &id, sizeof(id));
	txn_commit(txn);
	store_settle(kernel->store);
}

/* ---- what the kernel says ---- */

uint32_t policy_kernel_identity(const struct policy_kernel *kernel, const struct addr *addr)
{
	struct endpoint_key endpoint_key = {.addr = *addr};
	struct ipcache_key key = {.addr = *addr};
	struct cidr cidr = cidr_from_addr(addr);
	const struct endpoint_info *endpoint =
		fake_map_value(kernel->datapath, PLAN_MAP_cilium_lxc, &endpoint_key);
	const struct ipcache_info *info =
		fake_map_value(kernel->datapath, PLAN_MAP_cilium_ipcache, &key);

	if (endpoint && !(endpoint->flags & ENDPOINT_F_HOST))
		return endpoint->identity;
	for (int len = 128; !info && len >= 0; len--) {
		struct cidr around = cidr_truncate(&cidr, len);
		struct ipcache_prefix_key prefix = {.prefix_len = len, .addr = around.addr};

		info = fake_map_value(kernel->datapath, PLAN_MAP_cilium_ipcache_prefix, &prefix);
	}
	return info ? info->identity : 0;
}

static uint8_t class_verdict(const struct policy_kernel *kernel, const struct policy_peer *peer)
{
	for (int len = 16; len >= 0; len--) {
		struct policy_class_key key = {
			.class = peer->class,
			.protocol = IPPROTO_TCP,
			.prefix_len = len,
			.port = htons(80 & ~(0xffff >> len)),
		};
		const struct policy_leaf *leaf = NULL;

		if (peer->prefix_lens & (1u << len))
			leaf = fake_map_value(kernel->datapath, PLAN_MAP_cilium_policy_class, &key);
		if (leaf)
			return leaf->verdict;
	}
	return peer->otherwise.verdict;
}

bool policy_kernel_allows(const struct policy_kernel *kernel, uint16_t endpoint_id,
			  enum policy_direction direction, const struct addr *addr)
{
	struct policy_endpoint element =
		kernel->datapath->ops->policy_get(kernel->datapath, endpoint_id);
	struct policy_peer_key key = {
		.version = element.version,
		.identity = policy_kernel_identity(kernel, addr),
		.direction = direction,
	};
	uint32_t open = direction == POLICY_INGRESS ? POLICY_F_OPEN_INGRESS : POLICY_F_OPEN_EGRESS;
	const struct policy_peer *peer;

	if (!element.version)
		return false;
	if (element.flags & open)
		return true;
	peer = fake_map_value(kernel->datapath, PLAN_MAP_cilium_policy_peer, &key);
	if (!peer && !(element.flags & POLICY_F_INCOMPLETE)) {
		key.identity = POLICY_IDENTITY_OTHERS;
		peer = fake_map_value(kernel->datapath, PLAN_MAP_cilium_policy_peer, &key);
	}
	return peer && class_verdict(kernel, peer) == POLICY_VERDICT_ALLOW;
}
