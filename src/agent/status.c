/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/status.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>
#include "src/agent/events.h"
#include "src/agent/rest_private.h"
#include "src/base/clock.h"
#include "src/model/source_problem.h"

/* "2026-11-21T04:00:00Z"; g_free. */
static char *format_time(int64_t realtime_ns)
{
	g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(realtime_ns / NSEC_PER_SEC);

	return g_date_time_format_iso8601(time);
}

static json_t *state_to_json(const char *state)
{
	return json_pack("{s:s}", "state", state);
}

/* ---- what goes wrong ---- */

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

static void append_failure(const struct reconciler_failure *failure, void *data)
{
	g_autofree char *since = format_time(failure->since_ns);

	json_array_append_new(data, json_pack("{s:s, s:s, s:i, s:s, s:s, s:i}", "reconciler",
					      failure->reconciler, "object", failure->object,
					      "endpoint-id", failure->endpoint_id, "error",
					      g_strerror(failure->error), "since", since, "tries",
					      failure->n_tries));
}

static json_t *failures_to_json(const struct agent *agent)
{
	json_t *list = json_array();

	if (agent->reconcilers)
		reconcilers_foreach_failure(agent->reconcilers, append_failure, list);
	return list;
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

	for (const char *const *key = config_get_unknown_keys(agent->config); key && *key; key++)
		json_array_append_new(list, json_string(*key));
	return list;
}

static json_t *state_problems_to_json(const struct agent *agent)
{
	json_t *list = json_array();

	for (size_t i = 0; agent->problems && i < agent->problems->len; i++)
		json_array_append_new(list, json_string(g_ptr_array_index(agent->problems, i)));
	return list;
}

static json_t *own_to_json(const struct agent *agent)
{
	const struct settings *settings = agent->settings;

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:s, s:s, s:s}", "source-problems",
			 problems_to_json(agent), "failing-objects", failures_to_json(agent),
			 "without-effect", without_effect_to_json(agent), "unknown-keys",
			 unknown_keys_to_json(agent), "state-problems",
			 state_problems_to_json(agent), "state-source", "directory", "manifest-dir",
			 settings->manifest_dir, "pod-attach-mode",
			 agent->datapath_config.enable_pod_tcx ? "tcx" : "clsact");
}

static void count_failing(const struct reconciler_status *status, void *data)
{
	*(unsigned int *)data += status->n_failing;
}

/* Ok with the version, or the worst of what is wrong. */
static json_t *cilium_to_json(const struct agent *agent)
{
	unsigned int n_problems = table_n_rows(agent->tables.source_problems), n_failing = 0;
	const char *state = "Warning";
	g_autoptr(GString) message = g_string_new(NULL);

	if (agent->reconcilers)
		reconcilers_foreach_status(agent->reconcilers, count_failing, &n_failing);
	if (!agent->ready) {
		state = "Failure";
		g_string_append(message, "starting: what was there before is not all in force yet");
	} else if (!n_failing && !n_problems) {
		state = "Ok";
		g_string_append(message, AXONEME_VERSION " (axoneme)");
	}
	if (n_failing)
		g_string_append_printf(message, "%s%u object(s) cannot be applied",
				       message->len ? "; " : "", n_failing);
	if (n_problems)
		g_string_append_printf(message, "%s%u problem(s) in the manifests",
				       message->len ? "; " : "", n_problems);
	return json_pack("{s:s, s:s}", "state", state, "msg", message->str);
}

/* ---- controllers: the reconcilers ---- */

static json_t *controller_to_json(const char *name, unsigned int n_failing, const char *failure,
				  const char *failing_since)
{
	g_autofree char *now = format_time(clock_realtime_ns());

	return json_pack("{s:s, s:{s:i, s:s*, s:s*, s:s*}}", "name", name, "status",
			 "consecutive-failure-count", n_failing, "last-success-timestamp",
			 n_failing ? NULL : now, "last-failure-timestamp", failing_since,
			 "last-failure-msg", failure);
}

struct first_failure {
	const char *reconciler;
	char *message;
	char *since;
};

static void find_first_failure(const struct reconciler_failure *failure, void *data)
{
	struct first_failure *first = data;

	if (first->message || strcmp(failure->reconciler, first->reconciler))
		return;
	first->message = g_strdup_printf("%s: %s (%u tries)", failure->object,
					 g_strerror(failure->error), failure->n_tries);
	first->since = format_time(failure->since_ns);
}

struct controllers {
	const struct agent *agent;
	json_t *list;
};

