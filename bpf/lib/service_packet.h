/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Packets of services on their way through tc. To the back end they are given its address where they come
 * in, so that all that follows sees the connection as it is: policy, conntrack, routing, masquerading.
 * From the back end they are given the front end's only where they leave for the client, in the last
 * program that they pass: the host's stack never sees a packet from elsewhere with an address of its own.
 */
#pragma once

#include "bpf/lib/icmp.h"
#include "bpf/lib/rewrite.h"
#include "bpf/lib/service_flow.h"

/* One end of the packet, or with is_inner of the one that the error carries. addr: not of a map. */
static __always_inline int service_rewrite(struct __sk_buff *skb, struct packet *packet,
					   enum rewrite_end end, const struct addr *addr,
					   __be16 port, bool is_inner)
{
	packet->rewrite.addr = *addr;
	packet->rewrite.port = port;
	packet->rewrite.end = end;
	return rewrite_by_packet(skb, is_inner);
}

/* ---- to the back end ---- */

static __always_inline int service_forward_packet(struct __sk_buff *skb, struct packet *packet)
{
	int ret;

	/* Another port would need a new CRC over the whole packet. */
	if (packet->flow.protocol == IPPROTO_SCTP && packet->backend_port != packet->flow.dport)
		return DROP(SERVICE_PACKET, UNSUPPORTED_PROTOCOL_FOR_NAT_MASQUERADE);
	ret = service_rewrite(skb, packet, REWRITE_DESTINATION, &packet->backend_addr,
			      packet->backend_port, false);
	if (ret < 0 || !(packet->service & PACKET_SERVICE_LOOPBACK))
		return ret;
	return service_rewrite(skb, packet, REWRITE_SOURCE, service_loopback_addr(packet),
			       packet->flow.sport, false);
}

/*
 * An ICMP error to a front end is about an answer of its back end: SERVICE_FOUND, and the error is about
 * a packet of the back end, and goes there; SERVICE_NONE; or a drop.
 */
static __noinline int service_forward_error(struct __sk_buff *skb, struct packet *packet)
{
	struct packet *inner = packet_inner_begin();
	const struct ct_entry *entry;
	struct ct_key key;
	int ret;

	if (!inner || icmp_parse_inner(skb, &packet->flow, &inner->flow) < 0)
		return SERVICE_NONE;
	entry = service_entry_get(&key, &inner->flow);
	if (!entry || ct_entry_from_initiator(entry, ct_source_side(&inner->flow)))
		return SERVICE_NONE;
	packet->service = PACKET_SERVICE_KNOWN | PACKET_SERVICE_FORWARD;
	packet->service_addr = inner->flow.saddr;
	packet->service_port = inner->flow.sport;
	packet->service_flags = 0;
	packet->service_backend = entry->backend;
	packet->backend_addr = entry->service_addr;
	packet->backend_port = entry->service_port;
	if (packet->generation[SRC] && addr_equal(&packet->backend_addr, &inner->flow.daddr)) {
		packet->service |= PACKET_SERVICE_LOOPBACK;
		ret = service_rewrite(skb, packet, REWRITE_DESTINATION,
				      service_loopback_addr(packet), inner->flow.dport, true);
		if (ret < 0)
			return ret;
	}
	ret = service_rewrite(skb, packet, REWRITE_SOURCE, &packet->backend_addr,
			      packet->backend_port, true);
	if (ret < 0)
		return ret;
	ret = service_forward_packet(skb, packet);
	return ret < 0 ? ret : SERVICE_FOUND;
}

static __always_inline int service_forward_related(struct __sk_buff *skb, struct packet *packet)
{
	int ret = service_forward_error(skb, packet);

	/* No route leads to such an address. */
	if (ret == SERVICE_NONE && service_wildcard_get(&packet->flow.daddr))
		return DROP(SERVICE_PACKET, SERVICE_BACKEND_NOT_FOUND);
	return ret;
}

