// SPDX-License-Identifier: Apache-2.0
#include "src/agent/status_private.h"

#include "src/agent/status_hint.h"
#include "src/base/clock.h"

/* "10s", as Cilium has durations; NULL for 0. g_free. */
static char *format_interval(int64_t interval_ns)
{
	return interval_ns ? g_strdup_printf("%" G_GINT64_FORMAT "s",
					     (interval_ns + NSEC_PER_SEC / 2) / NSEC_PER_SEC)
			   : NULL;
}

static void append_controller(const struct controller_info *info, void *data)
{
	g_autofree char *name = info->error ? status_errno_name(info->error) : NULL;
	g_autofree char *interval = format_interval(info->interval_ns);
	g_autofree char *success = status_format_time(info->last_success_ns);
	g_autofree char *failure = status_format_time(info->last_failure_ns);
	g_autofree char *since = status_format_time(info->failing_since_ns);
	json_t *status = json_pack(
		"{s:I, s:I, s:I, s:s*, s:s*, s:s*, s:s*, s:f, s:b}", "consecutive-failure-count",
		(json_int_t)info->n_consecutive_failures, "failure-count",
		(json_int_t)info->n_failures, "success-count", (json_int_t)info->n_successes,
		"last-success-timestamp", success, "last-failure-timestamp", failure,
		"last-failure-msg", info->error_text, "failing-since", since,
		"last-duration-seconds", (double)info->last_duration_ns / NSEC_PER_SEC, "running",
		info->is_running);

	if (name)
		json_object_set_new(status, "last-failure-errno", json_string(name));
	json_array_append_new(data,
			      json_pack("{s:s, s:s, s:s, s:{s:s*}, s:o}", "name", info->name,
					"uuid", info->uuid, "group", info->group, "configuration",
					"interval", interval, "status", status));
}

json_t *status_controllers_to_json(const struct agent *agent)
{
	json_t *list = json_array();

	controllers_foreach(agent->controllers, append_controller, list);
	return list;
}

static void add_stale(const struct controller_info *info, void *data)
{
	g_autofree char *since = status_format_time(info->stale_since_ns);

	if (since)
		json_object_set_new(data, info->name, json_string(since));
}

json_t *status_stale_to_json(const struct agent *agent)
{
	json_t *stale = json_object();

	controllers_foreach(agent->controllers, add_stale, stale);
	if (json_object_size(stale))
		return stale;
	json_decref(stale);
	return NULL;
}

struct job_count {
	bool with_reconcilers;
	unsigned int n;
};

static void count_failing_job(const struct controller_info *info, void *data)
{
	struct job_count *count = data;

	if (info->n_consecutive_failures &&
	    (count->with_reconcilers || !g_str_has_prefix(info->name, "reconcile-")))
		count->n++;
}

unsigned int status_n_failing_jobs(const struct agent *agent, unsigned int n_failing_objects)
{
	struct job_count count = {.with_reconcilers = !n_failing_objects};

	controllers_foreach(agent->controllers, count_failing_job, &count);
	return count.n;
}
