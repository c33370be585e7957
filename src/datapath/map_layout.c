// SPDX-License-Identifier: Apache-2.0
#include "src/datapath/map_layout.h"

#include "abi/device.h"
#include "abi/endpoint.h"
#include "abi/ipcache.h"
#include "abi/nat.h"

static const struct map_layout layouts[PLAN_MAP__MAX] = {
	[PLAN_MAP_cilium_lxc] = {sizeof(struct endpoint_key), sizeof(struct endpoint_info)},
	[PLAN_MAP_cilium_lxc_device] = {sizeof(struct endpoint_device_key),
					sizeof(struct endpoint_info)},
	[PLAN_MAP_cilium_ipcache] = {sizeof(struct ipcache_key), sizeof(struct ipcache_info)},
	[PLAN_MAP_cilium_ipcache_prefix] = {sizeof(struct ipcache_prefix_key),
					    sizeof(struct ipcache_info)},
	[PLAN_MAP_cilium_ipmasq] = {sizeof(struct ipcache_prefix_key),
				    sizeof(struct nat_exclusion)},
	[PLAN_MAP_cilium_devices] = {sizeof(__u32), sizeof(struct device_info)},
};

static const char *const names[PLAN_MAP__MAX] = {
#define MAP(name, key, value) [PLAN_MAP_##name] = #name,
#include "abi/map.def"
#undef MAP
};

const struct map_layout *map_layout_get(enum plan_map map)
{
	return layouts[map].n_key_bytes ? &layouts[map] : NULL;
}

const char *map_layout_name(enum plan_map map)
{
	return names[map];
}