static void append_reconciler(const struct reconciler_status *status, void *data)
{
	struct controllers *controllers = data;
	struct first_failure first = {.reconciler = status->name};
	g_autofree char *name = g_strdup_printf("reconcile-%s", status->name);

	if (status->n_failing)
		reconcilers_foreach_failure(controllers->agent->reconcilers, find_first_failure,
					    &first);
	json_array_append_new(controllers->list, controller_to_json(name, status->n_failing,
								    first.message, first.since));
	g_free(first.message);
	g_free(first.since);
}

static json_t *controllers_to_json(const struct agent *agent)
{
	struct controllers controllers = {.agent = agent, .list = json_array()};

	if (agent->reconcilers)
		reconcilers_foreach_status(agent->reconcilers, append_reconciler, &controllers);
	return controllers.list;
}

/* ---- IPAM ---- */

struct ipam_count {
	json_t *list4, *list6, *owners;
};

static bool count_allocation(const struct row *row, void *data)
{
	const struct ip_allocation *allocation = (const struct ip_allocation *)row;
	struct ipam_count *count = data;
	char text[ADDR_TEXT_BYTES];

	if (allocation->released_ns)
		return true; /* resting */
	addr_format(&allocation->addr, text);
	json_array_append_new(addr_is_v4(&allocation->addr) ? count->list4 : count->list6,
			      json_string(text));
	json_object_set_new(count->owners, text, json_string(allocation->owner));
	return true;
}

static void append_family(const struct agent *agent, bool v4, size_t n, GString *status)
{
	GArray *pools = ipam_get_pools(&agent->tables, &agent->derive_config, v4);
	uint64_t n_addresses = ipam_n_addresses(pools);
	g_autofree char *ranges = ipam_format_pools(pools);

	g_string_append_printf(status, "%sIPv%d: %zu/%" PRIu64 " allocated from %s",
			       status->len ? ", " : "", v4 ? 4 : 6, n, n_addresses, ranges);
	g_array_unref(pools);
}

static json_t *ipam_to_json(const struct agent *agent)
{
	struct ipam_count count = {json_array(), json_array(), json_object()};
	g_autoptr(GString) status = g_string_new(NULL);

	table_foreach (agent->tables.ip_allocations, count_allocation, &count)
		;
	if (agent->settings->enable_ipv4)
		append_family(agent, true, json_array_size(count.list4), status);
	if (agent->settings->enable_ipv6)
		append_family(agent, false, json_array_size(count.list6), status);
	return json_pack("{s:s, s:o, s:o, s:o}", "status", status->str, "ipv4", count.list4, "ipv6",
			 count.list6, "allocations", count.owners);
}

/* ---- the datapath ---- */

/* What is reached with a pod's own address: the configured range, else the pods' ranges. */
static void add_exclusion(const struct agent *agent, const struct optional_cidr *native, bool v4,
			  json_t *object)
{
	g_autoptr(GArray) pools = ipam_get_pools(&agent->tables, &agent->derive_config, v4);
	g_autofree char *ranges = ipam_format_pools(pools);
	char text[CIDR_TEXT_BYTES];

	json_object_set_new(
		object, v4 ? "snat-exclusion-cidr-v4" : "snat-exclusion-cidr-v6",
		json_string(native->is_set ? cidr_format(&native->cidr, text) : ranges));
}

static json_t *masquerading_to_json(const struct agent *agent)
{
	const struct settings *settings = agent->settings;
	bool on = settings->enable_ipv4_masquerade || settings->enable_ipv6_masquerade;
	json_t *object = json_pack("{s:b, s:{s:b, s:b}, s:b}", "enabled", on, "enabledProtocols",
				   "ipv4", settings->enable_ipv4_masquerade, "ipv6",
				   settings->enable_ipv6_masquerade, "ip-masq-agent",
				   settings->enable_ip_masq_agent);

	if (on)
		json_object_set_new(object, "mode", json_string("BPF"));
	if (settings->enable_ipv4 && settings->enable_ipv4_masquerade)
		add_exclusion(agent, &settings->ipv4_native_routing_cidr, true, object);
	if (settings->enable_ipv6 && settings->enable_ipv6_masquerade)
		add_exclusion(agent, &settings->ipv6_native_routing_cidr, false, object);
	return object;
}

static bool append_device(const struct row *row, void *data)
{
	const struct plan_attachment *attachment = (const struct plan_attachment *)row;

	if (attachment->program == PLAN_PROGRAM_TO_NETDEV)
		json_array_append_new(data, json_pack("{s:s}", "name", attachment->ifname));
	return true;
}

/* The devices stand where Cilium has them, though nothing replaces kube-proxy. */
static json_t *kube_proxy_to_json(const struct agent *agent)
{
	json_t *devices = json_array();

	table_foreach (agent->tables.plan_attachments, append_device, devices)
		;
	return json_pack("{s:s, s:o}", "mode", "False", "deviceList", devices);
}

