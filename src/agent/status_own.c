// SPDX-License-Identifier: Apache-2.0
#include "src/agent/status_private.h"

#include "src/agent/backend_probe.h"
#include "src/agent/loop_watch.h"
#include "src/agent/metrics.h"
#include "src/agent/node_report.h"
#include "src/agent/privilege.h"
#include "src/agent/rest_private.h"
#include "src/agent/status_hint.h"
#include "src/base/clock.h"
#include "src/model/source_problem.h"

static bool append_problem(const struct row *row, void *data)
{
	const struct source_problem *problem = (const struct source_problem *)row;
	/* The name of a file may be any bytes. */
	g_autofree char *file = g_utf8_make_valid(problem->file, -1);

	json_array_append_new(data, json_pack("{s:s*, s:i, s:s*, s:s*, s:s}", "file", file, "line",
					      problem->line, "object", problem->object, "field",
					      problem->field, "reason", problem->reason));
	return true;
}

static json_t *problems_to_json(const struct agent *agent)
{
	json_t *list = json_array();

	table_foreach (agent->tables.source_problems, append_problem, list)
		;
	return list;
}

struct failure_list {
	json_t *list;
	const char *bpf_root;
};

static void append_failure(const struct reconciler_failure *failure, void *data)
{
	struct failure_list *failures = data;
	g_autofree char *since = status_format_time(failure->since_ns);
	g_autofree char *step = status_next_step(failure, failures->bpf_root);
	g_autofree char *name = status_errno_name(failure->error);

	json_array_append_new(failures->list,
			      json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:i, s:s}", "reconciler",
					failure->reconciler, "object", failure->object,
					"endpoint-id", failure->endpoint_id, "error",
					g_strerror(failure->error), "errno", name, "since", since,
					"tries", failure->n_tries, "next-step", step));
}

static json_t *failures_to_json(const struct agent *agent)
{
	struct failure_list failures = {json_array(), agent->settings->bpf_root};

	if (agent->reconcilers)
		reconcilers_foreach_failure(agent->reconcilers, append_failure, &failures);
	return failures.list;
}

static void append_without_effect(const struct config_value *value, void *data)
{
	json_array_append_new(
		data, json_pack("{s:s, s:s, s:s}", "key", value->key, "value", value->text, "place",
				value->place ? value->place : option_origin_text(value->origin)));
}

static json_t *without_effect_to_json(const struct agent *agent)
{
	json_t *list = json_array();

	config_foreach_without_effect(agent->config, append_without_effect, list);
	return list;
}

static json_t *unknown_keys_to_json(const struct agent *agent)
{
	json_t *list = json_array();

	for (const char *const *key = config_get_unknown_keys(agent->config); key && *key; key++) {
		/* The name of a file, as above. */
		g_autofree char *text = g_utf8_make_valid(*key, -1);

		json_array_append_new(list, json_string(text));
	}
	return list;
}

/* A directory of state that the disk lets nobody change. */
static void append_write_failure(struct state_dir *dir, json_t *list)
{
	int64_t since_ns;
	g_autofree char *failure = state_dir_get_failure(dir, &since_ns);
	g_autofree char *since = failure ? status_format_time(since_ns) : NULL;

	if (failure)
		json_array_append_new(list, json_sprintf("%s (since %s)", failure, since));
}

bool status_is_state_writable(const struct agent *agent)
{
	g_autofree char *run = state_dir_get_failure(agent->run_state, NULL);
	g_autofree char *lib = state_dir_get_failure(agent->lib_state, NULL);

	return !run && !lib;
}

static json_t *state_problems_to_json(const struct agent *agent)
{
	json_t *list = json_array();

	for (size_t i = 0; agent->problems && i < agent->problems->len; i++)
		json_array_append_new(list, json_string(g_ptr_array_index(agent->problems, i)));
	append_write_failure(agent->run_state, list);
	append_write_failure(agent->lib_state, list);
	return list;
}

static json_t *node_problems_to_json(const struct agent *agent)
{
	json_t *list = json_array();
	GPtrArray *problems = node_report_find(agent);

	for (unsigned int i = 0; i < problems->len; i++)
		json_array_append_new(list, json_string(problems->pdata[i]));
	g_ptr_array_unref(problems);
	return list;
}

static void append_lack(const struct privilege_lack *lack, void *data)
{
	json_array_append_new(data,
			      json_pack("{s:s, s:s}", "capability", lack->name, "for", lack->what));
}

static json_t *privileges_to_json(const struct agent *agent)
{
	g_autofree char *held = privilege_format_held();
	json_t *lacking = json_array();

	privilege_foreach_lack(agent->sockets_have_group, append_lack, lacking);
	return json_pack("{s:s, s:o}", "held", held, "lacking", lacking);
}

static json_t *loop_to_json(const struct agent *agent)
{
	struct loop_statistics loop = loop_watch_get_statistics(agent->loop_watch);
	g_autofree char *at = status_format_time(loop.max_lag_at_ns);

	return json_pack("{s:I, s:f, s:s*}", "turns", (json_int_t)loop.n_turns, "max-lag-seconds",
			 (double)loop.max_lag_ns / NSEC_PER_SEC, "max-lag-timestamp", at);
}

static json_t *probes_to_json(const struct agent *agent)
{
	struct backend_probes_counts counts = backend_probes_get_counts(agent->backend_probes);

	return json_pack("{s:i, s:i}", "back-ends", counts.n_targets, "down", counts.n_down);
}

json_t *status_own_to_json(const struct agent *agent)
{
	json_t *own = json_pack("{s:s, s:s, s:s, s:s*}", "state-source", "directory",
				"manifest-dir", agent->settings->manifest_dir, "pod-attach-mode",
				agent->datapath_config.enable_pod_tcx ? "tcx" : "clsact",
				"metrics-error", metrics_get_error(agent->metrics));

	json_object_set_new(own, "privileges", privileges_to_json(agent));
	json_object_set_new(own, "configuration", config_pending_to_json(agent));
	json_object_set_new(own, "source-problems", problems_to_json(agent));
	json_object_set_new(own, "failing-objects", failures_to_json(agent));
	json_object_set_new(own, "without-effect", without_effect_to_json(agent));
	json_object_set_new(own, "unknown-keys", unknown_keys_to_json(agent));
	json_object_set_new(own, "state-problems", state_problems_to_json(agent));
	json_object_set_new(own, "node-problems", node_problems_to_json(agent));
	json_object_set_new(own, "policy", status_policy_to_json(agent));
	json_object_set_new(own, "kernel", status_kernel_to_json(agent));
	json_object_set_new(own, "loop", loop_to_json(agent));
	json_object_set_new(own, "health-checks", probes_to_json(agent));
	return own;
}
