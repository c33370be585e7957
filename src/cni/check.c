// SPDX-License-Identifier: Apache-2.0
#include "src/cni/check.h"

#include <string.h>
#include <unistd.h>
#include "src/sys/address.h"
#include "src/sys/link.h"
#include "src/sys/netns.h"
#include "src/sys/route.h"

/* What was found in the namespace. */
struct inside {
	struct link_info link;
	GArray *addresses; /* struct address */
	GArray *routes;    /* struct route */
};

static void inside_fini(struct inside *inside)
{
	g_clear_pointer(&inside->addresses, g_array_unref);
	g_clear_pointer(&inside->routes, g_array_unref);
}

static int inside_read(struct inside *inside, int netns_fd, const char *ifname, GError **error)
{
	struct netlink *nl = netns_netlink_new(netns_fd, error);
	int status;

	if (!nl)
		return -EIO;
	status = link_get_by_name(nl, ifname, &inside->link, error);
	if (!status)
		status = address_dump(nl, inside->link.ifindex, &inside->addresses, error);
	if (!status)
		status = route_dump(nl, 0, 0, &inside->routes, error);
	netlink_free(nl);
	return status;
}

static bool has_address(const struct inside *inside, const struct addr *addr)
{
	for (unsigned int i = 0; i < inside->addresses->len; i++) {
		if (addr_equal(&g_array_index(inside->addresses, struct address, i).addr, addr))
			return true;
	}
	return false;
}

static bool has_route(const struct inside *inside, const struct result_route *wanted)
{
	for (unsigned int i = 0; i < inside->routes->len; i++) {
		const struct route *route = &g_array_index(inside->routes, struct route, i);

		if (addr_equal(&route->destination, &wanted->destination.addr) &&
		    route->prefix_len == cidr_text_len(&wanted->destination) &&
		    (addr_is_zero(&wanted->gateway) ||
		     addr_equal(&route->gateway, &wanted->gateway)))
			return true;
	}
	return false;
}

static int check_inside(const struct inside *inside, const struct result_expectation *expectation,
			GError **error)
{
	const char *ifname = inside->link.name;
	char text[CIDR_TEXT_BYTES];

	if (!(inside->link.flags & IFF_UP))
		return cni_fail(error, CNI_ERROR_CHECK_FAILED, "%s is down", ifname);
	if (expectation->has_mac &&
	    memcmp(&inside->link.mac, &expectation->mac, sizeof(struct mac)))
		return cni_fail(error, CNI_ERROR_CHECK_FAILED, "%s has the MAC address %s", ifname,
				mac_format(&inside->link.mac, text));
	for (unsigned int i = 0; i < expectation->ips->len; i++) {
		const struct result_ip *ip = &g_array_index(expectation->ips, struct result_ip, i);

		if (!has_address(inside, &ip->addr))
			return cni_fail(error, CNI_ERROR_CHECK_FAILED, "%s has no address %s",
					ifname, addr_format(&ip->addr, text));
	}
	for (unsigned int i = 0; i < expectation->routes->len; i++) {
		const struct result_route *route =
			&g_array_index(expectation->routes, struct result_route, i);

		if (!has_route(inside, route))
			return cni_fail(error, CNI_ERROR_CHECK_FAILED,
					"%s: the route to %s is missing", ifname,
					cidr_format(&route->destination, text));
	}
	return 0;
}

static int check_host_side(const struct attachment *attachment, const struct inside *inside,
			   GError **error)
{
	struct netlink *nl = netlink_new(error);
	struct link_info link;
	char name[IFNAMSIZ];
	int status;

	if (!nl)
		return CNI_ERROR_FAILED;
	attachment_host_ifname(attachment, name);
	status = link_get_by_name(nl, name, &link, NULL);
	netlink_free(nl);
	if (status)
		return cni_fail(error, CNI_ERROR_CHECK_FAILED, "%s is gone", name);
	if (link.ifindex != inside->link.peer_ifindex || link.peer_ifindex != inside->link.ifindex)
		return cni_fail(error, CNI_ERROR_CHECK_FAILED, "%s is not the other end of %s",
				name, inside->link.name);
	if (!(link.flags & IFF_UP))
		return cni_fail(error, CNI_ERROR_CHECK_FAILED, "%s is down", name);
	return 0;
}

static int check_endpoint(struct api_client *client, const struct attachment *attachment,
			  GError **error)
{
	g_autofree char *id = attachment_endpoint_id(attachment);
	int status = api_client_endpoint_get(client, id, NULL, error);

	if (!status)
		return 0;
	error_prefix(error, "the agent has no endpoint %s", id);
	return CNI_ERROR_CHECK_FAILED;
}

int check_attachment(struct api_client *client, const struct attachment *attachment, int netns_fd,
		     const struct result_expectation *expectation, GError **error)
{
	struct inside inside = {};
	int status = 0;

	if (inside_read(&inside, netns_fd, attachment->ifname, error))
		status = CNI_ERROR_CHECK_FAILED;
	if (!status)
		status = check_inside(&inside, expectation, error);
	if (!status)
		status = check_host_side(attachment, &inside, error);
	if (!status)
		status = check_endpoint(client, attachment, error);
	inside_fini(&inside);
	return status;
}
