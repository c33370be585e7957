/* SPDX-License-Identifier: Apache-2.0 */
/* /debuginfo: what somebody who was not there needs to see of the agent, and no secret. */
#include <string.h>
#include <sys/utsname.h>
#include "src/agent/events.h"
#include "src/agent/rest_private.h"
#include "src/agent/service_json.h"
#include "src/agent/status.h"

/* The whole is one answer: what has no bound of its own gets one. */
#define MEMORY_MAP_MAX_BYTES (256 * 1024)
#define ENVIRONMENT_MAX      256
#define SERVICES_MAX         1000 /* the whole list is what GET /service is for */

extern char **environ;

static json_t *kernel_version(void)
{
	struct utsname name;

	if (uname(&name) < 0)
		return NULL;
	return json_sprintf("%s %s %s", name.release, name.version, name.machine);
}

static json_t *memory_map(void)
{
	g_autofree char *text = NULL;
	size_t n_bytes;

	if (!g_file_get_contents("/proc/self/maps", &text, &n_bytes, NULL))
		return NULL;
	return json_stringn(text, MIN(n_bytes, MEMORY_MAP_MAX_BYTES));
}

/* Configuration with its values, unless they look secret; of everything else the names. */
static json_t *environment(void)
{
	static const char *const shown[] = {"CILIUM_",
					    "K8S_NODE_NAME=", "NOTIFY_SOCKET=", "WATCHDOG_"};
	static const char *const secret[] = {"PASS", "SECRET", "TOKEN", "KEY", "CREDENTIAL"};
	json_t *list = json_array();

	for (char **variable = environ; *variable && json_array_size(list) < ENVIRONMENT_MAX;
	     variable++) {
		int n_name = strcspn(*variable, "=");
		g_autofree char *name = g_ascii_strup(*variable, n_name);
		bool is_shown = false, is_secret = false;

		for (size_t i = 0; i < G_N_ELEMENTS(shown); i++)
			is_shown = is_shown || g_str_has_prefix(*variable, shown[i]);
		for (size_t i = 0; i < G_N_ELEMENTS(secret); i++)
			is_secret = is_secret || strstr(name, secret[i]);
		if (is_shown && !is_secret && g_utf8_validate(*variable, -1, NULL))
			json_array_append_new(list, json_string(*variable));
		else if (g_utf8_validate(name, -1, NULL))
			json_array_append_new(list, json_sprintf("%.*s", n_name, *variable));
	}
	return list;
}

static void append_reconciler(const struct reconciler_status *status, void *text)
{
	g_string_append_printf(text, "%s: wanted %u, applied %u, failing %u, repaired %llu\n",
			       status->name, status->n_wanted, status->n_applied, status->n_failing,
			       (unsigned long long)status->n_repaired);
}

static json_t *reconcilers_text(const struct agent *agent)
{
	g_autoptr(GString) text = g_string_new(NULL);

	if (agent->reconcilers)
		reconcilers_foreach_status(agent->reconcilers, append_reconciler, text);
	return json_string(text->str);
}

static json_t *store_text(const struct agent *agent)
{
	const struct tables *tables = &agent->tables;
	const struct table *const all[] = {
		tables->namespaces,
		tables->nodes,
		tables->pods,
		tables->policies,
		tables->cidr_groups,
		tables->services,
		tables->endpoint_slices,
		tables->local_redirects,
		tables->service_requests,
		tables->backend_health,
		tables->source_problems,
		tables->devices,
		tables->endpoints,
		tables->ip_allocations,
		tables->identities,
		tables->endpoint_states,
		tables->ipcache,
		tables->active_policies,
		tables->rule_origins,
		tables->plan_map_entries,
		tables->plan_attachments,
		tables->plan_routes,
		tables->lb_services,
		tables->rule_sets,
		tables->endpoint_policies,
	};
	g_autoptr(GString) text = g_string_new(NULL);

	g_string_append_printf(text, "revision %llu\n",
			       (unsigned long long)store_revision(agent->store));
	for (size_t i = 0; i < G_N_ELEMENTS(all); i++)
		g_string_append_printf(text, "%s: %u rows%s\n", table_name(all[i]),
				       table_n_rows(all[i]),
				       table_synced(all[i]) ? ", synced" : "");
	return json_string(text->str);
}

static json_t *monitor_text(const struct agent *agent)
{
	struct monitor_statistics statistics = {0};

	if (agent->events)
		events_get_statistics(agent->events, &statistics);
	return json_sprintf("%u listeners, ring of %zu bytes, %llu events read, %llu malformed, "
			    "%llu lost by slow listeners\n",
			    statistics.n_listeners, statistics.ring_bytes,
			    (unsigned long long)statistics.n_events,
			    (unsigned long long)statistics.n_malformed,
			    (unsigned long long)statistics.n_lost);
}

/* Cilium's DebugInfo, with the members whose subjects exist. */
void rest_debuginfo_get(struct rest_call *call)
{
	const struct agent *agent = call->agent;

	rest_reply(call, 200,
		   json_pack("{s:s, s:o*, s:o, s:o, s:o, s:o, s:o*, s:o, s:{s:o, s:o, s:o}}",
			     "cilium-version", AXONEME_VERSION, "kernel-version", kernel_version(),
			     "cilium-status", status_to_json(agent, false), "endpoint-list",
			     endpoints_to_json(agent, NULL), "policy", policy_to_json(agent, NULL),
			     "service-list", services_to_json(agent, SERVICES_MAX),
			     "cilium-memory-map", memory_map(), "environment-variables",
			     environment(), "subsystem", "monitor", monitor_text(agent),
			     "reconcilers", reconcilers_text(agent), "store", store_text(agent)));
}
