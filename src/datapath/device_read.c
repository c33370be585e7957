// SPDX-License-Identifier: Apache-2.0
#include "src/datapath/device_read.h"

#include <linux/if_addr.h>
#include <string.h>
#include "src/sys/address.h"
#include "src/sys/link.h"
#include "src/sys/tc.h"

/* A table that changes during each of so many readings is not going to hold still. */
#define DUMP_TRIES 8

static void add_nexthops(GHashTable *ifindexes, const struct nlattr *multipath)
{
	const struct rtnexthop *nexthop = mnl_attr_get_payload(multipath);
	size_t n_left = mnl_attr_get_payload_len(multipath);

	while (n_left >= sizeof(*nexthop) && nexthop->rtnh_len >= sizeof(*nexthop) &&
	       nexthop->rtnh_len <= n_left) {
		size_t n_bytes = MIN((size_t)RTNH_ALIGN(nexthop->rtnh_len), n_left);

		g_hash_table_add(ifindexes, GUINT_TO_POINTER(nexthop->rtnh_ifindex));
		nexthop = (const struct rtnexthop *)((const char *)nexthop + n_bytes);
		n_left -= n_bytes;
	}
}

static bool read_route(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *table[RTA_MAX + 1];
	const struct rtmsg *header = mnl_nlmsg_get_payload(message);

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*header) || header->rtm_dst_len ||
	    header->rtm_type != RTN_UNICAST || header->rtm_table != RT_TABLE_MAIN ||
	    (header->rtm_flags & RTM_F_CLONED))
		return true;
	netlink_parse(message, sizeof(*header), table, RTA_MAX);
	if (table[RTA_OIF] && !mnl_attr_validate(table[RTA_OIF], MNL_TYPE_U32))
		g_hash_table_add(data, GUINT_TO_POINTER(mnl_attr_get_u32(table[RTA_OIF])));
	if (table[RTA_MULTIPATH])
		add_nexthops(data, table[RTA_MULTIPATH]);
	return true;
}

static int dump_routes(struct netlink *nl, int family, GHashTable *ifindexes, GError **error)
{
	struct nlmsghdr *message = netlink_append(nl, RTM_GETROUTE, NLM_F_DUMP, "listing routes");
	struct rtmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	int err;

	header->rtm_family = (uint8_t)family;
	header->rtm_table = RT_TABLE_MAIN;
	err = netlink_dump(nl, read_route, ifindexes, error);
	/* The table comes into being with its first route. */
	if (err == -ENOENT) {
		g_clear_error(error);
		return 0;
	}
	return err;
}

int device_read_default_routes(struct netlink *nl, GHashTable **ret_ifindexes, GError **error)
{
	g_autoptr(GHashTable) ifindexes = g_hash_table_new(NULL, NULL);
	int err = -EAGAIN;

	for (int i = 0; i < DUMP_TRIES && err == -EAGAIN; i++) {
		g_clear_error(error);
		g_hash_table_remove_all(ifindexes);
		err = dump_routes(nl, AF_INET, ifindexes, error);
		if (!err)
			err = dump_routes(nl, AF_INET6, ifindexes, error);
	}
	if (!err)
		*ret_ifindexes = g_steal_pointer(&ifindexes);
	return err;
}

static void unref_row(void *row)
{
	row_unref(row);
}

static bool is_of_endpoint(const char *name)
{
	return g_str_has_prefix(name, "lxc");
}

static struct device *device_from(const struct link_info *link, bool default_route)
{
	struct device *device = (struct device *)row_new(&device_class);

	device->ifindex = link->ifindex;
	device->name = g_strdup(link->name);
	device->kind = link->kind[0] ? g_strdup(link->kind) : NULL;
	device->mac = link->mac;
	device->mtu = link->mtu;
	device->up = link->flags & IFF_UP;
	device->has_mac = link->has_mac;
	device->default_route = default_route;
	device->queued = is_of_endpoint(link->name) && tc_qdisc_is_queue(link->qdisc);
	device->addresses = g_array_new(FALSE, FALSE, sizeof(struct device_address));
	return device;
}

static void add_address(struct device *device, const struct address *address)
{
	const uint32_t unusable = IFA_F_DEPRECATED | IFA_F_TENTATIVE | IFA_F_DADFAILED;
	struct device_address added = {
		.addr = address->addr,
		.prefix_len = address->prefix_len,
		.scope = address->scope,
		.deprecated = address->flags & unusable,
	};

	if (addr_is_v4(&added.addr))
		added.prefix_len += ADDR_V4_PREFIX_BITS;
	g_array_append_val(device->addresses, added);
}

/* Ours is clsact. */
static int read_filtered(struct netlink *nl, const struct link_info *link, bool *ret_filtered,
			 GError **error)
{
	struct tc_qdisc qdisc;
	int err;

	if (!is_of_endpoint(link->name))
		return 0;
	err = tc_ingress_get(nl, link->ifindex, &qdisc, error);
	if (err == -ENOENT) {
		g_clear_error(error);
		return 0;
	}
	if (!err)
		*ret_filtered = strcmp(qdisc.kind, "ingress") == 0;
	return err;
}

int device_read_all(struct netlink *nl, GHashTable *default_ifindexes, GPtrArray **ret_devices,
		    GError **error)
{
	g_autoptr(GArray) links = NULL;
	g_autoptr(GArray) addresses = NULL;
	g_autoptr(GArray) filtered = NULL;
	g_autoptr(GHashTable) by_ifindex = g_hash_table_new(NULL, NULL);
	int err = link_dump(nl, &links, error);

	if (!err)
		err = address_dump(nl, 0, &addresses, error);
	if (!err)
		err = tc_qdisc_dump(nl, "ingress", &filtered, error);
	if (err)
		return err;
	*ret_devices = g_ptr_array_new_with_free_func(unref_row);
	for (guint i = 0; i < links->len; i++) {
		const struct link_info *link = &g_array_index(links, struct link_info, i);
		void *key = GUINT_TO_POINTER(link->ifindex);
		struct device *device =
			device_from(link, g_hash_table_contains(default_ifindexes, key));

		g_ptr_array_add(*ret_devices, device);
		g_hash_table_insert(by_ifindex, key, device);
	}
	for (guint i = 0; i < addresses->len; i++) {
		const struct address *address = &g_array_index(addresses, struct address, i);
		struct device *device =
			g_hash_table_lookup(by_ifindex, GUINT_TO_POINTER(address->ifindex));

		if (device)
			add_address(device, address);
	}
	for (guint i = 0; i < filtered->len; i++) {
		uint32_t ifindex = g_array_index(filtered, uint32_t, i);
		struct device *device = g_hash_table_lookup(by_ifindex, GUINT_TO_POINTER(ifindex));

		if (device)
			device->filtered = is_of_endpoint(device->name);
	}
	return 0;
}

int device_read_one(struct netlink *nl, uint32_t ifindex, bool default_route,
		    struct device **ret_device, GError **error)
{
	g_autoptr(GArray) addresses = NULL;
	struct link_info link;
	bool filtered = false;
	int err = link_get_by_index(nl, ifindex, &link, error);

	if (!err)
		err = address_dump(nl, ifindex, &addresses, error);
	if (!err)
		err = read_filtered(nl, &link, &filtered, error);
	if (err)
		return err;
	*ret_device = device_from(&link, default_route);
	(*ret_device)->filtered = filtered;
	for (guint i = 0; i < addresses->len; i++)
		add_address(*ret_device, &g_array_index(addresses, struct address, i));
	return 0;
}
