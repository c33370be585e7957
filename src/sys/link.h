/* SPDX-License-Identifier: Apache-2.0 */
/* Network devices. Names are those of the socket's network namespace. */
#pragma once

#include <net/if.h>
#include "src/sys/netlink.h"

struct link_info {
	uint32_t ifindex;
	uint32_t mtu;
	uint32_t flags;        /* IFF_* */
	uint32_t peer_ifindex; /* IFLA_LINK: of a veth's other end, in the peer's namespace; else 0
				*/
	uint16_t type;         /* ARPHRD_* */
	bool has_mac;
	struct mac mac;
	char name[IFNAMSIZ];
	char kind[IFNAMSIZ];  /* "veth", …; "" for hardware */
	char qdisc[IFNAMSIZ]; /* the root's kind: "noqueue", "fq_codel", … */
	char alias[256];      /* "" where there is none */
};

/* Decodes RTM_NEWLINK or RTM_DELLINK, from a dump or an event. 0 or −EBADMSG. */
NODISCARD int link_decode(const struct nlmsghdr *message, struct link_info *ret_link);

/* 0, or −ENODEV. What the socket's batch holds is sent in front of the question. */
NODISCARD int link_get_by_name(struct netlink *nl, const char *name, struct link_info *ret_link,
			       GError **error);
NODISCARD int link_get_by_index(struct netlink *nl, uint32_t ifindex, struct link_info *ret_link,
				GError **error);
/* All of them: struct link_info, owned by the caller. */
NODISCARD int link_dump(struct netlink *nl, GArray **ret_links, GError **error);

struct link_veth {
	const char *name; /* of this side */
	const char *peer_name;
	struct mac mac;
	struct mac peer_mac;
	uint32_t mtu;      /* of both */
	uint32_t ifindex;  /* of this side; 0: the next that is free */
	int peer_netns_fd; /* where the peer is made; −1: beside this side */
	bool up;           /* this side; the peer stays down */
};

/*
 * Makes a pair with the peer directly in its namespace: moving a device afterwards waits for an RCU
 * grace period. −EEXIST where either name is taken; then neither is made.
 */
void link_append_veth(struct netlink *nl, const struct link_veth *veth);

void link_append_up(struct netlink *nl, uint32_t ifindex);
void link_append_mtu(struct netlink *nl, uint32_t ifindex, uint32_t mtu);
/* A text that ip link shows; at most 255 bytes. */
void link_append_alias(struct netlink *nl, const char *name, const char *alias);
/* The device resolves no neighbours: the programs on it know where its packets go. */
void link_append_no_arp(struct netlink *nl, uint32_t ifindex);
/* From now on the kernel makes no link-local IPv6 address when the device comes up. */
void link_append_no_link_local(struct netlink *nl, uint32_t ifindex);
void link_append_delete(struct netlink *nl, uint32_t ifindex);
void link_append_delete_by_name(struct netlink *nl, const char *name);
