// SPDX-License-Identifier: Apache-2.0
#include "src/sys/link.h"

#include <string.h>
#include <linux/if_link.h>
#include <linux/veth.h>

/* A table that changes during each of so many readings is not going to hold still. */
#define DUMP_TRIES 8

static void copy_text(char *destination, size_t size, const struct nlattr *attr)
{
	if (attr && !mnl_attr_validate(attr, MNL_TYPE_NUL_STRING))
		g_strlcpy(destination, mnl_attr_get_str(attr), size);
}

static uint32_t get_u32(const struct nlattr *attr)
{
	return attr && !mnl_attr_validate(attr, MNL_TYPE_U32) ? mnl_attr_get_u32(attr) : 0;
}

static void decode_kind(const struct nlattr *info, struct link_info *link)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, info)
	{
		if (mnl_attr_get_type(attr) == IFLA_INFO_KIND)
			copy_text(link->kind, sizeof(link->kind), attr);
	}
}

int link_decode(const struct nlmsghdr *message, struct link_info *ret_link)
{
	const struct nlattr *table[IFLA_MAX + 1];
	const struct ifinfomsg *header = mnl_nlmsg_get_payload(message);
	struct link_info link = {};

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*header))
		return -EBADMSG;
	netlink_parse(message, sizeof(*header), table, IFLA_MAX);
	link.ifindex = (uint32_t)header->ifi_index;
	link.flags = header->ifi_flags;
	link.type = header->ifi_type;
	link.mtu = get_u32(table[IFLA_MTU]);
	link.peer_ifindex = get_u32(table[IFLA_LINK]);
	copy_text(link.name, sizeof(link.name), table[IFLA_IFNAME]);
	copy_text(link.qdisc, sizeof(link.qdisc), table[IFLA_QDISC]);
	copy_text(link.alias, sizeof(link.alias), table[IFLA_IFALIAS]);
	if (table[IFLA_LINKINFO])
		decode_kind(table[IFLA_LINKINFO], &link);
	if (table[IFLA_ADDRESS] &&
	    mnl_attr_get_payload_len(table[IFLA_ADDRESS]) == sizeof(link.mac)) {
		memcpy(link.mac.bytes, mnl_attr_get_payload(table[IFLA_ADDRESS]), sizeof(link.mac));
		link.has_mac = true;
	}
	*ret_link = link;
	return 0;
}

static struct nlmsghdr *put_header(struct nlmsghdr *message, uint32_t ifindex, uint32_t flags,
				   uint32_t change)
{
	struct ifinfomsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

	header->ifi_family = AF_UNSPEC;
	header->ifi_index = (int)ifindex;
	header->ifi_flags = flags;
	header->ifi_change = change;
	return message;
}

static bool take_link(const struct nlmsghdr *message, void *data)
{
	struct link_info *link = data;

	return link_decode(message, link) != 0;
}

static int get_link(struct netlink *nl, struct link_info *ret_link, GError **error)
{
	struct link_info link = {};
	int status = netlink_send(nl, take_link, &link, error);

	if (status)
		return status;
	if (!link.ifindex)
		return error_set(error, EBADMSG, "the kernel's answer on a device has no index");
	*ret_link = link;
	return 0;
}

int link_get_by_name(struct netlink *nl, const char *name, struct link_info *ret_link,
		     GError **error)
{
	struct nlmsghdr *message = netlink_append(nl, RTM_GETLINK, 0, "device %s", name);

	put_header(message, 0, 0, 0);
	mnl_attr_put_strz(message, IFLA_IFNAME, name);
	return get_link(nl, ret_link, error);
}

int link_get_by_index(struct netlink *nl, uint32_t ifindex, struct link_info *ret_link,
		      GError **error)
{
	put_header(netlink_append(nl, RTM_GETLINK, 0, "device %u", ifindex), ifindex, 0, 0);
	return get_link(nl, ret_link, error);
}

static bool collect_link(const struct nlmsghdr *message, void *data)
{
	struct link_info link;

	if (!link_decode(message, &link))
		g_array_append_val((GArray *)data, link);
	return true;
}

