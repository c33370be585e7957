/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Frames in XDP: the plain ones, whose headers stand at fixed places. Whatever else there is goes on to
 * tc, which knows it all.
 */
#pragma once

#include "bpf/lib/dsr_format.h"
#include "bpf/lib/parse.h"

#define XDP_L4_OFF4 (ETH_HLEN + sizeof(struct iphdr))
#define XDP_L4_OFF6 (ETH_HLEN + sizeof(struct ipv6hdr))

/* NULL where the frame ends before len bytes from off on. */
static __always_inline void *xdp_at(const struct xdp_md *ctx, __u32 off, __u32 len)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;

	return likely(data + off + len <= data_end) ? data + off : NULL;
}

static __always_inline bool xdp_parse_l4(const struct xdp_md *ctx, struct flow *flow, __u32 off)
{
	__u32 n_bytes =
		flow->protocol == IPPROTO_TCP ? sizeof(struct tcphdr) : sizeof(struct udphdr);
	const struct tcphdr *tcp = xdp_at(ctx, off, sizeof(struct udphdr));

	if (flow->protocol != IPPROTO_TCP && flow->protocol != IPPROTO_UDP)
		return false;
	if (!tcp || off + n_bytes > flow->end)
		return false;
	flow->l4_off = off;
	flow->sport = tcp->source;
	flow->dport = tcp->dest;
	if (flow->protocol == IPPROTO_UDP)
		return true;
	tcp = xdp_at(ctx, off, sizeof(*tcp));
	if (!tcp || tcp->doff < 5 || off + tcp->doff * 4 > flow->end)
		return false;
	flow->tcp_flags = ((const __u8 *)tcp)[TCP_FLAGS_OFF];
	return true;
}

static __always_inline bool xdp_parse4(const struct xdp_md *ctx, struct flow *flow)
{
	const struct iphdr *ip = xdp_at(ctx, ETH_HLEN, sizeof(*ip));

	/* Neither options nor fragments. */
	if (!ip || ip->version != 4 || ip->ihl != sizeof(*ip) / 4 || ip->ttl <= 1 ||
	    ip->frag_off & bpf_htons(IPV4_MORE_FRAGMENTS | IPV4_FRAGMENT_OFFSET))
		return false;
	addr_set_ipv4(&flow->saddr, ip->saddr);
	addr_set_ipv4(&flow->daddr, ip->daddr);
	flow->protocol = ip->protocol;
	flow->end = ETH_HLEN + bpf_ntohs(ip->tot_len);
	return xdp_parse_l4(ctx, flow, XDP_L4_OFF4);
}

static __always_inline bool xdp_parse6(const struct xdp_md *ctx, struct flow *flow)
{
	const struct ipv6hdr *ip6 = xdp_at(ctx, ETH_HLEN, sizeof(*ip6));

	if (!ip6 || ip6->version != 6 || ip6->hop_limit <= 1)
		return false;
	addr_set_words(&flow->saddr, ip6->saddr.in6_u.u6_addr32);
	addr_set_words(&flow->daddr, ip6->daddr.in6_u.u6_addr32);
	if (addr_is_mapped(&flow->saddr) || addr_is_mapped(&flow->daddr))
		return false;
	flow->flags = FLOW_F_IPV6;
	flow->protocol = ip6->nexthdr;
	flow->end = XDP_L4_OFF6 + bpf_ntohs(ip6->payload_len);
	return xdp_parse_l4(ctx, flow, XDP_L4_OFF6);
}

/* flow is zero. False: not one of the plain frames that a router may pass on. */
static __always_inline bool xdp_parse(const struct xdp_md *ctx, struct flow *flow)
{
	const struct ethhdr *eth = xdp_at(ctx, 0, sizeof(*eth));
	bool is_plain = false;

	if (!eth || eth->h_dest[0] & 1)
		return false;
	flow->l3_off = ETH_HLEN;
	if (eth->h_proto == bpf_htons(ETH_P_IP) && node_config.enable_ipv4)
		is_plain = xdp_parse4(ctx, flow);
	else if (eth->h_proto == bpf_htons(ETH_P_IPV6) && node_config.enable_ipv6)
		is_plain = xdp_parse6(ctx, flow);
	return is_plain && flow->end <= ctx->data_end - ctx->data;
}

/* ---- checksums ---- */

static __always_inline __u64 xdp_sum_word(__u64 sum, __be32 from, __be32 to)
{
	return sum + (__u32)~from + to;
}

static __always_inline __u64 xdp_sum_addr(__u64 sum, const struct addr *from, const struct addr *to,
					  bool ipv6)
{
	for (int i = ipv6 ? 0 : 3; i < 4; i++)
		sum = xdp_sum_word(sum, from->words[i], to->words[i]);
	return sum;
}

