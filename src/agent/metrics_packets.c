/* SPDX-License-Identifier: Apache-2.0 */
/* What the programs count in cilium_metrics, and what became of their events. */
#include "src/agent/metrics_private.h"

#include <string.h>
#include "abi/drop.h"
#include "src/agent/events.h"
#include "src/base/log.h"
#include "src/observe/event_text.h"
#include "src/sys/bpffs.h"
#include "src/sys/datapath_metric.h"

/* Numbers below are not of drops. */
#define DROP_REASON_MIN 130

struct packet_counts {
	struct metric forwarded[METRIC_DIR__MAX];
	GHashTable *dropped; /* text of the reason to struct metric[METRIC_DIR__MAX] */
	/* By policy. */
	uint64_t n_denied[METRIC_DIR__MAX];
	uint64_t n_allowed[METRIC_DIR__MAX];
	uint64_t n_audited[METRIC_DIR__MAX];
	uint64_t n_events_lost;
};

static void add_up(struct metric *sum, const struct metric *metric)
{
	sum->packets += metric->packets;
	sum->bytes += metric->bytes;
}

/* Reasons that have no text share the series "unknown". */
static struct metric *ensure_dropped(struct packet_counts *counts, unsigned int reason)
{
	const char *text = event_metric_reason_text(reason);
	struct metric *metrics = g_hash_table_lookup(counts->dropped, text);

	if (!metrics) {
		metrics = g_new0(struct metric, METRIC_DIR__MAX);
		g_hash_table_insert(counts->dropped, (char *)text, metrics);
	}
	return metrics;
}

static bool is_of_policy(unsigned int reason)
{
	static const uint8_t reasons[] = {
		DROP_POLICY_DENIED,
		DROP_POLICY_DENY,
		DROP_AUTH_REQUIRED,
		DROP_PROXY_REDIRECTION_NOT_SUPPORTED_FOR_PROTOCOL,
	};

	return memchr(reasons, reason, sizeof(reasons));
}

static void count(const struct datapath_metric *metric, void *data)
{
	struct packet_counts *counts = data;
	unsigned int direction = metric->dir < METRIC_DIR__MAX ? metric->dir : METRIC_DIR_UNKNOWN;

	if (metric->reason == METRIC_REASON_EVENT_LOST)
		counts->n_events_lost += metric->sum.packets;
	else if (metric->reason == METRIC_REASON_POLICY_ALLOWED)
		counts->n_allowed[direction] += metric->sum.packets;
	else if (metric->reason == METRIC_REASON_POLICY_AUDITED)
		counts->n_audited[direction] += metric->sum.packets;
	else if (metric->reason >= DROP_REASON_MIN)
		add_up(&ensure_dropped(counts, metric->reason)[direction], &metric->sum);
	else
		add_up(&counts->forwarded[direction], &metric->sum);
	if (is_of_policy(metric->reason))
		counts->n_denied[direction] += metric->sum.packets;
}

static const char *direction_text(unsigned int direction)
{
	static const char *const texts[METRIC_DIR__MAX] = {
		[METRIC_DIR_UNKNOWN] = "UNKNOWN",
		[METRIC_DIR_INGRESS] = "INGRESS",
		[METRIC_DIR_EGRESS] = "EGRESS",
		[METRIC_DIR_SERVICE] = "SERVICE",
	};

	return texts[direction];
}

static void add_forwarded(struct metric_set *set, const struct packet_counts *counts)
{
	for (unsigned int i = 0; i < METRIC_DIR__MAX; i++) {
		const struct metric *metric = &counts->forwarded[i];

		if (!metric->packets && i != METRIC_DIR_INGRESS && i != METRIC_DIR_EGRESS)
			continue;
		metric_set_add(set, AGENT_METRIC_forward_count_total,
			       METRIC_LABELS(direction_text(i)), metric->packets);
		metric_set_add(set, AGENT_METRIC_forward_bytes_total,
			       METRIC_LABELS(direction_text(i)), metric->bytes);
	}
}

static void add_dropped(struct metric_set *set, const struct packet_counts *counts)
{
	GHashTableIter iter;
	void *reason, *value;

	g_hash_table_iter_init(&iter, counts->dropped);
	while (g_hash_table_iter_next(&iter, &reason, &value)) {
		const struct metric *metrics = value;

		for (unsigned int i = 0; i < METRIC_DIR__MAX; i++) {
			if (!metrics[i].packets)
				continue;
			metric_set_add(set, AGENT_METRIC_drop_count_total,
				       METRIC_LABELS(reason, direction_text(i)),
				       metrics[i].packets);
			metric_set_add(set, AGENT_METRIC_drop_bytes_total,
				       METRIC_LABELS(reason, direction_text(i)), metrics[i].bytes);
		}
	}
}

static void add_judged(struct metric_set *set, const struct packet_counts *counts)
{
	for (unsigned int i = METRIC_DIR_INGRESS; i <= METRIC_DIR_EGRESS; i++) {
		g_autofree char *direction = g_ascii_strdown(direction_text(i), -1);

		metric_set_add(set, AGENT_METRIC_policy_l3_l4_denied_total,
			       METRIC_LABELS(direction), counts->n_denied[i]);
		metric_set_add(set, AGENT_METRIC_policy_l3_l4_allowed_total,
			       METRIC_LABELS(direction), counts->n_allowed[i]);
		metric_set_add(set, AGENT_METRIC_policy_l3_l4_audited_total,
			       METRIC_LABELS(direction), counts->n_audited[i]);
	}
}

static void add_events(struct metrics *metrics, struct metric_set *set)
{
	struct monitor_statistics statistics;

	if (!metrics->agent->events)
		return;
	events_get_statistics(metrics->agent->events, &statistics);
	metric_set_add(set, AGENT_METRIC_monitor_events_total, METRIC_NO_LABELS,
		       statistics.n_events);
	metric_set_add(set, AGENT_METRIC_monitor_lost_events_total, METRIC_LABELS("listener"),
		       statistics.n_lost);
}

void metrics_collect_packets(struct metrics *metrics, struct metric_set *set)
{
	struct packet_counts counts = {0};
	g_autoptr(GError) error = NULL;

	add_events(metrics, set);
	if (!metrics->agent->datapath)
		return;
	counts.dropped = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
	if (datapath_metric_foreach(bpffs_find(metrics->agent->settings->bpf_root), count, &counts,
				    &error)) {
		log_warning("metrics", "Reading the counters of packets failed", "error=%s",
			    error->message);
	} else {
		add_forwarded(set, &counts);
		add_dropped(set, &counts);
		add_judged(set, &counts);
		metric_set_add(set, AGENT_METRIC_monitor_lost_events_total, METRIC_LABELS("ring"),
			       counts.n_events_lost);
	}
	g_hash_table_unref(counts.dropped);
}
