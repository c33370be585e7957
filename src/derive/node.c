/* SPDX-License-Identifier: Apache-2.0 */
#include "src/derive/node.h"

#include <linux/rtnetlink.h>
#include <string.h>
#include "src/derive/ipam.h"

const struct node *node_find(const struct tables *tables, const char *kind, const char *name)
{
	g_autofree char *key = g_strdup_printf("%s/%s", kind, name);

	return (const struct node *)table_get(tables->nodes, key, strlen(key));
}

bool node_device_matches(const char *const *patterns, const char *name)
{
	for (; patterns && *patterns; patterns++) {
		size_t n_bytes = strlen(*patterns);

		if (n_bytes && (*patterns)[n_bytes - 1] == '+') {
			if (!strncmp(*patterns, name, n_bytes - 1))
				return true;
		} else if (!strcmp(*patterns, name)) {
			return true;
		}
	}
	return false;
}

bool node_device_counts(const struct device *device)
{
	return strcmp(device->name, "lo") != 0 && !g_str_has_prefix(device->name, "lxc") &&
	       !g_str_has_prefix(device->name, "tmplxc");
}

bool node_device_is_ours(const struct device *device)
{
	return g_str_has_prefix(device->name, "cilium_");
}

/* The device has an address that a manifest says is this node's. */
static bool has_node_address(const struct node_view *view, const struct device *device)
{
	const char *const kinds[] = {"CiliumNode", "Node"};

	for (unsigned int k = 0; k < G_N_ELEMENTS(kinds); k++) {
		const struct node *node =
			node_find(view->tables, kinds[k], view->config->node_name);

		for (unsigned int i = 0; node && i < node->addresses->len; i++) {
			const struct addr *addr =
				&g_array_index(node->addresses, struct node_address, i).addr;

			for (unsigned int j = 0; j < device->addresses->len; j++)
				if (addr_equal(addr, &g_array_index(device->addresses,
								    struct device_address, j)
							      .addr))
					return true;
		}
	}
	return false;
}

static bool leads_out(const struct node_view *view, const struct device *device)
{
	const char *const *patterns = view->config->devices;

	if (node_device_is_ours(device))
		return false;
	if (patterns && *patterns)
		return node_device_matches(patterns, device->name);
	return device->up && (device->default_route || has_node_address(view, device));
}

/* Link-local addresses are left out: they mean nothing without the device. */
static void append_addrs(struct node_view *view, const struct device *device)
{
	for (unsigned int i = 0; i < device->addresses->len; i++) {
		const struct device_address *address =
			&g_array_index(device->addresses, struct device_address, i);
		bool enabled = addr_is_v4(&address->addr) ? view->config->enable_ipv4
							  : view->config->enable_ipv6;

		if (enabled && address->scope < RT_SCOPE_LINK)
			g_array_append_val(view->local_addrs, address->addr);
	}
}

static bool add_device(const struct row *row, void *data)
{
	const struct device *device = (const struct device *)row;
	struct node_view *view = data;

	if (!node_device_counts(device))
		return true;
	if (!strcmp(device->name, NODE_HOST_DEVICE))
		view->host_device = device;
	if (leads_out(view, device))
		g_ptr_array_add(view->devices, (void *)device);
	append_addrs(view, device);
	return true;
}

struct node_view *node_view_new(const struct tables *tables, const struct derive_config *config,
				const struct addr *router4, const struct addr *router6)
{
	struct node_view *view = g_new0(struct node_view, 1);

	view->tables = tables;
	view->config = config;
	view->router4 = *router4;
	view->router6 = *router6;
	view->devices = g_ptr_array_new();
	view->local_addrs = g_array_new(false, false, sizeof(struct addr));
	/* Before cilium_host has them. */
	if (!addr_is_zero(router4))
		g_array_append_val(view->local_addrs, *router4);
	if (!addr_is_zero(router6))
		g_array_append_val(view->local_addrs, *router6);
	table_foreach (tables->devices, add_device, view)
		;
	view->pod_cidrs4 = ipam_get_pools(tables, config, true);
	view->pod_cidrs6 = ipam_get_pools(tables, config, false);
	return view;
}

void node_view_free(struct node_view *view)
{
	if (!view)
		return;
	g_ptr_array_unref(view->devices);
	g_array_unref(view->local_addrs);
	g_array_unref(view->pod_cidrs4);
	g_array_unref(view->pod_cidrs6);
	g_free(view);
}
