/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/status_private.h"

#include <string.h>
#include "src/agent/endpoint_policy_json.h"
#include "src/agent/policy_view.h"

struct policy_count {
	unsigned int n_policies;
	unsigned int n_rules;
	unsigned int n_fail_closed; /* policies of which a part is refused */
};

static bool count_policy(const struct row *row, void *data)
{
	const struct policy *policy = (const struct policy *)row;
	struct policy_count *count = data;
	bool fails_closed = false;

	for (guint i = 0; i < policy->notes->len; i++)
		fails_closed |= ((const struct policy_note *)policy->notes->pdata[i])->fails_closed;
	count->n_policies++;
	count->n_rules += policy_view_n_rules(policy);
	count->n_fail_closed += fails_closed;
	return true;
}

static bool add_refused(const struct row *row, void *data)
{
	const struct source_problem *problem = (const struct source_problem *)row;

	if (policy_view_is_of_policy(problem))
		g_hash_table_add(data, problem->object);
	return true;
}

static unsigned int count_refused(const struct agent *agent)
{
	g_autoptr(GHashTable) objects = g_hash_table_new(g_str_hash, g_str_equal);

	table_foreach (agent->tables.source_problems, add_refused, objects)
		;
	return g_hash_table_size(objects);
}

struct enforced_count {
	const struct agent *agent;
	unsigned int n;
};

static bool count_enforced(const struct row *row, void *data)
{
	const struct endpoint *endpoint = (const struct endpoint *)row;
	struct enforced_count *count = data;

	count->n += strcmp(endpoint_policy_enforcement(count->agent, endpoint->id), "none") != 0;
	return true;
}

static json_t *map_to_json(const char *name, uint32_t n_entries, uint32_t max_entries)
{
	return json_pack("{s:s, s:I, s:I}", "name", name, "entries", (json_int_t)n_entries, "size",
			 (json_int_t)max_entries);
}

json_t *status_policy_to_json(const struct agent *agent)
{
	struct enforced_count enforced = {.agent = agent};
	struct policy_count count = {0};
	struct reconciler_policy_statistics kernel = {0};

	if (agent->reconcilers)
		kernel = reconcilers_policy_statistics(agent->reconcilers);
	table_foreach (agent->tables.active_policies, count_policy, &count)
		;
	table_foreach (agent->tables.endpoints, count_enforced, &enforced)
		;
	return json_pack(
		"{s:s, s:b, s:I, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:[o, o]}",
		"enforcement", policy_view_get_enforcement(agent), "audit",
		agent->derive_config.policy_audit, "revision",
		(json_int_t)policy_view_get_revision(agent), "policies", count.n_policies, "rules",
		count.n_rules, "refused", count_refused(agent), "fail-closed", count.n_fail_closed,
		"rule-sets", table_n_rows(agent->tables.rule_sets), "endpoints",
		table_n_rows(agent->tables.endpoints), "enforced-endpoints", enforced.n, "unfit",
		kernel.n_unfit, "incomplete", kernel.n_incomplete, "locked-down",
		kernel.n_locked_down, "maps",
		map_to_json("cilium_policy_peer", kernel.n_peers, kernel.max_peers),
		map_to_json("cilium_policy_class", kernel.n_class_entries,
			    kernel.max_class_entries));
}
