/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Where a packet goes once it may: into an endpoint, out of a device, or to the host's stack.
 *
 * The stack is never wrong, only slower: whatever needs an answer that the kernel knows how to give
 * (time exceeded, fragmentation needed, no route, fragmenting) is left to it, so that those answers
 * are the kernel's own.
 */
#pragma once

#include "bpf/lib/endpoint.h"
#include "bpf/lib/parse.h"
#include "bpf/lib/service_packet.h"

static __always_inline int deliver_to_stack(struct __sk_buff *skb, struct packet *packet,
					    enum trace_point point)
{
	__u32 identity = packet->identity[SRC];

	skb->mark = MARK_MAGIC_IDENTITY | identity << 16 | (identity >> 16 & 0xff);
	packet->trace_point = point;
	return TC_ACT_OK;
}

/* Where the packet came in: only hardware supplies a sum over the whole packet (skb->csum). */
enum deliver_from {
	DELIVER_FROM_ENDPOINT,
	DELIVER_FROM_NETWORK,
};

/* False when no hop is left: nothing was written. */
static __always_inline bool
deliver_decrement_ttl(struct __sk_buff *skb, const struct packet *packet, enum deliver_from from)
{
	void *l3 = (void *)(long)skb->data + parse_l3_off(&packet->flow);
	void *data_end = (void *)(long)skb->data_end;

	if (packet_is_ipv6(packet)) {
		struct ipv6hdr *ip6 = l3;

		if ((void *)(ip6 + 1) > data_end || ip6->hop_limit <= 1)
			return false;
		ip6->hop_limit--;
		/* No header checksum makes up for it; hop_limit is a word's low byte. */
		if (from == DELIVER_FROM_NETWORK)
			bpf_csum_update(skb, (__u16)~bpf_htons(1));
	} else {
		struct iphdr *ip = l3;
		__u32 check;

		if ((void *)(ip + 1) > data_end || ip->ttl <= 1)
			return false;
		ip->ttl--;
		check = ip->check + bpf_htons(0x0100); /* RFC 1624; ttl is the high byte */
		ip->check = check + (check >= 0xffff);
	}
	return true;
}

/* Both addresses of the link: they stand in endpoint_info as they do in a frame. */
static __always_inline bool deliver_set_macs(struct __sk_buff *skb,
					     const struct endpoint_info *endpoint)
{
	const __u32 *from = (const __u32 *)&endpoint->mac;
	__u32 *to = (void *)(long)skb->data;

	_Static_assert(offsetof(struct endpoint_info, node_mac) ==
			       offsetof(struct endpoint_info, mac) + ETH_ALEN,
		       "destination and source as in struct ethhdr");
	if ((void *)to + ETH_HLEN > (void *)(long)skb->data_end)
		return false;
	to[0] = from[0];
	to[1] = from[1];
	to[2] = from[2];
	return true;
}

/*
 * Past this point the packet is inside the endpoint's namespace, and nothing of the host sees it again but a
 * queue that somebody put on the endpoint's device.
 */
static __always_inline int deliver_redirect(struct packet *packet,
					    const struct endpoint_info *endpoint)
{
	packet->trace_point = TRACE_TO_ENDPOINT;
	if (unlikely(endpoint->flags & ENDPOINT_F_QUEUED))
		return bpf_redirect(endpoint->ifindex, 0);
	return bpf_redirect_peer(endpoint->ifindex, 0);
}

/* From the ingress of another device into the endpoint, as a router does. */
static __always_inline int deliver_to_endpoint(struct __sk_buff *skb, struct packet *packet,
					       const struct endpoint_info *endpoint,
					       enum deliver_from from)
{
	if (unlikely(!deliver_decrement_ttl(skb, packet, from) || !deliver_set_macs(skb, endpoint)))
		return deliver_to_stack(skb, packet, TRACE_TO_STACK);
	return deliver_redirect(packet, endpoint);
}

/* As deliver_to_endpoint(), of a packet with PACKET_SERVICE_REVERSE. */
static __noinline int deliver_reversed(struct __sk_buff *skb, struct packet *packet,
				       const struct endpoint_info *endpoint, enum deliver_from from)
{
	int ret;

	/* What the stack answers is about the packet as the back end has sent it. */
	if (!deliver_decrement_ttl(skb, packet, from))
		return deliver_to_stack(skb, packet, TRACE_TO_STACK);
	ret = service_reverse(skb);
	if (ret < 0)
		return ret;
	if (!deliver_set_macs(skb, endpoint))
		return DROP(DELIVERY, ERROR_WRITING_TO_PACKET);
	return deliver_redirect(packet, endpoint);
}

/* Back into the endpoint that sent it; no queue of its device is asked. */
static __noinline int deliver_to_sender(struct __sk_buff *skb, struct packet *packet)
{
	const struct endpoint_info *endpoint = endpoint_get_by_device(skb->ifindex);
	int ret = service_reverse_due(skb, packet);

	if (ret < 0)
		return ret;
	if (!endpoint)
		return DROP(DELIVERY, STALE_OR_UNROUTABLE_IP);
	if (!deliver_decrement_ttl(skb, packet, DELIVER_FROM_ENDPOINT))
		return DROP(DELIVERY, TTL_EXCEEDED);
	if (!deliver_set_macs(skb, endpoint))
		return DROP(DELIVERY, ERROR_WRITING_TO_PACKET);
	packet->trace_point = TRACE_TO_ENDPOINT;
	return bpf_redirect_peer(skb->ifindex, 0);
}

