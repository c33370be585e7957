/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Frame to struct flow, both families. parse_l3() fills addresses, protocol and fragment,
 * parse_l4() the ports; programs on the node's devices let pass what fails in the first, since no
 * endpoint is known to be concerned.
 */
#pragma once

#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include "bpf/lib/config.h"
#include "bpf/lib/packet.h"

#define IPV4_DONT_FRAGMENT   0x4000
#define IPV4_MORE_FRAGMENTS  0x2000
#define IPV4_FRAGMENT_OFFSET 0x1fff
#define OWN_TTL              64 /* of the packets that the programs make */
#define IPV6_MORE_FRAGMENTS  0x0001
#define IPV6_FRAGMENT_OFFSET 0xfff8

#define IPV6_EXTENSIONS_MAX 8
#define PARSE_L4_OFF_MAX    1023 /* a bound for the verifier; no honest headers are longer */
#define TCP_FLAGS_OFF       13

/* ICMP and ICMPv6. linux/icmp.h would need the C library of the host. */
struct icmp_header {
	__u8 type;
	__u8 code;
	__sum16 check;
	__be16 echo_id;
	__be16 echo_sequence;
};

#define ICMP4_ECHO_REPLY    0
#define ICMP4_UNREACHABLE   3
#define ICMP4_SOURCE_QUENCH 4
#define ICMP4_REDIRECT      5
#define ICMP4_ECHO_REQUEST  8
#define ICMP4_TIME_EXCEEDED 11
#define ICMP4_PARAMETER     12

#define ICMP6_ECHO_REQUEST         128 /* below are the errors */
#define ICMP6_ECHO_REPLY           129
#define ICMP6_MLD_QUERY            130
#define ICMP6_ROUTER_ADVERTISEMENT 134
#define ICMP6_NEIGHBOR_SOLICIT     135
#define ICMP6_NEIGHBOR_ADVERT      136
#define ICMP6_REDIRECT             137
#define ICMP6_MLD2_REPORT          143

struct ipv6_fragment {
	__u8 nexthdr;
	__u8 reserved;
	__be16 frag_off;
	__be32 identification;
};

/*
 * True when bytes off..off+len of the frame can be read directly. Most headers already are in the
 * linear part of the buffer; where they are not, this moves them there.
 */
static __always_inline bool parse_ensure(struct __sk_buff *skb, __u32 off, __u32 len)
{
	void *data = (void *)(long)skb->data;
	void *data_end = (void *)(long)skb->data_end;

	return likely(data + off + len <= data_end) || !bpf_skb_pull_data(skb, off + len);
}

static __always_inline bool parse_is_extension(__u8 protocol)
{
	switch (protocol) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_FRAGMENT:
	case IPPROTO_AH:
	case IPPROTO_DSTOPTS:
		return true;
	default:
		return false;
	}
}

/* From flow->l4_off and flow->protocol, which name the first extension header, to the L4 header. */
static __noinline int parse_ipv6_extensions(struct __sk_buff *skb, struct flow *flow)
{
	__u32 off = flow->l4_off;
	__u8 protocol = flow->protocol;

	for (int i = 0; i < IPV6_EXTENSIONS_MAX; i++) {
		struct ipv6_fragment header;

		if (!parse_is_extension(protocol)) {
			flow->l4_off = off;
			flow->protocol = protocol;
			return 0;
		}
		if (off > PARSE_L4_OFF_MAX || bpf_skb_load_bytes(skb, off, &header, sizeof(header)))
			return DROP(PARSE, INVALID_IPV6_EXTENSION_HEADER);
		if (protocol == IPPROTO_FRAGMENT) {
			flow->fragment_id = header.identification;
			if (header.frag_off & bpf_htons(IPV6_FRAGMENT_OFFSET)) {
				/* What follows is payload, whatever nexthdr is. */
				flow->flags |= FLOW_F_FRAGMENT_LATER;
				flow->l4_off = off + sizeof(header);
				flow->protocol = header.nexthdr;
				return 0;
			}
			if (header.frag_off & bpf_htons(IPV6_MORE_FRAGMENTS))
				flow->flags |= FLOW_F_FRAGMENT_FIRST;
			off += sizeof(header);
		} else if (protocol == IPPROTO_AH) {
			off += (header.reserved + 2) * 4;
		} else {
			off += (header.reserved + 1) * 8;
		}
		protocol = header.nexthdr;
	}
	return DROP(PARSE, INVALID_IPV6_EXTENSION_HEADER);
}

/*
 * Sets flow->end from the length that the IP header claims. A length of 0 is what the kernel writes
 * into segments-to-be of more than 64 KiB (BIG TCP).
 */
static __always_inline bool parse_end(const struct __sk_buff *skb, struct flow *flow, __u32 length)
{
	flow->end = length ? flow->l3_off + length : skb->len;
	return flow->end <= skb->len;
}

