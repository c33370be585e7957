/* SPDX-License-Identifier: Apache-2.0 */
#include "src/derive/masquerade.h"

#include "abi/ipcache.h"
#include "abi/nat.h"
#include "src/model/masquerade_range.h"
#include "src/model/plan.h"

static void add_exclusion(const struct cidr *cidr, uint16_t endpoint_id, GPtrArray *wanted)
{
	static const struct nat_exclusion exclusion;
	struct ipcache_prefix_key key = {.prefix_len = cidr->prefix_len, .addr = cidr->addr};

	g_ptr_array_add(wanted, plan_map_entry_new(PLAN_MAP_cilium_ipmasq, &key, sizeof(key),
						   &exclusion, sizeof(exclusion), endpoint_id));
}

static void add_exclusions(const GArray *cidrs, GPtrArray *wanted)
{
	for (unsigned int i = 0; i < cidrs->len; i++)
		add_exclusion(&g_array_index(cidrs, struct cidr, i), 0, wanted);
}

struct range_walk {
	bool masquerade4, masquerade6;
	GPtrArray *wanted;
};

static bool add_range(const struct row *row, void *data)
{
	const struct masquerade_range *range = (const struct masquerade_range *)row;
	const struct range_walk *walk = data;

	if (cidr_is_v4(&range->cidr) ? walk->masquerade4 : walk->masquerade6)
		add_exclusion(&range->cidr, 0, walk->wanted);
	return true;
}

void masquerade_derive(const struct node_view *view, GPtrArray *wanted)
{
	const struct derive_config *config = view->config;

	struct range_walk walk = {
		.masquerade4 = config->enable_ipv4 && config->enable_masquerade4,
		.masquerade6 = config->enable_ipv6 && config->enable_masquerade6,
		.wanted = wanted,
	};

	if (walk.masquerade4)
		add_exclusions(config->native_cidrs4 ? config->native_cidrs4 : view->pod_cidrs4,
			       wanted);
	if (walk.masquerade6)
		add_exclusions(config->native_cidrs6 ? config->native_cidrs6 : view->pod_cidrs6,
			       wanted);
	table_foreach (view->tables->masquerade_ranges, add_range, &walk)
		;
}

void masquerade_derive_addr(const struct derive_config *config, const struct addr *addr,
			    uint16_t endpoint_id, GPtrArray *wanted)
{
	struct cidr cidr = cidr_from_addr(addr);
	bool v4 = addr_is_v4(addr);

	if ((v4 ? config->enable_masquerade4 : config->enable_masquerade6) &&
	    !(v4 ? config->native_cidrs4 : config->native_cidrs6))
		add_exclusion(&cidr, endpoint_id, wanted);
}