/* Bytes from the IP header on of the largest packet that this one is, or will be split into. */
static __always_inline __u32 deliver_l3_bytes(struct __sk_buff *skb, const struct packet *packet)
{
	__u32 headers = packet->flow.l4_off - packet->flow.l3_off;
	void *l4 = (void *)(long)skb->data + (packet->flow.l4_off & 0x3ff);

	if (!skb->gso_size)
		return packet->flow.end - packet->flow.l3_off;
	if (packet->flow.protocol != IPPROTO_TCP)
		return headers + sizeof(struct udphdr) + skb->gso_size;
	if (l4 + sizeof(struct tcphdr) > (void *)(long)skb->data_end)
		return packet->flow.end - packet->flow.l3_off;
	return headers + ((struct tcphdr *)l4)->doff * 4 + skb->gso_size;
}

/* The kernel's structures are aligned to words; struct addr would be copied by halves. */
static __always_inline void deliver_copy_words(__u32 *to, const __be32 *from)
{
	for (int i = 0; i < 4; i++)
		to[i] = from[i];
}

static __always_inline void deliver_fib_init(struct bpf_fib_lookup *fib, struct __sk_buff *skb,
					     const struct packet *packet)
{
	__u32 n_bytes;

	fib->ifindex = skb->ifindex;
	fib->l4_protocol = packet->flow.protocol;
	n_bytes = deliver_l3_bytes(skb, packet);
	fib->tot_len = n_bytes < 0xffff ? n_bytes : 0xffff;
	/* Rules and the choice among several paths may look at ports, where each packet has them. */
	if (packet->flow.protocol != IPPROTO_ICMP && packet->flow.protocol != IPPROTO_ICMPV6 &&
	    !(packet->flow.flags & FLOW_F_FRAGMENT)) {
		fib->sport = packet->flow.sport;
		fib->dport = packet->flow.dport;
	}
	if (packet_is_ipv6(packet)) {
		fib->family = AF_INET6;
		deliver_copy_words(fib->ipv6_src, packet->flow.saddr.words);
		deliver_copy_words(fib->ipv6_dst, packet->flow.daddr.words);
	} else {
		fib->family = AF_INET;
		fib->ipv4_src = packet->flow.saddr.words[3];
		fib->ipv4_dst = packet->flow.daddr.words[3];
	}
}

/*
 * A packet that this node has put another into: it has an address of this node as its source, with which
 * the stack takes none that comes from outside.
 */
static __always_inline bool deliver_is_own_tunnel(const struct packet *packet)
{
	return packet->flow.protocol == IPPROTO_IPIP || packet->flow.protocol == IPPROTO_IPV6;
}

/*
 * Routes the packet and sends it out, past the host's stack. The neighbour is resolved on the way
 * by bpf_redirect_neigh(), so its absence is no obstacle.
 */
static __noinline int deliver_by_route(struct __sk_buff *skb, struct packet *packet,
				       enum deliver_from from)
{
	struct bpf_fib_lookup fib = {};
	struct bpf_redir_neigh next_hop = {};
	long ret;

	/* The lookup would give these to the default route. */
	if (!addr_is_routable(&packet->flow.daddr))
		return deliver_to_stack(skb, packet, TRACE_TO_STACK);
	deliver_fib_init(&fib, skb, packet);
	ret = bpf_fib_lookup(skb, &fib, sizeof(fib), 0);
	if (ret != BPF_FIB_LKUP_RET_SUCCESS && ret != BPF_FIB_LKUP_RET_NO_NEIGH)
		return deliver_to_stack(skb, packet, TRACE_TO_STACK);
	/* The pod CIDRs are routed to cilium_host, and no endpoint has this address of theirs. */
	if (fib.ifindex == node_config.host_ifindex)
		return DROP(DELIVERY, STALE_OR_UNROUTABLE_IP);
	/* Back where it came from: a redirect is due, but where the client knows of no back end. Or
	 * Linux 5.10 to 5.11, which without a neighbour do not tell the device. */
	if (fib.ifindex == skb->ifindex &&
	    (from != DELIVER_FROM_NETWORK ||
	     (ret != BPF_FIB_LKUP_RET_SUCCESS && !deliver_is_own_tunnel(packet))))
		return deliver_to_stack(skb, packet, TRACE_TO_STACK);
	if (!deliver_decrement_ttl(skb, packet, from))
		return deliver_to_stack(skb, packet, TRACE_TO_STACK);
	next_hop.nh_family = fib.family;
	deliver_copy_words(next_hop.ipv6_nh, fib.ipv6_dst);
	deliver_to_stack(skb, packet, TRACE_TO_NETWORK);
	return bpf_redirect_neigh(fib.ifindex, &next_hop, sizeof(next_hop), 0);
}
