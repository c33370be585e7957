/* SPDX-License-Identifier: Apache-2.0 */
/* The jobs that repeat. */
#include "src/agent/metrics_private.h"

#include <string.h>

struct group_count {
	const char *group;
	uint64_t n_successes;
	uint64_t n_failures;
};

void metrics_on_run(const struct controller_info *info, void *data)
{
	struct metrics *metrics = data;

	histogram_add_ns(info->n_consecutive_failures ? &metrics->failed_runs
						      : &metrics->succeeded_runs,
			 info->last_duration_ns);
}

struct controller_count {
	GArray *groups; /* struct group_count; few */
	unsigned int n_failing;
};

static struct group_count *ensure_group(GArray *groups, const char *group)
{
	for (unsigned int i = 0; i < groups->len; i++) {
		struct group_count *count = &g_array_index(groups, struct group_count, i);

		if (!strcmp(count->group, group))
			return count;
	}
	g_array_append_vals(groups, &(struct group_count){.group = group}, 1);
	return &g_array_index(groups, struct group_count, groups->len - 1);
}

static void count_controller(const struct controller_info *info, void *data)
{
	struct controller_count *count = data;
	struct group_count *group = ensure_group(count->groups, info->group);

	group->n_successes += info->n_successes;
	group->n_failures += info->n_failures;
	count->n_failing += info->n_consecutive_failures != 0;
}

void metrics_collect_controllers(struct metrics *metrics, struct metric_set *set)
{
	g_autoptr(GArray) groups = g_array_new(false, false, sizeof(struct group_count));
	struct controller_count count = {.groups = groups};
	uint64_t n_successes = 0, n_failures = 0;

	controllers_foreach(metrics->agent->controllers, count_controller, &count);
	for (unsigned int i = 0; i < groups->len; i++) {
		const struct group_count *group = &g_array_index(groups, struct group_count, i);

		metric_set_add(set, AGENT_METRIC_controllers_group_runs_total,
			       METRIC_LABELS(group->group, "success"), group->n_successes);
		metric_set_add(set, AGENT_METRIC_controllers_group_runs_total,
			       METRIC_LABELS(group->group, "failure"), group->n_failures);
		n_successes += group->n_successes;
		n_failures += group->n_failures;
	}
	metric_set_add(set, AGENT_METRIC_controllers_runs_total, METRIC_LABELS("success"),
		       n_successes);
	metric_set_add(set, AGENT_METRIC_controllers_runs_total, METRIC_LABELS("failure"),
		       n_failures);
	metric_set_add(set, AGENT_METRIC_controllers_failing, METRIC_NO_LABELS, count.n_failing);
	metric_set_add_histogram(set, AGENT_METRIC_controllers_runs_duration_seconds,
				 METRIC_LABELS("success"), &metrics->succeeded_runs);
	metric_set_add_histogram(set, AGENT_METRIC_controllers_runs_duration_seconds,
				 METRIC_LABELS("failure"), &metrics->failed_runs);
}
