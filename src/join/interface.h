/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The veth pair of an endpoint: one end in the caller's network namespace, the other, configured, in
 * the endpoint's. Two trips into the kernel make the pair, one configures the inside.
 */
#pragma once

#include "src/join/attachment.h"
#include "src/sys/link.h"

struct interface {
	struct netlink *host;
	struct netlink *inside;
	int netns_fd; /* borrowed */
	char host_ifname[IFNAMSIZ];
	char ifname[IFNAMSIZ]; /* inside */
	uint32_t host_ifindex; /* 0: not made */
	uint32_t ifindex;
	struct mac host_mac;
	struct mac mac;
};

/* What the inside is given. Zero addresses: the family is off. */
struct interface_setup {
	struct addr addr4;
	struct addr addr6;
	struct addr router4;
	struct addr router6;
	uint32_t route_mtu; /* of the default routes; 0: the device's */
};

/*
 * Makes the pair, this side up. mac: of the inside; zero: random. 0, or −EEXIST where the attachment is
 * there already, or the namespace has an interface of that name; on failure nothing is left but what
 * interface_fini closes.
 */
NODISCARD int interface_create(struct interface *interface, int netns_fd,
			       const struct attachment *attachment, const struct mac *mac,
			       uint32_t mtu, GError **error);
/* Sets loopback and interface up, with addresses and default routes. */
NODISCARD int interface_configure(struct interface *interface, const struct interface_setup *setup,
				  GError **error);
/*
 * Waits until the kernel takes packets to the address, which a worker of it makes so a moment after the
 * address was added: under load that has been seconds. Zero: nothing to wait for. 0 or −ETIMEDOUT.
 */
NODISCARD int interface_wait(struct interface *interface, const struct addr *addr6, GError **error);
/* The number of the endpoint's network namespace; 0 where the kernel does not tell it. */
uint64_t interface_netns_cookie(const struct interface *interface);
/* Removes the pair. */
void interface_remove(struct interface *interface);
/* Closes the sockets; what is in the kernel stays. */
void interface_fini(struct interface *interface);
