/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Connections: cilium_ct_tcp_global and cilium_ct_any_global (every other protocol).
 *
 * One entry serves both directions: the key is the pair of (address, port) in ascending order, so
 * that a packet and its reply find the same entry with one lookup. Which side opened the connection
 * is a flag of the value.
 */
#pragma once

#include "abi/policy.h"
#include "abi/types.h"

/*
 * A connection through a service has two entries, but where the client's socket was translated: one of
 * kind CT_KIND_SERVICE between the client and the front end, which remembers the back end, and the
 * connection proper, between the client and the back end.
 */
enum ct_kind {
	CT_KIND_CONNECTION = 0,
	CT_KIND_SERVICE = 1,
};

/*
 * Ports by protocol:
 *   TCP, UDP, SCTP   the ports
 *   ICMP echo        both ports are the echo identifier; initiator says who asks
 *   other ICMP       port[0] is the type, port[1] the code; initiator says who sends
 * initiator is 0 where the ports tell the directions apart, else 1 + the side that asks.
 */
struct ct_key {
	struct addr addr[2]; /* addr[0] <= addr[1] as big-endian numbers; then port[0] <= port[1] */
	__be16 port[2];
	__u8 protocol; /* IPPROTO_* */
	__u8 initiator;
	__u8 kind; /* enum ct_kind */
	__u8 pad;
};
ABI_ASSERT_SIZE(struct ct_key, 40);

#define CT_F_INITIATOR_1  0x0001 /* addr[1] opened the connection; else addr[0] */
#define CT_F_SEEN_REPLY   0x0002
#define CT_F_SEEN_NON_SYN 0x0004 /* TCP: more than a SYN was seen */
#define CT_F_VIA_STACK    0x0008 /* opened through the host's stack, which translates answers */
#define CT_F_SERVICE      0x0010 /* opened through a service: service_addr and service_port count */
#define CT_F_DSR          0x0020 /* … that another node has translated */
#define CT_F_LOOPBACK     0x0040 /* an endpoint that reached itself: the initiator is its stand-in */

/* Bits of tx_flags and rx_flags, as in byte 13 of the TCP header. */
#define CT_TCP_FIN 0x01
#define CT_TCP_SYN 0x02
#define CT_TCP_RST 0x04
#define CT_TCP_ACK 0x10

/*
 * Whether the initiator goes out under another address: decided once, by the first packet that
 * leaves through a device of the node. A byte of its own, because flags are written by both
 * directions.
 */
enum ct_nat {
	CT_NAT_UNDECIDED = 0,
	CT_NAT_NONE = 1,
	CT_NAT_SOURCE = 2, /* nat_addr and nat_port stand for the initiator outside */
};

/*
 * Times are in ticks: jiffies64 >> CT tick shift (struct node_config), about one second each. A
 * tick is cheap to read and coarse enough that an established connection seldom writes to its
 * entry.
 */
struct ct_entry {
	__u32 expires; /* tick; a later packet finds no connection */
	__u16 flags;   /* CT_F_* */
	__u8 tx_flags; /* TCP flags seen from the initiator, ORed */
	__u8 rx_flags; /* … and from the responder */
	/*
	 * What is behind key.addr[i]; a packet compares each pair at once. By version and identity
	 * the connection was last judged and found allowed: while they are the packet's, it needs no
	 * judgement.
	 */
	__u32 generation[2];     /* of the local endpoint; 0: not local */
	__u32 policy_version[2]; /* CT_POLICY_VERSION(); 0: not known, or not local */
	__u32 identity[2];       /* 0: not known */
	struct addr nat_addr;    /* CT_NAT_SOURCE */
	/*
	 * CT_F_SERVICE: what the initiator takes the responder for, the front end. In an entry of
	 * CT_KIND_SERVICE: the back end.
	 */
	struct addr service_addr;
	__u32 last_report; /* tick of the last trace event */
	__be16 nat_port;
	__be16 service_port;
	__u32 backend; /* id, of CT_F_SERVICE and CT_KIND_SERVICE; 0 with CT_F_DSR */
	__u8 nat;      /* enum ct_nat */
	__u8 pad[3];
	__u64 packets; /* both directions, when bpf-conntrack-accounting is on */
	__u64 bytes;
};
ABI_ASSERT_SIZE(struct ct_entry, 96);
ABI_ASSERT_OFFSET(struct ct_entry, generation, 8);
ABI_ASSERT_OFFSET(struct ct_entry, policy_version, 16);
ABI_ASSERT_OFFSET(struct ct_entry, identity, 24);
ABI_ASSERT_OFFSET(struct ct_entry, nat_addr, 32);
ABI_ASSERT_OFFSET(struct ct_entry, service_addr, 48);

/*
 * The version of an endpoint's rule set as ct_entry remembers it. With audit and without are
 * different numbers: what only audit let go is judged again when that ends.
 */
#define CT_POLICY_VERSION(version, flags) \
	((version) | ((flags) & POLICY_F_AUDIT ? CT_POLICY_AUDIT : 0))
#define CT_POLICY_AUDIT 0x80000000U

static inline __u32 ct_entry_initiator_identity(const struct ct_entry *entry)
{
	return entry->identity[entry->flags & CT_F_INITIATOR_1 ? 1 : 0];
}

/*
 * A side has closed when it sent FIN or RST; the connection is closing when both have, or either
 * gave up with RST. Each byte is written by one direction only, so no flag is lost between CPUs.
 */
static inline int ct_entry_side_closed(__u8 seen_flags)
{
	return (seen_flags & (CT_TCP_FIN | CT_TCP_RST)) != 0;
}

static inline int ct_entry_closing(const struct ct_entry *entry)
{
	return ((entry->tx_flags | entry->rx_flags) & CT_TCP_RST) ||
	       (entry->tx_flags & entry->rx_flags & CT_TCP_FIN);
}
