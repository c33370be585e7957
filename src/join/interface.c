// SPDX-License-Identifier: Apache-2.0
#include "src/join/interface.h"

#include <unistd.h>
#include <linux/if_addr.h>
#include <sys/random.h>
#include "src/base/clock.h"
#include "src/model/addr.h"
#include "src/sys/address.h"
#include "src/sys/neighbour.h"
#include "src/sys/netns.h"
#include "src/sys/route.h"
#include "src/sys/sysctl.h"

#define LOOPBACK_IFINDEX 1
/* For the kernel to put an address to use. */
#define WAIT_NS      (10 * NSEC_PER_SEC)
#define WAIT_STEP_US 200

static int random_mac(struct mac *mac)
{
	if (getrandom(mac->bytes, sizeof(mac->bytes), 0) != sizeof(mac->bytes))
		return -EIO;
	mac->bytes[0] = (mac->bytes[0] & 0xfc) | 0x02; /* unicast, locally administered */
	return 0;
}

static int choose_macs(struct interface *interface, const struct mac *mac, GError **error)
{
	int status = random_mac(&interface->host_mac);

	if (!status && mac_is_zero(mac))
		status = random_mac(&interface->mac);
	else
		interface->mac = *mac;
	return status ? error_set(error, EIO, "no random numbers for a MAC address") : 0;
}

static int open_sockets(struct interface *interface, GError **error)
{
	interface->host = netlink_new(error);
	if (interface->host)
		interface->inside = netns_netlink_new(interface->netns_fd, error);
	return interface->inside ? 0 : -EIO;
}

/* The pair would be made in one namespace, and its default route take the node off the network. */
static int check_namespace(int netns_fd, GError **error)
{
	int own_fd = netns_open_own(error);
	bool is_own;

	if (own_fd < 0)
		return own_fd;
	is_own = netns_equal(own_fd, netns_fd);
	close(own_fd);
	return is_own ? error_set(error, EINVAL, "the network namespace is the node's own") : 0;
}

/*
 * The pair and its alias, by which GC finds it, in one batch: one system call, so that whoever kills this
 * program leaves both or none. The alias goes by the name, which therefore must be nobody's.
 */
static int make_pair(struct interface *interface, const struct link_veth *veth, const char *alias,
		     GError **error)
{
	struct link_info link;
	int status = link_get_by_name(interface->host, veth->name, &link, NULL);

	if (!status)
		return error_set(error, EEXIST,
				 "creating %s: an interface of this name exists; the container was "
				 "added already, or an ADD left it: DEL removes it",
				 veth->name);
	link_append_veth(interface->host, veth);
	link_append_alias(interface->host, veth->name, alias);
	status = netlink_send(interface->host, NULL, NULL, error);
	if (status == -EEXIST) {
		g_clear_error(error);
		return error_set(
			error, EEXIST,
			"making the veth pair %s and %s: %s; the container has an %s already, "
			"of another network: name another interface, or leave that network",
			veth->name, veth->peer_name, g_strerror(EEXIST), veth->peer_name);
	}
	if (!status)
		status = link_get_by_name(interface->host, veth->name, &link, error);
	if (status) {
		link_append_delete_by_name(interface->host, veth->name);
		(void)!netlink_send(interface->host, NULL, NULL, NULL);
	}
	if (status)
		return status;
	interface->host_ifindex = link.ifindex;
	interface->ifindex = link.peer_ifindex;
	return 0;
}

int interface_create(struct interface *interface, int netns_fd, const struct attachment *attachment,
		     const struct mac *mac, uint32_t mtu, GError **error)
{
	char alias[ATTACHMENT_ALIAS_BYTES];
	struct link_veth veth = {
		.name = interface->host_ifname,
		.peer_name = interface->ifname,
		.mtu = mtu,
		.peer_netns_fd = netns_fd,
		.up = true,
	};
	int status = check_namespace(netns_fd, error);

	*interface = (struct interface){.netns_fd = netns_fd};
	g_strlcpy(interface->ifname, attachment->ifname, IFNAMSIZ);
	attachment_host_ifname(attachment, interface->host_ifname);
	/* Nobody would find it again by its alias when the container is gone. */
	if (!status && !attachment_format_alias(attachment, alias))
		status = error_set(error, ENAMETOOLONG, "container id %.40s…: too long",
				   attachment->container_id);
	if (!status)
		status = choose_macs(interface, mac, error);
	if (!status)
		status = open_sockets(interface, error);
	if (status)
		return status;
	veth.mac = interface->host_mac;
	veth.peer_mac = interface->mac;
	return make_pair(interface, &veth, alias, error);
}

