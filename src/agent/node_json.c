/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes in the shapes of Cilium's API. */
#include "src/agent/rest_private.h"

#include <linux/rtnetlink.h>
#include <string.h>
#include "src/model/device.h"
#include "src/model/node.h"

/* What is known of a node, from wherever. Zero addresses and empty texts: not known. */
struct node_facts {
	struct addr addr4, addr6; /* primary */
	char *range4, *range6;    /* "10.0.0.0/24" */
	const char *source;
};

char *node_full_name(const struct agent *agent)
{
	return g_strdup_printf("%s/%s", agent->settings->cluster_name, agent->settings->node_name);
}

static json_t *family_to_json(bool enabled, const struct addr *addr, const char *range,
			      const char *type)
{
	char text[ADDR_TEXT_BYTES];

	return json_pack("{s:b, s:s*, s:s*, s:s*}", "enabled", enabled, "ip",
			 addr_is_zero(addr) ? NULL : addr_format(addr, text), "alloc-range", range,
			 "address-type", type);
}

static char *format_pools(const struct agent *agent, bool v4)
{
	GArray *pools = ipam_get_pools(&agent->tables, &agent->derive_config, v4);
	char *text = pools->len ? ipam_format_pools(pools) : NULL;

	g_array_unref(pools);
	return text;
}

json_t *node_addressing_to_json(const struct agent *agent)
{
	const struct datapath_config *config = &agent->datapath_config;
	const struct settings *settings = agent->settings;
	g_autofree char *range4 = format_pools(agent, true);
	g_autofree char *range6 = format_pools(agent, false);

	return json_pack("{s:o, s:o}", "ipv4",
			 family_to_json(settings->enable_ipv4, &config->router4,
					settings->enable_ipv4 ? range4 : NULL, NULL),
			 "ipv6",
			 family_to_json(settings->enable_ipv6, &config->router6,
					settings->enable_ipv6 ? range6 : NULL, NULL));
}

/* The first address of global scope of a device that a default route goes out through. */
static bool find_own_address(const struct row *row, void *data)
{
	const struct device *device = (const struct device *)row;
	struct node_facts *facts = data;

	if (!device->default_route)
		return true;
	for (size_t i = 0; i < device->addresses->len; i++) {
		const struct device_address *address =
			&g_array_index(device->addresses, struct device_address, i);
		struct addr *wanted = addr_is_v4(&address->addr) ? &facts->addr4 : &facts->addr6;

		if (address->scope == RT_SCOPE_UNIVERSE && !address->deprecated &&
		    addr_is_zero(wanted))
			*wanted = address->addr;
	}
	return true;
}

/* Adds what one manifest of the node says, where nothing stronger has said it. */
static void add_manifest(struct node_facts *facts, const struct node *node)
{
	if (!node)
		return;
	facts->source = "custom-resource";
	for (size_t i = 0; i < node->addresses->len; i++) {
		const struct node_address *address =
			&g_array_index(node->addresses, struct node_address, i);
		struct addr *wanted = addr_is_v4(&address->addr) ? &facts->addr4 : &facts->addr6;

		if (address->type == NODE_ADDRESS_INTERNAL && addr_is_zero(wanted))
			*wanted = address->addr;
	}
	for (size_t i = 0; i < node->pod_cidrs->len; i++) {
		const struct cidr *cidr = &g_array_index(node->pod_cidrs, struct cidr, i);
		char **range = cidr_is_v4(cidr) ? &facts->range4 : &facts->range6;
		char text[CIDR_TEXT_BYTES];

		if (!*range)
			*range = g_strdup(cidr_format(cidr, text));
	}
}

static const struct node *get_node(const struct agent *agent, const char *kind, const char *name)
{
	g_autofree char *key = g_strdup_printf("%s/%s", kind, name);

	return (const struct node *)table_get(agent->tables.nodes, key, strlen(key));
}

static json_t *facts_to_json(const struct agent *agent, const char *name,
			     const struct node_facts *facts)
{
	const struct settings *settings = agent->settings;

	return json_pack("{s:o, s:s, s:{s:o, s:o}}", "name",
			 json_sprintf("%s/%s", settings->cluster_name, name), "source",
			 facts->source, "primary-address", "ipv4",
			 family_to_json(!addr_is_zero(&facts->addr4), &facts->addr4, facts->range4,
					"InternalIP"),
			 "ipv6",
			 family_to_json(!addr_is_zero(&facts->addr6), &facts->addr6, facts->range6,
					"InternalIP"));
}

static void append_node(const struct agent *agent, json_t *list, const char *name)
{
	struct node_facts facts = {.source = "local"};

	add_manifest(&facts, get_node(agent, "CiliumNode", name));
	add_manifest(&facts, get_node(agent, "Node", name));
	if (g_str_equal(name, agent->settings->node_name)) {
		facts.source = "local";
		table_foreach (agent->tables.devices, find_own_address, &facts)
			;
		g_free(facts.range4);
		g_free(facts.range6);
		facts.range4 = format_pools(agent, true);
		facts.range6 = format_pools(agent, false);
	}
	json_array_append_new(list, facts_to_json(agent, name, &facts));
	g_free(facts.range4);
	g_free(facts.range6);
}

static bool collect_name(const struct row *row, void *data)
{
	g_hash_table_add(data, (void *)((const struct node *)row)->meta.name);
	return true;
}

json_t *nodes_to_json(const struct agent *agent)
{
	g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
	json_t *list = json_array();
	GList *sorted;

	append_node(agent, list, agent->settings->node_name);
	table_foreach (agent->tables.nodes, collect_name, names)
		;
	g_hash_table_remove(names, agent->settings->node_name);
	sorted = g_list_sort(g_hash_table_get_keys(names), (GCompareFunc)strcmp);
	for (GList *item = sorted; item; item = item->next)
		append_node(agent, list, item->data);
	g_list_free(sorted);
	return list;
}

void rest_nodes_get(struct rest_call *call)
{
	g_autofree char *self = node_full_name(call->agent);

	rest_reply(call, 200,
		   json_pack("{s:s, s:o, s:[]}", "self", self, "nodes-added",
			     nodes_to_json(call->agent), "nodes-removed"));
}
