/* SPDX-License-Identifier: Apache-2.0 */
/* Maps and programs, and the reconcilers that keep them as they should be. */
#include "src/agent/metrics_private.h"

#include <string.h>
#include "src/datapath/layout.h"

static const char *operation_text(enum datapath_map_op op)
{
	static const char *const texts[DATAPATH_MAP_OP__MAX] = {
		[DATAPATH_MAP_LOOKUP] = "lookup",
		[DATAPATH_MAP_UPDATE] = "update",
		[DATAPATH_MAP_DELETE] = "delete",
		[DATAPATH_MAP_DUMP] = "dump",
	};

	return texts[op];
}

/* "lxc" of "cilium_lxc": as dashboards know the maps. */
static const char *short_name(enum plan_map map)
{
	const char *name = map_layout_get(map)->name;

	return g_str_has_prefix(name, "cilium_") ? name + strlen("cilium_") : name;
}

static void add_map(struct metric_set *set, enum plan_map map,
		    const struct datapath_map_statistics *statistics)
{
	const char *name = short_name(map);

	for (enum datapath_map_op op = 0; op < DATAPATH_MAP_OP__MAX; op++) {
		if (!statistics->n_done[op] && !statistics->n_failed[op])
			continue;
		metric_set_add(set, AGENT_METRIC_bpf_map_ops_total,
			       METRIC_LABELS(name, operation_text(op), "success"),
			       statistics->n_done[op]);
		metric_set_add(set, AGENT_METRIC_bpf_map_ops_total,
			       METRIC_LABELS(name, operation_text(op), "fail"),
			       statistics->n_failed[op]);
	}
	/* A ring has bytes, no entries. */
	if (!map_layout_get(map)->n_key_bytes || !statistics->max_entries)
		return;
	metric_set_add(set, AGENT_METRIC_bpf_map_capacity, METRIC_LABELS(name),
		       statistics->max_entries);
	if (statistics->n_entries >= 0)
		metric_set_add(set, AGENT_METRIC_bpf_map_pressure, METRIC_LABELS(name),
			       (double)statistics->n_entries / statistics->max_entries);
}

static void add_times(struct metric_set *set, const struct datapath_statistics *statistics)
{
	for (enum datapath_map_op op = 0; op < DATAPATH_MAP_OP__MAX; op++) {
		metric_set_add_histogram(set, AGENT_METRIC_bpf_syscall_duration_seconds,
					 METRIC_LABELS(operation_text(op), "success"),
					 &statistics->done_times[op]);
		metric_set_add_histogram(set, AGENT_METRIC_bpf_syscall_duration_seconds,
					 METRIC_LABELS(operation_text(op), "fail"),
					 &statistics->failed_times[op]);
	}
}

static void add_memory(struct metric_set *set, struct datapath *datapath)
{
	uint64_t map_bytes, program_bytes;

	if (datapath->ops->get_memory(datapath, &map_bytes, &program_bytes))
		return;
	metric_set_add(set, AGENT_METRIC_bpf_maps_virtual_memory_max_bytes, METRIC_NO_LABELS,
		       map_bytes);
	metric_set_add(set, AGENT_METRIC_bpf_progs_virtual_memory_max_bytes, METRIC_NO_LABELS,
		       program_bytes);
}

static void add_reconciler(const struct reconciler_status *status, void *data)
{
	const struct {
		const char *state;
		unsigned int n;
	} states[] = {
		{"wanted", status->n_wanted},
		{"applied", status->n_applied},
		{"failing", status->n_failing},
	};

	for (unsigned int i = 0; i < G_N_ELEMENTS(states); i++)
		metric_set_add(data, AGENT_METRIC_reconciler_objects,
			       METRIC_LABELS(status->name, states[i].state), states[i].n);
	metric_set_add(data, AGENT_METRIC_reconciler_repaired_total, METRIC_LABELS(status->name),
		       status->n_repaired);
}

void metrics_collect_bpf(struct metrics *metrics, struct metric_set *set)
{
	struct agent *agent = metrics->agent;
	const struct datapath_statistics *statistics;

	if (agent->reconcilers)
		reconcilers_foreach_status(agent->reconcilers, add_reconciler, set);
	if (!agent->datapath)
		return;
	statistics = agent->datapath->ops->get_statistics(agent->datapath);
	for (enum plan_map map = 0; map < PLAN_MAP__MAX; map++)
		add_map(set, map, &statistics->maps[map]);
	add_times(set, statistics);
	add_memory(set, agent->datapath);
}