/* RFC 1624, by a sum of words that went and came. */
static __always_inline __sum16 xdp_sum_apply(__sum16 check, __u64 diff)
{
	__u64 sum = (__u16)~check + diff;

	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* ---- the way out ---- */

/*
 * Finds the way of a packet between these ends that will be n_extra bytes longer: false where the
 * kernel has more to do than to write two MAC addresses.
 */
static __always_inline bool xdp_route(struct xdp_md *ctx, const struct flow *flow, __u32 n_extra,
				      struct bpf_fib_lookup *fib)
{
	__builtin_memset(fib, 0, sizeof(*fib));
	fib->ifindex = ctx->ingress_ifindex;
	fib->l4_protocol = flow->protocol;
	fib->sport = flow->sport;
	fib->dport = flow->dport;
	fib->tot_len = flow->end - flow->l3_off + n_extra;
	if (flow->flags & FLOW_F_IPV6) {
		fib->family = AF_INET6;
		for (int i = 0; i < 4; i++) {
			fib->ipv6_src[i] = flow->saddr.words[i];
			fib->ipv6_dst[i] = flow->daddr.words[i];
		}
	} else {
		fib->family = AF_INET;
		fib->ipv4_src = flow->saddr.words[3];
		fib->ipv4_dst = flow->daddr.words[3];
	}
	return bpf_fib_lookup(ctx, fib, sizeof(*fib), 0) == BPF_FIB_LKUP_RET_SUCCESS &&
	       fib->ifindex != node_config.host_ifindex;
}

static __always_inline void xdp_set_macs(struct ethhdr *eth, const struct bpf_fib_lookup *fib)
{
	__builtin_memcpy(eth->h_dest, fib->dmac, ETH_ALEN);
	__builtin_memcpy(eth->h_source, fib->smac, ETH_ALEN);
}

/* What a TTL of one less, the first of two bytes, changes the IPv4 header's checksum by. */
#define XDP_HOP_DIFF4 ((__u16)~bpf_htons(0x0100))

/* The addresses of the flow to, one hop less, and the checksum of the header. */
static __always_inline bool xdp_write4(const struct xdp_md *ctx, const struct flow *from,
				       const struct flow *to)
{
	struct iphdr *ip = xdp_at(ctx, ETH_HLEN, sizeof(*ip));
	__u64 diff;

	if (!ip)
		return false;
	diff = xdp_sum_addr(0, &from->saddr, &to->saddr, false);
	diff = xdp_sum_addr(diff, &from->daddr, &to->daddr, false);
	ip->saddr = to->saddr.words[3];
	ip->daddr = to->daddr.words[3];
	ip->check = xdp_sum_apply(ip->check, diff + XDP_HOP_DIFF4);
	ip->ttl--;
	return true;
}

static __always_inline bool xdp_write6(const struct xdp_md *ctx, const struct flow *to)
{
	struct ipv6hdr *ip6 = xdp_at(ctx, ETH_HLEN, sizeof(*ip6));

	if (!ip6)
		return false;
	for (int i = 0; i < 4; i++) {
		ip6->saddr.in6_u.u6_addr32[i] = to->saddr.words[i];
		ip6->daddr.in6_u.u6_addr32[i] = to->daddr.words[i];
	}
	ip6->hop_limit--;
	return true;
}

/* Ports, and the checksum over them and the addresses. */
static __always_inline bool xdp_write_l4(const struct xdp_md *ctx, const struct flow *from,
					 const struct flow *to, bool ipv6)
{
	__u32 off = ipv6 ? XDP_L4_OFF6 : XDP_L4_OFF4;
	struct udphdr *udp = xdp_at(ctx, off, sizeof(*udp));
	__u64 diff;

	if (!udp)
		return false;
	diff = xdp_sum_addr(0, &from->saddr, &to->saddr, ipv6);
	diff = xdp_sum_addr(diff, &from->daddr, &to->daddr, ipv6);
	diff = xdp_sum_word(diff, from->sport, to->sport);
	diff = xdp_sum_word(diff, from->dport, to->dport);
	udp->source = to->sport;
	udp->dest = to->dport;
	if (from->protocol == IPPROTO_TCP) {
		struct tcphdr *tcp = xdp_at(ctx, off, sizeof(*tcp));

		if (!tcp)
			return false;
		tcp->check = xdp_sum_apply(tcp->check, diff);
	} else if (udp->check) { /* 0: none */
		udp->check = xdp_sum_apply(udp->check, diff);
		if (!udp->check)
			udp->check = 0xffff;
	}
	return true;
}

/* The packet gets the ends that the flow to says, one hop less, and the next link's addresses. */
static __always_inline bool xdp_write(const struct xdp_md *ctx, const struct flow *from,
				      const struct flow *to, const struct bpf_fib_lookup *fib)
{
	struct ethhdr *eth = xdp_at(ctx, 0, sizeof(*eth));

	if (!eth)
		return false;
	xdp_set_macs(eth, fib);
	if (from->flags & FLOW_F_IPV6)
		return xdp_write6(ctx, to) && xdp_write_l4(ctx, from, to, true);
	return xdp_write4(ctx, from, to) && xdp_write_l4(ctx, from, to, false);
}
