// SPDX-License-Identifier: Apache-2.0
#include "src/derive/policy_world_test.h"

#include <string.h>
#include "src/base/intern.h"
#include "src/derive/slice_index.h"
#include "src/model/cidr_group.h"
#include "src/model/endpoint.h"
#include "src/model/identity.h"
#include "src/model/pod.h"

void policy_world_init(struct policy_world *world)
{
	*world = (struct policy_world){
		.config =
			{
				.node_name = "node1",
				.cluster_name = "default",
				.enable_ipv4 = true,
				.enable_ipv6 = true,
				.enable_non_default_deny = true,
				.enable_policy_kind = {true, true, true},
			},
	};
	world->store = tables_new(&world->tables);
	world->named_ports = policy_named_ports_new();
	world->derivation =
		policy_derivation_new(world->store, &world->tables, &world->config, NULL,
				      world->named_ports, slice_index_new(&world->tables));
}

void policy_world_fini(struct policy_world *world)
{
	policy_derivation_free(world->derivation);
	policy_named_ports_free(world->named_ports);
	store_free(world->store);
}

void policy_world_set_synced(struct policy_world *world)
{
	table_set_synced(world->tables.active_policies);
	table_set_synced(world->tables.pods);
	table_set_synced(world->tables.namespaces);
	table_set_synced(world->tables.active_cidr_groups);
	table_set_synced(world->tables.services);
	table_set_synced(world->tables.endpoint_slices);
	store_settle(world->store);
}

static void put(struct policy_world *world, struct table *table, struct row *row)
{
	struct txn *txn = txn_new(world->store);

	txn_put(txn, table, row);
	txn_commit(txn);
	store_settle(world->store);
}

static void take_out(struct policy_world *world, struct table *table, const void *key, size_t n)
{
	struct txn *txn = txn_new(world->store);

	txn_remove(txn, table, key, n);
	txn_commit(txn);
	store_settle(world->store);
}

static const struct label_set *parse_labels(const char *text)
{
	const struct label_set *set = NULL;
	int err = label_set_parse(text, &set);

	g_assert(!err);
	return set;
}

void policy_world_put_identity(struct policy_world *world, uint32_t number, const char *labels)
{
	struct identity *identity = (struct identity *)row_new(&identity_class);

	identity->number = number;
	identity->labels = parse_labels(labels);
	put(world, world->tables.identities, &identity->row);
}

void policy_world_remove_identity(struct policy_world *world, uint32_t number)
{
	take_out(world, world->tables.identities, &number, sizeof(number));
}

void policy_world_put_endpoint(struct policy_world *world, uint16_t id, uint32_t identity,
			       const char *labels, const char *pod)
{
	struct endpoint_state *state = (struct endpoint_state *)row_new(&endpoint_state_class);
	struct endpoint *endpoint = endpoint_new();

	state->id = id;
	state->identity = identity;
	state->labels = parse_labels(labels);
	state->disabled_labels = parse_labels("");
	state->identity_labels = parse_labels(labels);
	endpoint->id = id;
	endpoint->namespace = pod ? g_strndup(pod, strcspn(pod, "/")) : NULL;
	endpoint->pod_name = pod ? g_strdup(strchr(pod, '/') + 1) : NULL;
	put(world, world->tables.endpoints, &endpoint->row);
	put(world, world->tables.endpoint_states, &state->row);
}

void policy_world_remove_endpoint(struct policy_world *world, uint16_t id)
{
	take_out(world, world->tables.endpoint_states, &id, sizeof(id));
	take_out(world, world->tables.endpoints, &id, sizeof(id));
}

void policy_world_put_pod(struct policy_world *world, const char *key, const char *port_name,
			  uint8_t protocol, uint16_t number)
{
	struct pod *pod = (struct pod *)row_new(&pod_class);
	g_autofree char *namespace = g_strndup(key, strcspn(key, "/"));

	object_meta_init_namespaced(&pod->meta, namespace, strchr(key, '/') + 1);
	if (port_name)
		pod_add_port(pod, port_name, protocol, number);
	put(world, world->tables.pods, &pod->row);
}

