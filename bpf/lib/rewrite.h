/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Another address and port in a packet, with every checksum that covers them.
 *
 * About skb->csum, the sum over the whole packet that some drivers supply: a changed field and the
 * checksum that makes up for it cancel out, so neither is accounted. With IPv4 the header checksum
 * makes up for the address, and the helper accounts the L4 checksum (BPF_F_PSEUDO_HDR); IPv6 has no
 * header checksum, so there the address must be accounted (BPF_F_RECOMPUTE_CSUM) against it.
 */
#pragma once

#include "bpf/lib/parse.h"

#define REWRITE_NO_CHECK -1

/* Offset of the checksum in the L4 header. SCTP's CRC covers neither address nor a changed port. */
static __always_inline int rewrite_check_off(const struct flow *flow)
{
	switch (flow->protocol) {
	case IPPROTO_TCP:
		return offsetof(struct tcphdr, check);
	case IPPROTO_UDP:
		return offsetof(struct udphdr, check);
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return offsetof(struct icmp_header, check);
	default:
		return REWRITE_NO_CHECK;
	}
}

static __always_inline __u32 rewrite_addr_off(const struct flow *flow, __u8 end)
{
	if (flow->flags & FLOW_F_IPV6)
		return flow->l3_off + (end == REWRITE_SOURCE ? offsetof(struct ipv6hdr, saddr)
							     : offsetof(struct ipv6hdr, daddr));
	return flow->l3_off + (end == REWRITE_SOURCE ? offsetof(struct iphdr, saddr)
						     : offsetof(struct iphdr, daddr));
}

static __always_inline __u32 rewrite_port_off(const struct flow *flow, __u8 end)
{
	if (flow->flags & FLOW_F_ICMP_ECHO)
		return flow->l4_off + offsetof(struct icmp_header, echo_id);
	return flow->l4_off + (end == REWRITE_SOURCE ? offsetof(struct tcphdr, source)
						     : offsetof(struct tcphdr, dest));
}

static __always_inline bool rewrite_has_pseudo_header(const struct flow *flow)
{
	return flow->protocol != IPPROTO_ICMP;
}

/* What the checksums over the address change by. */
static __always_inline __u32 rewrite_addr_diff(const struct flow *flow, struct addr *from,
					       struct addr *to)
{
	if (flow->flags & FLOW_F_IPV6)
		return bpf_csum_diff(from->words, sizeof(*from), to->words, sizeof(*to), 0);
	return bpf_csum_diff(&from->words[3], sizeof(__be32), &to->words[3], sizeof(__be32), 0);
}

/* What they change by for the port. */
static __always_inline __u32 rewrite_port_diff(__be16 from, __be16 to)
{
	__be32 from_word = from, to_word = to;

	return bpf_csum_diff(&from_word, sizeof(from_word), &to_word, sizeof(to_word), 0);
}

/* The address in the IP header; checksum: 0 or BPF_F_RECOMPUTE_CSUM, see above. */
static __always_inline long rewrite_addr(struct __sk_buff *skb, const struct flow *flow,
					 const struct addr *from, const struct rewrite *to,
					 __u64 checksum)
{
	__u32 off = rewrite_addr_off(flow, to->end);
	long error;

	if (flow->flags & FLOW_F_IPV6)
		return bpf_skb_store_bytes(skb, off, &to->addr, sizeof(to->addr), checksum);
	error = bpf_l3_csum_replace(skb, flow->l3_off + offsetof(struct iphdr, check),
				    from->words[3], to->addr.words[3], sizeof(__be32));
	if (error)
		return error;
	return bpf_skb_store_bytes(skb, off, &to->addr.words[3], sizeof(__be32), 0);
}

static __always_inline long rewrite_l4_check(struct __sk_buff *skb, const struct flow *flow,
					     __u32 diff, __u64 flags)
{
	int off = rewrite_check_off(flow);

	if (off == REWRITE_NO_CHECK)
		return 0;
	if (flow->protocol == IPPROTO_UDP)
		flags |= BPF_F_MARK_MANGLED_0;
	return bpf_l4_csum_replace(skb, flow->l4_off + off, 0, diff, flags);
}

