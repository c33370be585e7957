/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A hash of a flow, by which its back end is chosen: a position in Maglev's table, which is the same on every
 * node, or a slot. Bob Jenkins' lookup3 (public domain) over words of 32 bits.
 */
#pragma once

#include "bpf/lib/packet.h"

#define FLOW_HASH_START 0xdeadbeefU

static __always_inline __u32 flow_hash_rotate(__u32 value, __u32 bits)
{
	return value << bits | value >> (32 - bits);
}

struct flow_hash {
	__u32 a, b, c;
};

static __always_inline void flow_hash_mix(struct flow_hash *h)
{
	h->a = (h->a - h->c) ^ flow_hash_rotate(h->c, 4);
	h->c += h->b;
	h->b = (h->b - h->a) ^ flow_hash_rotate(h->a, 6);
	h->a += h->c;
	h->c = (h->c - h->b) ^ flow_hash_rotate(h->b, 8);
	h->b += h->a;
	h->a = (h->a - h->c) ^ flow_hash_rotate(h->c, 16);
	h->c += h->b;
	h->b = (h->b - h->a) ^ flow_hash_rotate(h->a, 19);
	h->a += h->c;
	h->c = (h->c - h->b) ^ flow_hash_rotate(h->b, 4);
	h->b += h->a;
}

static __always_inline void flow_hash_final(struct flow_hash *h)
{
	h->c = (h->c ^ h->b) - flow_hash_rotate(h->b, 14);
	h->a = (h->a ^ h->c) - flow_hash_rotate(h->c, 11);
	h->b = (h->b ^ h->a) - flow_hash_rotate(h->a, 25);
	h->c = (h->c ^ h->b) - flow_hash_rotate(h->b, 16);
	h->a = (h->a ^ h->c) - flow_hash_rotate(h->c, 4);
	h->b = (h->b ^ h->a) - flow_hash_rotate(h->a, 14);
	h->c = (h->c ^ h->b) - flow_hash_rotate(h->b, 24);
}

static __always_inline void flow_hash_add(struct flow_hash *h, __be32 a, __be32 b, __be32 c)
{
	h->a += bpf_ntohl(a);
	h->b += bpf_ntohl(b);
	h->c += bpf_ntohl(c);
	flow_hash_mix(h);
}

/*
 * sport: 0 where every connection of a client is to have the same position. The words, as numbers: source,
 * destination, both ports (source above), protocol, seeds[1]; seeds[0] is where the hash begins.
 */
static __always_inline __u32 flow_hash(const struct addr *saddr, const struct addr *daddr,
				       __be16 sport, __be16 dport, __u8 protocol,
				       const volatile __u32 *seeds)
{
	__u32 start = FLOW_HASH_START + seeds[0];
	struct flow_hash h = {.a = start, .b = start, .c = start};

	flow_hash_add(&h, saddr->words[0], saddr->words[1], saddr->words[2]);
	flow_hash_add(&h, saddr->words[3], daddr->words[0], daddr->words[1]);
	flow_hash_add(&h, daddr->words[2], daddr->words[3], 0);
	h.a += (__u32)bpf_ntohs(sport) << 16 | bpf_ntohs(dport);
	h.b += protocol;
	h.c += seeds[1];
	flow_hash_final(&h);
	return h.c;
}
