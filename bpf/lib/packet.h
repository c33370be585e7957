/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What is known of a packet while it passes the stages. */
#pragma once

#include "bpf/lib/base.h"
#include "abi/config.h"
#include "abi/conntrack.h"
#include "abi/policy.h"

enum flow_flag {
	FLOW_F_IPV6 = 0x01,
	FLOW_F_FRAGMENT_FIRST = 0x02, /* more follow; has the L4 header */
	FLOW_F_FRAGMENT_LATER = 0x04, /* no L4 header; ports are remembered from the first */
	FLOW_F_ICMP_ERROR = 0x08,     /* carries the head of the packet that caused it */
	FLOW_F_ICMP_ECHO = 0x10,      /* ports are the echo identifier */
	FLOW_F_ICMP_REPLY = 0x20,     /* the other side asked */
	FLOW_F_LINK_LOCAL = 0x40,     /* neighbour discovery or multicast listener messages */
	FLOW_F_EXPLAIN = 0x80,        /* nothing may be written but to cilium_explain */
};

#define FLOW_F_FRAGMENT (FLOW_F_FRAGMENT_FIRST | FLOW_F_FRAGMENT_LATER)

/* The headers, parsed: of the packet itself, or of one that an ICMP error carries. */
struct flow {
	struct addr saddr;
	struct addr daddr;
	__be16 sport; /* as struct ct_key has them: ICMP has no ports of its own */
	__be16 dport;
	__u16 l3_off; /* from the start of the frame */
	__u16 l4_off;
	__u32 end; /* of the packet; link-layer padding may follow */
	__be32 fragment_id;
	__u8 protocol;  /* IPPROTO_* of the L4 header */
	__u8 flags;     /* enum flow_flag */
	__u8 tcp_flags; /* CT_TCP_*: byte 13 of the TCP header */
	__u8 icmp_type;
};

/* What this packet did to its connection, for trace events. */
enum ct_change {
	CT_CHANGE_OPENED = 0x01,
	CT_CHANGE_INTERVAL = 0x02, /* the report interval has passed */
};

/* What services have to do with the packet. */
enum packet_service {
	PACKET_SERVICE_KNOWN = 0x01,    /* service_… are set */
	PACKET_SERVICE_FORWARD = 0x02,  /* to the front end; its connection remembers that */
	PACKET_SERVICE_REVERSE = 0x04,  /* from the back end: see service_reverse() */
	PACKET_SERVICE_LOOPBACK = 0x08, /* an endpoint that reached itself */
	PACKET_SERVICE_DSR = 0x10,      /* another node has translated it */
	PACKET_SERVICE_REJECT = 0x20,   /* the drop is to be answered */
	PACKET_SERVICE_TICK = 0x40,     /* the connection was given more time */
	PACKET_SERVICE_CHOSEN = 0x80,   /* the back end is a new choice */
};

enum rewrite_end {
	REWRITE_SOURCE,
	REWRITE_DESTINATION,
};

/* The address and port that one end of a flow shall have. */
struct rewrite {
	struct addr addr;
	__be16 port;
	__u8 end; /* enum rewrite_end */
	__u8 pad[5];
};

/* The two ends of a packet. */
enum packet_end {
	SRC = 0,
	DST = 1,
	PACKET_END__MAX,
};

struct packet {
	struct flow flow;
	/* By enum packet_end, in the order of struct ct_entry. */
	__u32 generation[PACKET_END__MAX];     /* of local endpoints, else 0 */
	__u32 policy_version[PACKET_END__MAX]; /* CT_POLICY_VERSION(); 0: nobody to judge for */
	__u32 identity[PACKET_END__MAX];       /* 0: not known (yet) */
	__u16 endpoint[PACKET_END__MAX];       /* id, 0: not local */
	__u16 endpoint_flags[PACKET_END__MAX]; /* ENDPOINT_F_* of local endpoints, else 0 */
	__u8 policy_flags[PACKET_END__MAX];    /* POLICY_F_*, with policy_version */
	__u8 ct_state;                         /* enum event_ct_state */
	__u8 ct_changes;                       /* enum ct_change */
	__u8 new_tcp_flags;                    /* seen for the first time from this side */
	__u8 trace;                            /* 0: off, else 1 + enum trace_aggregation */
	__u8 trace_point;                      /* enum trace_point: where it went */
	__s8 ext_error;                        /* of the helper that failed */
	__u8 counted;   /* another program of this node accounts the packet */
	__u8 via_stack; /* the host's stack forwarded this, or what this answers */
	__u8 dst_flags; /* IPCACHE_F_* of a destination that is no endpoint here */
	__u8 nat_reply; /* came to a masqueraded port: nat_addr and nat_port, now replaced */
	__u8 service;   /* enum packet_service */
	/* What stands from here on is not zero before it is set. */
	__be16 nat_port;      /* with nat_reply */
	__u32 nat_generation; /* once nat_receive() has returned 1 */
	struct addr nat_addr;
	/* With service: the front end; as what the packet goes to its back end, with FORWARD. */
	struct addr service_addr;
	struct addr backend_addr;
	__be16 service_port;
	__be16 backend_port;
	__u16 service_flags; /* LB_FRONTEND_F_*, with FORWARD */
	__u8 backend_flags;  /* LB_BACKEND_F_*, with FORWARD */
	__u32 service_backend;
	struct rewrite rewrite;         /* see rewrite_by_packet() */
	struct policy_judgement policy; /* the last */
	__s32 policy_result;            /* 0, or a drop */
	__u16 judge_flags;              /* ENDPOINT_F_* of the endpoint that judged */
	__u8 policy_how;                /* enum policy_how */
};

