/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Masquerading. The translation is kept in the conntrack entry of the connection;
 * cilium_snat_external holds the way back, from what the peer answers to, and at the same time is
 * the register of ports in use: a port belongs to whoever inserted its entry first.
 */
#pragma once

#include "abi/types.h"

struct nat_key {
	struct addr peer; /* the other end */
	struct addr addr; /* the node's address that the connection was given */
	__be16 peer_port; /* 0 for ICMP */
	__be16 port;      /* the port, or the ICMP echo identifier, that the connection was given */
	__u8 protocol;
	__u8 pad[3];
};
ABI_ASSERT_SIZE(struct nat_key, 40);

struct nat_entry {
	struct addr addr; /* the initiator's own address and port */
	__be16 port;
	__u16 pad;
	__u32 created;    /* tick */
	__u32 generation; /* of the endpoint that the initiator is; 0: this node */
	__u32 pad2;
};
ABI_ASSERT_SIZE(struct nat_entry, 32);

/* cilium_ipmasq: destinations that are never masqueraded. Key: struct ipcache_prefix_key. */
struct nat_exclusion {
	__u32 reserved;
};
