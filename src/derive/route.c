/* SPDX-License-Identifier: Apache-2.0 */
#include "src/derive/route.h"

#include "src/model/plan.h"

static void add_route(const struct cidr *destination, const struct addr *router, GPtrArray *wanted)
{
	struct plan_route *route = (struct plan_route *)row_new(&plan_route_class);

	route->destination = *destination;
	route->source = *router;
	route->ifname = g_strdup(NODE_HOST_DEVICE);
	g_ptr_array_add(wanted, route);
}

static void add_routes(const GArray *cidrs, const struct addr *router, GPtrArray *wanted)
{
	struct cidr own = cidr_from_addr(router);

	if (addr_is_zero(router))
		return;
	add_route(&own, router, wanted);
	for (unsigned int i = 0; i < cidrs->len; i++)
		add_route(&g_array_index(cidrs, struct cidr, i), router, wanted);
}

void route_derive(const struct node_view *view, GPtrArray *wanted)
{
	add_routes(view->pod_cidrs4, &view->router4, wanted);
	add_routes(view->pod_cidrs6, &view->router6, wanted);
}
