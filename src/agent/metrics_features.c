/* SPDX-License-Identifier: Apache-2.0 */
/* feature_*: what the configuration has switched on. */
#include "src/agent/metrics_private.h"

static const char *address_family(const struct settings *settings)
{
	if (settings->enable_ipv4 && settings->enable_ipv6)
		return "ipv4-ipv6-dual-stack";
	return settings->enable_ipv4 ? "ipv4-only" : "ipv6-only";
}

void metrics_collect_features(struct metrics *metrics, struct metric_set *set)
{
	const struct settings *settings = metrics->agent->settings;

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