/* One of two constants: of what it reads back from memory the verifier knows no bound. */
static __always_inline __u32 parse_l3_off(const struct flow *flow)
{
	return flow->l3_off ? ETH_HLEN : 0;
}

static __always_inline int parse_ipv4(struct __sk_buff *skb, struct flow *flow)
{
	__u32 off = parse_l3_off(flow);
	struct iphdr *ip;

	if (!parse_ensure(skb, off, sizeof(*ip)))
		return DROP(PARSE, INVALID_PACKET_DROPPED);
	ip = (void *)(long)skb->data + off;
	if ((void *)(ip + 1) > (void *)(long)skb->data_end)
		return DROP(PARSE, INVALID_PACKET_DROPPED);
	if (unlikely(ip->version != 4 || ip->ihl < 5 || (!ip->tot_len && !skb->gso_size) ||
		     !parse_end(skb, flow, bpf_ntohs(ip->tot_len)) ||
		     off + ip->ihl * 4 > flow->end))
		return DROP(PARSE, INVALID_PACKET_DROPPED);
	addr_set_ipv4(&flow->saddr, ip->saddr);
	addr_set_ipv4(&flow->daddr, ip->daddr);
	flow->protocol = ip->protocol;
	flow->l4_off = off + ip->ihl * 4;
	if (unlikely(ip->frag_off & bpf_htons(IPV4_MORE_FRAGMENTS | IPV4_FRAGMENT_OFFSET))) {
		flow->fragment_id = ip->id;
		flow->flags |= ip->frag_off & bpf_htons(IPV4_FRAGMENT_OFFSET)
				       ? FLOW_F_FRAGMENT_LATER
				       : FLOW_F_FRAGMENT_FIRST;
	}
	return 0;
}

static __always_inline int parse_ipv6(struct __sk_buff *skb, struct flow *flow)
{
	__u32 off = parse_l3_off(flow);
	struct ipv6hdr *ip6;

	if (!parse_ensure(skb, off, sizeof(*ip6)))
		return DROP(PARSE, INVALID_PACKET_DROPPED);
	ip6 = (void *)(long)skb->data + off;
	if ((void *)(ip6 + 1) > (void *)(long)skb->data_end)
		return DROP(PARSE, INVALID_PACKET_DROPPED);
	if (unlikely(ip6->version != 6 ||
		     !parse_end(skb, flow,
				ip6->payload_len || !skb->gso_size
					? sizeof(*ip6) + bpf_ntohs(ip6->payload_len)
					: 0)))
		return DROP(PARSE, INVALID_PACKET_DROPPED);
	addr_set_words(&flow->saddr, ip6->saddr.in6_u.u6_addr32);
	addr_set_words(&flow->daddr, ip6->daddr.in6_u.u6_addr32);
	/* In the maps such an address is an IPv4 address, and it has no business on the wire. */
	if (unlikely(addr_is_mapped(&flow->saddr) || addr_is_mapped(&flow->daddr)))
		return DROP(PARSE, INVALID_PACKET_DROPPED);
	flow->flags |= FLOW_F_IPV6;
	flow->protocol = ip6->nexthdr;
	flow->l4_off = off + sizeof(*ip6);
	if (unlikely(parse_is_extension(flow->protocol)))
		return parse_ipv6_extensions(skb, flow);
	return 0;
}

/* flow is zero but for l3_off. */
static __always_inline int parse_l3(struct __sk_buff *skb, struct flow *flow)
{
	if (unlikely(skb->vlan_present))
		return DROP(PARSE, VLAN_FILTERED);
	if (node_config.enable_ipv4 && skb->protocol == bpf_htons(ETH_P_IP))
		return parse_ipv4(skb, flow);
	if (node_config.enable_ipv6 && skb->protocol == bpf_htons(ETH_P_IPV6))
		return parse_ipv6(skb, flow);
	switch (skb->protocol) {
	case bpf_htons(ETH_P_8021Q):
	case bpf_htons(ETH_P_8021AD):
		return DROP(PARSE, VLAN_FILTERED);
	case bpf_htons(ETH_P_IP):
	case bpf_htons(ETH_P_IPV6):
		return DROP(PARSE, UNSUPPORTED_L3_PROTOCOL);
	default:
		return DROP(PARSE, UNSUPPORTED_L2_PROTOCOL);
	}
}

