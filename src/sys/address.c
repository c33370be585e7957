// SPDX-License-Identifier: Apache-2.0
#include "src/sys/address.h"

#include <arpa/inet.h>
#include <linux/if_addr.h>

#define DUMP_TRIES 8

int address_decode(const struct nlmsghdr *message, struct address *ret_address)
{
	const struct nlattr *table[IFA_MAX + 1];
	const struct ifaddrmsg *header = mnl_nlmsg_get_payload(message);
	const struct nlattr *attr;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*header))
		return -EBADMSG;
	netlink_parse(message, sizeof(*header), table, IFA_MAX);
	/* IFA_ADDRESS is the other end where a device is point to point. */
	attr = table[IFA_LOCAL] ? table[IFA_LOCAL] : table[IFA_ADDRESS];
	if (!attr)
		return -EBADMSG;
	*ret_address = (struct address){
		.ifindex = header->ifa_index,
		.flags = table[IFA_FLAGS] && !mnl_attr_validate(table[IFA_FLAGS], MNL_TYPE_U32)
				 ? mnl_attr_get_u32(table[IFA_FLAGS])
				 : header->ifa_flags,
		.addr = netlink_get_addr(attr),
		.prefix_len = header->ifa_prefixlen,
		.scope = header->ifa_scope,
	};
	return 0;
}

struct collection {
	uint32_t ifindex;
	GArray *addresses;
};

static bool collect_address(const struct nlmsghdr *message, void *data)
{
	struct collection *collection = data;
	struct address address;

	/* Kernels without strict checking ignore the index in the request. */
	if (!address_decode(message, &address) &&
	    (!collection->ifindex || address.ifindex == collection->ifindex))
		g_array_append_val(collection->addresses, address);
	return true;
}

int address_dump(struct netlink *nl, uint32_t ifindex, GArray **ret_addresses, GError **error)
{
	struct collection collection = {
		.ifindex = ifindex,
		.addresses = g_array_new(FALSE, FALSE, sizeof(struct address)),
	};
	int status = -EAGAIN;

	for (int i = 0; i < DUMP_TRIES && status == -EAGAIN; i++) {
		struct nlmsghdr *message =
			netlink_append(nl, RTM_GETADDR, NLM_F_DUMP, "listing addresses");
		struct ifaddrmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

		g_clear_error(error);
		g_array_set_size(collection.addresses, 0);
		header->ifa_index = ifindex;
		status = netlink_dump(nl, collect_address, &collection, error);
	}
	if (status)
		g_array_unref(collection.addresses);
	else
		*ret_addresses = collection.addresses;
	return status;
}

static const char *address_text(const struct address *address, char buffer[INET6_ADDRSTRLEN])
{
	bool v4 = netlink_addr_family(&address->addr) == AF_INET;

	return inet_ntop(v4 ? AF_INET : AF_INET6,
			 v4 ? address->addr.bytes + 12 : address->addr.bytes, buffer,
			 INET6_ADDRSTRLEN);
}

static void put_address(struct nlmsghdr *message, const struct address *address)
{
	struct ifaddrmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

	header->ifa_family = (uint8_t)netlink_addr_family(&address->addr);
	header->ifa_index = address->ifindex;
	header->ifa_prefixlen = address->prefix_len;
	header->ifa_scope = address->scope;
	netlink_put_addr(message, IFA_LOCAL, &address->addr);
	netlink_put_addr(message, IFA_ADDRESS, &address->addr);
	if (address->flags)
		mnl_attr_put_u32(message, IFA_FLAGS, address->flags);
}

void address_append_add(struct netlink *nl, const struct address *address)
{
	char buffer[INET6_ADDRSTRLEN];

	put_address(netlink_append(nl, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE,
				   "adding address %s/%u to device %u",
				   address_text(address, buffer), address->prefix_len,
				   address->ifindex),
		    address);
}

void address_append_delete(struct netlink *nl, const struct address *address)
{
	char buffer[INET6_ADDRSTRLEN];

	put_address(netlink_append(nl, RTM_DELADDR, 0, "deleting address %s/%u of device %u",
				   address_text(address, buffer), address->prefix_len,
				   address->ifindex),
		    address);
}
