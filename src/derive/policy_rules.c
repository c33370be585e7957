// SPDX-License-Identifier: Apache-2.0
#include "src/derive/policy_rules_private.h"

#include <stdlib.h>
#include <string.h>
#include "src/derive/policy_class.h"
#include "src/model/identity.h"
#include "src/model/pod.h"

/* Classes that are remembered beyond those of the peers that there are. */
#define MAX_SPARE_CLASSES 1024

static void unref_class(void *class)
{
	rule_class_unref(class);
}

static void unref_bytes(void *bytes)
{
	g_bytes_unref(bytes);
}

static void unref_array(void *array)
{
	g_array_unref(array);
}

static void free_rule(void *pointer)
{
	struct placed_rule *rule = pointer;

	g_ptr_array_unref(rule->selectors);
	g_array_unref(rule->ports);
	g_free(rule);
}

struct resolution {
	const struct policy_port *port;
	const struct placed_rule *rule;
	GArray *ports;
};

static void add_port(struct resolution *resolution, uint16_t number)
{
	struct policy_port port = *resolution->port;

	port.name = NULL;
	port.port = number;
	port.end_port = number;
	for (unsigned int i = 0; i < resolution->ports->len; i++) {
		const struct policy_port *known =
			&g_array_index(resolution->ports, struct policy_port, i);

		if (known->protocol == port.protocol && !known->all_ports &&
		    known->port == number && known->end_port == number &&
		    known->needs == port.needs)
			return;
	}
	g_array_append_val(resolution->ports, port);
}

static bool covers_identity(const struct placed_rule *rule, uint32_t identity)
{
	for (unsigned int i = 0; i < rule->selectors->len; i++)
		if (policy_selector_has(rule->selectors->pdata[i], identity))
			return true;
	return rule->any_peer;
}

static void add_peer_port(uint32_t identity, uint16_t number, void *data)
{
	struct resolution *resolution = data;

	if (covers_identity(resolution->rule, identity))
		add_port(resolution, number);
}

static void add_own_ports(const GArray *own, struct resolution *resolution)
{
	for (unsigned int i = 0; own && i < own->len; i++) {
		const struct pod_port *port = &g_array_index(own, struct pod_port, i);

		if (port->name == resolution->port->name &&
		    port->protocol == resolution->port->protocol)
			add_port(resolution, port->number);
	}
}

static int compare_ports(const void *pointer_a, const void *pointer_b)
{
	const struct policy_port *a = pointer_a, *b = pointer_b;

	if (a->protocol != b->protocol)
		return a->protocol - b->protocol;
	return a->port != b->port ? a->port - b->port : a->needs - b->needs;
}

/* The ports of the rule as numbers. Those of names are sorted: endpoints come in no order. */
static GArray *resolve_ports(const struct policy_rules_input *input, const struct placed_rule *rule)
{
	struct resolution resolution = {
		.rule = rule,
		.ports = g_array_new(false, false, sizeof(struct policy_port)),
	};
	const GArray *given = rule->rule->ports;

	for (unsigned int i = 0; i < given->len; i++) {
		resolution.port = &g_array_index(given, struct policy_port, i);
		if (!resolution.port->name)
			g_array_append_vals(resolution.ports, resolution.port, 1);
		else if (input->direction == POLICY_INGRESS)
			add_own_ports(input->own_ports, &resolution);
		else
			policy_named_ports_foreach(input->named_ports, resolution.port->name,
						   resolution.port->protocol, add_peer_port,
						   &resolution);
	}
	if (rule->names_ports)
		g_array_sort(resolution.ports, compare_ports);
	return resolution.ports;
}

/* What all rules of a kind that select the endpoint require of its peers; NULL: nothing. */
static const struct selector *find_requirement(const struct policy_rules_input *input, bool deny)
{
	const struct selector *all = NULL;

	for (unsigned int i = 0; i < input->specs->len; i++) {
		const struct compiled_spec *spec = input->specs->pdata[i];
		const GPtrArray *rules = spec->rules[input->direction];

		for (unsigned int j = 0; j < rules->len; j++) {
			const struct compiled_rule *compiled = rules->pdata[j];
			const GPtrArray *
				requires
			= compiled->rule->
				  requires;

			for (unsigned int k = 0; compiled->rule->deny == deny && k < requires->len;
			     k++) {
				const struct selector *before = all;

				if (selector_is_all(requires->pdata[k]))
					continue;
				all = before ? selector_and(before, requires->pdata[k])
					     : selector_ref(requires->pdata[k]);
				selector_unref(before);
			}
		}
	}
	return all;
}

static void add_place(struct policy_rules *rules, struct placed_rule *rule, uint32_t place,
		      struct policy_selector *take_selector)
{
	GArray *places = g_hash_table_lookup(rules->places, take_selector);

	g_ptr_array_add(rule->selectors, take_selector);
	if (!places) {
		places = g_array_new(false, false, sizeof(place));
		g_hash_table_insert(rules->places, take_selector, places);
		g_hash_table_add(take_selector->users, rules);
	} else {
		/* One reference stands for all places. */
		policy_selector_unref(rules->input.selectors, take_selector);
	}
	g_array_append_val(places, place);
}