static void append_family(struct interface *interface, const struct addr *addr,
			  const struct addr *router, uint32_t route_mtu)
{
	bool v4 = addr_is_v4(addr);
	/* Nobody else can have the address, so nothing is to be detected. */
	const struct address address = {
		.ifindex = interface->ifindex,
		.addr = *addr,
		.prefix_len = v4 ? 32 : 128,
		.flags = v4 ? 0 : IFA_F_NODAD,
	};
	const struct route route = {
		.destination = v4 ? addr_from_v4((struct in_addr){0}) : (struct addr){},
		.protocol = RTPROT_BOOT,
		.onlink = true,
		.gateway = *router,
		.ifindex = interface->ifindex,
		.mtu = route_mtu,
	};

	address_append_add(interface->inside, &address);
	route_append_replace(interface->inside, &route);
	/*
	 * Without a link-local address the kernel can ask for a neighbour only while a packet waits, from that one's
	 * source. It could not make sure of one that it has not used for a while, and would lose the next packet.
	 */
	if (!v4)
		neighbour_append_router(interface->inside, interface->ifindex, router,
					&interface->host_mac);
}

static int configure(struct interface *interface, const struct interface_setup *setup,
		     GError **error)
{
	struct netlink *inside = interface->inside;

	link_append_up(inside, LOOPBACK_IFINDEX);
	/*
	 * A link-local address would solicit routers and report groups that nobody on this link
	 * listens to, each a packet that the datapath drops: its source is not the endpoint's.
	 */
	link_append_no_link_local(inside, interface->ifindex);
	link_append_up(inside, interface->ifindex);
	if (!addr_is_zero(&setup->addr4))
		append_family(interface, &setup->addr4, &setup->router4, setup->route_mtu);
	if (!addr_is_zero(&setup->addr6))
		append_family(interface, &setup->addr6, &setup->router6, setup->route_mtu);
	return netlink_send(inside, NULL, NULL, error);
}

static int enable_ipv6(void *data, GError **error)
{
	const char *names[] = {"lo", data};

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *name = g_strdup_printf("net/ipv6/conf/%s/disable_ipv6", names[i]);
		int status = sysctl_put(name, 0);

		if (status)
			return error_set_errno(error, -status, "switching %s off", name);
	}
	return 0;
}

int interface_configure(struct interface *interface, const struct interface_setup *setup,
			GError **error)
{
	int status = configure(interface, setup, error);

	/* Some runtimes make namespaces with IPv6 switched off. Asking first would cost every ADD. */
	if (status != -EACCES || addr_is_zero(&setup->addr6))
		return status;
	g_clear_error(error);
	status = netns_run(interface->netns_fd, enable_ipv6, interface->ifname, error);
	return status ? status : configure(interface, setup, error);
}

int interface_wait(struct interface *interface, const struct addr *addr6, GError **error)
{
	int64_t deadline_ns = clock_monotonic_ns() + WAIT_NS;
	char text[ADDR_TEXT_BYTES];

	if (addr_is_zero(addr6))
		return 0;
	while (!route_is_local(interface->inside, addr6)) {
		if (clock_monotonic_ns() > deadline_ns)
			return error_set(
				error, ETIMEDOUT,
				"the kernel did not put %s of %s to use within %d s: it is "
				"overloaded, try again",
				addr_format(addr6, text), interface->ifname,
				(int)(WAIT_NS / NSEC_PER_SEC));
		g_usleep(WAIT_STEP_US);
	}
	return 0;
}

uint64_t interface_netns_cookie(const struct interface *interface)
{
	uint64_t cookie;

	return netns_socket_cookie(netlink_fd(interface->inside), &cookie) ? 0 : cookie;
}

void interface_remove(struct interface *interface)
{
	if (!interface->host_ifindex)
		return;
	link_append_delete(interface->host, interface->host_ifindex);
	(void)!netlink_send(interface->host, NULL, NULL, NULL);
	interface->host_ifindex = 0;
}

void interface_fini(struct interface *interface)
{
	g_clear_pointer(&interface->host, netlink_free);
	g_clear_pointer(&interface->inside, netlink_free);
}
