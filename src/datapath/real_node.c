// SPDX-License-Identifier: Apache-2.0
#include "src/datapath/real_private.h"

#include <linux/if_addr.h>
#include <string.h>
#include <sys/random.h>
#include "src/sys/address.h"
#include "src/sys/link.h"

static int random_mac(struct mac *ret_mac, GError **error)
{
	if (getrandom(ret_mac, sizeof(*ret_mac), 0) != sizeof(*ret_mac))
		return error_set_errno(error, errno, "drawing a hardware address");
	/* Unicast, locally administered. */
	ret_mac->bytes[0] = (ret_mac->bytes[0] & 0xfc) | 0x02;
	return 0;
}

/* ifindex: of cilium_host; 0: any. */
static int make_pair(struct real *real, uint32_t ifindex, GError **error)
{
	struct link_veth veth = {
		.name = REAL_HOST_IFNAME,
		.peer_name = REAL_NET_IFNAME,
		.mtu = real->config.mtu,
		.ifindex = ifindex,
		.peer_netns_fd = -1,
	};
	int err = random_mac(&veth.mac, error);

	if (!err)
		err = random_mac(&veth.peer_mac, error);
	if (err)
		return err;
	link_append_veth(real->netlink, &veth);
	return netlink_send(real->netlink, NULL, NULL, error);
}

/*
 * Where somebody deleted the pair it comes back under the index it had: the programs that run have that
 * number built in. Where another device has the number by now, other programs are needed: real_ensure().
 */
static int make_pair_again(struct real *real, GError **error)
{
	uint32_t ifindex = real->config.node.host_ifindex;
	struct link_info link;

	if (ifindex && !link_get_by_index(real->netlink, ifindex, &link, NULL))
		ifindex = 0;
	return make_pair(real, ifindex, error);
}

static int ensure_pair(struct real *real, struct link_info *ret_host, struct link_info *ret_net,
		       GString *repaired, GError **error)
{
	bool has_host = !link_get_by_name(real->netlink, REAL_HOST_IFNAME, ret_host, NULL);
	bool has_net = !link_get_by_name(real->netlink, REAL_NET_IFNAME, ret_net, NULL);
	int err;

	if (has_host && strcmp(ret_host->kind, "veth") != 0)
		return error_set(
			error, EEXIST,
			"device %s is of kind \"%s\", want a veth pair: remove it (ip link "
			"delete %s)",
			REAL_HOST_IFNAME, ret_host->kind, REAL_HOST_IFNAME);
	if (has_host && has_net)
		return 0;
	/* One whose other end was taken elsewhere is of no use. */
	if (has_host) {
		link_append_delete(real->netlink, ret_host->ifindex);
		err = netlink_send(real->netlink, NULL, NULL, error);
		if (err)
			return err;
	}
	real_note(repaired, "%s was missing", has_host ? REAL_NET_IFNAME : REAL_HOST_IFNAME);
	err = make_pair_again(real, error);
	if (!err)
		err = link_get_by_name(real->netlink, REAL_HOST_IFNAME, ret_host, error);
	if (!err)
		err = link_get_by_name(real->netlink, REAL_NET_IFNAME, ret_net, error);
	return err;
}

/* Appends to the batch what the device lacks. */
static void ensure_link(struct real *real, const struct link_info *link, GString *repaired)
{
	if (link->mtu != real->config.mtu) {
		real_note(repaired, "the MTU of %s was %u", link->name, link->mtu);
		link_append_mtu(real->netlink, link->ifindex, real->config.mtu);
	}
	if (!(link->flags & IFF_NOARP)) {
		real_note(repaired, "%s resolved neighbours", link->name);
		link_append_no_arp(real->netlink, link->ifindex);
	}
	if (link->flags & IFF_UP)
		return;
	real_note(repaired, "%s was down", link->name);
	if (real->config.node.enable_ipv6)
		link_append_no_link_local(real->netlink, link->ifindex);
	link_append_up(real->netlink, link->ifindex);
}

static bool is_link_local(const struct addr *addr)
{
	return addr->bytes[0] == 0xfe && (addr->bytes[1] & 0xc0) == 0x80;
}

