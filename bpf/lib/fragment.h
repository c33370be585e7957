/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Fragments after the first carry no ports: they are remembered from the first, which every sender
 * in use emits first.
 */
#pragma once

#include "bpf/lib/parse.h"

/* After parse_l4(), for packets with FLOW_F_FRAGMENT. */
static __noinline int fragment_resolve(struct flow *flow)
{
	struct fragment_key key = {
		.saddr = flow->saddr,
		.daddr = flow->daddr,
		.id = flow->fragment_id,
		.protocol = flow->protocol,
	};
	struct fragment_ports ports = {
		.sport = flow->sport,
		.dport = flow->dport,
		.flags = flow->flags & (FLOW_F_ICMP_ECHO | FLOW_F_ICMP_REPLY),
	};
	const struct fragment_ports *first;

	if (!node_config.enable_fragment_tracking)
		return DROP(FRAGMENT, IP_FRAGMENTATION_NOT_SUPPORTED);
	if (flow->flags & FLOW_F_FRAGMENT_FIRST) {
		if (!(flow->flags & FLOW_F_EXPLAIN))
			bpf_map_update_elem(&cilium_frag_datagrams, &key, &ports, BPF_ANY);
		return 0;
	}
	first = bpf_map_lookup_elem(&cilium_frag_datagrams, &key);
	if (!first)
		return DROP(FRAGMENT, FIRST_LOGICAL_DATAGRAM_FRAGMENT_NOT_FOUND);
	flow->sport = first->sport;
	flow->dport = first->dport;
	flow->flags |= first->flags;
	return 0;
}

/*
 * All of the headers, for the programs that drop what cannot be parsed. flow is zero but for
 * l3_off.
 */
static __always_inline int fragment_parse(struct __sk_buff *skb, struct flow *flow)
{
	int ret = parse_headers(skb, flow);

	if (unlikely(ret < 0))
		return ret;
	return unlikely(flow->flags & FLOW_F_FRAGMENT) ? fragment_resolve(flow) : 0;
}
