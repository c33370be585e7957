/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/endpoint_policy_json.h"

#include <string.h>
#include "src/agent/policy_view.h"
#include "src/api/policy_json.h"

static const char *const direction_names[POLICY_DIRECTION__MAX] = {"ingress", "egress"};

const char *endpoint_policy_enforcement(const struct agent *agent, uint16_t id)
{
	static const char *const texts[2][4] = {
		{"none", "ingress", "egress", "both"},
		{"none", "audit-ingress", "audit-egress", "audit-both"},
	};
	const struct endpoint_policy *policy = policy_view_get(agent, id);
	const struct rule_set *set = policy_view_get_rule_set(agent, id);
	unsigned int enforced = 0;

	for (unsigned int i = 0; set && i < POLICY_DIRECTION__MAX; i++)
		if (set->directions[i].enforced)
			enforced |= 1U << i;
	return texts[policy && policy->audit][enforced];
}

/* ---- identities ---- */

struct identity_lists {
	json_t *allowed;
	json_t *denied;
};

/* As Cilium has them: of those that a rule for all ports lets in or keeps out, 0 for everybody else. */
static void add_identity(struct identity_lists *lists, const struct rule_class *class,
			 uint32_t identity)
{
	if (class->otherwise.verdict == POLICY_VERDICT_ALLOW)
		json_array_append_new(lists->allowed, json_integer(identity));
	else if (class->otherwise.verdict == POLICY_VERDICT_DENY)
		json_array_append_new(lists->denied, json_integer(identity));
}

static void add_identities(json_t *json, const struct rule_set *set,
			   enum policy_direction direction)
{
	struct identity_lists lists = {json_array(), json_array()};
	const struct rule_set_direction *rules = set ? &set->directions[direction] : NULL;
	g_autofree char *allowed =
		g_strdup_printf("allowed-%s-identities", direction_names[direction]);
	g_autofree char *denied =
		g_strdup_printf("denied-%s-identities", direction_names[direction]);

	if (rules) {
		add_identity(&lists, rules->others, POLICY_IDENTITY_OTHERS);
		for (unsigned int i = 0; i < rules->n_peers; i++)
			add_identity(&lists, rules->peers[i].class, rules->peers[i].identity);
	}
	json_object_set_new(json, allowed, lists.allowed);
	json_object_set_new(json, denied, lists.denied);
}

/* ---- rules by port, and by prefix ---- */

struct rule_lists {
	json_t *by_text[POLICY_DIRECTION__MAX]; /* text to PolicyRule, of l4 */
	json_t *by_cidr[POLICY_DIRECTION__MAX]; /* prefix to PolicyRule, of cidr-policy */
};

static json_t *label_texts(const struct label_set *labels)
{
	json_t *list = json_array();

	for (size_t i = 0; labels && i < label_set_n(labels); i++) {
		g_autofree char *text = label_format(label_set_get(labels, i));

		json_array_append_new(list, json_string(text));
	}
	return list;
}

/* PolicyRule under its text; takes labels. */
static json_t *add_rule(json_t *rules, const char *text, json_t *take_labels)
{
	json_t *rule = json_object_get(rules, text), *origins, *known;
	size_t i;

	if (!rule) {
		rule = json_pack("{s:s, s:[], s:{}}", "rule", text, "derived-from-rules",
				 "rules-by-selector");
		json_object_set_new(rules, text, rule);
	}
	origins = json_object_get(rule, "derived-from-rules");
	json_array_foreach(origins, i, known)
	{
		if (json_equal(known, take_labels)) {
			json_decref(take_labels);
			return rule;
		}
	}
	json_array_append_new(origins, take_labels);
	return rule;
}

static char *port_text(const struct policy_port *port)
{
	json_t *json = json_object();
	g_autofree char *needs = policy_needs_format(port->needs);
	char *dumped, *text;

	if (port->name)
		json_object_set_new(json, "port-name", json_string(port->name));
	json_object_set_new(json, "port", json_integer(port->port));
	if (port->end_port > port->port)
		json_object_set_new(json, "end-port", json_integer(port->end_port));
	json_object_set_new(json, "protocol", json_string(policy_protocol_name(port->protocol)));
	if (needs)
		json_object_set_new(json, "axoneme-refused", json_string(needs));
	dumped = json_dumps(json, JSON_COMPACT);
	text = g_strdup(dumped);
	free(dumped);
	json_decref(json);
	return text;
}

