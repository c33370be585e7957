/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The packet that an ICMP or ICMPv6 error is about. */
#pragma once

#include "bpf/lib/parse.h"

static __always_inline int icmp_parse_inner_l3(struct __sk_buff *skb, struct flow *inner)
{
	if (inner->flags & FLOW_F_IPV6) {
		struct ipv6hdr ip6;

		if (bpf_skb_load_bytes(skb, inner->l3_off, &ip6, sizeof(ip6)) || ip6.version != 6)
			return DROP(PARSE, INVALID_PACKET_DROPPED);
		addr_set_words(&inner->saddr, ip6.saddr.in6_u.u6_addr32);
		addr_set_words(&inner->daddr, ip6.daddr.in6_u.u6_addr32);
		inner->protocol = ip6.nexthdr;
		inner->l4_off = inner->l3_off + sizeof(ip6);
		return parse_ipv6_extensions(skb, inner);
	}

	struct iphdr ip;

	if (bpf_skb_load_bytes(skb, inner->l3_off, &ip, sizeof(ip)) || ip.version != 4 ||
	    ip.ihl < 5)
		return DROP(PARSE, INVALID_PACKET_DROPPED);
	addr_set_ipv4(&inner->saddr, ip.saddr);
	addr_set_ipv4(&inner->daddr, ip.daddr);
	inner->protocol = ip.protocol;
	inner->l4_off = inner->l3_off + ip.ihl * 4;
	if (ip.frag_off & bpf_htons(IPV4_FRAGMENT_OFFSET))
		inner->flags |= FLOW_F_FRAGMENT_LATER;
	return 0;
}

/*
 * Parses the packet inside the error that outer is into inner, which is zero. Only eight bytes of
 * the L4 header need to be there: enough for the ports, or an ICMP header. Errors about later
 * fragments and about errors belong to no connection.
 */
static __noinline int icmp_parse_inner(struct __sk_buff *skb, const struct flow *outer,
				       struct flow *inner)
{
	__be16 ports[4];
	int ret;

	inner->flags = outer->flags & FLOW_F_IPV6;
	inner->l3_off = outer->l4_off + sizeof(struct icmp_header);
	ret = icmp_parse_inner_l3(skb, inner);
	if (ret < 0)
		return ret;
	if (!parse_l4_bytes(inner) || inner->flags & FLOW_F_FRAGMENT_LATER ||
	    inner->l4_off > PARSE_L4_OFF_MAX ||
	    bpf_skb_load_bytes(skb, inner->l4_off, ports, sizeof(ports)))
		return DROP(PARSE, CT_TRUNCATED_OR_INVALID_HEADER);
	if (inner->protocol == IPPROTO_ICMP)
		parse_icmp4(inner, (const struct icmp_header *)ports);
	else if (inner->protocol == IPPROTO_ICMPV6)
		parse_icmp6(inner, (const struct icmp_header *)ports);
	else {
		inner->sport = ports[0];
		inner->dport = ports[1];
	}
	if (inner->flags & FLOW_F_ICMP_ERROR)
		return DROP(PARSE, CT_TRUNCATED_OR_INVALID_HEADER);
	/* An error goes to whoever sent what it is about. */
	if (!addr_equal(&inner->saddr, &outer->daddr))
		return DROP(PARSE, INVALID_PACKET_DROPPED);
	return 0;
}
