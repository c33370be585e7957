/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/endpoint_options.h"

#include <string.h>

/* Names that Cilium has for an endpoint, and why they are refused. */
static const struct {
	const char *name, *reason;
} refused[] = {
	{"Debug", "the programs make no debug events"},
	{"DebugLB", "the programs make no debug events"},
	{"DebugPolicy", "the programs make no debug events"},
	{"MonitorAggregationLevel", "it is the node's: cilium config MonitorAggregationLevel=…"},
	{"PolicyAccounting", "packets and bytes are counted for each connection"},
};

static int parse_value(const char *text, enum endpoint_option_value *ret_value)
{
	static const char *const on[] = {"enabled", "enable", "true", "on", "1", NULL};
	static const char *const off[] = {"disabled", "disable", "false", "off", "0", NULL};
	g_autofree char *lower = g_ascii_strdown(text, -1);

	if (g_strv_contains(on, lower))
		*ret_value = ENDPOINT_OPTION_ON;
	else if (g_strv_contains(off, lower))
		*ret_value = ENDPOINT_OPTION_OFF;
	else if (!strcmp(lower, "default"))
		*ret_value = ENDPOINT_OPTION_UNSET;
	else
		return -EINVAL;
	return 0;
}

int endpoint_options_set(const struct agent *agent, struct endpoint *endpoint, const char *name,
			 const char *text, GError **error)
{
	enum endpoint_option option = endpoint_option_find(name);
	enum endpoint_option_value value;

	for (unsigned int i = 0; i < G_N_ELEMENTS(refused); i++)
		if (!g_ascii_strcasecmp(refused[i].name, name))
			return error_set(error, EINVAL,
					 "option %s cannot be set for an endpoint: %s", name,
					 refused[i].reason);
	if (option == ENDPOINT_OPTION__MAX)
		return error_set(error, EINVAL,
				 "unknown option %.100s: see cilium endpoint config --list-options",
				 name);
	if (!text || parse_value(text, &value))
		return error_set(error, EINVAL,
				 "%s \"%.100s\": expected Enabled, Disabled or default", name,
				 text ? text : "");
	if (value == ENDPOINT_OPTION_ON && !endpoint_options_can_change(agent, option))
		return error_set(
			error, EINVAL,
			"option %s cannot be enabled: the programs were loaded without it; "
			"set bpf-conntrack-accounting to true and restart the agent",
			name);
	endpoint->options[option] = value;
	return 0;
}

static bool node_value(const struct agent *agent, enum endpoint_option option)
{
	switch (option) {
	case ENDPOINT_OPTION_CONNTRACK_ACCOUNTING:
		return agent->datapath_config.node.enable_ct_accounting;
	case ENDPOINT_OPTION_DROP_NOTIFICATION:
		return agent->settings->bpf_events_drop_enabled;
	case ENDPOINT_OPTION_POLICY_AUDIT_MODE:
		return agent->derive_config.policy_audit;
	case ENDPOINT_OPTION_POLICY_VERDICT_NOTIFICATION:
		return agent->settings->bpf_events_policy_verdict_enabled;
	case ENDPOINT_OPTION_SOURCE_IP_VERIFICATION:
		return agent->datapath_config.node.enable_source_ip_verification;
	case ENDPOINT_OPTION_TRACE_NOTIFICATION:
		return agent->settings->bpf_events_trace_enabled;
	case ENDPOINT_OPTION__MAX:
		break;
	}
	g_assert_not_reached();
}

bool endpoint_options_can_change(const struct agent *agent, enum endpoint_option option)
{
	return option != ENDPOINT_OPTION_CONNTRACK_ACCOUNTING || node_value(agent, option);
}

bool endpoint_options_get(const struct agent *agent, const struct endpoint *endpoint,
			  enum endpoint_option option)
{
	if (endpoint->options[option] == ENDPOINT_OPTION_UNSET ||
	    !endpoint_options_can_change(agent, option))
		return node_value(agent, option);
	return endpoint->options[option] == ENDPOINT_OPTION_ON;
}
