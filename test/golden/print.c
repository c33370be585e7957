/* SPDX-License-Identifier: Apache-2.0 */
#include "test/golden/print.h"

#include <string.h>
#include "abi/device.h"
#include "abi/endpoint.h"
#include "abi/ipcache.h"
#include "abi/lb.h"
#include "abi/nat.h"
#include "src/datapath/fake.h"
#include "src/datapath/layout.h"
#include "src/model/endpoint.h"
#include "src/model/identity.h"
#include "src/model/source_problem.h"
#include "test/golden/print_lb.h"
#include "test/golden/print_policy.h"

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Takes the lines. */
static void print_section(GString *output, const char *title, GPtrArray *lines)
{
	g_ptr_array_sort(lines, compare_texts);
	if (lines->len)
		g_string_append_printf(output, "%s\n", title);
	for (unsigned int i = 0; i < lines->len; i++)
		g_string_append_printf(output, "  %s\n", (char *)lines->pdata[i]);
	g_ptr_array_unref(lines);
}

static GPtrArray *lines_new(void)
{
	return g_ptr_array_new_with_free_func(g_free);
}

static const char *addr_text(const struct addr *addr, char *buffer)
{
	return addr_is_zero(addr) ? "-" : addr_format(addr, buffer);
}

static char *prefix_text(const struct ipcache_prefix_key *key)
{
	struct cidr cidr = {.addr = key->addr, .prefix_len = key->prefix_len};
	char text[CIDR_TEXT_BYTES];

	return g_strdup(cidr_format(&cidr, text));
}

static bool add_problem(const struct row *row, void *data)
{
	const struct source_problem *problem = (const struct source_problem *)row;

	g_ptr_array_add(data,
			g_strdup_printf("%s:%u %s %s: %s", problem->file, problem->line,
					problem->object ? problem->object : "-",
					problem->field ? problem->field : "-", problem->reason));
	return true;
}

static bool add_state(const struct row *row, void *data)
{
	const struct endpoint_state *state = (const struct endpoint_state *)row;

	g_ptr_array_add(data, g_strdup_printf("%u identity %u %s", state->id, state->identity,
					      label_set_text(state->labels)));
	return true;
}

static bool add_identity(const struct row *row, void *data)
{
	const struct identity *identity = (const struct identity *)row;

	g_ptr_array_add(
		data, g_strdup_printf("%u %s", identity->number, label_set_text(identity->labels)));
	return true;
}

static char *endpoint_info_text(const struct endpoint_info *info)
{
	char mac[MAC_TEXT_BYTES], node_mac[MAC_TEXT_BYTES];

	if (info->flags & ENDPOINT_F_HOST)
		return g_strdup("(host)");
	return g_strdup_printf("id %u ifindex %u identity %u generation %u flags %#x mac %s "
			       "node mac %s",
			       info->id, info->ifindex, info->identity, info->generation,
			       info->flags, mac_format(&info->mac, mac),
			       mac_format(&info->node_mac, node_mac));
}

static bool add_lxc(const void *key, const void *value, void *data)
{
	g_autofree char *info = endpoint_info_text(value);
	char text[ADDR_TEXT_BYTES];

	g_ptr_array_add(data, g_strdup_printf("%s %s", addr_text(key, text), info));
	return true;
}

static bool add_lxc_device(const void *key, const void *value, void *data)
{
	g_autofree char *info = endpoint_info_text(value);

	g_ptr_array_add(data, g_strdup_printf("%u %s", *(const uint32_t *)key, info));
	return true;
}

static char *ipcache_info_text(const struct ipcache_info *info)
{
	const char *name = identity_reserved_name(info->identity);
	char text[ADDR_TEXT_BYTES];

	return g_strdup_printf("identity %u%s%s%s tunnel %s", info->identity, name ? " " : "",
			       name ? name : "",
			       info->flags & IPCACHE_F_LOCAL_HOST    ? " local-host"
			       : info->flags & IPCACHE_F_REMOTE_NODE ? " remote-node"
								     : "",
			       addr_text(&info->tunnel_endpoint, text));
}

static bool add_ipcache(const void *key, const void *value, void *data)
{
	g_autofree char *info = ipcache_info_text(value);
	char text[ADDR_TEXT_BYTES];

	g_ptr_array_add(data, g_strdup_printf("%s %s", addr_text(key, text), info));
	return true;
}

static bool add_ipcache_prefix(const void *key, const void *value, void *data)
{
	g_autofree char *prefix = prefix_text(key);
	g_autofree char *info = ipcache_info_text(value);

	g_ptr_array_add(data, g_strdup_printf("%s %s", prefix, info));
	return true;
}

static bool add_ipmasq(const void *key, const void *value, void *data)
{
	g_ptr_array_add(data, prefix_text(key));
	return true;
}

static bool add_device(const void *key, const void *value, void *data)
{
	const struct device_info *info = value;
	char text4[ADDR_TEXT_BYTES], text6[ADDR_TEXT_BYTES];
	char addr4[ADDR_TEXT_BYTES], addr6[ADDR_TEXT_BYTES];
	g_autofree char *addrs = NULL;

	/* Mostly they are the same. */
	if (memcmp(&info->masquerade4, &info->addr4, sizeof(info->addr4)) ||
	    memcmp(&info->masquerade6, &info->addr6, sizeof(info->addr6)))
		addrs = g_strdup_printf(" address %s %s", addr_text(&info->addr4, addr4),
					addr_text(&info->addr6, addr6));
	g_ptr_array_add(data,
			g_strdup_printf("%u masquerade %s %s mtu %u%s%s", *(const uint32_t *)key,
					addr_text(&info->masquerade4, text4),
					addr_text(&info->masquerade6, text6), info->mtu,
					info->flags & DEVICE_F_L3    ? " layer-3"
					: info->flags & DEVICE_F_XDP ? " xdp"
								     : "",
					addrs ? addrs : ""));
	return true;
}

