/* SPDX-License-Identifier: Apache-2.0 */
/* /config: the configuration in force, and the few options that change while the agent runs. */
#include "src/agent/rest_private.h"

#include <string.h>
#include "src/agent/events.h"
#include "src/base/log.h"

static const struct {
	const char *name; /* as the API spells it */
	enum trace_aggregation level;
} levels[] = {
	{"None", TRACE_AGGREGATION_NONE},   {"Lowest", TRACE_AGGREGATION_LOW},
	{"Low", TRACE_AGGREGATION_LOW},     {"Medium", TRACE_AGGREGATION_MEDIUM},
	{"Maximum", TRACE_AGGREGATION_MAX}, {"Max", TRACE_AGGREGATION_MAX},
};

static const char *enabled_text(bool enabled)
{
	return enabled ? "Enabled" : "Disabled";
}

/* The last name of a level: "Low", not "Lowest", "Max", not "Maximum". */
static const char *level_name(enum trace_aggregation level)
{
	const char *name = "None";

	for (size_t i = 0; i < G_N_ELEMENTS(levels); i++)
		if (levels[i].level == level)
			name = levels[i].name;
	return name;
}

static json_t *options_to_json(const struct agent *agent)
{
	struct events_options options = events_get_options(agent->events);

	return json_pack("{s:s, s:s, s:s, s:s}", "Debug",
			 enabled_text(log_enabled(LOG_LEVEL_DEBUG, LOG_SUBSYS_AGENT)),
			 "DropNotification", enabled_text(options.drops), "MonitorAggregationLevel",
			 level_name(options.aggregation), "TraceNotification",
			 enabled_text(options.traces));
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

static const char *ipam_mode_name(unsigned int mode)
{
	return mode == IPAM_MODE_KUBERNETES ? "kubernetes" : "cluster-pool";
}

void rest_config_get(struct rest_call *call)
{
	const struct agent *agent = call->agent;
	const struct settings *settings = agent->settings;
	json_t *keys = json_object();
	json_t *status;

	config_foreach(agent->config, append_key, keys);
	status = json_pack("{s:s, s:o, s:o, s:s, s:i, s:i, s:s, s:b, s:{s:b, s:b}, s:{s:o}, s:o}",
			   "version", AXONEME_VERSION, "addressing", node_addressing_to_json(agent),
			   "daemonConfigurationMap", keys, "datapathMode", "veth", "deviceMTU",
			   agent->datapath_config.mtu, "routeMTU", agent->datapath_config.mtu,
			   "ipam-mode", ipam_mode_name(settings->ipam), "masquerade",
			   settings->enable_ipv4_masquerade || settings->enable_ipv6_masquerade,
			   "masqueradeProtocols", "ipv4", settings->enable_ipv4_masquerade, "ipv6",
			   settings->enable_ipv6_masquerade, "realized", "options",
			   options_to_json(agent), "immutable", immutable_to_json(agent));
	rest_reply(call, 200,
		   json_pack("{s:{s:o}, s:o}", "spec", "options", options_to_json(agent), "status",
			     status));
}

/* "Enabled", "enable", "true", "1" and their opposites, as Cilium takes them. 0 or −EINVAL. */
static int parse_switch(const char *text, bool *ret_on)
{
	static const char *const on[] = {"enabled", "enable", "true", "on", "1", NULL};
	static const char *const off[] = {"disabled", "disable", "false", "off", "0", NULL};
	g_autofree char *lower = g_ascii_strdown(text, -1);

	if (g_strv_contains(on, lower))
		*ret_on = true;
	else if (g_strv_contains(off, lower))
		*ret_on = false;
	else
		return -EINVAL;
	return 0;
}

static int parse_level(const char *text, unsigned int *ret_level)
{
	for (size_t i = 0; i < G_N_ELEMENTS(levels); i++)
		if (!g_ascii_strcasecmp(levels[i].name, text)) {
			*ret_level = levels[i].level;
			return 0;
		}
	return -EINVAL;
}

struct option_change {
	struct events_options events;
	bool debug;
};

static int parse_option(const char *name, const char *text, struct option_change *change,
			GError **error)
{
	const struct {
		const char *name;
		bool *value;
	} switches[] = {
		{"Debug", &change->debug},
		{"DropNotification", &change->events.drops},
		{"TraceNotification", &change->events.traces},
	};

	if (!strcmp(name, "MonitorAggregationLevel")) {
		if (text && parse_level(text, &change->events.aggregation) == 0)
			return 0;
		return error_set(error, EINVAL,
				 "MonitorAggregationLevel \"%s\": expected None, Lowest, Low, "
				 "Medium, Maximum or Max",
				 text ? text : "");
	}
	for (size_t i = 0; i < G_N_ELEMENTS(switches); i++) {
		if (strcmp(name, switches[i].name))
			continue;
		if (text && parse_switch(text, switches[i].value) == 0)
			return 0;
		return error_set(error, EINVAL, "%s \"%s\": expected Enabled or Disabled", name,
				 text ? text : "");
	}
	return error_set(error, EINVAL, "option %s cannot be changed while the agent runs", name);
}

void rest_config_patch(struct rest_call *call)
{
	json_auto_t *body = json_loadb(call->request->body, call->request->n_body_bytes, 0, NULL);
	json_t *options = json_object_get(body, "options"), *value;
	struct option_change change = {
		.events = events_get_options(call->agent->events),
		.debug = log_enabled(LOG_LEVEL_DEBUG, LOG_SUBSYS_AGENT),
	};
	g_autoptr(GError) error = NULL;
	const char *name;
	int err = 0;

	if (!json_is_object(options)) {
		rest_refuse(call, 400, "the body has no object options");
		return;
	}
	if (json_object_get(body, "policy-enforcement")) {
		rest_refuse(call, 400, "policy-enforcement: not supported by this agent");
		return;
	}
	json_object_foreach(options, name, value)
	{
		err = parse_option(name, json_string_value(value), &change, &error);
		if (err)
			break;
	}
	if (!err)
		err = events_set_options(call->agent->events, &change.events, &error);
	if (err < 0) {
		rest_refuse_error(call, err, error);
		return;
	}
	settings_apply_log(call->agent->settings, change.debug);
}
