/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/status.h"

#include <string.h>
#include "src/agent/node_report.h"
#include "src/agent/rest_private.h"
#include "src/agent/status_private.h"
#include "src/base/clock.h"

char *status_format_time(int64_t realtime_ns)
{
	g_autoptr(GDateTime) time = NULL;

	if (!realtime_ns)
		return NULL;
	time = g_date_time_new_from_unix_utc(realtime_ns / NSEC_PER_SEC);
	return g_date_time_format_iso8601(time);
}

static json_t *state_to_json(const char *state)
{
	return json_pack("{s:s}", "state", state);
}

/* What Cilium has and this agent has not, or not yet: said, not left to guess. */
static void add_absent(json_t *status)
{
	static const char *const disabled[] = {"kvstore", "kubernetes", "hubble"};

	for (size_t i = 0; i < G_N_ELEMENTS(disabled); i++)
		json_object_set_new(status, disabled[i], state_to_json("Disabled"));
	json_object_set_new(status, "srv6", json_pack("{s:b}", "enabled", 0));
	json_object_set_new(status, "cni-chaining", json_pack("{s:s}", "mode", "none"));
	json_object_set_new(status, "ipv4-big-tcp", json_pack("{s:b}", "enabled", 0));
	json_object_set_new(status, "ipv6-big-tcp", json_pack("{s:b}", "enabled", 0));
	json_object_set_new(status, "bandwidth-manager", json_pack("{s:b}", "enabled", 0));
	json_object_set_new(status, "encryption", json_pack("{s:s}", "mode", "Disabled"));
}

static void count_failing(const struct reconciler_status *status, void *data)
{
	*(unsigned int *)data += status->n_failing;
}

static void append_count(GString *message, unsigned int n, const char *what)
{
	if (n)
		g_string_append_printf(message, "%s%u %s", message->len ? "; " : "", n, what);
}

static void append_stale(GString *message, const json_t *stale)
{
	const char *name;
	json_t *since;

	json_object_foreach((json_t *)stale, name, since)
		g_string_append_printf(message, "%s%s has not run since %s",
				       message->len ? "; " : "", name, json_string_value(since));
}

/* Ok with the version, or all that is wrong. stale may be NULL. */
static json_t *cilium_to_json(const struct agent *agent, const json_t *stale)
{
	g_autoptr(GString) message = g_string_new(NULL);
	unsigned int n_failing = 0;
	GPtrArray *problems;
	const char *state;

	if (agent->reconcilers)
		reconcilers_foreach_status(agent->reconcilers, count_failing, &n_failing);
	if (!agent->ready)
		g_string_append(message, "starting: what was there before is not all in force yet");
	append_stale(message, stale);
	state = message->len ? "Failure" : "Warning";
	append_count(message, n_failing, "object(s) cannot be applied");
	append_count(message, status_n_failing_jobs(agent, n_failing), "job(s) fail");
	append_count(message, table_n_rows(agent->tables.source_problems),
		     "problem(s) in the manifests");
	problems = node_report_find(agent);
	append_count(message, problems->len, "problem(s) of the node");
	g_ptr_array_unref(problems);
	if (!status_is_state_writable(agent))
		g_string_append_printf(message, "%sstate cannot be written",
				       message->len ? "; " : "");
	if (!message->len) {
		state = "Ok";
		g_string_append(message, AXONEME_VERSION " (axoneme)");
	}
	return json_pack("{s:s, s:s}", "state", state, "msg", message->str);
}

bool status_is_failure(const struct agent *agent)
{
	json_t *stale = status_stale_to_json(agent);
	bool is_failure = !agent->ready || stale;

	json_decref(stale);
	return is_failure;
}

json_t *status_to_json(const struct agent *agent, bool brief)
{
	json_t *stale = status_stale_to_json(agent);
	json_t *status =
		json_pack("{s:o, s:o*}", "cilium", cilium_to_json(agent, stale), "stale", stale);
	g_autofree char *self = node_full_name(agent);

	if (brief)
		return status;
	add_absent(status);
	status_add_datapath(agent, status);
	json_object_set_new(status, "ipam", status_ipam_to_json(agent));
	json_object_set_new(status, "identity-range",
			    json_pack("{s:i, s:i}", "min-identity", IDENTITY_ALLOCATED_MIN,
				      "max-identity", IDENTITY_ALLOCATED_MAX));
	json_object_set_new(status, "controllers", status_controllers_to_json(agent));
	json_object_set_new(status, "cluster",
			    json_pack("{s:s, s:o, s:o}", "self", self, "nodes",
				      nodes_to_json(agent), "ciliumHealth",
				      state_to_json("Disabled")));
	json_object_set_new(status, "axoneme", status_own_to_json(agent));
	return status;
}

void rest_healthz_get(struct rest_call *call)
{
	bool brief;

	if (rest_get_flag(call, "brief", &brief))
		rest_reply(call, 200, status_to_json(call->agent, brief));
}