static bool add_skip(const void *key, const void *value, void *data)
{
	const struct lb_skip_key *skip = key;
	char text[ADDR_TEXT_BYTES];

	g_ptr_array_add(data, g_strdup_printf("%s %u protocol %u endpoint %u",
					      addr_text(&skip->addr, text), ntohs(skip->port),
					      skip->protocol, skip->endpoint));
	return true;
}

static bool add_netns(const void *key, const void *value, void *data)
{
	const struct lb_netns *netns = value;
	char text4[ADDR_TEXT_BYTES], text6[ADDR_TEXT_BYTES];

	g_ptr_array_add(data, g_strdup_printf("%" G_GUINT64_FORMAT " endpoint %u %s %s",
					      (guint64)((const struct lb_netns_key *)key)->cookie,
					      netns->endpoint, addr_text(&netns->addr4, text4),
					      addr_text(&netns->addr6, text6)));
	return true;
}

static bool add_attachment(const struct plan_attachment_key *key, enum plan_program program,
			   void *data)
{
	static const char *const names[PLAN_PROGRAM__MAX] = {
		[PLAN_PROGRAM_FROM_CONTAINER] = "from-container",
		[PLAN_PROGRAM_TO_CONTAINER] = "to-container",
		[PLAN_PROGRAM_FROM_HOST] = "from-host",
		[PLAN_PROGRAM_FROM_NETDEV] = "from-netdev",
		[PLAN_PROGRAM_TO_NETDEV] = "to-netdev",
		[PLAN_PROGRAM_XDP_ENTRY] = "entry",
	};

	static const char *const hooks[] = {"ingress", "egress", "xdp"};

	if (plan_hook_is_socket(key->hook)) {
		g_ptr_array_add(data, g_strdup_printf("cgroup %s", program_name(program)));
		return true;
	}
	g_ptr_array_add(data, g_strdup_printf("ifindex %u %s %s", key->ifindex, hooks[key->hook],
					      names[program]));
	return true;
}

static bool add_route(const struct plan_route *route, void *data)
{
	char destination[CIDR_TEXT_BYTES], gateway[ADDR_TEXT_BYTES], source[ADDR_TEXT_BYTES];

	g_ptr_array_add(data, g_strdup_printf("%s dev %s via %s src %s mtu %u",
					      cidr_format(&route->destination, destination),
					      route->ifname, addr_text(&route->gateway, gateway),
					      addr_text(&route->source, source), route->mtu));
	return true;
}

static void print_table(GString *output, const char *title, const struct table *table,
			bool (*add)(const struct row *row, void *data))
{
	GPtrArray *lines = lines_new();

	table_foreach (table, add, lines)
		;
	print_section(output, title, lines);
}

static void print_map(GString *output, const char *title, struct datapath *datapath,
		      enum plan_map map,
		      bool (*add)(const void *key, const void *value, void *data))
{
	GPtrArray *lines = lines_new();
	int err = datapath->ops->map_foreach(datapath, map, add, lines);

	g_assert(err == 0);
	print_section(output, title, lines);
}

void print_state(GString *output, const struct tables *tables, struct datapath *datapath)
{
	GPtrArray *attachments = lines_new(), *routes = lines_new();
	GPtrArray *rule_sets = lines_new(), *origins = lines_new(), *services = lines_new();

	print_table(output, "problems", tables->source_problems, add_problem);
	print_table(output, "endpoints", tables->endpoint_states, add_state);
	print_table(output, "identities", tables->identities, add_identity);
	print_map(output, "cilium_lxc", datapath, PLAN_MAP_cilium_lxc, add_lxc);
	print_map(output, "cilium_lxc_device", datapath, PLAN_MAP_cilium_lxc_device,
		  add_lxc_device);
	print_map(output, "cilium_ipcache", datapath, PLAN_MAP_cilium_ipcache, add_ipcache);
	print_map(output, "cilium_ipcache_prefix", datapath, PLAN_MAP_cilium_ipcache_prefix,
		  add_ipcache_prefix);
	print_map(output, "cilium_ipmasq", datapath, PLAN_MAP_cilium_ipmasq, add_ipmasq);
	print_map(output, "cilium_devices", datapath, PLAN_MAP_cilium_devices, add_device);
	/* Most cases have none. */
	if (fake_map_n_entries(datapath, PLAN_MAP_cilium_lb_netns))
		print_map(output, "cilium_lb_netns", datapath, PLAN_MAP_cilium_lb_netns, add_netns);
	datapath->ops->attachment_foreach(datapath, add_attachment, attachments);
	print_section(output, "programs", attachments);
	datapath->ops->route_foreach(datapath, add_route, routes);
	print_section(output, "routes", routes);
	print_policy_rule_sets(tables, rule_sets);
	print_section(output, "rule sets", rule_sets);
	print_policy_origins(tables, origins);
	print_section(output, "rules", origins);
	print_lb_services(tables, services);
	print_section(output, "services", services);
	print_map(output, "cilium_skip_lb", datapath, PLAN_MAP_cilium_skip_lb, add_skip);
}
