/* SPDX-License-Identifier: Apache-2.0 */
/* /config: the configuration in force, and its changes while the agent runs. */
#include "src/agent/rest_private.h"

#include <string.h>
#include <unistd.h>
#include "src/agent/events.h"
#include "src/agent/live.h"
#include "src/agent/policy_view.h"

/* Cilium's names of run-time options, in any case, and the keys that they are. */
static const struct {
	const char *name;
	const char *key;
} names[] = {
	{"ConntrackAccounting", "bpf-conntrack-accounting"},
	{"Debug", "debug"},
	{"DropNotification", "bpf-events-drop-enabled"},
	{"MonitorAggregationLevel", "monitor-aggregation"},
	{"PolicyAuditMode", "policy-audit-mode"},
	{"PolicyVerdictNotification", "bpf-events-policy-verdict-enabled"},
	{"SourceIPVerification", "enable-source-ip-verification"},
	{"TraceNotification", "bpf-events-trace-enabled"},
};

static const char *find_key(const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		if (!g_ascii_strcasecmp(names[i].name, name))
			return names[i].key;
	return NULL;
}

/* ---- the configuration ---- */

static const char *enabled_text(bool enabled)
{
	return enabled ? "Enabled" : "Disabled";
}

/* Those that change while the agent runs. */
static json_t *options_to_json(const struct agent *agent)
{
	static const char *const levels[] = {
		[MONITOR_AGGREGATION_NONE] = "None",       [MONITOR_AGGREGATION_LOWEST] = "Lowest",
		[MONITOR_AGGREGATION_LOW] = "Low",         [MONITOR_AGGREGATION_MEDIUM] = "Medium",
		[MONITOR_AGGREGATION_MAXIMUM] = "Maximum", [MONITOR_AGGREGATION_MAX] = "Max",
	};
	const struct settings *settings = agent->settings;

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "Debug", enabled_text(settings->debug),
			 "DropNotification", enabled_text(settings->bpf_events_drop_enabled),
			 "MonitorAggregationLevel", levels[settings->monitor_aggregation],
			 "PolicyAuditMode", enabled_text(agent->derive_config.policy_audit),
			 "PolicyVerdictNotification",
			 enabled_text(settings->bpf_events_policy_verdict_enabled),
			 "TraceNotification", enabled_text(settings->bpf_events_trace_enabled));
}

/* Options of Cilium's list that are fixed when the programs are loaded. */
static json_t *immutable_to_json(const struct agent *agent)
{
	const struct settings *settings = agent->settings;

	return json_pack("{s:s, s:s}", "ConntrackAccounting",
			 enabled_text(settings->bpf_conntrack_accounting), "SourceIPVerification",
			 enabled_text(settings->enable_source_ip_verification));
}

static void append_key(const struct config_value *value, void *data)
{
	json_object_set_new(data, value->key, json_string(value->text));
}

static void append_origin(const struct config_value *value, void *data)
{
	json_array_append_new(
		data, json_pack("{s:s, s:s, s:s, s:s*, s:b, s:b}", "key", value->key, "value",
				value->text, "from", option_origin_text(value->origin), "place",
				value->place, "live", value->is_live, "acts", value->has_effect));
}

static json_t *keys_to_json(const struct agent *agent)
{
	json_t *keys = json_array();

	config_foreach(agent->config, append_origin, keys);
	return keys;
}

static const char *ipam_mode_name(unsigned int mode)
{
	return mode == IPAM_MODE_KUBERNETES ? "kubernetes" : "cluster-pool";
}

/* Where Cilium has the pages of its perf ring: ours is one for all CPUs. */
static json_t *ring_to_json(const struct agent *agent)
{
	struct monitor_statistics statistics;
	long page_bytes = sysconf(_SC_PAGESIZE);

	events_get_statistics(agent->events, &statistics);
	return json_pack("{s:I, s:I, s:I}", "cpus", (json_int_t)sysconf(_SC_NPROCESSORS_ONLN),
			 "npages", (json_int_t)(statistics.ring_bytes / page_bytes), "pagesize",
			 (json_int_t)page_bytes);
}

static json_t *config_status_to_json(const struct agent *agent)
{
	const struct settings *settings = agent->settings;
	json_t *keys = json_object();

	config_foreach(agent->config, append_key, keys);
	return json_pack(
		"{s:s, s:o, s:o, s:s, s:i, s:i, s:s, s:b, s:{s:b, s:b}, s:{s:o}, s:o, s:o, s:s, "
		"s:{s:s, s:o}}",
		"version", AXONEME_VERSION, "addressing", node_addressing_to_json(agent),
		"daemonConfigurationMap", keys, "datapathMode", "veth", "deviceMTU",
		agent->datapath_config.mtu, "routeMTU", agent->datapath_config.mtu, "ipam-mode",
		ipam_mode_name(settings->ipam), "masquerade",
		settings->enable_ipv4_masquerade || settings->enable_ipv6_masquerade,
		"masqueradeProtocols", "ipv4", settings->enable_ipv4_masquerade, "ipv6",
		settings->enable_ipv6_masquerade, "realized", "options", options_to_json(agent),
		"immutable", immutable_to_json(agent), "nodeMonitor", ring_to_json(agent),
		"policy-enforcement", policy_view_get_enforcement(agent), "axoneme", "config-dir",
		settings->config_dir, "keys", keys_to_json(agent));
}

void rest_config_get(struct rest_call *call)
{
	const struct agent *agent = call->agent;

	rest_reply(call, 200,
		   json_pack("{s:{s:o, s:s}, s:o}", "spec", "options", options_to_json(agent),
			     "policy-enforcement", policy_view_get_enforcement(agent), "status",
			     config_status_to_json(agent)));
}

