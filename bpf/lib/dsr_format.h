/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * How a packet to another node's back end tells what its client asked for, so that the back end can
 * answer by itself (direct server return). Nothing here touches the packet: tc and XDP write alike.
 */
#pragma once

#include "bpf/lib/parse.h"

#define DSR_OPTION4 0x9a /* copied into fragments; who does not know it ignores it */
#define DSR_OPTION6 0x1b /* skipped by who does not know it; may not change on the way */

#define IPV4_OPTIONS_MAX 40

/* Right behind the IPv4 header, in front of other options. */
struct dsr_option4 {
	__u8 type;
	__u8 n_bytes;
	__be16 port;
	__be32 addr;
};
ABI_ASSERT_SIZE(struct dsr_option4, 8);

/* A destination options header right behind the IPv6 header, with one option. */
struct dsr_option6 {
	__u8 next;
	__u8 n_units; /* of eight bytes, less one */
	__u8 type;
	__u8 n_bytes; /* of what follows */
	__be16 port;
	__be16 pad;
	__be32 addr[4];
};
ABI_ASSERT_SIZE(struct dsr_option6, 24);

/*
 * Which packets carry the option: those by which the back end's node may learn of the connection. A
 * TCP connection begins with one; of datagrams each may be the first.
 */
static __always_inline bool dsr_needs_option(const struct flow *flow)
{
	if (flow->flags & FLOW_F_FRAGMENT_LATER)
		return false;
	return flow->protocol != IPPROTO_TCP || flow_is_opening(flow);
}

/* Bytes by which the packet becomes longer. */
static __always_inline __u32 dsr_extra_bytes(const struct flow *flow)
{
	bool ipv6 = flow->flags & FLOW_F_IPV6;

	if (node_config.dsr_dispatch == DSR_DISPATCH_IPIP)
		return ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	if (!dsr_needs_option(flow))
		return 0;
	return ipv6 ? sizeof(struct dsr_option6) : sizeof(struct dsr_option4);
}

static __always_inline void dsr_option4_init(struct dsr_option4 *option,
					     const struct addr *frontend, __be16 port)
{
	option->type = DSR_OPTION4;
	option->n_bytes = sizeof(*option);
	option->port = port;
	option->addr = frontend->words[3];
}

static __always_inline void dsr_option6_init(struct dsr_option6 *option,
					     const struct addr *frontend, __be16 port, __u8 next)
{
	option->next = next;
	option->n_units = sizeof(*option) / 8 - 1;
	option->type = DSR_OPTION6;
	option->n_bytes = sizeof(*option) - offsetof(struct dsr_option6, port);
	option->port = port;
	option->pad = 0;
	for (int i = 0; i < 4; i++)
		option->addr[i] = frontend->words[i];
}

/* The bits of a word that stand behind a prefix of n_bits, which begins n_before bits before it. */
static __always_inline __be32 dsr_host_mask(__u32 n_bits, __u32 n_before)
{
	if (n_bits <= n_before)
		return 0xffffffff;
	n_bits -= n_before;
	return n_bits >= 32 ? 0 : bpf_htonl(0xffffffff >> n_bits);
}

/*
 * Outer source of IPIP: what the configuration says with the client in the bits behind the prefix, so
 * that a receiver spreads the clients over its queues; or the device's address.
 */
static __always_inline void dsr_outer_source(struct addr *source, const struct flow *flow,
					     const struct device_info *device)
{
	bool ipv6 = flow->flags & FLOW_F_IPV6;
	__u32 n_bits = ipv6 ? node_config.dsr_source6_bits : node_config.dsr_source4_bits;

	if (!n_bits) {
		*source = *device_own_addr(device, ipv6);
		return;
	}
	for (int i = 0; i < 4; i++) {
		__be32 mask = dsr_host_mask(n_bits, 32 * i);
		__be32 word =
			ipv6 ? node_config.dsr_source6.words[i] : node_config.dsr_source4.words[i];

		source->words[i] = (word & ~mask) | (flow->saddr.words[i] & mask);
	}
}

/* n_inner: bytes of the packet that it carries; tos: of that. */
static __always_inline void dsr_outer4_init(struct iphdr *outer, const struct addr *source,
					    const struct addr *backend, __u32 n_inner, __u8 tos)
{
	__builtin_memset(outer, 0, sizeof(*outer));
	outer->version = 4;
	outer->ihl = sizeof(*outer) / 4;
	outer->tos = tos;
	outer->tot_len = bpf_htons(sizeof(*outer) + n_inner);
	outer->frag_off = bpf_htons(IPV4_DONT_FRAGMENT);
	outer->ttl = OWN_TTL;
	outer->protocol = IPPROTO_IPIP;
	outer->saddr = source->words[3];
	outer->daddr = backend->words[3];
	outer->check = csum_fold(bpf_csum_diff(NULL, 0, (void *)outer, sizeof(*outer), 0));
}

/* first: the first word of the packet that it carries, with its traffic class and flow label. */
static __always_inline void dsr_outer6_init(struct ipv6hdr *outer, const struct addr *source,
					    const struct addr *backend, __u32 n_inner, __be32 first)
{
	__builtin_memcpy(outer, &first, sizeof(first));
	outer->payload_len = bpf_htons(n_inner);
	outer->nexthdr = IPPROTO_IPV6;
	outer->hop_limit = OWN_TTL;
	for (int i = 0; i < 4; i++) {
		outer->saddr.in6_u.u6_addr32[i] = source->words[i];
		outer->daddr.in6_u.u6_addr32[i] = backend->words[i];
	}
}