int link_dump(struct netlink *nl, GArray **ret_links, GError **error)
{
	GArray *links = g_array_new(FALSE, FALSE, sizeof(struct link_info));
	int status = -EAGAIN;

	for (int i = 0; i < DUMP_TRIES && status == -EAGAIN; i++) {
		g_clear_error(error);
		g_array_set_size(links, 0);
		put_header(netlink_append(nl, RTM_GETLINK, NLM_F_DUMP, "listing devices"), 0, 0, 0);
		status = netlink_dump(nl, collect_link, links, error);
	}
	if (status)
		g_array_unref(links);
	else
		*ret_links = links;
	return status;
}

static void put_veth_side(struct nlmsghdr *message, const char *name, const struct mac *mac,
			  uint32_t mtu)
{
	mnl_attr_put_strz(message, IFLA_IFNAME, name);
	/* A given address also tells udev that there is nothing to choose. */
	mnl_attr_put(message, IFLA_ADDRESS, sizeof(*mac), mac->bytes);
	mnl_attr_put_u32(message, IFLA_MTU, mtu);
}

void link_append_veth(struct netlink *nl, const struct link_veth *veth)
{
	uint32_t up = veth->up ? IFF_UP : 0;
	struct nlmsghdr *message =
		netlink_append(nl, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL,
			       "making the veth pair %s and %s", veth->name, veth->peer_name);
	struct nlattr *info, *data, *peer;

	put_header(message, veth->ifindex, up, up);
	put_veth_side(message, veth->name, &veth->mac, veth->mtu);
	info = mnl_attr_nest_start(message, IFLA_LINKINFO);
	mnl_attr_put_strz(message, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
	peer = mnl_attr_nest_start(message, VETH_INFO_PEER);
	mnl_nlmsg_put_extra_header(message, sizeof(struct ifinfomsg));
	put_veth_side(message, veth->peer_name, &veth->peer_mac, veth->mtu);
	if (veth->peer_netns_fd >= 0)
		mnl_attr_put_u32(message, IFLA_NET_NS_FD, (uint32_t)veth->peer_netns_fd);
	mnl_attr_nest_end(message, peer);
	mnl_attr_nest_end(message, data);
	mnl_attr_nest_end(message, info);
}

void link_append_up(struct netlink *nl, uint32_t ifindex)
{
	put_header(netlink_append(nl, RTM_NEWLINK, 0, "setting device %u up", ifindex), ifindex,
		   IFF_UP, IFF_UP);
}

void link_append_mtu(struct netlink *nl, uint32_t ifindex, uint32_t mtu)
{
	struct nlmsghdr *message = netlink_append(
		nl, RTM_NEWLINK, 0, "setting the mtu of device %u to %u", ifindex, mtu);

	put_header(message, ifindex, 0, 0);
	mnl_attr_put_u32(message, IFLA_MTU, mtu);
}

void link_append_alias(struct netlink *nl, const char *name, const char *alias)
{
	struct nlmsghdr *message =
		netlink_append(nl, RTM_NEWLINK, 0, "setting the alias of device %s", name);

	put_header(message, 0, 0, 0);
	mnl_attr_put_strz(message, IFLA_IFNAME, name);
	mnl_attr_put(message, IFLA_IFALIAS, strnlen(alias, 255), alias);
}

void link_append_no_arp(struct netlink *nl, uint32_t ifindex)
{
	put_header(netlink_append(nl, RTM_NEWLINK, 0, "switching ARP of device %u off", ifindex),
		   ifindex, IFF_NOARP, IFF_NOARP);
}

void link_append_no_link_local(struct netlink *nl, uint32_t ifindex)
{
	struct nlmsghdr *message = netlink_append(
		nl, RTM_NEWLINK, 0, "switching link-local addresses of device %u off", ifindex);
	struct nlattr *families, *inet6;

	put_header(message, ifindex, 0, 0);
	families = mnl_attr_nest_start(message, IFLA_AF_SPEC);
	inet6 = mnl_attr_nest_start(message, AF_INET6);
	mnl_attr_put_u8(message, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(message, inet6);
	mnl_attr_nest_end(message, families);
}

void link_append_delete(struct netlink *nl, uint32_t ifindex)
{
	put_header(netlink_append(nl, RTM_DELLINK, 0, "deleting device %u", ifindex), ifindex, 0,
		   0);
}

void link_append_delete_by_name(struct netlink *nl, const char *name)
{
	struct nlmsghdr *message = netlink_append(nl, RTM_DELLINK, 0, "deleting device %s", name);

	put_header(message, 0, 0, 0);
	mnl_attr_put_strz(message, IFLA_IFNAME, name);
}
