// SPDX-License-Identifier: Apache-2.0
#include "src/sys/route.h"

#include <string.h>
#include <arpa/inet.h>

#define DUMP_TRIES 8

static uint32_t get_u32(const struct nlattr *attr)
{
	return attr && !mnl_attr_validate(attr, MNL_TYPE_U32) ? mnl_attr_get_u32(attr) : 0;
}

static uint32_t metrics_mtu(const struct nlattr *metrics)
{
	const struct nlattr *attr;
	uint32_t mtu = 0;

	mnl_attr_for_each_nested(attr, metrics)
	{
		if (mnl_attr_get_type(attr) == RTAX_MTU)
			mtu = get_u32(attr);
	}
	return mtu;
}

static struct addr family_zero(int family)
{
	struct addr addr = {};

	if (family == AF_INET)
		addr.words[2] = htobe32(0xffff);
	return addr;
}

int route_decode(const struct nlmsghdr *message, struct route *ret_route)
{
	const struct nlattr *table[RTA_MAX + 1];
	const struct rtmsg *header = mnl_nlmsg_get_payload(message);
	struct route route = {};

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*header))
		return -EBADMSG;
	if (header->rtm_type != RTN_UNICAST || (header->rtm_flags & RTM_F_CLONED) ||
	    (header->rtm_family != AF_INET && header->rtm_family != AF_INET6))
		return -ENOTSUP;
	netlink_parse(message, sizeof(*header), table, RTA_MAX);
	route.destination =
		table[RTA_DST] ? netlink_get_addr(table[RTA_DST]) : family_zero(header->rtm_family);
	route.prefix_len = header->rtm_dst_len;
	route.protocol = header->rtm_protocol;
	route.onlink = header->rtm_flags & RTNH_F_ONLINK;
	route.gateway = netlink_get_addr(table[RTA_GATEWAY]);
	route.source = netlink_get_addr(table[RTA_PREFSRC]);
	route.ifindex = get_u32(table[RTA_OIF]);
	route.mtu = table[RTA_METRICS] ? metrics_mtu(table[RTA_METRICS]) : 0;
	route.table = table[RTA_TABLE] ? get_u32(table[RTA_TABLE]) : header->rtm_table;
	route.metric = get_u32(table[RTA_PRIORITY]);
	*ret_route = route;
	return 0;
}

static bool take_type(const struct nlmsghdr *message, void *data)
{
	const struct rtmsg *header = mnl_nlmsg_get_payload(message);

	if (mnl_nlmsg_get_payload_len(message) >= sizeof(*header))
		*(uint8_t *)data = header->rtm_type;
	return true;
}

bool route_is_local(struct netlink *nl, const struct addr *addr)
{
	struct nlmsghdr *message = netlink_append(nl, RTM_GETROUTE, 0, "asking for a route");
	struct rtmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	uint8_t type = RTN_UNSPEC;

	header->rtm_family = (uint8_t)netlink_addr_family(addr);
	header->rtm_dst_len = header->rtm_family == AF_INET ? 32 : 128;
	netlink_put_addr(message, RTA_DST, addr);
	return !netlink_send(nl, take_type, &type, NULL) && type == RTN_LOCAL;
}

struct collection {
	uint32_t table;
	uint8_t protocol;
	GArray *routes;
};

static bool collect_route(const struct nlmsghdr *message, void *data)
{
	struct collection *collection = data;
	struct route route;

	/* Kernels without strict checking ignore the filter in the request. */
	if (!route_decode(message, &route) && route.table == collection->table &&
	    (!collection->protocol || route.protocol == collection->protocol))
		g_array_append_val(collection->routes, route);
	return true;
}

static int dump_family(struct netlink *nl, int family, struct collection *collection,
		       GError **error)
{
	struct nlmsghdr *message = netlink_append(nl, RTM_GETROUTE, NLM_F_DUMP, "listing routes");
	struct rtmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	int status;

	header->rtm_family = (uint8_t)family;
	header->rtm_protocol = collection->protocol;
	mnl_attr_put_u32(message, RTA_TABLE, collection->table);
	status = netlink_dump(nl, collect_route, collection, error);
	/* A table without routes may not exist yet. */
	if (status == -ENOENT) {
		g_clear_error(error);
		return 0;
	}
	return status;
}

