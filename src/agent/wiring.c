/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/wiring.h"

#include <string.h>
#include "src/agent/service_settings.h"
#include "src/base/clock.h"

/* The reader of events is woken when a sixteenth of a ring of a megabyte is full. */
#define WAKEUP_BYTES (64 * 1024)

static struct cidr cidr_or(const struct optional_cidr *cidr, const char *fallback)
{
	struct cidr result = cidr->cidr;

	if (!cidr->is_set) {
		int err = cidr_parse(fallback, &result);

		g_assert(err == 0);
	}
	return result;
}

static const GArray *native_cidrs(const struct optional_cidr *cidr)
{
	GArray *cidrs;

	if (!cidr->is_set)
		return NULL;
	cidrs = g_array_new(false, false, sizeof(struct cidr));
	g_array_append_val(cidrs, cidr->cidr);
	return cidrs;
}

static enum lb_acceleration acceleration(enum acceleration_word word)
{
	static const uint8_t ways[] = {
		[ACCELERATION_WORD_DISABLED] = LB_ACCELERATION_DISABLED,
		[ACCELERATION_WORD_NATIVE] = LB_ACCELERATION_NATIVE,
		[ACCELERATION_WORD_BEST_EFFORT] = LB_ACCELERATION_BEST_EFFORT,
		[ACCELERATION_WORD_TESTING_ONLY] = LB_ACCELERATION_GENERIC,
		[ACCELERATION_WORD_GENERIC] = LB_ACCELERATION_GENERIC,
	};

	return ways[word];
}

/* NULL: empty. */
static const GArray *cidr_list(char *const *list)
{
	GArray *cidrs = list && *list ? g_array_new(false, false, sizeof(struct cidr)) : NULL;

	for (; list && *list; list++) {
		struct cidr cidr;
		int err = cidr_parse(*list, &cidr);

		g_assert(!err); /* service_settings_check() */
		g_array_append_val(cidrs, cidr);
	}
	return cidrs;
}

static void clear_zone(void *zone)
{
	g_free((char *)((struct lb_zone *)zone)->name);
}

static const GArray *zone_list(char *const *list)
{
	GArray *zones = list && *list ? g_array_new(false, false, sizeof(struct lb_zone)) : NULL;

	if (zones)
		g_array_set_clear_func(zones, clear_zone);
	for (; list && *list; list++) {
		struct lb_zone zone;
		char *name;
		bool is_good = service_settings_parse_zone(*list, &name, &zone.number);

		g_assert(is_good); /* service_settings_check() */
		zone.name = name;
		g_array_append_val(zones, zone);
	}
	return zones;
}

static enum lb_mode lb_mode(enum forwarding_word word)
{
	static const uint8_t modes[] = {
		[FORWARDING_SNAT] = LB_MODE_SNAT,
		[FORWARDING_DSR] = LB_MODE_DSR,
		[FORWARDING_HYBRID] = LB_MODE_HYBRID,
	};

	return modes[word];
}

static void set_service_plan(const struct settings *settings, struct derive_config *config)
{
	struct service_settings services;

	service_settings_get(settings, &services);
	config->enable_node_port = services.node_port;
	config->enable_external_ips = services.external_ips;
	config->enable_host_port = services.host_port;
	config->enable_local_redirect = settings->enable_local_redirect_policy;
	config->enable_service_topology = settings->enable_service_topology;
	config->enable_internal_traffic_policy = settings->enable_internal_traffic_policy;
	config->external_cluster_ip = settings->bpf_lb_external_clusterip;
	config->source_range_all_types = settings->bpf_lb_source_range_all_types;
	config->lb_algorithm_annotation = settings->bpf_lb_algorithm_annotation;
	config->lb_mode_annotation = settings->bpf_lb_mode_annotation;
	config->lb_algorithm =
		services.algorithm == CHOICE_MAGLEV ? LB_ALGORITHM_MAGLEV : LB_ALGORITHM_RANDOM;
	config->lb_mode = lb_mode(services.mode);
	config->node_port_min = settings->node_port_range.min;
	config->node_port_max = settings->node_port_range.max;
	config->node_port_cidrs = cidr_list(settings->nodeport_addresses);
	config->lb_zones = zone_list(settings->fixed_zone_mapping);
	config->redirect_cidrs = cidr_list(settings->lrp_address_matcher_cidrs);
	config->ignore_session_affinity = !services.session_affinity;
	config->ignore_source_ranges = !settings->enable_svc_source_range_check;
	config->service_proxy_name = settings->k8s_service_proxy_name;
	config->lb_acceleration = acceleration(services.acceleration);
	config->enable_socket_lb = services.socket_lb;
	config->socket_lb_hostns_only = settings->bpf_lb_sock_hostns_only;
	config->protect_node_ports = services.node_port && settings->node_port_bind_protection;
}

