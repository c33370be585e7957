/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The node's constants, which the loader writes before the load; what may change while running; and the
 * addresses of devices.
 */
#pragma once

#include "bpf/lib/maps.h"

const volatile struct node_config node_config __weak = {};

static __always_inline const struct runtime_config *runtime_config_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&cilium_runtime_config, &zero);
}

/* Under which go out on it packets to services of clients outside. */
static __always_inline const struct addr *device_own_addr(const struct device_info *device,
							  bool ipv6)
{
	return ipv6 ? &device->addr6 : &device->addr4;
}

/*
 * cil_to_container is attached to the endpoints' devices: whatever the host's stack sends them
 * passes it.
 */
static __always_inline bool config_to_container_attached(void)
{
	return node_config.enable_endpoint_routes || node_config.enable_host_legacy_routing;
}
