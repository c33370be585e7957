// SPDX-License-Identifier: Apache-2.0
#include "test/services/reference_private.h"

#include <linux/rtnetlink.h>
#include <string.h>
#include "src/model/device.h"
#include "src/model/node.h"

bool reference_is_enabled(const struct lb_world *world, const struct addr *addr)
{
	return addr_is_v4(addr) ? world->config.enable_ipv4 : world->config.enable_ipv6;
}

static const struct node *find_node(const struct lb_world *world, const char *key)
{
	for (int i = 0; i < LB_WORLD_N_KEYS; i++) {
		const struct node *node = ROW(world, LB_WORLD_NODE, i, node);

		if (node && !strcmp(node->meta.key, key))
			return node;
	}
	return NULL;
}

static bool node_has(const struct node *node, const struct addr *addr)
{
	for (unsigned int i = 0; node && i < node->addresses->len; i++)
		if (addr_equal(&g_array_index(node->addresses, struct node_address, i).addr, addr))
			return true;
	return false;
}

static bool device_has(const struct device *device, const struct addr *addr)
{
	for (unsigned int i = 0; i < device->addresses->len; i++) {
		const struct device_address *address =
			&g_array_index(device->addresses, struct device_address, i);

		if (address->scope < RT_SCOPE_LINK && addr_equal(&address->addr, addr))
			return true;
	}
	return false;
}

bool reference_is_own_addr(const struct lb_world *world, const struct addr *addr)
{
	for (int i = 0; i < LB_WORLD_N_KEYS; i++) {
		const struct device *device = ROW(world, LB_WORLD_DEVICE, i, device);

		if (device && strncmp(device->name, "lxc", 3) != 0 && device_has(device, addr))
			return true;
	}
	return false;
}

bool reference_is_node_addr(const struct lb_world *world, const struct addr *addr)
{
	for (int i = 0; i < LB_WORLD_N_KEYS; i++)
		if (node_has(ROW(world, LB_WORLD_NODE, i, node), addr))
			return true;
	return reference_is_own_addr(world, addr);
}

/* A device that leads out: it has the default route, or an address that a manifest says is this node's. */
static bool leads_out(const struct lb_world *world, const struct device *device)
{
	if (strncmp(device->name, "eth", 3) != 0 && strcmp(device->name, "docker0") != 0)
		return false;
	for (unsigned int i = 0; i < device->addresses->len; i++) {
		const struct addr *addr =
			&g_array_index(device->addresses, struct device_address, i).addr;

		if (node_has(find_node(world, "Node/node1"), addr) ||
		    node_has(find_node(world, "CiliumNode/node1"), addr))
			return true;
	}
	return device->default_route;
}

/* nodeport-addresses names addresses of devices that lead out, and may name those of cilium_host. */
static bool serves(const struct lb_world *world, const struct device *device,
		   const struct addr *addr)
{
	const GArray *cidrs = world->config.node_port_cidrs;

	if (!cidrs)
		return leads_out(world, device);
	return (leads_out(world, device) || !strcmp(device->name, "cilium_host")) &&
	       cidr_contains(&g_array_index(cidrs, struct cidr, 0), addr);
}

bool reference_is_port_addr(const struct lb_world *world, const struct addr *addr)
{
	for (int i = 0; i < LB_WORLD_N_KEYS; i++) {
		const struct device *device = ROW(world, LB_WORLD_DEVICE, i, device);

		if (device && device_has(device, addr) && serves(world, device, addr))
			return reference_is_enabled(world, addr);
	}
	return false;
}

const struct label_set *reference_own_labels(const struct lb_world *world)
{
	const struct node *node = find_node(world, "Node/node1");

	node = node ? node : find_node(world, "CiliumNode/node1");
	return node ? node->meta.labels : NULL;
}

const char *reference_own_zone(const struct lb_world *world)
{
	const struct label_set *labels = reference_own_labels(world);

	return labels ? label_set_find(labels, "k8s", "topology.kubernetes.io/zone") : NULL;
}