static void add_selectors(struct policy_rules *rules, struct placed_rule *rule,
			  const struct compiled_rule *compiled, const struct selector *requirement)
{
	uint32_t place = rules->rules->len;

	if (!compiled->rule->narrowed)
		requirement = NULL;
	for (unsigned int i = 0; i < compiled->peers->len; i++)
		if (!requirement && selector_is_all(compiled->peers->pdata[i]))
			rule->any_peer = true;
	for (unsigned int i = 0; !rule->any_peer && i < compiled->peers->len; i++) {
		const struct selector *selector = compiled->peers->pdata[i];
		bool narrow = requirement && selector_get_kind(selector) == SELECTOR_LABELS;

		selector = narrow ? selector_and(selector, requirement) : selector_ref(selector);
		add_place(rules, rule, place,
			  policy_selector_ref(rules->input.selectors, selector));
		selector_unref(selector);
	}
}

static bool names_ports(const struct policy_rule *rule)
{
	for (unsigned int i = 0; i < rule->ports->len; i++)
		if (g_array_index(rule->ports, struct policy_port, i).name)
			return true;
	return false;
}

/* A rule that covers nobody, or nothing, is left out. */
static void add_rule(struct policy_rules *rules, const struct compiled_rule *compiled,
		     const struct selector *requirement)
{
	uint32_t place = rules->rules->len;
	struct placed_rule *rule;

	if (compiled->rule->no_ports || (!compiled->any_peer && !compiled->peers->len))
		return;
	rule = g_new0(struct placed_rule, 1);
	rule->rule = compiled->rule;
	rule->any_peer = compiled->any_peer;
	rule->names_ports = names_ports(compiled->rule);
	rule->selectors = g_ptr_array_new();
	add_selectors(rules, rule, compiled, requirement);
	rule->ports = resolve_ports(&rules->input, rule);
	if (rule->any_peer)
		g_array_append_val(rules->any_peer, place);
	g_ptr_array_add(rules->rules, rule);
}

static void add_rules(struct policy_rules *rules, const struct policy_rules_input *input)
{
	const struct selector *requirements[2];

	for (unsigned int deny = 0; deny < 2; deny++)
		requirements[deny] = find_requirement(input, deny);
	for (unsigned int i = 0; i < input->specs->len; i++) {
		const struct compiled_spec *spec = input->specs->pdata[i];

		for (unsigned int j = 0; j < spec->rules[input->direction]->len; j++) {
			const struct compiled_rule *compiled =
				spec->rules[input->direction]->pdata[j];

			add_rule(rules, compiled, requirements[compiled->rule->deny]);
		}
	}
	for (unsigned int deny = 0; deny < 2; deny++)
		selector_unref(requirements[deny]);
}

static void add_clause(GArray *clauses, const struct placed_rule *rule, uint32_t place,
		       const struct policy_port *port)
{
	uint8_t needs = rule->rule->needs | (port ? port->needs : 0);
	struct policy_clause clause = {
		.step = needs ? POLICY_STEP_NEEDS : POLICY_STEP_ALLOW,
		.needs = needs,
		.order = place,
		.rule = rule->rule->number,
		.names_peers = !rule->any_peer,
		.protocol = port ? port->protocol : 0,
		.first = port && !port->all_ports ? port->port : 0,
		.last = port && !port->all_ports ? port->end_port : UINT16_MAX,
	};

	if (rule->rule->deny)
		clause.step = POLICY_STEP_DENY;
	g_array_append_val(clauses, clause);
}

static void add_rule_clauses(GArray *clauses, const struct policy_rules *rules, uint32_t place)
{
	const struct placed_rule *rule = rules->rules->pdata[place];

	if (!rule->rule->ports->len)
		add_clause(clauses, rule, place, NULL);
	for (unsigned int i = 0; i < rule->ports->len; i++)
		add_clause(clauses, rule, place,
			   &g_array_index(rule->ports, struct policy_port, i));
}

/* What no policy says. */
static void add_reserved_clauses(GArray *clauses, const struct policy_rules *rules, bool localhost)
{
	struct policy_clause clause = {
		.step = POLICY_STEP_ALLOW_LOCALHOST,
		.rule = RULE_NUMBER_ALLOW_LOCALHOST,
		.names_peers = true,
	};

	if (localhost)
		g_array_append_val(clauses, clause);
	clause.step = POLICY_STEP_NOT_ENFORCED;
	clause.rule = RULE_NUMBER_ALLOW_ANY;
	clause.names_peers = false;
	if (!rules->input.enforced)
		g_array_append_val(clauses, clause);
}

/* words: whether the peer is the host, to be allowed; then the places of all rules that cover it. */
static const struct rule_class *make_class(const struct policy_rules *rules, const GArray *words)
{
	g_autoptr(GArray) clauses = g_array_new(false, true, sizeof(struct policy_clause));

	for (unsigned int i = 1; i < words->len; i++)
		add_rule_clauses(clauses, rules, g_array_index(words, uint32_t, i));
	add_reserved_clauses(clauses, rules, g_array_index(words, uint32_t, 0));
	return policy_class_new((struct policy_clause *)(void *)clauses->data, clauses->len);
}

