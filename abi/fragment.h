/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* cilium_frag_datagrams: the ports of a fragmented datagram, from its first fragment. */
#pragma once

#include "abi/types.h"

struct fragment_key {
	struct addr saddr;
	struct addr daddr;
	__be32 id; /* IPv4: 16 bits */
	__u8 protocol;
	__u8 pad[3];
};
ABI_ASSERT_SIZE(struct fragment_key, 40);

struct fragment_ports {
	__be16 sport; /* as in struct ct_key */
	__be16 dport;
	__u8 flags; /* what the datapath knows of the ICMP header */
	__u8 pad[3];
};
ABI_ASSERT_SIZE(struct fragment_ports, 8);
