/* SPDX-License-Identifier: Apache-2.0 */
/* feature_*: what the configuration has switched on. */
#include "src/agent/metrics_private.h"

#include "src/agent/service_settings.h"

static const char *address_family(const struct settings *settings)
{
	if (settings->enable_ipv4 && settings->enable_ipv6)
		return "ipv4-ipv6-dual-stack";
	return settings->enable_ipv4 ? "ipv4-only" : "ipv6-only";
}

static const char *acceleration_label(enum acceleration_word word)
{
	static const char *const labels[] = {
		[ACCELERATION_WORD_DISABLED] = "disabled",
		[ACCELERATION_WORD_NATIVE] = "native",
		[ACCELERATION_WORD_BEST_EFFORT] = "best-effort",
		[ACCELERATION_WORD_TESTING_ONLY] = "generic",
		[ACCELERATION_WORD_GENERIC] = "generic",
	};

	return labels[word];
}

static void collect_services(const struct settings *settings, struct metric_set *set)
{
	static const char *const modes[] = {
		[FORWARDING_SNAT] = "snat",
		[FORWARDING_DSR] = "dsr",
		[FORWARDING_HYBRID] = "hybrid",
	};
	struct service_settings services;

	service_settings_get(settings, &services);
	metric_set_add(set, AGENT_METRIC_feature_adv_connect_and_lb_kube_proxy_replacement_enabled,
		       METRIC_NO_LABELS, services.replaces_kube_proxy);
	metric_set_add(set, AGENT_METRIC_feature_adv_connect_and_lb_node_port_configuration,
		       METRIC_LABELS(modes[services.mode],
				     acceleration_label(services.acceleration),
				     services.algorithm == CHOICE_MAGLEV ? "maglev" : "random"),
		       services.node_port);
	metric_set_add(set, AGENT_METRIC_feature_network_policies_local_redirect_policy_enabled,
		       METRIC_NO_LABELS, settings->enable_local_redirect_policy);
}

void metrics_collect_features(struct metrics *metrics, struct metric_set *set)
{
	const struct settings *settings = metrics->agent->settings;

	collect_services(settings, set);
	metric_set_add(set, AGENT_METRIC_feature_adv_connect_and_lb_sctp_enabled, METRIC_NO_LABELS,
		       settings->enable_sctp);
	metric_set_add(set, AGENT_METRIC_feature_controlplane_ipam,
		       METRIC_LABELS(settings->ipam == IPAM_MODE_KUBERNETES ? "kubernetes"
									    : "cluster-pool"),
		       1);
	metric_set_add(set, AGENT_METRIC_feature_datapath_config, METRIC_LABELS("veth"), 1);
	metric_set_add(set, AGENT_METRIC_feature_datapath_endpoint_routes_enabled, METRIC_NO_LABELS,
		       settings->enable_endpoint_routes);
	metric_set_add(set, AGENT_METRIC_feature_datapath_internet_protocol,
		       METRIC_LABELS(address_family(settings)), 1);
	metric_set_add(set, AGENT_METRIC_feature_datapath_network, METRIC_LABELS("direct-routing"),
		       1);
}
