// SPDX-License-Identifier: Apache-2.0
#include "src/datapath/layout.h"

#include <string.h>
#include "abi/config.h"
#include "abi/conntrack.h"
#include "abi/device.h"
#include "abi/endpoint.h"
#include "abi/fragment.h"
#include "abi/ipcache.h"
#include "abi/lb.h"
#include "abi/metrics.h"
#include "abi/nat.h"
#include "abi/policy.h"

/* The rows of abi/map.def whose keys have a type: all but the ring. */
#define LAYOUT(map, key, value, by) \
	[PLAN_MAP_##map] = {#map, sizeof(key), sizeof(value), MAP_FILLED_BY_##by}

static const struct map_layout layouts[PLAN_MAP__MAX] = {
	LAYOUT(cilium_lxc, struct endpoint_key, struct endpoint_info, ENTRIES),
	LAYOUT(cilium_lxc_device, struct endpoint_device_key, struct endpoint_info, ENTRIES),
	LAYOUT(cilium_ipcache, struct ipcache_key, struct ipcache_info, ENTRIES),
	LAYOUT(cilium_ipcache_prefix, struct ipcache_prefix_key, struct ipcache_info, ENTRIES),
	LAYOUT(cilium_ct_tcp_global, struct ct_key, struct ct_entry, PROGRAMS),
	LAYOUT(cilium_ct_any_global, struct ct_key, struct ct_entry, PROGRAMS),
	LAYOUT(cilium_snat_external, struct nat_key, struct nat_entry, PROGRAMS),
	LAYOUT(cilium_ipmasq, struct ipcache_prefix_key, struct nat_exclusion, ENTRIES),
	LAYOUT(cilium_policy_endpoint, __u32, struct policy_endpoint, POLICY),
	LAYOUT(cilium_policy_peer, struct policy_peer_key, struct policy_peer, POLICY),
	LAYOUT(cilium_policy_class, struct policy_class_key, struct policy_leaf, POLICY),
	LAYOUT(cilium_lb_services, struct lb_frontend_key, struct lb_frontend, LB),
	LAYOUT(cilium_lb_sets, __u32, struct lb_set, LB),
	LAYOUT(cilium_lb_slots, struct lb_slot_key, struct lb_slot, LB),
	LAYOUT(cilium_lb_backends, __u32, struct lb_backend, LB),
	LAYOUT(cilium_lb_maglev, struct lb_maglev_key, struct lb_maglev_chunk, LB),
	LAYOUT(cilium_lb_source_range, struct lb_source_range_key, struct lb_source_range, LB),
	LAYOUT(cilium_lb_affinity, struct lb_affinity_key, struct lb_affinity, PROGRAMS),
	LAYOUT(cilium_lb_reverse_sk, struct lb_socket_key, struct lb_socket, PROGRAMS),
	LAYOUT(cilium_lb_netns, struct lb_netns_key, struct lb_netns, ENTRIES),
	LAYOUT(cilium_skip_lb, struct lb_skip_key, struct lb_skip, ENTRIES),
	LAYOUT(cilium_frag_datagrams, struct fragment_key, struct fragment_ports, PROGRAMS),
	LAYOUT(cilium_devices, __u32, struct device_info, ENTRIES),
	LAYOUT(cilium_metrics, __u32, struct metric, PROGRAMS),
	LAYOUT(cilium_drop_sites, struct drop_site, struct metric, PROGRAMS),
	LAYOUT(cilium_runtime_config, __u32, struct runtime_config, PROGRAMS),
	[PLAN_MAP_cilium_events] = {.name = "cilium_events"},
};

const struct map_layout *map_layout_get(enum plan_map map)
{
	return &layouts[map];
}

const struct map_layout *map_layout_find(const char *name)
{
	for (int map = 0; map < PLAN_MAP__MAX; map++)
		if (!strcmp(layouts[map].name, name))
			return &layouts[map];
	return NULL;
}

const char *program_name(enum plan_program program)
{
	static const char *const names[] = {
		[PLAN_PROGRAM_FROM_CONTAINER] = "cil_from_container",
		[PLAN_PROGRAM_TO_CONTAINER] = "cil_to_container",
		[PLAN_PROGRAM_FROM_HOST] = "cil_from_host",
		[PLAN_PROGRAM_FROM_NETDEV] = "cil_from_netdev",
		[PLAN_PROGRAM_TO_NETDEV] = "cil_to_netdev",
		[PLAN_PROGRAM_XDP_ENTRY] = "cil_xdp_entry",
		[PLAN_PROGRAM_SOCK4_CONNECT] = "cil_sock4_connect",
		[PLAN_PROGRAM_SOCK6_CONNECT] = "cil_sock6_connect",
		[PLAN_PROGRAM_SOCK4_SENDMSG] = "cil_sock4_sendmsg",
		[PLAN_PROGRAM_SOCK6_SENDMSG] = "cil_sock6_sendmsg",
		[PLAN_PROGRAM_SOCK4_RECVMSG] = "cil_sock4_recvmsg",
		[PLAN_PROGRAM_SOCK6_RECVMSG] = "cil_sock6_recvmsg",
		[PLAN_PROGRAM_SOCK4_GETPEERNAME] = "cil_sock4_getpeername",
		[PLAN_PROGRAM_SOCK6_GETPEERNAME] = "cil_sock6_getpeername",
		[PLAN_PROGRAM_SOCK_RELEASE] = "cil_sock_release",
		[PLAN_PROGRAM_SOCK4_POST_BIND] = "cil_sock4_post_bind",
		[PLAN_PROGRAM_SOCK6_POST_BIND] = "cil_sock6_post_bind",
		[PLAN_PROGRAM__MAX] = "another program",
	};

	return names[program];
}