static json_t *node_monitor_to_json(const struct agent *agent)
{
	struct monitor_statistics statistics;
	long page_bytes = sysconf(_SC_PAGESIZE);

	events_get_statistics(agent->events, &statistics);
	if (!statistics.ring_bytes)
		return NULL;
	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "cpus",
			 (json_int_t)sysconf(_SC_NPROCESSORS_ONLN), "npages",
			 (json_int_t)(statistics.ring_bytes / page_bytes), "pagesize",
			 (json_int_t)page_bytes, "lost", (json_int_t)statistics.n_lost, "unknown",
			 (json_int_t)statistics.n_malformed);
}

static json_t *maps_to_json(const struct agent *agent)
{
	static const struct {
		enum plan_map map;
		const char *title; /* as Cilium calls it */
	} sized[] = {
		{PLAN_MAP_cilium_ct_tcp_global, "TCP connection tracking"},
		{PLAN_MAP_cilium_ct_any_global, "Non-TCP connection tracking"},
		{PLAN_MAP_cilium_snat_external, "NAT"},
		{PLAN_MAP_cilium_frag_datagrams, "IP fragmentation"},
	};
	json_t *list = json_array();

	for (size_t i = 0; i < G_N_ELEMENTS(sized); i++) {
		uint32_t n = agent->datapath_config.max_entries[sized[i].map];

		if (n)
			json_array_append_new(list, json_pack("{s:s, s:I}", "name", sized[i].title,
							      "size", (json_int_t)n));
	}
	return json_pack("{s:f, s:o}", "dynamic-size-ratio",
			 agent->settings->bpf_map_dynamic_size_ratio, "maps", list);
}

static void add_datapath(const struct agent *agent, json_t *status)
{
	const struct settings *settings = agent->settings;

	json_object_set_new(status, "attach-mode",
			    json_string(agent->datapath_config.enable_tcx ? "tcx" : "tc"));
	json_object_set_new(status, "datapath-mode", json_string("veth"));
	json_object_set_new(status, "routing",
			    json_pack("{s:s, s:s}", "inter-host-routing-mode", "Native",
				      "intra-host-routing-mode",
				      settings->enable_host_legacy_routing ? "Legacy" : "BPF"));
	json_object_set_new(status, "masquerading", masquerading_to_json(agent));
	json_object_set_new(status, "kube-proxy-replacement", kube_proxy_to_json(agent));
	json_object_set_new(status, "nodeMonitor", node_monitor_to_json(agent));
	json_object_set_new(status, "bpf-maps", maps_to_json(agent));
}

/* What Cilium has and this agent has not, or not yet: said, not left to guess. */
static void add_absent(json_t *status)
{
	static const char *const disabled[] = {"kvstore", "kubernetes", "hubble"};

	for (size_t i = 0; i < G_N_ELEMENTS(disabled); i++)
		json_object_set_new(status, disabled[i], state_to_json("Disabled"));
	json_object_set_new(status, "host-firewall", json_pack("{s:s}", "mode", "Disabled"));
	json_object_set_new(status, "srv6", json_pack("{s:b}", "enabled", 0));
	json_object_set_new(status, "cni-chaining", json_pack("{s:s}", "mode", "none"));
	json_object_set_new(status, "ipv4-big-tcp", json_pack("{s:b}", "enabled", 0));
	json_object_set_new(status, "ipv6-big-tcp", json_pack("{s:b}", "enabled", 0));
	json_object_set_new(status, "bandwidth-manager", json_pack("{s:b}", "enabled", 0));
	json_object_set_new(status, "encryption", json_pack("{s:s}", "mode", "Disabled"));
}

json_t *status_to_json(const struct agent *agent, bool brief)
{
	json_t *status = json_pack("{s:o}", "cilium", cilium_to_json(agent));
	g_autofree char *self = node_full_name(agent);

	if (brief)
		return status;
	add_absent(status);
	add_datapath(agent, status);
	json_object_set_new(status, "ipam", ipam_to_json(agent));
	json_object_set_new(status, "identity-range",
			    json_pack("{s:i, s:i}", "min-identity", IDENTITY_ALLOCATED_MIN,
				      "max-identity", IDENTITY_ALLOCATED_MAX));
	json_object_set_new(status, "controllers", controllers_to_json(agent));
	json_object_set_new(status, "cluster",
			    json_pack("{s:s, s:o, s:o}", "self", self, "nodes",
				      nodes_to_json(agent), "ciliumHealth",
				      state_to_json("Disabled")));
	json_object_set_new(status, "axoneme", own_to_json(agent));
	return status;
}

void rest_healthz_get(struct rest_call *call)
{
	const char *brief = http_request_header(call->request, "brief");

	rest_reply(call, 200,
		   status_to_json(call->agent, brief && !g_ascii_strcasecmp(brief, "true")));
}
