/* SPDX-License-Identifier: Apache-2.0 */
#include "test/policy/plan.h"

#include <linux/rtnetlink.h>
#include <string.h>
#include "src/agent/wiring.h"
#include "src/datapath/reconciler.h"
#include "src/derive/derive.h"
#include "src/derive/policy_activation.h"
#include "src/model/device.h"
#include "src/model/endpoint.h"
#include "src/model/identity.h"
#include "src/model/ipcache_entry.h"
#include "src/model/rule_set.h"
#include "src/model/source_problem.h"
#include "src/source/file_set.h"
#include "test/policy/world.h"

struct plan {
	struct config *config;
	struct derive_config derive_config;
	struct store *store;
	struct tables tables;
	struct derive *derive;
	struct policy_activation *activation;
	uint32_t last_version;
	struct file_set *files;
	struct datapath *datapath;
	struct reconcilers *reconcilers;
	GPtrArray *arguments; /* char *; the configuration points into them */
	GHashTable *texts;    /* file name to its text */
	GPtrArray *endpoints; /* char *, each as its JSON, by number */
};

static void load_config(struct plan *plan, const json_t *world)
{
	static char *environment[] = {(char *)"K8S_NODE_NAME=" WORLD_NODE, NULL};
	g_autoptr(GError) error = NULL;
	const char *key;
	json_t *value;

	plan->arguments = g_ptr_array_new_with_free_func(g_free);
	g_ptr_array_add(plan->arguments, g_strdup("cilium-agent"));
	json_object_foreach(json_object_get(world, "config"), key, value) g_ptr_array_add(
		plan->arguments, g_strdup_printf("--%s=%s", key, json_string_value(value)));
	g_ptr_array_add(plan->arguments, NULL);
	if (config_load(plan->arguments->len - 1, (char *const *)plan->arguments->pdata,
			environment, &plan->config, &error))
		g_error("configuration: %s", error->message);
	wiring_init_derive(config_get_settings(plan->config), &plan->derive_config);
}

static int take_version(uint32_t *ret_version, void *data)
{
	struct plan *plan = data;

	*ret_version = ++plan->last_version;
	return 0;
}

static bool entry_is_failing(enum plan_map map, const void *key, size_t n_bytes, void *data)
{
	const struct plan *plan = data;

	return plan->reconcilers &&
	       reconcilers_entry_is_failing(plan->reconcilers, map, key, n_bytes);
}

static void ignore_problem(const struct source_problem *problem, void *data)
{
}

static void add_address(struct device *device, const char *text, uint8_t prefix_len)
{
	struct device_address address = {.scope = RT_SCOPE_UNIVERSE, .prefix_len = prefix_len};

	if (addr_parse(text, &address.addr))
		g_error("not an address: %s", text);
	g_array_append_val(device->addresses, address);
}

static void put_device(struct plan *plan, uint32_t ifindex, const char *name, const char *ipv4,
		       const char *ipv6)
{
	struct device *device = (struct device *)row_new(&device_class);
	struct txn *txn = txn_new(plan->store);

	device->ifindex = ifindex;
	device->name = g_strdup(name);
	device->mtu = 1500;
	device->up = device->has_mac = true;
	device->default_route = !strcmp(name, "eth0");
	device->addresses = g_array_new(false, false, sizeof(struct device_address));
	add_address(device, ipv4, ADDR_V4_PREFIX_BITS + 24);
	if (plan->derive_config.enable_ipv6)
		add_address(device, ipv6, 64);
	txn_put(txn, plan->tables.devices, &device->row);
	txn_commit(txn);
}

static void set_router(struct plan *plan)
{
	struct addr routers[2] = {0};
	int err = addr_parse("10.1.0.1", &routers[0]);

	if (plan->derive_config.enable_ipv6)
		err = err ? err : addr_parse("fd01::1", &routers[1]);
	g_assert(!err);
	derive_set_router(plan->derive, &routers[0], &routers[1]);
}

/* Manifests come later, one change after the other, as they do to an agent that runs. */
static void set_synced(struct plan *plan)
{
	struct table *const sources[] = {
		plan->tables.namespaces,      plan->tables.nodes,    plan->tables.pods,
		plan->tables.policies,        plan->tables.services, plan->tables.cidr_groups,
		plan->tables.endpoint_slices,
	};

	for (unsigned int i = 0; i < G_N_ELEMENTS(sources); i++)
		table_set_synced(sources[i]);
}

static void start_datapath(struct plan *plan)
{
	struct datapath_config config;
	g_autoptr(GError) error = NULL;

	plan->datapath = datapath_fake_new();
	wiring_init_datapath(config_get_settings(plan->config), 1 << 30, &config);
	if (plan->datapath->ops->load(plan->datapath, &config, &error))
		g_error("load: %s", error->message);
	plan->reconcilers = reconcilers_new(plan->store, &plan->tables, plan->datapath);
	reconcilers_set_version_source(plan->reconcilers, take_version, plan);
	policy_activation_watch(plan->activation);
	if (reconcilers_adopt(plan->reconcilers, &error))
		g_error("adopt: %s", error->message);
	reconcilers_allow_deletion(plan->reconcilers);
	store_settle(plan->store);
	policy_activation_allow_release(plan->activation);
}