void policy_world_put_group(struct policy_world *world, const char *name, const char *cidrs)
{
	struct cidr_group *group;
	g_auto(GStrv) words = NULL;

	if (!cidrs) {
		take_out(world, world->tables.active_cidr_groups, name, strlen(name));
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
	put(world, world->tables.active_cidr_groups, &group->row);
}

void policy_world_put_policy(struct policy_world *world, struct policy *take_policy)
{
	put(world, world->tables.active_policies, &take_policy->row);
}

static char *policy_key(const char *name)
{
	return g_strconcat(policy_kind_name(POLICY_KIND_CLUSTERWIDE), "/", name, NULL);
}

void policy_world_remove_policy(struct policy_world *world, const char *name)
{
	g_autofree char *key = policy_key(name);

	take_out(world, world->tables.active_policies, key, strlen(key));
}

struct policy *test_policy_new(const char *name)
{
	struct policy *policy = policy_new();

	policy->kind = POLICY_KIND_CLUSTERWIDE;
	object_meta_init(&policy->meta, policy_kind_name(policy->kind), name);
	return policy;
}

/* All labels of "k8s:app=a,k8s:tier=b" are wanted. */
static const struct selector *label_selector(const char *text)
{
	g_auto(GStrv) words = g_strsplit(text, ",", -1);
	const struct selector *selector = selector_new_labels(NULL, 0);

	for (unsigned int i = 0; words[i]; i++) {
		const struct selector *before = selector, *one;
		const char *values[] = {NULL, NULL};
		struct label label;
		int err = label_parse(words[i], &label);
		struct requirement requirement = {.op = REQUIREMENT_IN, .values = values};

		g_assert(!err);
		values[0] = label.value;
		requirement.source = label.source;
		requirement.key = label.key;
		one = selector_new_labels(&requirement, 1);
		selector = selector_and(before, one);
		selector_unref(before);
		selector_unref(one);
		label_fini(&label);
	}
	return selector;
}

const struct selector *test_selector(const char *text)
{
	g_auto(GStrv) words = g_strsplit(text, " ", -1);
	g_autoptr(GArray) excepts = g_array_new(false, false, sizeof(struct cidr));
	struct cidr cidr, except;

	if (!*text)
		return selector_new_labels(NULL, 0);
	if (strcmp(text, "nobody") == 0)
		return selector_new_nobody();
	if (g_str_has_prefix(text, "group:"))
		return selector_new_cidr_group(text + strlen("group:"), NULL, NULL);
	if (cidr_parse(words[0], &cidr))
		return label_selector(text);
	for (unsigned int i = 1; words[i]; i++) {
		int err = cidr_parse(words[i], &except);

		g_assert(!err);
		g_array_append_val(excepts, except);
	}
	return selector_new_cidr(&cidr, excepts);
}

struct policy_spec *test_policy_add_spec(struct policy *policy, const char *subject)
{
	struct policy_spec *spec = policy_spec_new();

	selector_unref(spec->subject);
	spec->subject = test_selector(subject);
	spec->labels = parse_labels("");
	g_ptr_array_add(policy->specs, spec);
	return spec;
}

struct policy_rule *test_policy_add_rule(struct policy *policy, struct policy_spec *spec,
					 enum policy_direction direction, bool deny)
{
	struct policy_rule *rule = policy_rule_new(direction, deny);

	rule->path =
		g_strdup_printf("specs[%u].rule[%u]", policy->specs->len - 1, spec->rules->len);
	rule->number = policy_rule_number(policy->meta.key, rule->path);
	rule->any_peer = true;
	g_ptr_array_add(spec->rules, rule);
	return rule;
}

void test_policy_add_peer(struct policy_rule *rule, const char *peer)
{
	rule->any_peer = false;
	g_ptr_array_add(rule->peers, (void *)test_selector(peer));
}

void test_policy_add_port(struct policy_rule *rule, uint8_t protocol, uint16_t first, uint16_t last)
{
	struct policy_port port = {
		.protocol = protocol,
		.port = first,
		.end_port = last,
		.all_ports = first == 0 && last == UINT16_MAX,
	};

	g_array_append_val(rule->ports, port);
}

void test_policy_add_named_port(struct policy_rule *rule, uint8_t protocol, const char *name)
{
	struct policy_port port = {.protocol = protocol, .name = intern_new(name)};

	g_array_append_val(rule->ports, port);
}

const struct endpoint_policy *policy_world_get_endpoint(struct policy_world *world, uint16_t id)
{
	return (const struct endpoint_policy *)table_get(world->tables.endpoint_policies, &id,
							 sizeof(id));
}

const struct rule_set *policy_world_get_rule_set(struct policy_world *world, uint16_t id)
{
	const struct endpoint_policy *policy = policy_world_get_endpoint(world, id);

	return policy ? (const struct rule_set *)table_get(world->tables.rule_sets,
							   &policy->rule_set,
							   sizeof(policy->rule_set))
		      : NULL;
}

struct policy_leaf policy_world_judge(struct policy_world *world, uint16_t id,
				      enum policy_direction direction, uint32_t identity,
				      uint8_t protocol, uint16_t port)
{
	const struct rule_set *set = policy_world_get_rule_set(world, id);

	g_assert(set);
	return rule_class_judge(rule_set_get_class(set, direction, identity), protocol, port);
}
