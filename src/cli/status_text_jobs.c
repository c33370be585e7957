// SPDX-License-Identifier: Apache-2.0
/* The jobs that the agent does again and again. */
#include "src/cli/status_text_private.h"

#include <string.h>
#include "src/base/clock.h"
#include "src/cli/json_get.h"

void status_append_ago(struct status_text *text, const char *timestamp)
{
	g_autoptr(GDateTime) time =
		*timestamp ? g_date_time_new_from_iso8601(timestamp, NULL) : NULL;
	int64_t seconds;

	if (!time) {
		g_string_append(text->out, "never");
		return;
	}
	seconds = MAX(text->format->now_ns / NSEC_PER_SEC - g_date_time_to_unix(time), 0);
	if (seconds >= 3600)
		g_string_append_printf(text->out, "%" G_GINT64_FORMAT "h", seconds / 3600);
	if (seconds >= 60)
		g_string_append_printf(text->out, "%" G_GINT64_FORMAT "m", seconds / 60 % 60);
	g_string_append_printf(text->out, "%" G_GINT64_FORMAT "s ago", seconds % 60);
}

void status_append_stale(struct status_text *text)
{
	const char *name;
	json_t *since;

	json_object_foreach(json_get(text->status, "stale", NULL), name, since)
		g_string_append_printf(text->out, "Stale status:\t%s since %s\n", name,
				       json_string_value(since));
}

static bool is_well(const json_t *controller)
{
	return !json_get_number(controller, "status", "consecutive-failure-count", NULL);
}

static bool is_stale(const struct status_text *text, const json_t *controller)
{
	return json_get(text->status, "stale", json_get_text(controller, "name", NULL), NULL);
}

void status_append_controllers(struct status_text *text)
{
	const json_t *list = json_get(text->status, "controllers", NULL);
	size_t n_healthy = 0, i;
	json_t *controller;

	if (!list)
		return;
	json_array_foreach(list, i, controller) n_healthy +=
		!json_get_number(controller, "status", "consecutive-failure-count", NULL);
	g_string_append_printf(text->out, "Controller Status:\t%zu/%zu healthy\n", n_healthy,
			       json_array_size(list));
	if (n_healthy < json_array_size(list) || text->format->all_controllers)
		g_string_append(text->out, "  Name\tLast success\tLast error\tCount\tMessage\n");
	json_array_foreach(list, i, controller)
	{
		const json_t *status = json_get(controller, "status", NULL);
		long long n = json_get_number(status, "consecutive-failure-count", NULL);

		if (!n && !text->format->all_controllers)
			continue;
		g_string_append_printf(text->out, "  %s\t",
				       json_get_text(controller, "name", NULL));
		status_append_ago(text, json_get_text(status, "last-success-timestamp", NULL));
		g_string_append_c(text->out, '\t');
		status_append_ago(text, json_get_text(status, "last-failure-timestamp", NULL));
		g_string_append_printf(text->out, "\t%lld\t%s\n", n,
				       n ? json_get_text(status, "last-failure-msg", NULL)
					 : "no error");
	}
}

static const char *module_state(const struct status_text *text, const json_t *controller)
{
	if (is_stale(text, controller))
		return "STOPPED";
	return is_well(controller) ? "OK" : "DEGRADED";
}

static void append_job(struct status_text *text, const json_t *job, const char *branch)
{
	const json_t *status = json_get(job, "status", NULL);
	long long n = json_get_number(status, "success-count", NULL) +
		      json_get_number(status, "failure-count", NULL);

	g_string_append_printf(text->out, "  %s%s\t[%s]\t%s\t(", branch,
			       json_get_text(job, "name", NULL), module_state(text, job),
			       is_well(job) ? "" : json_get_text(status, "last-failure-msg", NULL));
	status_append_ago(text, json_get_text(status,
					      is_well(job) ? "last-success-timestamp"
							   : "last-failure-timestamp",
					      NULL));
	g_string_append_printf(text->out, ", x%lld)\n", n);
}

/* The jobs of one part of the agent. */
static void append_group(struct status_text *text, const char *group, bool is_last)
{
	const char *rail = is_last ? "    " : "│   ";
	const json_t *last = NULL;
	json_t *job;
	size_t i;

	g_string_append_printf(text->out, "  %s── %s\t\t\t\n", is_last ? "└" : "├", group);
	json_array_foreach(json_get(text->status, "controllers", NULL), i,
			   job) if (!strcmp(json_get_text(job, "group", NULL), group)) last = job;
	json_array_foreach(json_get(text->status, "controllers", NULL), i, job)
	{
		g_autofree char *branch = g_strconcat(rail, job == last ? "└── " : "├── ", NULL);

		if (!strcmp(json_get_text(job, "group", NULL), group))
			append_job(text, job, branch);
	}
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void append_tree(struct status_text *text)
{
	g_autoptr(GPtrArray) groups = g_ptr_array_new();
	json_t *job;
	size_t i;

	json_array_foreach(json_get(text->status, "controllers", NULL), i, job)
	{
		const char *group = json_get_text(job, "group", NULL);

		if (!g_ptr_array_find_with_equal_func(groups, group, g_str_equal, NULL))
			g_ptr_array_add(groups, (void *)group);
	}
	g_ptr_array_sort(groups, compare_names);
	g_string_append(text->out, "  agent\t\t\t\n");
	for (guint k = 0; k < groups->len; k++)
		append_group(text, groups->pdata[k], k + 1 == groups->len);
}

void status_append_modules(struct status_text *text)
{
	unsigned int n_stopped = 0, n_degraded = 0, n_ok = 0;
	json_t *job;
	size_t i;

	if (!json_get(text->status, "controllers", NULL))
		return;
	json_array_foreach(json_get(text->status, "controllers", NULL), i, job)
	{
		if (is_stale(text, job))
			n_stopped++;
		else if (is_well(job))
			n_ok++;
		else
			n_degraded++;
	}
	g_string_append_printf(text->out, "Modules Health:\tStopped(%u) Degraded(%u) OK(%u)\n",
			       n_stopped, n_degraded, n_ok);
	if (text->format->all_health)
		append_tree(text);
}