/* Gives one end of the packet another address and port, in the packet and in flow. */
static __noinline int rewrite_packet(struct __sk_buff *skb, struct flow *flow, struct rewrite *to)
{
	struct addr *addr = to->end == REWRITE_SOURCE ? &flow->saddr : &flow->daddr;
	__be16 *port = to->end == REWRITE_SOURCE ? &flow->sport : &flow->dport;
	bool has_l4 = !(flow->flags & FLOW_F_FRAGMENT_LATER);
	__u32 diff = rewrite_addr_diff(flow, addr, &to->addr);

	if (rewrite_addr(skb, flow, addr, to, BPF_F_RECOMPUTE_CSUM))
		return DROP(REWRITE, ERROR_WRITING_TO_PACKET);
	if (has_l4 && rewrite_has_pseudo_header(flow) &&
	    rewrite_l4_check(skb, flow, diff, BPF_F_PSEUDO_HDR))
		return DROP(REWRITE, ERROR_WHILE_CORRECTING_L4_CHECKSUM);
	*addr = to->addr;
	if (flow->flags & FLOW_F_ICMP_ERROR || *port == to->port)
		return 0;
	diff = rewrite_port_diff(*port, to->port);
	*port = to->port;
	if (flow->flags & FLOW_F_ICMP_ECHO)
		flow->sport = flow->dport = to->port;
	if (!has_l4)
		return 0;
	if (rewrite_l4_check(skb, flow, diff, 0))
		return DROP(REWRITE, ERROR_WHILE_CORRECTING_L4_CHECKSUM);
	if (bpf_skb_store_bytes(skb, rewrite_port_off(flow, to->end), &to->port, sizeof(to->port),
				0))
		return DROP(REWRITE, ERROR_WRITING_TO_PACKET);
	return 0;
}

/*
 * Whether the embedded packet has a checksum that is to be kept right: it may be cut off before it,
 * or be UDP's "none".
 */
static __always_inline bool rewrite_inner_is_checked(struct __sk_buff *skb,
						     const struct flow *inner)
{
	int off = rewrite_check_off(inner);
	__sum16 check;

	if (off == REWRITE_NO_CHECK ||
	    bpf_skb_load_bytes(skb, inner->l4_off + off, &check, sizeof(check)))
		return false;
	return inner->protocol != IPPROTO_UDP || check;
}

/*
 * The same for the packet that the ICMP error outer carries. The checksum of the error covers it
 * whole: it changes by what the parts of the embedded packet do not make up for among themselves.
 */
static __noinline int rewrite_inner(struct __sk_buff *skb, const struct flow *outer,
				    struct flow *inner, struct rewrite *to)
{
	struct addr *addr = to->end == REWRITE_SOURCE ? &inner->saddr : &inner->daddr;
	__be16 port = to->end == REWRITE_SOURCE ? inner->sport : inner->dport;
	__u32 addr_diff = rewrite_addr_diff(inner, addr, &to->addr);
	__u64 port_diff = rewrite_port_diff(port, to->port);
	/* IPv4: the embedded header checksum makes up for the address. */
	__u64 error_diff = port_diff + (inner->flags & FLOW_F_IPV6 ? addr_diff : 0);

	if (rewrite_inner_is_checked(skb, inner)) {
		__u64 l4_diff = port_diff + (rewrite_has_pseudo_header(inner) ? addr_diff : 0);

		l4_diff = (l4_diff & 0xffffffff) + (l4_diff >> 32);
		if (rewrite_l4_check(skb, inner, l4_diff, 0))
			return DROP(REWRITE, ERROR_WHILE_CORRECTING_L4_CHECKSUM);
		error_diff += (__u32)~l4_diff;
	}
	error_diff = (error_diff & 0xffffffff) + (error_diff >> 32);
	error_diff = (error_diff & 0xffffffff) + (error_diff >> 32);
	if (rewrite_addr(skb, inner, addr, to, 0) ||
	    bpf_skb_store_bytes(skb, rewrite_port_off(inner, to->end), &to->port, sizeof(to->port),
				0))
		return DROP(REWRITE, ERROR_WRITING_TO_PACKET);
	if (rewrite_l4_check(skb, outer, error_diff, 0))
		return DROP(REWRITE, ERROR_WHILE_CORRECTING_L4_CHECKSUM);
	return 0;
}

/*
 * As packet->rewrite says, in the packet; or in the packet inside the ICMP error that it is, which is
 * packet_inner_get() and is not told. Global, so that the verifier follows it once.
 */
__weak __attribute__((noinline)) int rewrite_by_packet(struct __sk_buff *skb, __u32 is_inner)
{
	struct packet *packet = packet_get(), *inner = packet_inner_get();

	if (!packet || !inner)
		return DROP(REWRITE, ERROR_WRITING_TO_PACKET);
	if (is_inner)
		return rewrite_inner(skb, &packet->flow, &inner->flow, &packet->rewrite);
	return rewrite_packet(skb, &packet->flow, &packet->rewrite);
}
