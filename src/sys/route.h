/* SPDX-License-Identifier: Apache-2.0 */
/* Unicast routes, both families. */
#pragma once

#include "src/sys/netlink.h"

struct route {
	struct addr
		destination; /* says the family also where prefix_len is 0; host bits are zero */
	uint8_t prefix_len;  /* as people write it: 0..32 for IPv4 */
	uint8_t protocol;    /* RTPROT_*; 0 in a filter: any */
	bool onlink;         /* the gateway is taken for reachable on the device */
	struct addr gateway; /* zero: on the link */
	struct addr source;  /* preferred source; zero: none */
	uint32_t ifindex;
	uint32_t mtu;    /* 0: the device's */
	uint32_t table;  /* 0: main */
	uint32_t metric; /* 0: the family's default */
};

/* Decodes RTM_NEWROUTE or RTM_DELROUTE. 0, −EBADMSG, or −ENOTSUP for what is not plain unicast. */
NODISCARD int route_decode(const struct nlmsghdr *message, struct route *ret_route);
/*
 * Routes of a table (0: main) and both families: struct route, owned by the caller. protocol 0:
 * all.
 */
NODISCARD int route_dump(struct netlink *nl, uint32_t table, uint8_t protocol, GArray **ret_routes,
			 GError **error);
/* Whether packets to the address end here. */
bool route_is_local(struct netlink *nl, const struct addr *addr);
/* −EEXIST where there is one of this destination and metric, whosesoever. */
void route_append_add(struct netlink *nl, const struct route *route);
void route_append_replace(struct netlink *nl, const struct route *route);
/* −ESRCH where it is not there. */
void route_append_delete(struct netlink *nl, const struct route *route);
