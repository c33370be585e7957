// SPDX-License-Identifier: Apache-2.0
#include "src/datapath/real_private.h"

#include <net/if.h>
#include "src/sys/route.h"

static struct plan_route *plan_route_from(const struct route *route)
{
	struct plan_route *row = (struct plan_route *)row_new(&plan_route_class);
	bool is_v4 = addr_is_v4(&route->destination);
	char ifname[IF_NAMESIZE];

	row->destination = (struct cidr){
		.addr = route->destination,
		.prefix_len = route->prefix_len + (is_v4 ? ADDR_V4_PREFIX_BITS : 0),
	};
	row->gateway = route->gateway;
	row->source = route->source;
	row->mtu = route->mtu;
	/* A device that went since has taken the route along: no plan has one without a name. */
	row->ifname = g_strdup(if_indextoname(route->ifindex, ifname) ? ifname : "");
	return row;
}

int real_route_foreach(struct datapath *dp, bool (*fn)(const struct plan_route *route, void *data),
		       void *data)
{
	g_autoptr(GArray) routes = NULL;
	int err = route_dump(real_get(dp)->netlink, 0, DATAPATH_ROUTE_PROTOCOL, &routes, NULL);
	bool wanted = true;

	if (err)
		return err;
	for (guint i = 0; wanted && i < routes->len; i++) {
		struct plan_route *row = plan_route_from(&g_array_index(routes, struct route, i));

		wanted = fn(row, data);
		row_unref(&row->row);
	}
	return 0;
}

static struct route route_to(const struct cidr *destination)
{
	return (struct route){
		.destination = destination->addr,
		.prefix_len = cidr_text_len(destination),
		.protocol = DATAPATH_ROUTE_PROTOCOL,
	};
}

/* 1 where we have a route to the destination, else 0. */
static int is_ours(struct real *real, const struct cidr *destination)
{
	g_autoptr(GArray) routes = NULL;
	int err = route_dump(real->netlink, 0, DATAPATH_ROUTE_PROTOCOL, &routes, NULL);
	int found = 0;

	if (err)
		return err;
	for (guint i = 0; i < routes->len && !found; i++) {
		const struct route *route = &g_array_index(routes, struct route, i);

		found = addr_equal(&route->destination, &destination->addr) &&
			route->prefix_len == cidr_text_len(destination);
	}
	return found;
}

int real_route_replace(struct datapath *dp, const struct plan_route *wanted)
{
	struct real *real = real_get(dp);
	struct route route = route_to(&wanted->destination);
	int err;

	route.gateway = wanted->gateway;
	route.source = wanted->source;
	route.mtu = wanted->mtu;
	route.ifindex = if_nametoindex(wanted->ifname);
	if (!route.ifindex)
		return -errno;
	route_append_add(real->netlink, &route);
	err = netlink_send(real->netlink, NULL, NULL, NULL);
	if (err != -EEXIST)
		return err;
	/* To replace does not ask whose route that is: somebody else's stays, and ours fails. */
	err = is_ours(real, &wanted->destination);
	if (err <= 0)
		return err ? err : -EEXIST;
	route_append_replace(real->netlink, &route);
	return netlink_send(real->netlink, NULL, NULL, NULL);
}

int real_route_remove(struct datapath *dp, const struct cidr *destination)
{
	struct real *real = real_get(dp);
	struct route route = route_to(destination);
	int err;

	route_append_delete(real->netlink, &route);
	err = netlink_send(real->netlink, NULL, NULL, NULL);
	return err == -ESRCH ? 0 : err;
}