struct plan *plan_new(const json_t *world)
{
	struct plan *plan = g_new0(struct plan, 1);
	g_autoptr(GError) error = NULL;

	load_config(plan, world);
	plan->texts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	plan->endpoints = g_ptr_array_new_with_free_func(g_free);
	plan->store = tables_new(&plan->tables);
	plan->derive = derive_new(plan->store, &plan->tables, &plan->derive_config, &error);
	if (!plan->derive)
		g_error("derive: %s", error->message);
	plan->activation = policy_activation_new(&(const struct policy_activation_parts){
		.store = plan->store,
		.tables = &plan->tables,
		.derive = plan->derive,
		.is_failing = entry_is_failing,
		.data = plan,
	});
	plan->files = file_set_new(plan->store, &plan->tables, ignore_problem, NULL);
	set_synced(plan);
	policy_activation_begin(plan->activation);
	start_datapath(plan);
	put_device(plan, 2, "eth0", WORLD_NODE_IPV4, WORLD_NODE_IPV6);
	put_device(plan, 3, "cilium_host", "10.1.0.1", "fd01::1");
	set_router(plan);
	plan_update(plan, world);
	return plan;
}

void plan_free(struct plan *plan)
{
	if (!plan)
		return;
	reconcilers_free(plan->reconcilers);
	plan->datapath->ops->free(plan->datapath);
	file_set_free(plan->files);
	policy_activation_free(plan->activation);
	derive_free(plan->derive);
	store_free(plan->store);
	wiring_fini_derive(&plan->derive_config);
	config_free(plan->config);
	g_ptr_array_unref(plan->arguments);
	g_hash_table_unref(plan->texts);
	g_ptr_array_unref(plan->endpoints);
	g_free(plan);
}

static char *file_name(const json_t *object)
{
	const char *namespace = object_text(object, "metadata", "namespace");

	return g_strdup_printf("%s-%s-%s.json", object_text(object, "kind", NULL),
			       namespace ? namespace : "", object_text(object, "metadata", "name"));
}

static void put_file(struct plan *plan, const json_t *object, GHashTable *ret_seen)
{
	g_autofree char *name = file_name(object);
	g_autofree char *text = json_dumps(object, JSON_INDENT(1));

	g_hash_table_add(ret_seen, g_strdup(name));
	if (!g_strcmp0(g_hash_table_lookup(plan->texts, name), text))
		return;
	file_set_put(plan->files, name, text, strlen(text));
	g_hash_table_replace(plan->texts, g_steal_pointer(&name), g_steal_pointer(&text));
}

static void put_objects(struct plan *plan, const json_t *objects)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	GHashTableIter iter;
	const json_t *object;
	void *name;
	size_t i;

	file_set_begin(plan->files);
	json_array_foreach(objects, i, object) put_file(plan, object, seen);
	g_hash_table_iter_init(&iter, plan->texts);
	while (g_hash_table_iter_next(&iter, &name, NULL)) {
		if (g_hash_table_contains(seen, name))
			continue;
		file_set_remove(plan->files, name);
		g_hash_table_iter_remove(&iter);
	}
	file_set_commit(plan->files);
}

static const struct label_set *parse_labels(const json_t *texts)
{
	g_autoptr(GArray) labels = g_array_new(false, false, sizeof(struct label));
	const struct label_set *set;
	const json_t *text;
	size_t i;

	json_array_foreach(texts, i, text)
	{
		struct label label;

		if (label_parse(json_string_value(text), &label))
			g_error("no label: %s", json_string_value(text));
		g_array_append_val(labels, label);
	}
	set = label_set_new((const struct label *)(void *)labels->data, labels->len);
	for (i = 0; i < labels->len; i++)
		label_fini(&g_array_index(labels, struct label, i));
	return set;
}

static void put_endpoint(struct plan *plan, const json_t *object, uint16_t id, struct txn *txn)
{
	struct endpoint *endpoint = endpoint_new();
	const char *pod = object_text(object, "pod", NULL);
	const char *ipv4 = object_text(object, "ipv4", NULL);
	const char *ipv6 = object_text(object, "ipv6", NULL);

	endpoint->id = id;
	endpoint->generation = id;
	endpoint->container_id = g_strdup_printf("c%u", id);
	endpoint->container_ifname = g_strdup("eth0");
	if (pod) {
		g_auto(GStrv) halves = g_strsplit(pod, "/", 2);

		endpoint->namespace = g_strdup(halves[0]);
		endpoint->pod_name = g_strdup(halves[1]);
	}
	label_set_unref(endpoint->runtime_labels);
	endpoint->runtime_labels = parse_labels(json_object_get(object, "labels"));
	endpoint->host_ifname = g_strdup_printf("lxc%u", id);
	endpoint->ifindex = 100 + id;
	endpoint->mac = (struct mac){{2, 0, 0, 0, 0, id}};
	endpoint->host_mac = (struct mac){{2, 0, 0, 0, 1, id}};
	if ((ipv4 && addr_parse(ipv4, &endpoint->addr4)) ||
	    (ipv6 && addr_parse(ipv6, &endpoint->addr6)))
		g_error("an endpoint has no address");
	txn_put(txn, plan->tables.endpoints, &endpoint->row);
}