int route_dump(struct netlink *nl, uint32_t table, uint8_t protocol, GArray **ret_routes,
	       GError **error)
{
	struct collection collection = {
		.table = table ? table : RT_TABLE_MAIN,
		.protocol = protocol,
		.routes = g_array_new(FALSE, FALSE, sizeof(struct route)),
	};
	int status = -EAGAIN;

	for (int i = 0; i < DUMP_TRIES && status == -EAGAIN; i++) {
		g_clear_error(error);
		g_array_set_size(collection.routes, 0);
		status = dump_family(nl, AF_INET, &collection, error);
		if (!status)
			status = dump_family(nl, AF_INET6, &collection, error);
	}
	if (status)
		g_array_unref(collection.routes);
	else
		*ret_routes = collection.routes;
	return status;
}

static bool is_zero(const struct addr *addr)
{
	return !addr->halves[0] && !addr->halves[1];
}

static const char *route_text(const struct route *route, char buffer[INET6_ADDRSTRLEN])
{
	bool v4 = netlink_addr_family(&route->destination) == AF_INET;

	return inet_ntop(v4 ? AF_INET : AF_INET6,
			 v4 ? route->destination.bytes + 12 : route->destination.bytes, buffer,
			 INET6_ADDRSTRLEN);
}

static struct rtmsg *put_route(struct nlmsghdr *message, const struct route *route)
{
	struct rtmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

	header->rtm_family = (uint8_t)netlink_addr_family(&route->destination);
	header->rtm_dst_len = route->prefix_len;
	header->rtm_protocol = route->protocol;
	header->rtm_type = RTN_UNICAST;
	header->rtm_scope = is_zero(&route->gateway) && header->rtm_family == AF_INET
				    ? RT_SCOPE_LINK
				    : RT_SCOPE_UNIVERSE;
	header->rtm_flags = route->onlink ? RTNH_F_ONLINK : 0;
	mnl_attr_put_u32(message, RTA_TABLE, route->table ? route->table : RT_TABLE_MAIN);
	if (route->prefix_len)
		netlink_put_addr(message, RTA_DST, &route->destination);
	if (!is_zero(&route->gateway))
		netlink_put_addr(message, RTA_GATEWAY, &route->gateway);
	if (!is_zero(&route->source))
		netlink_put_addr(message, RTA_PREFSRC, &route->source);
	if (route->ifindex)
		mnl_attr_put_u32(message, RTA_OIF, route->ifindex);
	if (route->metric)
		mnl_attr_put_u32(message, RTA_PRIORITY, route->metric);
	return header;
}

static void append_new(struct netlink *nl, const struct route *route, uint16_t flag)
{
	char buffer[INET6_ADDRSTRLEN];
	struct nlmsghdr *message = netlink_append(
		nl, RTM_NEWROUTE, NLM_F_CREATE | flag, "setting the route to %s/%u on device %u",
		route_text(route, buffer), route->prefix_len, route->ifindex);

	put_route(message, route);
	if (route->mtu) {
		struct nlattr *metrics = mnl_attr_nest_start(message, RTA_METRICS);

		mnl_attr_put_u32(message, RTAX_MTU, route->mtu);
		mnl_attr_nest_end(message, metrics);
	}
}

void route_append_add(struct netlink *nl, const struct route *route)
{
	append_new(nl, route, NLM_F_EXCL);
}

void route_append_replace(struct netlink *nl, const struct route *route)
{
	append_new(nl, route, NLM_F_REPLACE);
}

void route_append_delete(struct netlink *nl, const struct route *route)
{
	char buffer[INET6_ADDRSTRLEN];
	struct nlmsghdr *message =
		netlink_append(nl, RTM_DELROUTE, 0, "deleting the route to %s/%u",
			       route_text(route, buffer), route->prefix_len);

	put_route(message, route)->rtm_scope = RT_SCOPE_NOWHERE;
}