void wiring_init_derive(const struct settings *settings, struct derive_config *ret_config)
{
	*ret_config = (struct derive_config){
		.node_name = settings->node_name,
		.cluster_name = settings->cluster_name,
		.label_patterns = (const char *const *)settings->labels,
		.devices = (const char *const *)settings->devices,
		.masquerade_interfaces =
			(const char *const *)settings->egress_masquerade_interfaces,
		.enable_node_labels = settings->enable_node_selector_labels,
		.node_label_patterns = (const char *const *)settings->node_labels,
		.cidrs_match_nodes =
			settings->policy_cidr_match_mode && *settings->policy_cidr_match_mode,
		.enable_ipv4 = settings->enable_ipv4,
		.enable_ipv6 = settings->enable_ipv6,
		.prefer_node_cidrs = settings->ipam == IPAM_MODE_KUBERNETES,
		.ipv4_range = cidr_or(&settings->ipv4_range, DERIVE_DEFAULT_RANGE4),
		.ipv6_range = cidr_or(&settings->ipv6_range, DERIVE_DEFAULT_RANGE6),
		.enable_masquerade4 = settings->enable_ipv4_masquerade,
		.enable_masquerade6 = settings->enable_ipv6_masquerade,
		.native_cidrs4 = native_cidrs(&settings->ipv4_native_routing_cidr),
		.native_cidrs6 = native_cidrs(&settings->ipv6_native_routing_cidr),
		.enable_endpoint_routes = settings->enable_endpoint_routes,
		.enable_host_legacy_routing = settings->enable_host_legacy_routing,
		.allow_localhost = settings->allow_localhost == ALLOW_LOCALHOST_ALWAYS,
		.enforce_init = settings->policy_init_endpoints == POLICY_INIT_ENDPOINTS_ALWAYS,
		.enable_host_firewall = settings->enable_host_firewall,
		.enable_non_default_deny = settings->enable_non_default_deny_policies,
		.enable_policy_kind =
			{
				[POLICY_KIND_KUBERNETES] = settings->enable_k8s_networkpolicy,
				[POLICY_KIND_CILIUM] = settings->enable_cilium_network_policy,
				[POLICY_KIND_CLUSTERWIDE] =
					settings->enable_cilium_clusterwide_network_policy,
			},
	};
	set_service_plan(settings, ret_config);
	wiring_update_derive(settings, ret_config);
}

void wiring_update_derive(const struct settings *settings, struct derive_config *config)
{
	config->policy_mode = settings->enable_policy;
	config->policy_audit = settings->policy_audit_mode;
}

void wiring_fini_derive(struct derive_config *config)
{
	g_clear_pointer((GArray **)&config->native_cidrs4, g_array_unref);
	g_clear_pointer((GArray **)&config->native_cidrs6, g_array_unref);
	g_clear_pointer((GArray **)&config->node_port_cidrs, g_array_unref);
	g_clear_pointer((GArray **)&config->lb_zones, g_array_unref);
	g_clear_pointer((GArray **)&config->redirect_cidrs, g_array_unref);
}

static uint32_t seconds(int64_t ns)
{
	return MIN(ns / NSEC_PER_SEC, UINT32_MAX);
}

static struct cidr rss_source(const struct optional_cidr *source)
{
	return source->is_set ? source->cidr : (struct cidr){0};
}

/* What of it depends on the kernel is filled in by load. */
static void set_services(const struct settings *settings, struct node_config *node)
{
	struct cidr rss4 = rss_source(&settings->bpf_lb_rss_ipv4_src_cidr);
	struct cidr rss6 = rss_source(&settings->bpf_lb_rss_ipv6_src_cidr);
	struct service_settings services;

	service_settings_get(settings, &services);
	node->ct_timeout_service_tcp = seconds(settings->bpf_ct_timeout_service_tcp_ns);
	node->ct_timeout_service_tcp_closing =
		seconds(settings->bpf_ct_timeout_service_tcp_grace_ns);
	node->ct_timeout_service_any = seconds(settings->bpf_ct_timeout_service_any_ns);
	node->enable_node_port = services.node_port;
	node->enable_socket_lb = services.socket_lb;
	node->enable_socket_lb_pods = services.socket_lb_pods;
	node->reject_without_backend = settings->service_no_backend_response == NO_BACKEND_REJECT;
	node->dsr_dispatch = settings->bpf_lb_dsr_dispatch == DISPATCH_IPIP ? DSR_DISPATCH_IPIP
									    : DSR_DISPATCH_OPTION;
	node->enable_dsr_options =
		services.node_port && node->dsr_dispatch == DSR_DISPATCH_OPTION &&
		(services.mode != FORWARDING_SNAT || settings->bpf_lb_mode_annotation);
	node->protect_node_ports = services.node_port && settings->node_port_bind_protection;
	node->maglev_size = services.maglev_size;
	memcpy(node->maglev_seed, services.packet_seeds, sizeof(node->maglev_seed));
	node->node_port_min = settings->node_port_range.min;
	node->node_port_max = settings->node_port_range.max;
	node->loopback4 = settings->ipv4_service_loopback_address;
	node->loopback6 = settings->ipv6_service_loopback_address;
	node->dsr_source4 = rss4.addr;
	node->dsr_source4_bits = rss4.prefix_len;
	node->dsr_source6 = rss6.addr;
	node->dsr_source6_bits = rss6.prefix_len;
}

