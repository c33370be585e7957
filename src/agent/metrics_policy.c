/* SPDX-License-Identifier: Apache-2.0 */
/* Policies, by tables and by their changes; feature_network_policies_*. */
#include "src/agent/metrics_private.h"

#include <string.h>
#include "src/agent/endpoint_policy_json.h"
#include "src/agent/policy_selectors.h"
#include "src/agent/policy_view.h"
#include "src/model/source_problem.h"

/* What of a policy is counted; the order of features[]. */
enum feature {
	FEATURE_CILIUM,
	FEATURE_CLUSTERWIDE,
	FEATURE_DENY,
	FEATURE_FQDN,
	FEATURE_HOST,
	FEATURE_CIDR_GROUP,
	FEATURE_L3,
	FEATURE_AUTH,
	FEATURE_NO_DEFAULT_DENY,
	FEATURE__MAX,
};

static const enum agent_metric features[FEATURE__MAX] = {
	AGENT_METRIC_feature_network_policies_cilium_network_policies_total,
	AGENT_METRIC_feature_network_policies_cilium_clusterwide_network_policies_total,
	AGENT_METRIC_feature_network_policies_deny_policies_total,
	AGENT_METRIC_feature_network_policies_fqdn_policies_total,
	AGENT_METRIC_feature_network_policies_host_network_policies_total,
	AGENT_METRIC_feature_network_policies_ingress_cidr_group_policies_total,
	AGENT_METRIC_feature_network_policies_l3_policies_total,
	AGENT_METRIC_feature_network_policies_mutual_auth_policies_total,
	AGENT_METRIC_feature_network_policies_non_defaultdeny_policies_total,
};

struct metrics_policy {
	struct tables *tables;
	GHashTable *known; /* key of a policy to its bits of enum feature */
	uint64_t n_added[FEATURE__MAX];
	uint64_t n_deleted[FEATURE__MAX];
	uint64_t n_changed; /* policies that came, changed and went */
	uint64_t n_refused; /* versions that were not accepted */
};

/* ---- what a policy uses ---- */

static unsigned int peer_features(const struct policy_rule *rule, const struct selector *peer)
{
	switch (selector_get_kind(peer)) {
	case SELECTOR_FQDN:
		return 1U << FEATURE_FQDN;
	case SELECTOR_CIDR_GROUP:
		return rule->direction == POLICY_INGRESS ? 1U << FEATURE_CIDR_GROUP : 0;
	default:
		return 0;
	}
}

static unsigned int rule_features(const struct policy_rule *rule)
{
	unsigned int bits = 0;

	if (rule->deny)
		bits |= 1U << FEATURE_DENY;
	if (rule->needs & POLICY_NEEDS_AUTH)
		bits |= 1U << FEATURE_AUTH;
	if (!rule->any_peer)
		bits |= 1U << FEATURE_L3;
	for (guint i = 0; i < rule->peers->len; i++)
		bits |= peer_features(rule, rule->peers->pdata[i]);
	return bits;
}

static unsigned int spec_features(const struct policy_spec *spec)
{
	bool has_rules[POLICY_DIRECTION__MAX] = {false};
	unsigned int bits = spec->selects_nodes ? 1U << FEATURE_HOST : 0;

	for (guint i = 0; i < spec->rules->len; i++) {
		const struct policy_rule *rule = spec->rules->pdata[i];

		has_rules[rule->direction] = true;
		bits |= rule_features(rule);
	}
	for (unsigned int i = 0; i < POLICY_DIRECTION__MAX; i++)
		if (has_rules[i] && !spec->default_deny[i])
			bits |= 1U << FEATURE_NO_DEFAULT_DENY;
	return bits;
}

static unsigned int policy_features(const struct policy *policy)
{
	unsigned int bits = 0;

	if (policy->kind == POLICY_KIND_CILIUM)
		bits |= 1U << FEATURE_CILIUM;
	else if (policy->kind == POLICY_KIND_CLUSTERWIDE)
		bits |= 1U << FEATURE_CLUSTERWIDE;
	for (guint i = 0; i < policy->specs->len; i++)
		bits |= spec_features(policy->specs->pdata[i]);
	return bits;
}

/* ---- changes ---- */

static void count_policy(struct metrics_policy *metrics, const struct row_key *key)
{
	const struct policy *policy = (const struct policy *)table_get(metrics->tables->policies,
								       key->data, key->n_bytes);
	g_autofree char *name = g_strndup(key->data, key->n_bytes);
	unsigned int before = GPOINTER_TO_UINT(g_hash_table_lookup(metrics->known, name));
	unsigned int now = policy ? policy_features(policy) : 0;

	metrics->n_changed++;
	for (unsigned int i = 0; i < FEATURE__MAX; i++) {
		metrics->n_added[i] += (now & ~before) >> i & 1;
		metrics->n_deleted[i] += (before & ~now) >> i & 1;
	}
	if (policy)
		g_hash_table_replace(metrics->known, g_steal_pointer(&name), GUINT_TO_POINTER(now));
	else
		g_hash_table_remove(metrics->known, name);
}

static void on_policies(struct watch *watch, void *data)
{
	struct table *table;
	struct row_key key;

	while (watch_pop(watch, &table, &key))
		count_policy(data, &key);
}

