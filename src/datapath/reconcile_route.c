// SPDX-License-Identifier: Apache-2.0
/* The kind "routes". */
#include "src/datapath/reconciler_private.h"

static const struct plan_route *route_of(const struct row *row)
{
	return (const struct plan_route *)row;
}

static void route_key(const void *row, struct row_key *ret_key)
{
	const struct plan_route *route = row;

	*ret_key = (struct row_key){.data = &route->destination, .n_bytes = CIDR_KEY_BYTES};
}

struct reading {
	bool (*fn)(const struct row *actual, void *data);
	void *data;
};

static bool read_route(const struct plan_route *route, void *data)
{
	const struct reading *reading = data;

	return reading->fn(&route->row, reading->data);
}

static int route_foreach(struct datapath *dp, bool (*fn)(const struct row *actual, void *data),
			 void *data)
{
	struct reading reading = {.fn = fn, .data = data};

	return dp->ops->route_foreach(dp, read_route, &reading);
}

static bool route_matches(const struct row *wanted, const struct row *actual)
{
	const struct plan_route *a = route_of(wanted);
	const struct plan_route *b = route_of(actual);

	return addr_equal(&a->gateway, &b->gateway) && addr_equal(&a->source, &b->source) &&
	       a->mtu == b->mtu && g_strcmp0(a->ifname, b->ifname) == 0;
}

static int route_apply(struct datapath *dp, const struct row *row)
{
	return dp->ops->route_replace(dp, route_of(row));
}

static int route_remove(struct datapath *dp, const struct row *row)
{
	return dp->ops->route_remove(dp, &route_of(row)->destination);
}

static uint16_t route_endpoint_id(const struct row *row)
{
	return route_of(row)->endpoint_id;
}

/* "10.0.0.0/24 dev cilium_host" */
static char *route_describe(const struct row *row)
{
	char text[CIDR_TEXT_BYTES];

	return g_strdup_printf("%s dev %s", cidr_format(&route_of(row)->destination, text),
			       route_of(row)->ifname);
}

const struct reconcile_kind reconcile_route_kind = {
	.name = "routes",
	.controller_name = "reconcile-routes",
	.key = route_key,
	.foreach = route_foreach,
	.matches = route_matches,
	.apply = route_apply,
	.remove = route_remove,
	.endpoint_id = route_endpoint_id,
	.describe = route_describe,
};
