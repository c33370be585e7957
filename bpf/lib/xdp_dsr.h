/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Direct server return in XDP: what bpf/lib/dsr.h does in tc, on plain frames. */
#pragma once

#include "bpf/lib/xdp_packet.h"

/*
 * Room of n_gap bytes behind the headers of a frame, which are n_head bytes: its IP header at its new place, or
 * NULL. Both are constants, and even.
 */
static __always_inline void *xdp_make_room(struct xdp_md *ctx, __u32 n_head, __u32 n_gap)
{
	__u16 head[XDP_L4_OFF6 / sizeof(__u16)];
	__u16 *at = xdp_at(ctx, 0, n_head);

	if (!at)
		return NULL;
	__builtin_memcpy(head, at, n_head);
	if (bpf_xdp_adjust_head(ctx, -(int)n_gap))
		return NULL;
	at = xdp_at(ctx, 0, n_head + n_gap);
	if (!at)
		return NULL;
	__builtin_memcpy(at, head, n_head);
	return (void *)at + ETH_HLEN;
}

/* The option behind the IP header of a frame that already goes to the back end. */
static __always_inline bool xdp_put_option4(struct xdp_md *ctx, const struct flow *from)
{
	struct dsr_option4 *option;
	struct iphdr *ip = xdp_make_room(ctx, XDP_L4_OFF4, sizeof(*option));
	__be32 old, new;
	__u64 diff;

	if (!ip)
		return false;
	option = (void *)(ip + 1);
	dsr_option4_init(option, &from->daddr, from->dport);
	__builtin_memcpy(&old, ip, sizeof(old));
	ip->ihl += sizeof(*option) / 4;
	ip->tot_len = bpf_htons(bpf_ntohs(ip->tot_len) + sizeof(*option));
	__builtin_memcpy(&new, ip, sizeof(new));
	diff = xdp_sum_word(0, old, new) + option->addr;
	__builtin_memcpy(&new, option, sizeof(new));
	ip->check = xdp_sum_apply(ip->check, diff + new);
	return true;
}

static __always_inline bool xdp_put_option6(struct xdp_md *ctx, const struct flow *from)
{
	struct dsr_option6 *option;
	struct ipv6hdr *ip6 = xdp_make_room(ctx, XDP_L4_OFF6, sizeof(*option));

	if (!ip6)
		return false;
	option = (void *)(ip6 + 1);
	dsr_option6_init(option, &from->daddr, from->dport, ip6->nexthdr);
	ip6->nexthdr = IPPROTO_DSTOPTS;
	ip6->payload_len = bpf_htons(bpf_ntohs(ip6->payload_len) + sizeof(*option));
	return true;
}

static __always_inline bool xdp_put_option(struct xdp_md *ctx, const struct flow *from)
{
	return from->flags & FLOW_F_IPV6 ? xdp_put_option6(ctx, from) : xdp_put_option4(ctx, from);
}

/*
 * Room for an outer IP header of n_outer bytes, a constant, in front of the frame's own, behind the next link's
 * addresses: where it goes, or NULL.
 */
static __always_inline void *xdp_make_outer(struct xdp_md *ctx, __u32 n_outer, __be16 ethertype,
					    const struct bpf_fib_lookup *fib)
{
	struct ethhdr *eth;
	void *ip;

	if (bpf_xdp_adjust_head(ctx, -(int)n_outer))
		return NULL;
	eth = xdp_at(ctx, 0, sizeof(*eth));
	ip = xdp_at(ctx, ETH_HLEN, n_outer);
	if (!eth || !ip)
		return NULL;
	xdp_set_macs(eth, fib);
	eth->h_proto = ethertype;
	return ip;
}

/* The packet as it is but for its hop, in another one: from the source to the back end. */
static __always_inline bool xdp_encapsulate4(struct xdp_md *ctx, const struct flow *flow,
					     const struct addr *source, const struct addr *backend,
					     const struct bpf_fib_lookup *fib)
{
	struct iphdr outer;
	struct iphdr *ip = xdp_at(ctx, ETH_HLEN, sizeof(*ip));

	if (!ip || !xdp_write4(ctx, flow, flow))
		return false;
	dsr_outer4_init(&outer, source, backend, flow->end - flow->l3_off, ip->tos);
	outer.check = xdp_sum_apply(outer.check, XDP_HOP_DIFF4);
	outer.ttl--;
	ip = xdp_make_outer(ctx, sizeof(outer), bpf_htons(ETH_P_IP), fib);
	if (!ip)
		return false;
	*ip = outer;
	return true;
}

static __always_inline bool xdp_encapsulate6(struct xdp_md *ctx, const struct flow *flow,
					     const struct addr *source, const struct addr *backend,
					     const struct bpf_fib_lookup *fib)
{
	struct ipv6hdr outer;
	struct ipv6hdr *ip6 = xdp_at(ctx, ETH_HLEN, sizeof(*ip6));
	__be32 first;

	if (!ip6 || !xdp_write6(ctx, flow))
		return false;
	__builtin_memcpy(&first, ip6, sizeof(first));
	dsr_outer6_init(&outer, source, backend, flow->end - flow->l3_off, first);
	outer.hop_limit--;
	ip6 = xdp_make_outer(ctx, sizeof(outer), bpf_htons(ETH_P_IPV6), fib);
	if (!ip6)
		return false;
	*ip6 = outer;
	return true;
}
