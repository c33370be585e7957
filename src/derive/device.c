/* SPDX-License-Identifier: Apache-2.0 */
#include "src/derive/device.h"

#include <linux/rtnetlink.h>
#include "abi/device.h"
#include "src/model/plan.h"

/* The first address of the family that others can answer to; zero where there is none. */
static struct addr device_addr(const struct device *device, bool v4)
{
	static const struct addr none;

	for (unsigned int i = 0; i < device->addresses->len; i++) {
		const struct device_address *address =
			&g_array_index(device->addresses, struct device_address, i);

		if (addr_is_v4(&address->addr) == v4 && address->scope == RT_SCOPE_UNIVERSE &&
		    !address->deprecated)
			return address->addr;
	}
	return none;
}

static struct addr masquerade_addr(const struct node_view *view, const struct device *device,
				   bool v4)
{
	const struct derive_config *config = view->config;
	const char *const *interfaces = config->masquerade_interfaces;
	static const struct addr none;

	if (!(v4 ? config->enable_ipv4 && config->enable_masquerade4
		 : config->enable_ipv6 && config->enable_masquerade6))
		return none;
	if (interfaces && *interfaces && !node_device_matches(interfaces, device->name))
		return none;
	return device_addr(device, v4);
}

static bool device_has_xdp(const struct node_view *view)
{
	return view->config->enable_node_port &&
	       view->config->lb_acceleration != LB_ACCELERATION_DISABLED;
}

/* With best effort some devices may turn out to run no program: frames for these go by way of tc. */
static uint32_t device_flags(const struct node_view *view, const struct device *device)
{
	if (!device->has_mac)
		return DEVICE_F_L3;
	return device_has_xdp(view) && view->config->lb_acceleration != LB_ACCELERATION_BEST_EFFORT
		       ? DEVICE_F_XDP
		       : 0;
}

void device_derive_info(const struct node_view *view, GPtrArray *wanted)
{
	for (unsigned int i = 0; i < view->devices->len; i++) {
		const struct device *device = view->devices->pdata[i];
		struct device_info info = {
			.masquerade4 = masquerade_addr(view, device, true),
			.masquerade6 = masquerade_addr(view, device, false),
			.mtu = device->mtu,
			.flags = device_flags(view, device),
			.addr4 = device_addr(device, true),
			.addr6 = device_addr(device, false),
		};

		g_ptr_array_add(wanted, plan_map_entry_new(
						PLAN_MAP_cilium_devices, &device->ifindex,
						sizeof(device->ifindex), &info, sizeof(info), 0));
	}
}

static void add_attachment(GPtrArray *wanted, const struct device *device, enum plan_hook hook,
			   enum plan_program program)
{
	struct plan_attachment *attachment =
		(struct plan_attachment *)row_new(&plan_attachment_class);

	attachment->key = (struct plan_attachment_key){device->ifindex, hook};
	attachment->program = program;
	attachment->ifname = g_strdup(device->name);
	g_ptr_array_add(wanted, attachment);
}

/* On sockets of the whole node: whose they are is for the programs to see. */
static void add_socket_programs(GPtrArray *wanted, enum plan_hook first, enum plan_hook last)
{
	static const struct device hierarchy = {.name = (char *)"cgroup"};

	for (unsigned int hook = first; hook <= last; hook++)
		add_attachment(wanted, &hierarchy, hook,
			       PLAN_PROGRAM_SOCK__FIRST + (hook - PLAN_HOOK_SOCK__FIRST));
}

void device_derive_attachments(const struct node_view *view, GPtrArray *wanted)
{
	if (view->host_device)
		add_attachment(wanted, view->host_device, PLAN_HOOK_EGRESS, PLAN_PROGRAM_FROM_HOST);
	for (unsigned int i = 0; i < view->devices->len; i++) {
		add_attachment(wanted, view->devices->pdata[i], PLAN_HOOK_INGRESS,
			       PLAN_PROGRAM_FROM_NETDEV);
		add_attachment(wanted, view->devices->pdata[i], PLAN_HOOK_EGRESS,
			       PLAN_PROGRAM_TO_NETDEV);
	}
	for (unsigned int i = 0; device_has_xdp(view) && i < view->devices->len; i++) {
		const struct device *device = view->devices->pdata[i];

		/* The program reads Ethernet. */
		if (device->has_mac)
			add_attachment(wanted, device, PLAN_HOOK_XDP, PLAN_PROGRAM_XDP_ENTRY);
	}
	if (view->config->enable_socket_lb)
		add_socket_programs(wanted, PLAN_HOOK_SOCK__FIRST, PLAN_HOOK_SOCK_RELEASE);
	if (view->config->protect_node_ports)
		add_socket_programs(wanted, PLAN_HOOK_SOCK4_POST_BIND, PLAN_HOOK_SOCK6_POST_BIND);
}
