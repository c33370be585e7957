/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Local endpoints by address and by device, and the check that a packet's source is its sender's.
 */
#pragma once

#include "bpf/lib/config.h"
#include "bpf/lib/packet.h"

#define IDENTITY_HOST 1

/* An endpoint for which there are no rules yet: no entry remembers this. */
#define POLICY_VERSION_NONE 0xffffffffU

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

/*
 * Whether the node still has the address that a connection was given to leave under, most likely the device's:
 * answers to one that it has lost come to nobody, and a connection that goes on sending would never be given
 * another.
 */
static __always_inline bool endpoint_is_node_address(const struct addr *addr,
						     const struct addr *device_addr)
{
	const struct endpoint_info *owner;

	if (likely(addr_equal(addr, device_addr)))
		return true;
	owner = endpoint_get(addr);
	return owner && endpoint_is_host(owner);
}

/* By what an endpoint of this node, or the host, is judged; version and flags are of one moment. */
static __always_inline void endpoint_set_policy(struct packet *packet, enum packet_end end,
						__u32 id)
{
	const volatile __u64 *element = bpf_map_lookup_elem(&cilium_policy_endpoint, &id);
	union {
		__u64 word;
		struct policy_endpoint policy;
	} now = {.word = element ? *element : 0};

	packet->policy_flags[end] = now.policy.flags;
	packet->policy_version[end] =
		likely(now.policy.version) ? CT_POLICY_VERSION(now.policy.version, now.policy.flags)
					   : POLICY_VERSION_NONE;
}

static __always_inline void endpoint_set(struct packet *packet, enum packet_end end,
					 const struct endpoint_info *endpoint)
{
	packet->identity[end] = endpoint->identity;
	packet->endpoint[end] = endpoint->id;
	packet->generation[end] = endpoint->generation;
	packet->endpoint_flags[end] = endpoint->flags;
	endpoint_set_policy(packet, end, endpoint->id);
}

/* Of the node's own end nothing else means something. */
static __always_inline void endpoint_set_host(struct packet *packet, enum packet_end end)
{
	packet->identity[end] = IDENTITY_HOST;
	if (node_config.enable_host_firewall)
		endpoint_set_policy(packet, end, POLICY_ENDPOINT_HOST);
}

/* Both ends are the same endpoint, which only one of the addresses says. */
static __always_inline void endpoint_set_as(struct packet *packet, enum packet_end to,
					    enum packet_end from)
{
	packet->identity[to] = packet->identity[from];
	packet->endpoint[to] = packet->endpoint[from];
	packet->generation[to] = packet->generation[from];
	packet->endpoint_flags[to] = packet->endpoint_flags[from];
	packet->policy_flags[to] = packet->policy_flags[from];
	packet->policy_version[to] = packet->policy_version[from];
}

/* What cannot be parsed has a sender all the same, and its drop says who. */
static __noinline void endpoint_set_source_by_device(struct __sk_buff *skb, struct packet *packet)
{
	const struct endpoint_info *endpoint = endpoint_get_by_device(skb->ifindex);

	if (endpoint)
		endpoint_set(packet, SRC, endpoint);
}

static __always_inline void endpoint_set_destination(struct packet *packet,
						     const struct endpoint_info *endpoint)
{
	if (unlikely(endpoint_is_host(endpoint)))
		endpoint_set_host(packet, DST);
	else
		endpoint_set(packet, DST, endpoint);
}

/* Whoever sends on the device under an address that is not its own: still says who it is. */
static __noinline int endpoint_resolve_foreign_source(struct __sk_buff *skb, struct packet *packet)
{
	const struct endpoint_info *endpoint = endpoint_get_by_device(skb->ifindex);

	if (!endpoint)
		return DROP(ENDPOINT, INVALID_SOURCE_IP);
	endpoint_set(packet, SRC, endpoint);
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
	endpoint_set(packet, SRC, endpoint);
	return 0;
}
