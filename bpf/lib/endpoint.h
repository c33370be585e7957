/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Local endpoints by address and by device, and the check that a packet's source is its sender's.
 */
#pragma once

#include "bpf/lib/config.h"
#include "bpf/lib/packet.h"

#define IDENTITY_HOST 1

static __always_inline const struct endpoint_info *endpoint_get(const struct addr *addr)
{
	return bpf_map_lookup_elem(&cilium_lxc, addr);
}

static __always_inline const struct endpoint_info *endpoint_get_by_device(__u32 ifindex)
{
	struct endpoint_device_key key = {.ifindex = ifindex};

	return bpf_map_lookup_elem(&cilium_lxc_device, &key);
}

static __always_inline bool endpoint_is_host(const struct endpoint_info *endpoint)
{
	return endpoint->flags & ENDPOINT_F_HOST;
}

static __always_inline void endpoint_set_source(struct packet *packet,
						const struct endpoint_info *endpoint)
{
	packet->src_identity = endpoint->identity;
	packet->src_endpoint = endpoint->id;
	packet->src_generation = endpoint->generation;
	packet->src_flags = endpoint->flags;
}

/* What cannot be parsed has a sender all the same, and its drop says who. */
static __noinline void endpoint_set_source_by_device(struct __sk_buff *skb, struct packet *packet)
{
	const struct endpoint_info *endpoint = endpoint_get_by_device(skb->ifindex);

	if (endpoint)
		endpoint_set_source(packet, endpoint);
}

/* Not every field of an address of the node means something. */
static __always_inline void endpoint_set_destination(struct packet *packet,
						     const struct endpoint_info *endpoint)
{
	if (unlikely(endpoint_is_host(endpoint))) {
		packet->dst_identity = IDENTITY_HOST;
		return;
	}
	packet->dst_identity = endpoint->identity;
	packet->dst_endpoint = endpoint->id;
	packet->dst_generation = endpoint->generation;
	packet->dst_flags = endpoint->flags;
}

/* Whoever sends on the device under an address that is not its own: still says who it is. */
static __noinline int endpoint_resolve_foreign_source(struct __sk_buff *skb, struct packet *packet)
{
	const struct endpoint_info *endpoint = endpoint_get_by_device(skb->ifindex);

	if (!endpoint)
		return DROP(ENDPOINT, INVALID_SOURCE_IP);
	endpoint_set_source(packet, endpoint);
	if (endpoint->flags & ENDPOINT_F_SIP_CHECK ||
	    (node_config.enable_source_ip_verification &&
	     !(endpoint->flags & ENDPOINT_F_SKIP_SIP_CHECK)))
		return DROP(ENDPOINT, INVALID_SOURCE_IP);
	return 0;
}

/* Finds the endpoint behind the device that the packet came from, and checks the source address. */
static __always_inline int endpoint_resolve_source(struct __sk_buff *skb, struct packet *packet)
{
	const struct endpoint_info *endpoint = endpoint_get(&packet->flow.saddr);

	if (unlikely(!endpoint || endpoint_is_host(endpoint) || endpoint->ifindex != skb->ifindex))
		return endpoint_resolve_foreign_source(skb, packet);
	endpoint_set_source(packet, endpoint);
	return 0;
}
