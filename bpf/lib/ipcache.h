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

/*
 * Who sends, for a packet that comes from the host's stack: this node, an endpoint of it (its
 * packet went through the stack, and is accounted already), or whatever the ipcache says.
 */
static __always_inline void ipcache_resolve_source(struct packet *packet)
{
	const struct endpoint_info *source = endpoint_get(&packet->flow.saddr);

	if (!source) {
		packet->src_identity = ipcache_identity(packet, ipcache_get(&packet->flow.saddr));
	} else if (endpoint_is_host(source)) {
		packet->src_identity = IDENTITY_HOST;
	} else {
		endpoint_set_source(packet, source);
		packet->counted = true;
	}
}