/* ---- changes until the agent ends ---- */

/* As Cilium takes switches: "Enabled", "enable", "on", and all that the key takes. */
static char *key_text(const char *text)
{
	static const char *const on[] = {"enabled", "enable", "on", NULL};
	static const char *const off[] = {"disabled", "disable", "off", NULL};
	g_autofree char *lower = g_ascii_strdown(text, -1);

	if (g_strv_contains(on, lower))
		return g_strdup("true");
	if (g_strv_contains(off, lower))
		return g_strdup("false");
	return g_steal_pointer(&lower);
}

/* An option by Cilium's name, or a key; "" or null: back to what is configured. */
static int override(struct config_edit *edit, const char *name, const json_t *value, GError **error)
{
	const char *text = json_string_value(value), *key = find_key(name);
	g_autofree char *of_option = NULL;
	int err;

	if (!text && !json_is_null(value))
		return error_set(error, EINVAL, "%s: want its value as a string, or null", name);
	if (text && !*text)
		text = NULL;
	if (!key)
		return config_edit_override(edit, name, text, error);
	if (text) {
		of_option = key_text(text);
		text = of_option;
	}
	err = config_edit_override(edit, key, text, error);
	if (err && option_get(option_find(key))->live)
		return error_set(error, EINVAL, "%s \"%s\": expected %s", name,
				 json_string_value(value),
				 !strcmp(key, "monitor-aggregation")
					 ? "None, Lowest, Low, Medium, Maximum or Max"
					 : "Enabled or Disabled");
	if (err)
		error_prefix(error, "%s", name);
	return err;
}

/* The mode of enforcement has a member of its own, and is the key enable-policy. */
static int change_enforcement(struct config_edit *edit, const json_t *value, GError **error)
{
	const char *text = json_string_value(value);

	if (!value)
		return 0;
	if (!text || config_edit_override(edit, "enable-policy", text, error))
		return error_set(error, EINVAL,
				 "policy-enforcement \"%s\": expected default, always or never",
				 text ? text : "");
	return 0;
}

static int change(struct agent *agent, const json_t *options, const json_t *enforcement,
		  GError **error)
{
	struct config_edit *edit = config_edit_new(agent->config);
	const char *name;
	json_t *value;
	int err = change_enforcement(edit, enforcement, error);

	json_object_foreach((json_t *)options, name, value)
	{
		if (err)
			break;
		err = override(edit, name, value, error);
	}
	if (!err)
		err = config_edit_check(edit, error);
	if (!err)
		err = live_apply(agent, edit, error);
	config_edit_free(edit);
	return err;
}

void rest_config_patch(struct rest_call *call)
{
	json_auto_t *body = json_loadb(call->request->body, call->request->n_body_bytes, 0, NULL);
	json_t *options = json_object_get(body, "options");
	json_t *enforcement = json_object_get(body, "policy-enforcement");
	g_autoptr(GError) error = NULL;
	int err;

	if (!json_is_object(options) && !(enforcement && !options)) {
		rest_refuse(call, 400, "the body has no object options");
		return;
	}
	err = change(call->agent, options, enforcement, &error);
	/* The name stands in the body, not in the path. */
	if (err)
		rest_refuse_error(call, err == -ENOENT ? -EINVAL : err, error);
}

/* ---- changes of what is configured ---- */

static json_t *change_to_json(const struct config_change *change)
{
	static const char *const states[] = {
		[CONFIG_CHANGE_IN_FORCE] = "in-force",
		[CONFIG_CHANGE_NEEDS_RESTART] = "needs-restart",
		[CONFIG_CHANGE_NO_EFFECT] = "no-effect",
	};

	return json_pack("{s:s, s:s, s:s, s:s, s:s*, s:s}", "key", change->key, "value",
			 change->text, "before", change->text_in_force, "from",
			 option_origin_text(change->origin), "place", change->place, "state",
			 states[change->state]);
}

static void append_change(const struct config_change *change, void *data)
{
	json_array_append_new(data, change_to_json(change));
}

static void reply_changes(struct rest_call *call, int err, const GError *error, json_t *changes)
{
	if (err) {
		json_decref(changes);
		rest_refuse_error(call, err, error);
	} else {
		rest_reply(call, 200, json_pack("{s:o}", "changes", changes));
	}
}

void rest_config_reload(struct rest_call *call)
{
	json_t *changes = json_array();
	g_autoptr(GError) error = NULL;
	int err = live_reload(call->agent, append_change, changes, &error);

	reply_changes(call, err, error, changes);
}

void rest_config_set(struct rest_call *call)
{
	json_auto_t *body = json_loadb(call->request->body, call->request->n_body_bytes, 0, NULL);
	const char *text = json_string_value(json_object_get(body, "value"));
	g_autoptr(GError) error = NULL;
	json_t *changes;
	int err;

	if (!text) {
		rest_refuse(call, 400, "the body has no string value");
		return;
	}
	changes = json_array();
	err = live_set(call->agent, call->arg, text, append_change, changes, &error);
	reply_changes(call, err, error, changes);
}

/* ---- for the status ---- */

static void append_runtime(const struct config_value *value, void *data)
{
	if (value->origin == OPTION_ORIGIN_RUNTIME)
		json_array_append_new(
			data, json_pack("{s:s, s:s}", "key", value->key, "value", value->text));
}

json_t *config_pending_to_json(const struct agent *agent)
{
	json_t *changes = json_array(), *runtime = json_array();
	g_autoptr(GError) error = NULL;
	int err = live_foreach_pending(agent, append_change, changes, &error);

	config_foreach(agent->config, append_runtime, runtime);
	return json_pack("{s:o, s:o, s:s*}", "waiting", changes, "runtime", runtime, "error",
			 err ? error->message : NULL);
}