static __always_inline void parse_icmp4(struct flow *flow, const struct icmp_header *icmp)
{
	flow->icmp_type = icmp->type;
	switch (icmp->type) {
	case ICMP4_ECHO_REPLY:
		flow->flags |= FLOW_F_ICMP_REPLY;
		/* fallthrough */
	case ICMP4_ECHO_REQUEST:
		flow->flags |= FLOW_F_ICMP_ECHO;
		flow->sport = flow->dport = icmp->echo_id;
		return;
	case ICMP4_UNREACHABLE:
	case ICMP4_SOURCE_QUENCH:
	case ICMP4_REDIRECT:
	case ICMP4_TIME_EXCEEDED:
	case ICMP4_PARAMETER:
		flow->flags |= FLOW_F_ICMP_ERROR;
	}
	flow->sport = bpf_htons(icmp->type);
	flow->dport = bpf_htons(icmp->code);
}

static __always_inline void parse_icmp6(struct flow *flow, const struct icmp_header *icmp)
{
	flow->icmp_type = icmp->type;
	switch (icmp->type) {
	case ICMP6_ECHO_REPLY:
		flow->flags |= FLOW_F_ICMP_REPLY;
		/* fallthrough */
	case ICMP6_ECHO_REQUEST:
		flow->flags |= FLOW_F_ICMP_ECHO;
		flow->sport = flow->dport = icmp->echo_id;
		return;
	case ICMP6_MLD_QUERY ... ICMP6_REDIRECT:
	case ICMP6_MLD2_REPORT:
		flow->flags |= FLOW_F_LINK_LOCAL;
		break;
	default:
		if (icmp->type < ICMP6_ECHO_REQUEST)
			flow->flags |= FLOW_F_ICMP_ERROR;
	}
	flow->sport = bpf_htons(icmp->type);
	flow->dport = bpf_htons(icmp->code);
}

/* Bytes of the L4 header, or 0 for a protocol that is not tracked. */
static __always_inline __u32 parse_l4_bytes(const struct flow *flow)
{
	switch (flow->protocol) {
	case IPPROTO_TCP:
		return sizeof(struct tcphdr);
	case IPPROTO_UDP:
		return sizeof(struct udphdr);
	case IPPROTO_ICMP:
		return flow->flags & FLOW_F_IPV6 ? 0 : sizeof(struct icmp_header);
	case IPPROTO_ICMPV6:
		return flow->flags & FLOW_F_IPV6 ? sizeof(struct icmp_header) : 0;
	case IPPROTO_SCTP:
		return node_config.enable_sctp ? 12 : 0;
	default:
		return 0;
	}
}

/* The header at l4, all of whose parse_l4_bytes() can be read. */
static __always_inline int parse_l4_header(struct flow *flow, const void *l4)
{
	const struct tcphdr *tcp = l4;

	switch (flow->protocol) {
	case IPPROTO_ICMP:
		parse_icmp4(flow, l4);
		return 0;
	case IPPROTO_ICMPV6:
		parse_icmp6(flow, l4);
		return 0;
	case IPPROTO_TCP:
		if (unlikely(tcp->doff < 5 || flow->l4_off + tcp->doff * 4 > flow->end))
			return DROP(PARSE, CT_TRUNCATED_OR_INVALID_HEADER);
		flow->tcp_flags = ((const __u8 *)l4)[TCP_FLAGS_OFF];
	}
	/* TCP, UDP and SCTP begin with the same two ports. */
	flow->sport = tcp->source;
	flow->dport = tcp->dest;
	return 0;
}

static __always_inline int parse_l4(struct __sk_buff *skb, struct flow *flow)
{
	__u32 n_bytes = parse_l4_bytes(flow);
	__u32 off = flow->l4_off;
	void *l4;

	if (unlikely(!n_bytes))
		return flow->protocol == IPPROTO_IGMP ? DROP(PARSE, IGMP_HANDLED)
						      : DROP(PARSE, CT_UNKNOWN_L4_PROTOCOL);
	if (unlikely(flow->flags & FLOW_F_FRAGMENT_LATER))
		return 0;
	if (unlikely(off > PARSE_L4_OFF_MAX || off + n_bytes > flow->end ||
		     !parse_ensure(skb, off, n_bytes)))
		return DROP(PARSE, CT_TRUNCATED_OR_INVALID_HEADER);
	l4 = (void *)(long)skb->data + off;
	/* The verifier wants constants; each protocol reads within its own. */
	if (flow->protocol == IPPROTO_TCP) {
		if (l4 + sizeof(struct tcphdr) > (void *)(long)skb->data_end)
			return DROP(PARSE, CT_TRUNCATED_OR_INVALID_HEADER);
	} else if (l4 + sizeof(struct udphdr) > (void *)(long)skb->data_end) {
		return DROP(PARSE, CT_TRUNCATED_OR_INVALID_HEADER);
	}
	return parse_l4_header(flow, l4);
}

/* flow is zero but for l3_off. */
static __always_inline int parse_headers(struct __sk_buff *skb, struct flow *flow)
{
	int ret = parse_l3(skb, flow);

	return unlikely(ret < 0) ? ret : parse_l4(skb, flow);
}