static void put_endpoints(struct plan *plan, const json_t *endpoints)
{
	struct txn *txn = txn_new(plan->store);
	const json_t *endpoint;
	size_t i;

	json_array_foreach(endpoints, i, endpoint)
	{
		g_autofree char *text = json_dumps(endpoint, JSON_SORT_KEYS);

		if (i < plan->endpoints->len && !strcmp(plan->endpoints->pdata[i], text))
			continue;
		put_endpoint(plan, endpoint, i + 1, txn);
		if (i >= plan->endpoints->len)
			g_ptr_array_set_size(plan->endpoints, i + 1);
		g_free(plan->endpoints->pdata[i]);
		plan->endpoints->pdata[i] = g_steal_pointer(&text);
	}
	while (plan->endpoints->len > json_array_size(endpoints)) {
		uint16_t id = plan->endpoints->len;

		txn_remove(txn, plan->tables.endpoints, &id, sizeof(id));
		g_ptr_array_set_size(plan->endpoints, id - 1);
	}
	txn_commit(txn);
}

void plan_update(struct plan *plan, const json_t *world)
{
	put_objects(plan, json_object_get(world, "objects"));
	store_settle(plan->store);
	put_endpoints(plan, json_object_get(world, "endpoints"));
	store_settle(plan->store);
}

static bool take_problem(const struct row *row, void *data)
{
	const struct source_problem *problem = (const struct source_problem *)row;
	char **text = data;

	*text = g_strdup_printf("%s:%u %s: %s", problem->file, problem->line,
				problem->field ? problem->field : "-", problem->reason);
	return false;
}

char *plan_get_problem(const struct plan *plan)
{
	char *text = NULL;

	table_foreach (plan->tables.source_problems, take_problem, &text)
		;
	return text;
}

struct lookup {
	struct addr addr;
	const struct ipcache_entry *best;
};

static bool take_longer(const struct row *row, void *data)
{
	const struct ipcache_entry *entry = (const struct ipcache_entry *)row;
	struct lookup *lookup = data;

	if (cidr_contains(&entry->cidr, &lookup->addr) &&
	    (!lookup->best || lookup->best->cidr.prefix_len < entry->cidr.prefix_len))
		lookup->best = entry;
	return true;
}

uint32_t plan_get_identity(const struct plan *plan, const char *party)
{
	struct lookup lookup = {};

	if (g_str_has_prefix(party, "reserved:")) {
		for (uint32_t i = 1; i < IDENTITY_ALLOCATED_MIN; i++)
			if (!g_strcmp0(identity_reserved_name(i), party + strlen("reserved:")))
				return i;
		return 0;
	}
	if (addr_parse(party, &lookup.addr))
		return 0;
	table_foreach (plan->tables.ipcache, take_longer, &lookup)
		;
	return lookup.best ? lookup.best->identity : 0;
}

/* What the program decides where nothing is looked up. */
static struct policy_leaf plain(enum policy_verdict verdict, uint32_t rule)
{
	return (struct policy_leaf){.verdict = verdict, .rule = rule};
}

struct policy_leaf plan_judge(const struct plan *plan, int endpoint,
			      enum policy_direction direction, uint32_t identity, uint8_t protocol,
			      uint16_t port)
{
	uint16_t id = endpoint + 1;
	const struct endpoint_policy *policy = (const struct endpoint_policy *)table_get(
		plan->tables.endpoint_policies, &id, sizeof(id));
	const struct rule_set *set = policy ? (const struct rule_set *)table_get(
						      plan->tables.rule_sets, &policy->rule_set,
						      sizeof(policy->rule_set))
					    : NULL;

	if (!set)
		return plain(POLICY_VERDICT_DEFAULT_DENY, RULE_NUMBER_NONE);
	if (set->directions[direction].open)
		return plain(POLICY_VERDICT_ALLOW, RULE_NUMBER_ALLOW_ANY);
	return rule_class_judge(rule_set_get_class(set, direction, identity), protocol, port);
}

char *plan_get_rule(const struct plan *plan, uint32_t number)
{
	const struct rule_origin *origin = (const struct rule_origin *)table_get(
		plan->tables.rule_origins, &number, sizeof(number));

	return origin ? g_strdup_printf("%s %s", origin->policy, origin->path) : NULL;
}
