/* SPDX-License-Identifier: Apache-2.0 */
#include "src/derive/host.h"

#include "abi/endpoint.h"
#include "src/model/plan.h"

void host_derive(const struct node_view *view, GPtrArray *wanted)
{
	static const struct endpoint_info info = {.flags = ENDPOINT_F_HOST};

	for (unsigned int i = 0; i < view->local_addrs->len; i++) {
		struct endpoint_key key = {
			.addr = g_array_index(view->local_addrs, struct addr, i),
		};

		g_ptr_array_add(wanted, plan_map_entry_new(PLAN_MAP_cilium_lxc, &key, sizeof(key),
							   &info, sizeof(info), 0));
	}
}
