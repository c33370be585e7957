/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The node's own traffic with what is behind its devices; endpoint 0 of the policy maps. What the
 * node exchanges with its endpoints needs nothing of this: their programs judge for both ends.
 */
#pragma once

#include "bpf/lib/conntrack.h"

/* Without header or first fragment: only where every packet would be allowed, or by the addresses. */
static __always_inline int host_firewall_judge_unparsed(struct __sk_buff *skb,
							struct packet *packet, enum packet_end host,
							int parsed)
{
	__u8 open = host == SRC ? POLICY_F_OPEN_EGRESS : POLICY_F_OPEN_INGRESS;

	if (packet->policy_flags[host] & open)
		return 0;
	/* No connections, and no replies: each packet is judged where it goes. */
	if (drop_reason(parsed) == DROP_CT_UNKNOWN_L4_PROTOCOL ||
	    drop_reason(parsed) == DROP_IGMP_HANDLED)
		return policy_judge(skb, POLICY_FORWARD);
	return parsed;
}

/*
 * 0, or a drop. host: which end the node is, whose numbers are known; parsed: what parsing the
 * headers has returned.
 */
static __always_inline int host_firewall_track(struct __sk_buff *skb, struct packet *packet,
					       enum packet_end host, int parsed)
{
	int ret;

	if (unlikely(parsed < 0))
		return host_firewall_judge_unparsed(skb, packet, host, parsed);
	/* Neighbour discovery and group membership: without them nobody is reached. */
	if (packet->flow.flags & FLOW_F_LINK_LOCAL)
		return 0;
	/* Of an unknown connection: the kernel looks whether one of its sockets is meant. */
	if (packet->flow.flags & FLOW_F_ICMP_ERROR) {
		ret = ct_related(skb);
		return ret < 0 ? ret : 0;
	}
	return ct_track(skb, packet);
}

/* Of what comes in through a device of the node for the node itself. */
static __noinline int host_firewall_receive(struct __sk_buff *skb, struct packet *packet,
					    int parsed)
{
	endpoint_set_host(packet, DST);
	packet->counted = true;
	/* Addresses of this node and its endpoints do not come from outside. */
	if (endpoint_get(&packet->flow.saddr))
		return DROP(HOST_FIREWALL, INVALID_SOURCE_IP);
	ipcache_resolve_remote(packet, SRC);
	return host_firewall_track(skb, packet, DST, parsed);
}

/*
 * Of what leaves through a device under an address of the node, which is the source's end already.
 * What the stack has given that address on the way from an endpoint was judged as that endpoint's: the
 * connection is only remembered, so that its answers are let in.
 */
static __noinline int host_firewall_send(struct __sk_buff *skb, struct packet *packet, int parsed)
{
	if ((skb->mark & MARK_MAGIC_MASK) == MARK_MAGIC_IDENTITY) {
		packet->policy_version[SRC] = 0;
		packet->policy_flags[SRC] = POLICY_F_OPEN_EGRESS;
		packet->via_stack = true;
	}
	ipcache_resolve(packet, DST);
	return host_firewall_track(skb, packet, SRC, parsed);
}
