/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/policy_view.h"

#include <string.h>
#include "src/model/identity.h"

static bool append_row(const struct row *row, void *data)
{
	g_ptr_array_add(data, (void *)row);
	return true;
}

static int compare_policies(const void *a, const void *b)
{
	return strcmp((*(struct policy *const *)a)->meta.key,
		      (*(struct policy *const *)b)->meta.key);
}

GPtrArray *policy_view_get_active(const struct agent *agent)
{
	GPtrArray *policies = g_ptr_array_new();

	table_foreach (agent->tables.active_policies, append_row, policies)
		;
	g_ptr_array_sort(policies, compare_policies);
	return policies;
}

const char *policy_view_get_enforcement(const struct agent *agent)
{
	static const char *const texts[] = {
		[POLICY_MODE_DEFAULT] = "default",
		[POLICY_MODE_ALWAYS] = "always",
		[POLICY_MODE_NEVER] = "never",
	};

	return texts[agent->derive_config.policy_mode];
}

uint64_t policy_view_get_revision(const struct agent *agent)
{
	return policy_derivation_get_revision(derive_get_policy(agent->derive));
}

const struct endpoint_policy *policy_view_get(const struct agent *agent, uint16_t id)
{
	return (const struct endpoint_policy *)table_get(agent->tables.endpoint_policies, &id,
							 sizeof(id));
}

const struct rule_set *policy_view_get_rule_set(const struct agent *agent, uint16_t id)
{
	const struct endpoint_policy *policy = policy_view_get(agent, id);

	if (!policy)
		return NULL;
	return (const struct rule_set *)table_get(agent->tables.rule_sets, &policy->rule_set,
						  sizeof(policy->rule_set));
}

static const struct label_set *labels_of(const struct agent *agent, uint16_t id)
{
	const uint32_t host = IDENTITY_HOST;
	const struct endpoint_state *state;
	const struct identity *identity;

	if (id == POLICY_ENDPOINT_HOST) {
		identity = (const struct identity *)table_get(agent->tables.identities, &host,
							      sizeof(host));
		return identity ? identity->labels : NULL;
	}
	state = (const struct endpoint_state *)table_get(agent->tables.endpoint_states, &id,
							 sizeof(id));
	return state ? state->identity_labels : NULL;
}

/* "spec" or "specs[1]": what the paths of the spec's rules begin with. */
static char *spec_path(const struct policy_spec *spec)
{
	const struct policy_rule *rule = spec->rules->len ? spec->rules->pdata[0] : NULL;
	const char *dot = rule ? strchr(rule->path, '.') : NULL;

	return dot ? g_strndup(rule->path, dot - rule->path) : g_strdup("spec");
}

void policy_view_foreach_spec(const struct agent *agent, uint16_t id,
			      void (*fn)(const struct policy *policy,
					 const struct policy_spec *spec, const char *path,
					 void *data),
			      void *data)
{
	const struct rule_set *set = policy_view_get_rule_set(agent, id);
	const struct label_set *labels = labels_of(agent, id);

	for (guint i = 0; set && labels && i < set->policies->len; i++) {
		const char *key = set->policies->pdata[i];
		const struct policy *policy = (const struct policy *)table_get(
			agent->tables.active_policies, key, strlen(key));

		for (guint j = 0; policy && j < policy->specs->len; j++) {
			const struct policy_spec *spec = policy->specs->pdata[j];
			g_autofree char *path = spec_path(spec);

			if (spec->selects_nodes == (id == POLICY_ENDPOINT_HOST) &&
			    selector_matches(spec->subject, labels))
				fn(policy, spec, path, data);
		}
	}
}

struct endpoint_count {
	const struct agent *agent;
	GHashTable *counts;
};

static bool count_endpoint(const struct row *row, void *data)
{
	const struct endpoint_policy *policy = (const struct endpoint_policy *)row;
	const struct endpoint_count *count = data;
	const struct rule_set *set = policy_view_get_rule_set(count->agent, policy->endpoint_id);

	for (guint i = 0; set && i < set->policies->len; i++) {
		char *key = set->policies->pdata[i];
		unsigned int n = GPOINTER_TO_UINT(g_hash_table_lookup(count->counts, key));

		g_hash_table_insert(count->counts, key, GUINT_TO_POINTER(n + 1));
	}
	return true;
}

GHashTable *policy_view_count_endpoints(const struct agent *agent)
{
	struct endpoint_count count = {agent, g_hash_table_new(g_str_hash, g_str_equal)};

	table_foreach (agent->tables.endpoint_policies, count_endpoint, &count)
		;
	return count.counts;
}

bool policy_view_is_of_policy(const struct source_problem *problem)
{
	for (enum policy_kind kind = 0; problem->object && kind < POLICY_KIND__MAX; kind++) {
		const char *name = policy_kind_name(kind);

		/* Such a key begins with its kind. */
		if (g_str_has_prefix(problem->object, name) && problem->object[strlen(name)] == '/')
			return true;
	}
	return false;
}

unsigned int policy_view_n_rules(const struct policy *policy)
{
	unsigned int n = 0;

	for (guint i = 0; i < policy->specs->len; i++)
		n += ((const struct policy_spec *)policy->specs->pdata[i])->rules->len;
	return n;
}