static void add_selectors(json_t *l4, const struct policy_rule *rule, const json_t *labels)
{
	json_t *selectors = json_object_get(l4, "rules-by-selector");

	for (guint i = 0; i < rule->peers->len; i++) {
		const char *text = selector_text(rule->peers->pdata[i]);
		json_t *origins = json_object_get(selectors, text);

		if (!origins) {
			origins = json_array();
			json_object_set_new(selectors, text, origins);
		}
		json_array_append(origins, (json_t *)labels);
	}
}

static void add_port(struct rule_lists *lists, const struct policy_rule *rule,
		     const struct policy_port *port, json_t *labels)
{
	g_autofree char *text = port_text(port);

	add_selectors(add_rule(lists->by_text[rule->direction], text, json_incref(labels)), rule,
		      labels);
}

static void add_prefixes(struct rule_lists *lists, const struct policy_rule *rule, json_t *labels)
{
	for (guint i = 0; i < rule->peers->len; i++) {
		const struct selector *peer = rule->peers->pdata[i];
		char text[CIDR_TEXT_BYTES];

		if (selector_get_kind(peer) == SELECTOR_CIDR)
			add_rule(lists->by_cidr[rule->direction],
				 cidr_format(selector_get_cidr(peer), text), json_incref(labels));
	}
}

static void add_spec(const struct policy *policy, const struct policy_spec *spec, const char *path,
		     void *data)
{
	json_t *labels = label_texts(spec->labels);

	for (guint i = 0; i < spec->rules->len; i++) {
		const struct policy_rule *rule = spec->rules->pdata[i];
		static const struct policy_port any = {0};

		add_prefixes(data, rule, labels);
		for (guint j = 0; j < rule->ports->len; j++)
			add_port(data, rule, &g_array_index(rule->ports, struct policy_port, j),
				 labels);
		if (!rule->ports->len && !rule->no_ports)
			add_port(data, rule, &any, labels);
	}
	json_decref(labels);
}

/* The values, in the order of their texts. Takes rules. */
static json_t *take_values(json_t *take_rules)
{
	json_t *list = json_array(), *rule;
	const char *text;

	json_object_foreach(take_rules, text, rule) json_array_append(list, rule);
	json_decref(take_rules);
	return list;
}

static void add_rules(json_t *json, const struct agent *agent, uint16_t id)
{
	struct rule_lists lists;

	for (unsigned int i = 0; i < POLICY_DIRECTION__MAX; i++) {
		lists.by_text[i] = json_object();
		lists.by_cidr[i] = json_object();
	}
	policy_view_foreach_spec(agent, id, add_spec, &lists);
	json_object_set_new(json, "l4", json_object());
	json_object_set_new(json, "cidr-policy", json_object());
	for (unsigned int i = 0; i < POLICY_DIRECTION__MAX; i++) {
		json_object_set_new(json_object_get(json, "l4"), direction_names[i],
				    take_values(lists.by_text[i]));
		json_object_set_new(json_object_get(json, "cidr-policy"), direction_names[i],
				    take_values(lists.by_cidr[i]));
	}
}

static json_t *with_revision(const json_t *common, uint64_t revision)
{
	json_t *json = json_copy((json_t *)common);

	json_object_set_new(json, "build", json_integer((json_int_t)revision));
	json_object_set_new(json, "policy-revision", json_integer((json_int_t)revision));
	return json;
}

/* What is realized is, where the new rules do not fit, of an older revision; which rules, only the maps know. */
json_t *endpoint_policy_to_json(const struct agent *agent, uint16_t id)
{
	const struct rule_set *set = policy_view_get_rule_set(agent, id);
	struct reconciler_policy applied = {0};
	json_t *common = json_pack("{s:i, s:s}", "id", id, "policy-enabled",
				   endpoint_policy_enforcement(agent, id));
	json_t *json;

	if (agent->reconcilers)
		(void)!reconcilers_policy_get(agent->reconcilers, id, &applied);
	for (unsigned int i = 0; i < POLICY_DIRECTION__MAX; i++)
		add_identities(common, set, i);
	add_rules(common, agent, id);
	json = json_pack("{s:o, s:o}", "realized",
			 with_revision(common, applied.realized_policy_revision), "spec",
			 with_revision(common, applied.wanted_policy_revision));
	json_decref(common);
	return json;
}
