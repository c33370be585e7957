/* SPDX-License-Identifier: Apache-2.0 */
/* /map: the pinned maps, and what the plan wants in them. */
#include "src/agent/rest_private.h"
#include "src/datapath/layout.h"

static bool count_entry(const struct row *row, void *data)
{
	unsigned int *counts = data;

	counts[((const struct plan_map_entry *)row)->data[0]]++;
	return true;
}

static void count_failure(const struct reconciler_failure *failure, void *data)
{
	unsigned int *counts = data;

	/* The object of a map entry is "<map> <key>". */
	for (int map = 0; map < PLAN_MAP__MAX; map++) {
		g_autofree char *prefix = g_strconcat(map_layout_get(map)->name, " ", NULL);

		if (g_str_has_prefix(failure->object, prefix))
			counts[map]++;
	}
}

/*
 * Cilium's BPFMapList, without the entries themselves ("cache"): "num-entries", "num-errors" and
 * "cache-enabled" say what its command line prints of them.
 */
void rest_map_list(struct rest_call *call)
{
	const struct agent *agent = call->agent;
	unsigned int n_entries[PLAN_MAP__MAX] = {0}, n_errors[PLAN_MAP__MAX] = {0};
	json_t *list = json_array();

	table_foreach (agent->tables.plan_map_entries, count_entry, n_entries)
		;
	if (agent->reconcilers)
		reconcilers_foreach_failure(agent->reconcilers, count_failure, n_errors);
	for (int map = 0; map < PLAN_MAP__MAX; map++)
		json_array_append_new(
			list, json_pack("{s:o, s:i, s:i, s:b}", "path",
					json_sprintf("%s/tc/globals/%s", agent->settings->bpf_root,
						     map_layout_get(map)->name),
					"num-entries", n_entries[map], "num-errors", n_errors[map],
					"cache-enabled", map_layout_get(map)->is_planned));
	rest_reply(call, 200, json_pack("{s:o}", "maps", list));
}
