/* SPDX-License-Identifier: Apache-2.0 */
/* The agent itself: version, start, REST API, log, manifests. */
#include "src/agent/metrics_private.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include "src/agent/api_statistics.h"
#include "src/base/clock.h"
#include "src/base/log.h"

/* The names that Go has for what uname(2) says: dashboards know them. */
static const char *architecture(const char *machine)
{
	if (!strcmp(machine, "x86_64"))
		return "amd64";
	return strcmp(machine, "aarch64") ? machine : "arm64";
}

static void add_version(struct metric_set *set)
{
	struct utsname name = {0};

	uname(&name);
	metric_set_add(set, AGENT_METRIC_version,
		       METRIC_LABELS(AXONEME_VERSION, "", architecture(name.machine)), 1);
}

static void add_start(const struct agent *agent, struct metric_set *set)
{
	int64_t sum_ns = 0;

	for (unsigned int i = 0; i < agent->n_steps; i++) {
		metric_set_add(set, AGENT_METRIC_agent_bootstrap_seconds,
			       METRIC_LABELS(agent->steps[i].scope, "success"),
			       (double)agent->steps[i].duration_ns / NSEC_PER_SEC);
		sum_ns += agent->steps[i].duration_ns;
	}
	metric_set_add(set, AGENT_METRIC_agent_bootstrap_seconds,
		       METRIC_LABELS("overall", "success"), (double)sum_ns / NSEC_PER_SEC);
}

static void add_call(const struct api_statistics_entry *entry, void *data)
{
	char status[16];

	snprintf(status, sizeof(status), "%u", entry->status);
	metric_set_add_histogram(data, AGENT_METRIC_agent_api_process_time_seconds,
				 METRIC_LABELS(entry->path, entry->method, status), &entry->times);
}

/* The same path and method has an entry for each status: the last one counts. */
struct event {
	const struct api_statistics_entry *entry;
	int64_t last_ns;
};

static void add_event(const struct api_statistics_entry *entry, void *data)
{
	GArray *events = data;

	for (unsigned int i = 0; i < events->len; i++) {
		struct event *event = &g_array_index(events, struct event, i);

		if (strcmp(event->entry->path, entry->path) ||
		    strcmp(event->entry->method, entry->method))
			continue;
		event->last_ns = MAX(event->last_ns, entry->last_ns);
		return;
	}
	g_array_append_vals(events, &(struct event){entry, entry->last_ns}, 1);
}

static void add_calls(const struct agent *agent, struct metric_set *set)
{
	g_autoptr(GArray) events = g_array_new(false, false, sizeof(struct event));

	api_statistics_foreach(agent->api_statistics, add_call, set);
	api_statistics_foreach(agent->api_statistics, add_event, events);
	for (unsigned int i = 0; i < events->len; i++) {
		const struct event *event = &g_array_index(events, struct event, i);

		metric_set_add(set, AGENT_METRIC_event_ts,
			       METRIC_LABELS("api", event->entry->path, event->entry->method),
			       (double)event->last_ns / NSEC_PER_SEC);
	}
}

static void add_log_count(enum log_level level, const char *subsys, uint64_t n, void *data)
{
	metric_set_add(data, AGENT_METRIC_errors_warnings_total,
		       METRIC_LABELS(level == LOG_LEVEL_ERROR ? "error" : "warning", subsys), n);
}

void metrics_collect_agent(struct metrics *metrics, struct metric_set *set)
{
	const struct agent *agent = metrics->agent;

	add_version(set);
	add_start(agent, set);
	add_calls(agent, set);
	log_foreach_count(add_log_count, set);
	metric_set_add(set, AGENT_METRIC_manifest_problems, METRIC_NO_LABELS,
		       table_n_rows(agent->tables.source_problems));
}
