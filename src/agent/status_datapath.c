// SPDX-License-Identifier: Apache-2.0
#include "src/agent/status_private.h"

#include <unistd.h>
#include "src/agent/events.h"
#include "src/derive/ipam.h"

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

/* By names alone, as Cilium has it. */
static json_t *host_firewall_to_json(const struct agent *agent)
{
	bool on = agent->derive_config.enable_host_firewall;
	json_t *names = json_array(), *devices = status_devices_to_json(agent), *device;
	size_t i;

	json_array_foreach(devices, i, device)
		json_array_append(names, json_object_get(device, "name"));
	json_decref(devices);
	return json_pack("{s:s, s:o}", "mode", on ? "Enabled" : "Disabled", "devices", names);
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
		{PLAN_MAP_cilium_lb_services, "Service front ends"},
		{PLAN_MAP_cilium_lb_backends, "Service back ends"},
		{PLAN_MAP_cilium_lb_affinity, "Session affinity"},
		{PLAN_MAP_cilium_lb_source_range, "Service source ranges"},
		{PLAN_MAP_cilium_lb_reverse_sk, "Socket reverse NAT"},
		{PLAN_MAP_cilium_policy_peer, "Policy peers"},
		{PLAN_MAP_cilium_policy_class, "Policy classes"},
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

void status_add_datapath(const struct agent *agent, json_t *status)
{
	const struct settings *settings = agent->settings;

	json_object_set_new(status, "attach-mode",
			    json_string(agent->datapath_config.enable_tcx ? "tcx" : "tc"));
	json_object_set_new(status, "clock-source",
			    json_pack("{s:s, s:i}", "mode", "jiffies", "hertz",
				      (int)agent->datapath_config.jiffies_hz));
	json_object_set_new(status, "datapath-mode", json_string("veth"));
	json_object_set_new(status, "routing",
			    json_pack("{s:s, s:s}", "inter-host-routing-mode", "Native",
				      "intra-host-routing-mode",
				      settings->enable_host_legacy_routing ? "Legacy" : "BPF"));
	json_object_set_new(status, "masquerading", masquerading_to_json(agent));
	json_object_set_new(status, "kube-proxy-replacement", status_kube_proxy_to_json(agent));
	json_object_set_new(status, "host-firewall", host_firewall_to_json(agent));
	json_object_set_new(status, "nodeMonitor", node_monitor_to_json(agent));
	json_object_set_new(status, "bpf-maps", maps_to_json(agent));
}