/* Whether another node is to answer the client. */
static __always_inline bool service_is_direct(const struct packet *packet, __u32 how)
{
	return node_config.enable_node_port && service_scope(how) == LB_SCOPE_EXTERNAL &&
	       packet->service_flags & LB_FRONTEND_F_DSR && !endpoint_get(&packet->backend_addr);
}

/*
 * Sends a packet to a front end to its back end: SERVICE_FOUND, and it has another destination;
 * SERVICE_DIRECT, and it is as it came; or as service_decide(). The destination's end of the packet is
 * for the caller to find. Global, so that the verifier follows it once.
 */
__weak __attribute__((noinline)) int service_forward(struct __sk_buff *skb, __u32 how)
{
	struct packet *packet = packet_get();
	int ret;

	if (!packet)
		return SERVICE_NONE;
	if (unlikely(packet->flow.flags & FLOW_F_ICMP_ERROR))
		return service_forward_related(skb, packet);
	ret = service_decide(packet, how);
	if (ret != SERVICE_FOUND)
		return ret;
	if (service_is_direct(packet, how))
		return SERVICE_DIRECT;
	ret = service_forward_packet(skb, packet);
	return ret < 0 ? ret : SERVICE_FOUND;
}

/* ---- to the client ---- */

/* An error about a packet of the client's, which is packet_inner_get(). */
static __noinline int service_reverse_error(struct __sk_buff *skb, struct packet *packet)
{
	struct packet *inner = packet_inner_get();
	struct addr from = packet->flow.saddr;
	int ret = 0;

	if (!inner)
		return DROP(SERVICE_PACKET, INVALID_PACKET_DROPPED);
	/* Its own; else of a router on the way, or of this node. */
	if (addr_equal(&from, &inner->flow.daddr))
		ret = service_rewrite(skb, packet, REWRITE_SOURCE, &packet->service_addr, 0, false);
	if (ret >= 0)
		ret = service_rewrite(skb, packet, REWRITE_DESTINATION, &packet->service_addr,
				      packet->service_port, true);
	if (ret < 0 || !(packet->service & PACKET_SERVICE_LOOPBACK))
		return ret;
	ret = service_rewrite(skb, packet, REWRITE_SOURCE, &from, inner->flow.sport, true);
	return ret < 0 ? ret : service_rewrite(skb, packet, REWRITE_DESTINATION, &from, 0, false);
}

static __noinline int service_reverse_packet(struct __sk_buff *skb, struct packet *packet)
{
	struct addr from = packet->flow.saddr;
	int ret = service_rewrite(skb, packet, REWRITE_SOURCE, &packet->service_addr,
				  packet->service_port, false);

	if (ret >= 0 && packet->service & PACKET_SERVICE_LOOPBACK)
		ret = service_rewrite(skb, packet, REWRITE_DESTINATION, &from, packet->flow.dport,
				      false);
	return ret;
}

/*
 * Gives a packet with PACKET_SERVICE_REVERSE the look that its client expects: 0, or a drop. Global, as
 * service_forward().
 */
__weak __attribute__((noinline)) int service_reverse(struct __sk_buff *skb)
{
	struct packet *packet = packet_get();

	if (!packet)
		return DROP(SERVICE_PACKET, ERROR_WRITING_TO_PACKET);
	packet->service &= ~PACKET_SERVICE_REVERSE;
	return packet->flow.flags & FLOW_F_ICMP_ERROR ? service_reverse_error(skb, packet)
						      : service_reverse_packet(skb, packet);
}

/* Whether the packet is to be reversed before it goes to its receiver. */
static __always_inline bool service_is_reverse(const struct packet *packet)
{
	return unlikely(packet->service & PACKET_SERVICE_REVERSE);
}

static __always_inline int service_reverse_due(struct __sk_buff *skb, const struct packet *packet)
{
	return service_is_reverse(packet) ? service_reverse(skb) : 0;
}
