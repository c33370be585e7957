/* SPDX-License-Identifier: Apache-2.0 */
#include "src/derive/masquerade.h"

#include "abi/ipcache.h"
#include "abi/nat.h"
#include "src/model/plan.h"

static void add_exclusions(const GArray *cidrs, GPtrArray *wanted)
{
	static const struct nat_exclusion exclusion;

	for (unsigned int i = 0; i < cidrs->len; i++) {
		const struct cidr *cidr = &g_array_index(cidrs, struct cidr, i);
		struct ipcache_prefix_key key = {.prefix_len = cidr->prefix_len,
						 .addr = cidr->addr};

		g_ptr_array_add(wanted,
				plan_map_entry_new(PLAN_MAP_cilium_ipmasq, &key, sizeof(key),
						   &exclusion, sizeof(exclusion), 0));
	}
}

void masquerade_derive(const struct node_view *view, GPtrArray *wanted)
{
	const struct derive_config *config = view->config;

	if (config->enable_ipv4 && config->enable_masquerade4)
		add_exclusions(config->native_cidrs4 ? config->native_cidrs4 : view->pod_cidrs4,
			       wanted);
	if (config->enable_ipv6 && config->enable_masquerade6)
		add_exclusions(config->native_cidrs6 ? config->native_cidrs6 : view->pod_cidrs6,
			       wanted);
}