static int compare_numbers(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

bool policy_rules_is_localhost(const struct policy_rules *rules, uint32_t identity)
{
	return identity == IDENTITY_HOST && rules->input.allow_localhost &&
	       rules->input.direction == POLICY_INGRESS;
}

const struct rule_class *policy_rules_class_of(struct policy_rules *rules, const GArray *selected,
					       bool localhost)
{
	g_autoptr(GArray) words = g_array_new(false, false, sizeof(uint32_t));
	uint32_t first = localhost;
	const struct rule_class *class;
	GBytes *key;

	g_array_append_val(words, first);
	g_array_append_vals(words, selected->data, selected->len);
	g_array_append_vals(words, rules->any_peer->data, rules->any_peer->len);
	if (words->len > 2)
		qsort(words->data + sizeof(uint32_t), words->len - 1, sizeof(uint32_t),
		      compare_numbers);
	key = g_bytes_new(words->data, words->len * sizeof(uint32_t));
	class = g_hash_table_lookup(rules->classes, key);
	if (class) {
		g_bytes_unref(key);
		return class;
	}
	class = make_class(rules, words);
	g_hash_table_insert(rules->classes, key, (void *)class);
	return class;
}

struct policy_rules *policy_rules_new(const struct policy_rules_input *input)
{
	struct policy_rules *rules = g_new0(struct policy_rules, 1);
	g_autoptr(GArray) none = g_array_new(false, false, sizeof(uint32_t));

	rules->input = *input;
	rules->rules = g_ptr_array_new_with_free_func(free_rule);
	rules->any_peer = g_array_new(false, false, sizeof(uint32_t));
	rules->places = g_hash_table_new_full(NULL, NULL, NULL, unref_array);
	rules->classes =
		g_hash_table_new_full(g_bytes_hash, g_bytes_equal, unref_bytes, unref_class);
	add_rules(rules, input);
	rules->input.specs = NULL;
	rules->others = rule_class_ref(policy_rules_class_of(rules, none, false));
	return rules;
}

void policy_rules_free(struct policy_rules *rules)
{
	GHashTableIter iter;
	void *selector;

	if (!rules)
		return;
	g_hash_table_iter_init(&iter, rules->places);
	while (g_hash_table_iter_next(&iter, &selector, NULL)) {
		g_hash_table_remove(((struct policy_selector *)selector)->users, rules);
		policy_selector_unref(rules->input.selectors, selector);
	}
	g_hash_table_unref(rules->places);
	g_hash_table_unref(rules->classes);
	g_ptr_array_unref(rules->rules);
	g_array_unref(rules->any_peer);
	rule_class_unref(rules->others);
	g_free(rules);
}

void *policy_rules_get_owner(const struct policy_rules *rules)
{
	return rules->input.owner;
}

enum policy_direction policy_rules_get_direction(const struct policy_rules *rules)
{
	return rules->input.direction;
}

bool policy_rules_is_empty(const struct policy_rules *rules)
{
	return !rules->rules->len;
}

const struct rule_class *policy_rules_get_others(const struct policy_rules *rules)
{
	return rules->others;
}

const struct rule_class *policy_rules_find_class(struct policy_rules *rules, uint32_t identity,
						 const GPtrArray *matching)
{
	g_autoptr(GArray) selected = g_array_new(false, false, sizeof(uint32_t));
	unsigned int n = 0;

	for (unsigned int i = 0; i < matching->len; i++) {
		const GArray *places = g_hash_table_lookup(rules->places, matching->pdata[i]);

		if (places)
			g_array_append_vals(selected, places->data, places->len);
	}
	g_array_sort(selected, compare_numbers);
	for (unsigned int i = 0; i < selected->len; i++) {
		uint32_t place = g_array_index(selected, uint32_t, i);

		if (n == 0 || g_array_index(selected, uint32_t, n - 1) != place)
			g_array_index(selected, uint32_t, n++) = place;
	}
	g_array_set_size(selected, n);
	if (g_hash_table_size(rules->classes) > rules->n_classes_at_first + MAX_SPARE_CLASSES)
		g_hash_table_remove_all(rules->classes);
	return rule_class_ref(
		policy_rules_class_of(rules, selected, policy_rules_is_localhost(rules, identity)));
}

bool policy_rules_are_stale(const struct policy_rules *rules)
{
	for (unsigned int i = 0; i < rules->rules->len; i++) {
		const struct placed_rule *rule = rules->rules->pdata[i];
		g_autoptr(GArray) ports = NULL;

		if (rules->input.direction != POLICY_EGRESS || !rule->names_ports)
			continue;
		ports = resolve_ports(&rules->input, rule);
		if (ports->len != rule->ports->len)
			return true;
		for (unsigned int j = 0; j < ports->len; j++)
			if (compare_ports(&g_array_index(ports, struct policy_port, j),
					  &g_array_index(rule->ports, struct policy_port, j)))
				return true;
	}
	return false;
}