/* A version with several problems is one. */
static void on_problems(struct watch *watch, void *data)
{
	g_autoptr(GHashTable) objects = g_hash_table_new(g_str_hash, g_str_equal);
	struct metrics_policy *metrics = data;
	struct table *table;
	struct row_key key;

	while (watch_pop(watch, &table, &key)) {
		const struct source_problem *problem =
			(const struct source_problem *)table_get(table, key.data, key.n_bytes);

		if (problem && policy_view_is_of_policy(problem))
			metrics->n_refused += g_hash_table_add(objects, problem->object);
	}
}

struct metrics_policy *metrics_policy_new(struct store *store, struct tables *tables)
{
	struct metrics_policy *metrics = g_new0(struct metrics_policy, 1);

	metrics->tables = tables;
	metrics->known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	watch_add(watch_new(store, "metrics-policies", on_policies, metrics), tables->policies);
	watch_add(watch_new(store, "metrics-problems", on_problems, metrics),
		  tables->source_problems);
	return metrics;
}

void metrics_policy_free(struct metrics_policy *metrics)
{
	if (!metrics)
		return;
	g_hash_table_unref(metrics->known);
	g_free(metrics);
}

/* ---- samples ---- */

static bool count_rules(const struct row *row, void *data)
{
	*(unsigned int *)data += ((const struct policy *)row)->specs->len;
	return true;
}

struct enforcement_count {
	const struct agent *agent;
	GHashTable *counts; /* a text that lives for good to its number */
};

static bool count_enforcement(const struct row *row, void *data)
{
	const struct endpoint *endpoint = (const struct endpoint *)row;
	struct enforcement_count *count = data;
	char *text = (char *)endpoint_policy_enforcement(count->agent, endpoint->id);
	unsigned int n = GPOINTER_TO_UINT(g_hash_table_lookup(count->counts, text));

	g_hash_table_insert(count->counts, text, GUINT_TO_POINTER(n + 1));
	return true;
}

/* All of them, so that a dashboard sees a zero and no gap. */
static void add_enforcement(const struct agent *agent, struct metric_set *set)
{
	static const char *const texts[] = {"none",          "ingress",      "egress",    "both",
					    "audit-ingress", "audit-egress", "audit-both"};
	g_autoptr(GHashTable) counts = g_hash_table_new(g_str_hash, g_str_equal);
	struct enforcement_count count = {agent, counts};

	table_foreach (agent->tables.endpoints, count_enforcement, &count)
		;
	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
		metric_set_add(set, AGENT_METRIC_policy_endpoint_enforcement_status,
			       METRIC_LABELS(texts[i]),
			       GPOINTER_TO_UINT(g_hash_table_lookup(counts, texts[i])));
}

static void add_selectors(const struct agent *agent, struct metric_set *set)
{
	unsigned int max[POLICY_SELECTOR__MAX];

	policy_selectors_count_max(agent, max);
	for (enum policy_selector_class class = 0; class < POLICY_SELECTOR__MAX; class ++)
		metric_set_add(set, AGENT_METRIC_policy_selector_match_count_max,
			       METRIC_LABELS(policy_selector_class_name(class)), max[class]);
}

static void add_features(const struct metrics *metrics, struct metric_set *set)
{
	const struct derive_config *config = &metrics->agent->derive_config;

	metric_set_add(set, AGENT_METRIC_feature_network_policies_host_firewall_enabled,
		       METRIC_NO_LABELS, config->enable_host_firewall);
	metric_set_add(set, AGENT_METRIC_feature_network_policies_non_defaultdeny_policies_enabled,
		       METRIC_NO_LABELS, config->enable_non_default_deny);
	for (unsigned int i = 0; i < FEATURE__MAX; i++) {
		metric_set_add(set, features[i], METRIC_LABELS("add"), metrics->policy->n_added[i]);
		metric_set_add(set, features[i], METRIC_LABELS("delete"),
			       metrics->policy->n_deleted[i]);
	}
}

static void add_kernel(const struct agent *agent, struct metric_set *set)
{
	struct reconciler_policy_statistics kernel;

	if (!agent->reconcilers)
		return;
	kernel = reconcilers_policy_statistics(agent->reconcilers);
	metric_set_add_histogram(set, AGENT_METRIC_policy_implementation_delay,
				 METRIC_LABELS("directory"), kernel.implementation_delays);
	metric_set_add(set, AGENT_METRIC_policy_overflows_total, METRIC_NO_LABELS,
		       kernel.n_overflows);
	metric_set_add(set, AGENT_METRIC_policy_unfit_rule_sets, METRIC_NO_LABELS, kernel.n_unfit);
}

void metrics_collect_policy(struct metrics *metrics, struct metric_set *set)
{
	const struct agent *agent = metrics->agent;
	unsigned int n_rules = 0;

	table_foreach (agent->tables.active_policies, count_rules, &n_rules)
		;
	metric_set_add(set, AGENT_METRIC_policy, METRIC_NO_LABELS, n_rules);
	metric_set_add(set, AGENT_METRIC_policy_max_revision, METRIC_NO_LABELS,
		       policy_view_get_revision(agent));
	metric_set_add(set, AGENT_METRIC_policy_change_total, METRIC_LABELS("success"),
		       metrics->policy->n_changed);
	metric_set_add(set, AGENT_METRIC_policy_change_total, METRIC_LABELS("fail"),
		       metrics->policy->n_refused);
	add_enforcement(agent, set);
	add_selectors(agent, set);
	add_kernel(agent, set);
	add_features(metrics, set);
}
