/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Direct server return in XDP: what bpf/lib/dsr.h does in tc, on plain frames. */
#pragma once

#include "bpf/lib/xdp_packet.h"

/* The option behind the IP header of a frame that already goes to the back end. */
static __always_inline bool xdp_put_option4(struct xdp_md *ctx, const struct flow *from)
{
	struct dsr_option4 *option;
	struct {
		struct ethhdr eth;
		struct iphdr ip;
	} __attribute__((packed)) head, *at;
	__be32 old, new;
	__u64 diff;

	at = xdp_at(ctx, 0, sizeof(*at));
	if (!at)
		return false;
	head = *at;
	if (bpf_xdp_adjust_head(ctx, -(int)sizeof(*option)))
		return false;
	at = xdp_at(ctx, 0, sizeof(*at) + sizeof(*option));
	if (!at)
		return false;
	option = (void *)(at + 1);
	dsr_option4_init(option, &from->daddr, from->dport);
	__builtin_memcpy(&old, &head.ip, sizeof(old));
	head.ip.ihl += sizeof(*option) / 4;
	head.ip.tot_len = bpf_htons(bpf_ntohs(head.ip.tot_len) + sizeof(*option));
	__builtin_memcpy(&new, &head.ip, sizeof(new));
	diff = xdp_sum_word(0, old, new) + option->addr;
	__builtin_memcpy(&new, option, sizeof(new));
	head.ip.check = xdp_sum_apply(head.ip.check, diff + new);
	*at = head;
	return true;
}

static __always_inline bool xdp_put_option6(struct xdp_md *ctx, const struct flow *from)
{
	struct dsr_option6 *option;
	struct {
		struct ethhdr eth;
		struct ipv6hdr ip;
	} __attribute__((packed)) head, *at;

	at = xdp_at(ctx, 0, sizeof(*at));
	if (!at)
		return false;
	head = *at;
	if (bpf_xdp_adjust_head(ctx, -(int)sizeof(*option)))
		return false;
	at = xdp_at(ctx, 0, sizeof(*at) + sizeof(*option));
	if (!at)
		return false;
	option = (void *)(at + 1);
	dsr_option6_init(option, &from->daddr, from->dport, head.ip.nexthdr);
	head.ip.nexthdr = IPPROTO_DSTOPTS;
	head.ip.payload_len = bpf_htons(bpf_ntohs(head.ip.payload_len) + sizeof(*option));
	*at = head;
	return true;
}

static __always_inline bool xdp_put_option(struct xdp_md *ctx, const struct flow *from)
{
	return from->flags & FLOW_F_IPV6 ? xdp_put_option6(ctx, from) : xdp_put_option4(ctx, from);
}

/* The packet as it is but for its hop, in another one: from the source to the back end. */
static __always_inline bool xdp_encapsulate4(struct xdp_md *ctx, const struct flow *flow,
					     const struct addr *source, const struct addr *backend,
					     const struct bpf_fib_lookup *fib)
{
	struct iphdr outer;
	struct iphdr *ip = xdp_at(ctx, ETH_HLEN, sizeof(*ip));
	struct ethhdr *eth;

	if (!ip || !xdp_write4(ctx, flow, flow))
		return false;
	dsr_outer4_init(&outer, source, backend, flow->end - flow->l3_off, ip->tos);
	outer.check = xdp_sum_apply(outer.check, (__u16)~bpf_htons(0x0100));
	outer.ttl--;
	if (bpf_xdp_adjust_head(ctx, -(int)sizeof(outer)))
		return false;
	eth = xdp_at(ctx, 0, sizeof(*eth));
	ip = xdp_at(ctx, ETH_HLEN, sizeof(*ip));
	if (!eth || !ip)
		return false;
	xdp_set_macs(eth, fib);
	eth->h_proto = bpf_htons(ETH_P_IP);
	*ip = outer;
	return true;
}

static __always_inline bool xdp_encapsulate6(struct xdp_md *ctx, const struct flow *flow,
					     const struct addr *source, const struct addr *backend,
					     const struct bpf_fib_lookup *fib)
{
	struct ipv6hdr outer;
	struct ipv6hdr *ip6 = xdp_at(ctx, ETH_HLEN, sizeof(*ip6));
	struct ethhdr *eth;
	__be32 first;

	if (!ip6 || !xdp_write6(ctx, flow))
		return false;
	__builtin_memcpy(&first, ip6, sizeof(first));
	dsr_outer6_init(&outer, source, backend, flow->end - flow->l3_off, first);
	outer.hop_limit--;
	if (bpf_xdp_adjust_head(ctx, -(int)sizeof(outer)))
		return false;
	eth = xdp_at(ctx, 0, sizeof(*eth));
	ip6 = xdp_at(ctx, ETH_HLEN, sizeof(*ip6));
	if (!eth || !ip6)
		return false;
	xdp_set_macs(eth, fib);
	eth->h_proto = bpf_htons(ETH_P_IPV6);
	*ip6 = outer;
	return true;
}