static struct node_config node_config(const struct settings *settings)
{
	struct node_config node = {
		.ct_timeout_tcp = seconds(settings->bpf_ct_timeout_regular_tcp_ns),
		.ct_timeout_tcp_syn = seconds(settings->bpf_ct_timeout_regular_tcp_syn_ns),
		.ct_timeout_tcp_fin = seconds(settings->bpf_ct_timeout_regular_tcp_fin_ns),
		.ct_timeout_any = seconds(settings->bpf_ct_timeout_regular_any_ns),
		.nat_port_min = settings->node_port_range.max + 1,
		.nat_port_max = UINT16_MAX,
		.enable_ipv4 = settings->enable_ipv4,
		.enable_ipv6 = settings->enable_ipv6,
		.enable_masquerade4 = settings->enable_ipv4 && settings->enable_ipv4_masquerade,
		.enable_masquerade6 = settings->enable_ipv6 && settings->enable_ipv6_masquerade,
		.enable_host_legacy_routing = settings->enable_host_legacy_routing,
		.enable_endpoint_routes = settings->enable_endpoint_routes,
		.enable_source_ip_verification = settings->enable_source_ip_verification,
		.enable_fragment_tracking = settings->enable_ipv4_fragment_tracking,
		.enable_ct_accounting = settings->bpf_conntrack_accounting,
		.enable_sctp = settings->enable_sctp,
		.enable_host_firewall = settings->enable_host_firewall,
	};

	set_services(settings, &node);
	return node;
}

static uint8_t trace_aggregation(unsigned int word)
{
	static const uint8_t levels[] = {
		[MONITOR_AGGREGATION_NONE] = TRACE_AGGREGATION_NONE,
		[MONITOR_AGGREGATION_LOWEST] = TRACE_AGGREGATION_LOW,
		[MONITOR_AGGREGATION_LOW] = TRACE_AGGREGATION_LOW,
		[MONITOR_AGGREGATION_MEDIUM] = TRACE_AGGREGATION_MEDIUM,
		[MONITOR_AGGREGATION_MAXIMUM] = TRACE_AGGREGATION_MAX,
		[MONITOR_AGGREGATION_MAX] = TRACE_AGGREGATION_MAX,
	};

	g_assert(word < G_N_ELEMENTS(levels));
	return levels[word];
}

struct runtime_config wiring_get_runtime(const struct settings *settings)
{
	return (struct runtime_config){
		.drop_events = settings->bpf_events_drop_enabled,
		.trace_aggregation = trace_aggregation(settings->monitor_aggregation),
		.trace_tcp_flags = settings->monitor_aggregation_flags,
		.trace_interval = seconds(settings->monitor_aggregation_interval_ns),
		.wakeup_bytes = WAKEUP_BYTES,
	};
}

static enum datapath_xdp datapath_xdp(const struct settings *settings)
{
	static const uint8_t ways[] = {
		[LB_ACCELERATION_DISABLED] = DATAPATH_XDP_OFF,
		[LB_ACCELERATION_NATIVE] = DATAPATH_XDP_NATIVE,
		[LB_ACCELERATION_BEST_EFFORT] = DATAPATH_XDP_BEST_EFFORT,
		[LB_ACCELERATION_GENERIC] = DATAPATH_XDP_GENERIC,
	};
	struct service_settings services;

	service_settings_get(settings, &services);
	return services.node_port ? ways[acceleration(services.acceleration)] : DATAPATH_XDP_OFF;
}

void wiring_init_datapath(const struct settings *settings, uint64_t memory_bytes,
			  struct datapath_config *ret_config)
{
	struct service_settings services;

	service_settings_get(settings, &services);
	*ret_config = (struct datapath_config){
		.node = node_config(settings),
		.runtime = wiring_get_runtime(settings),
		.xdp = datapath_xdp(settings),
		.enable_tcx = settings->enable_tcx,
		.enable_pod_tcx = settings->pod_attach_mode == POD_ATTACH_MODE_TCX,
		.reserve_node_ports =
			services.node_port && settings->enable_auto_protect_node_port_range,
		.cgroup_root = settings->cgroup_root,
	};
	settings_get_map_sizes(settings, memory_bytes, ret_config->max_entries);
}