static void ensure_addresses(struct real *real, uint32_t ifindex, const GArray *there,
			     GString *repaired)
{
	const struct addr *wanted[] = {&real->config.router4, &real->config.router6};
	bool found[] = {false, false};
	char text[ADDR_TEXT_BYTES];

	for (guint i = 0; i < there->len; i++) {
		const struct address *address = &g_array_index(there, struct address, i);
		bool is_v4 = addr_is_v4(&address->addr);
		bool is_wanted = addr_compare(&address->addr, wanted[!is_v4]) == 0 &&
				 address->prefix_len == (is_v4 ? 32 : 128);

		found[!is_v4] |= is_wanted;
		if (is_wanted || (!is_v4 && is_link_local(&address->addr)))
			continue;
		real_note(repaired, "%s had %s", REAL_HOST_IFNAME,
			  addr_format(&address->addr, text));
		address_append_delete(real->netlink, address);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(wanted); i++) {
		struct address address = {
			.ifindex = ifindex,
			.addr = *wanted[i],
			.prefix_len = i == 0 ? 32 : 128,
			.flags = IFA_F_NODAD,
		};

		if (found[i] || addr_is_zero(wanted[i]))
			continue;
		real_note(repaired, "%s lacked %s", REAL_HOST_IFNAME, addr_format(wanted[i], text));
		address_append_add(real->netlink, &address);
	}
}

static int ensure_devices(struct real *real, GString *repaired, GError **error)
{
	g_autoptr(GArray) addresses = NULL;
	struct link_info host;
	struct link_info net;
	int err = ensure_pair(real, &host, &net, repaired, error);

	if (!err)
		err = real_sysctl_ensure_device(real, host.name, repaired, error);
	if (!err)
		err = real_sysctl_ensure_device(real, net.name, repaired, error);
	if (!err)
		err = address_dump(real->netlink, host.ifindex, &addresses, error);
	if (err)
		return err;
	real->config.node.host_ifindex = host.ifindex;
	ensure_link(real, &host, repaired);
	ensure_link(real, &net, repaired);
	ensure_addresses(real, host.ifindex, addresses, repaired);
	return netlink_send(real->netlink, NULL, NULL, error);
}

int real_node_ensure(struct real *real, GString *repaired, GError **error)
{
	int err = real_bpffs_ensure(real, repaired, error);

	if (!err)
		err = real_sysctl_ensure_node(real, repaired, error);
	if (!err)
		err = real_ports_ensure(real, repaired, error);
	if (!err)
		err = ensure_devices(real, repaired, error);
	return err;
}

/* A pin that somebody removed; the map itself lives on in the programs. */
static int ensure_map_pins(struct real *real, GString *repaired, GError **error)
{
	for (enum plan_map map = 0; map < PLAN_MAP__MAX; map++) {
		g_autofree char *path = real_map_path(real, map);
		int err;

		if (g_file_test(path, G_FILE_TEST_EXISTS))
			continue;
		err = real_map_pin(real, map, error);
		if (err)
			return err;
		real_note(repaired, "the pin %s was missing", path);
	}
	return 0;
}

int real_ensure(struct datapath *dp, GString *ret_repaired, GError **error)
{
	struct real *real = real_get(dp);
	uint32_t ifindex = real->config.node.host_ifindex;
	int err = real_node_ensure(real, ret_repaired, error);

	if (!err)
		err = ensure_map_pins(real, ret_repaired, error);
	if (!err && !real_program_is_pinned(real, real->digest)) {
		err = real_program_pin(real, real->digest, error);
		if (!err)
			real_note(ret_repaired, "pins of programs were missing");
	}
	if (err || real->config.node.host_ifindex == ifindex)
		return err;
	real_note(ret_repaired, "another device has the index %u", ifindex);
	err = real_load_programs_again(real, error);
	if (err)
		real->config.node.host_ifindex = ifindex; /* the next call tries again */
	return err;
}

int real_set_router(struct datapath *dp, const struct addr *router4, const struct addr *router6,
		    GError **error)
{
	struct real *real = real_get(dp);

	real->config.router4 = *router4;
	real->config.router6 = *router6;
	return ensure_devices(real, NULL, error);
}

int real_node_purge(struct real *real, GError **error)
{
	int err;

	link_append_delete_by_name(real->netlink, REAL_HOST_IFNAME);
	err = netlink_send(real->netlink, NULL, NULL, error);
	if (err == -ENODEV) {
		g_clear_error(error);
		return 0;
	}
	return err;
}