/*
 * One packet at a time is on a CPU. Here and not on the stack, whose 512 bytes the helpers'
 * arguments need, and because of memory of a map the verifier assumes nothing: it follows each
 * stage once, not once for every way in which the stages before may have ended.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2); /* the packet, and what an ICMP error carries */
	__type(key, __u32);
	__type(value, struct packet);
} packet_scratch SEC(".maps") __weak;

/* All zero but for the offset; never NULL, which only the verifier does not know. */
static __always_inline struct packet *packet_get(void)
{
	__u32 index = 0;

	return bpf_map_lookup_elem(&packet_scratch, &index);
}

/* The packet inside an ICMP error. */
static __always_inline struct packet *packet_inner_get(void)
{
	__u32 index = 1;

	return bpf_map_lookup_elem(&packet_scratch, &index);
}

static __always_inline struct packet *packet_clear(struct packet *packet)
{
	if (packet)
		__builtin_memset(packet, 0, offsetof(struct packet, nat_port));
	return packet;
}

static __always_inline struct packet *packet_begin(__u32 l3_off)
{
	struct packet *packet = packet_clear(packet_get());

	if (packet)
		packet->flow.l3_off = l3_off;
	return packet;
}

static __always_inline struct packet *packet_inner_begin(void)
{
	return packet_clear(packet_inner_get());
}

/* What the other programs of this node have nothing to do with any more. */
static __always_inline void packet_mark_done(struct __sk_buff *skb)
{
	skb->mark = (skb->mark & ~MARK_MAGIC_MASK) | MARK_MAGIC_SNAT_DONE;
}

/* The host's stack forwards what either end sends and gets. */
static __always_inline bool packet_needs_stack(const struct packet *packet)
{
	return (packet->endpoint_flags[SRC] | packet->endpoint_flags[DST]) & ENDPOINT_F_VIA_STACK;
}

/* A TCP connection begins. */
static __always_inline bool flow_is_opening(const struct flow *flow)
{
	return (flow->tcp_flags & (CT_TCP_SYN | CT_TCP_ACK)) == CT_TCP_SYN;
}

static __always_inline bool packet_is_ipv6(const struct packet *packet)
{
	return packet->flow.flags & FLOW_F_IPV6;
}

static __always_inline bool addr_equal(const struct addr *a, const struct addr *b)
{
	return a->halves[0] == b->halves[0] && a->halves[1] == b->halves[1];
}

static __always_inline bool addr_is_zero(const struct addr *addr)
{
	return !(addr->halves[0] | addr->halves[1]);
}

/* An IPv4 address; on the wire of IPv6 there is none of these. */
static __always_inline bool addr_is_mapped(const struct addr *addr)
{
	return !addr->halves[0] && addr->words[2] == bpf_htonl(0xffff);
}

static __always_inline void addr_set_ipv4(struct addr *addr, __be32 ipv4)
{
	addr->halves[0] = 0;
	addr->words[2] = bpf_htonl(0xffff);
	addr->words[3] = ipv4;
}

/* 0.0.0.0 or :: */
static __always_inline bool addr_is_any(const struct addr *addr)
{
	return !addr->halves[0] && !addr->words[3] &&
	       (!addr->words[2] || addr->words[2] == bpf_htonl(0xffff));
}

static __always_inline bool addr_is_loopback(const struct addr *addr)
{
	if (addr_is_mapped(addr))
		return addr->bytes[12] == 127;
	return !addr->halves[0] && !addr->words[2] && addr->words[3] == bpf_htonl(1);
}

/* Headers in packets are aligned to four bytes at best. */
static __always_inline void addr_set_words(struct addr *addr, const __be32 *words)
{
	addr->words[0] = words[0];
	addr->words[1] = words[1];
	addr->words[2] = words[2];
	addr->words[3] = words[3];
}

static __always_inline bool addr_is_link_local(const struct addr *addr)
{
	return (addr->words[0] & bpf_htonl(0xffc00000)) == bpf_htonl(0xfe800000);
}

/* One host somewhere: no group, no broadcast, not "this host", and none that only the link knows. */
static __always_inline bool addr_is_routable(const struct addr *addr)
{
	if (!addr_is_mapped(addr))
		return addr->bytes[0] != 0xff && !addr_is_link_local(addr);
	return addr->bytes[12] && addr->bytes[12] < 0xe0;
}
