/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Address to identity: the hash of single addresses first, then the trie of prefixes. */
#pragma once

#include "bpf/lib/endpoint.h"

/* NULL: nothing is known of the address. */
static __noinline const struct ipcache_info *ipcache_get(const struct addr *addr)
{
	const struct ipcache_info *info = bpf_map_lookup_elem(&cilium_ipcache, addr);
	struct ipcache_prefix_key key = {.prefix_len = 128};

	if (info)
		return info;
	__builtin_memcpy(&key.addr, addr, sizeof(key.addr));
	return bpf_map_lookup_elem(&cilium_ipcache_prefix, &key);
}

static __always_inline __u32 ipcache_world_identity(const struct packet *packet)
{
	return packet_is_ipv6(packet) ? node_config.world_identity6 : node_config.world_identity4;
}

static __always_inline __u32 ipcache_identity(const struct packet *packet,
					      const struct ipcache_info *info)
{
	return info ? info->identity : ipcache_world_identity(packet);
}

/* No address of cilium_lxc: sets who the end is, and of a destination what the ipcache says of it. */
static __always_inline void ipcache_resolve_remote(struct packet *packet, enum packet_end end)
{
	const struct ipcache_info *info =
		ipcache_get(end == SRC ? &packet->flow.saddr : &packet->flow.daddr);

	packet->identity[end] = ipcache_identity(packet, info);
	if (info && info->flags & IPCACHE_F_LOCAL_HOST)
		endpoint_set_host(packet, end);
	if (end == DST)
		packet->dst_flags = info ? info->flags : 0;
}

/* Who an end is, by its address: this node, an endpoint of it, or whoever the ipcache says. */
static __always_inline void ipcache_resolve(struct packet *packet, enum packet_end end)
{
	const struct endpoint_info *endpoint =
		endpoint_get(end == SRC ? &packet->flow.saddr : &packet->flow.daddr);

	if (!endpoint)
		ipcache_resolve_remote(packet, end);
	else if (endpoint_is_host(endpoint))
		endpoint_set_host(packet, end);
	else
		endpoint_set(packet, end, endpoint);
}

/*
 * Who sends, for a packet that comes from the host's stack: a packet of an endpoint went through it,
 * and is accounted already.
 */
static __always_inline void ipcache_resolve_source(struct packet *packet)
{
	ipcache_resolve(packet, SRC);
	packet->counted = packet->generation[SRC] != 0;
}
