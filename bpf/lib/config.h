/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The node's constants, which the loader writes before the load, and what may change while running.
 */
#pragma once

#include "bpf/lib/maps.h"

const volatile struct node_config node_config __weak = {};

static __always_inline const struct runtime_config *runtime_config_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&cilium_runtime_config, &zero);
}

/*
 * cil_to_container is attached to the endpoints' devices: whatever the host's stack sends them
 * passes it.
 */
static __always_inline bool config_to_container_attached(void)
{
	return node_config.enable_endpoint_routes || node_config.enable_host_legacy_routing;
}
