/* SPDX-License-Identifier: Apache-2.0 */
/* What sweeps over connections and translations found. */
#include "src/agent/metrics_private.h"

#include "src/agent/conntrack_gc.h"
#include "src/base/clock.h"

static void add_nat(struct metric_set *set, const char *family,
		    const struct conntrack_gc_count *count)
{
	metric_set_add(set, AGENT_METRIC_datapath_nat_gc_entries,
		       METRIC_LABELS(family, "ingress", "alive"), count->n_alive);
	metric_set_add(set, AGENT_METRIC_datapath_nat_gc_entries,
		       METRIC_LABELS(family, "ingress", "deleted"), count->n_deleted);
}

static void add_conntrack(struct metric_set *set, const char *family, const char *protocol,
			  const struct conntrack_gc_statistics *statistics,
			  const struct conntrack_gc_count *count)
{
	const struct {
		const char *status;
		uint64_t n;
		const struct histogram *times;
	} ends[] = {
		{"completed", statistics->n_completed, &statistics->completed_times},
		{"uncompleted", statistics->n_uncompleted, &statistics->uncompleted_times},
	};

	for (unsigned int i = 0; i < G_N_ELEMENTS(ends); i++) {
		const char *const *labels = METRIC_LABELS(family, protocol, ends[i].status);

		metric_set_add(set, AGENT_METRIC_datapath_conntrack_gc_runs_total, labels,
			       ends[i].n);
		metric_set_add_histogram(set, AGENT_METRIC_datapath_conntrack_gc_duration_seconds,
					 labels, ends[i].times);
	}
	if (!statistics->n_completed)
		return; /* not looked at yet */
	metric_set_add(set, AGENT_METRIC_datapath_conntrack_gc_entries,
		       METRIC_LABELS(family, protocol, "alive"), count->n_alive);
	metric_set_add(set, AGENT_METRIC_datapath_conntrack_gc_entries,
		       METRIC_LABELS(family, protocol, "deleted"), count->n_deleted);
}

static void add_family(struct metric_set *set, const struct conntrack_gc *gc, bool v4)
{
	static const char *const protocols[] = {
		[CONNTRACK_GC_TCP] = "TCP",
		[CONNTRACK_GC_ANY] = "non-TCP",
	};
	const char *family = v4 ? "ipv4" : "ipv6";
	const struct conntrack_gc_statistics *statistics;

	for (unsigned int i = 0; i < G_N_ELEMENTS(protocols); i++) {
		statistics = conntrack_gc_get_statistics(gc, i);
		add_conntrack(set, family, protocols[i], statistics,
			      v4 ? &statistics->ipv4 : &statistics->ipv6);
	}
	statistics = conntrack_gc_get_statistics(gc, CONNTRACK_GC_NAT);
	if (statistics->n_completed)
		add_nat(set, family, v4 ? &statistics->ipv4 : &statistics->ipv6);
}

void metrics_collect_connections(struct metrics *metrics, struct metric_set *set)
{
	const struct conntrack_gc *gc = metrics->agent->conntrack_gc;

	if (!gc)
		return;
	if (metrics->agent->settings->enable_ipv4)
		add_family(set, gc, true);
	if (metrics->agent->settings->enable_ipv6)
		add_family(set, gc, false);
	metric_set_add(set, AGENT_METRIC_datapath_conntrack_gc_interval_seconds,
		       METRIC_LABELS("global"),
		       (double)conntrack_gc_get_interval_ns(gc) / NSEC_PER_SEC);
}
