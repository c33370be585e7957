/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Neighbour discovery of an endpoint, and its multicast listener reports: as with ARP the host's
 * side of the veth pair answers for every address but its own. The rest ends here.
 */
#pragma once

#include "bpf/lib/delivery.h"
#include "bpf/lib/endpoint.h"
#include "bpf/lib/parse.h"

#define NDP_HOP_LIMIT         255
#define NDP_OPTION_TARGET_MAC 2
#define NDP_ADVERT_FLAGS      0xe0000000 /* router, solicited, override */

struct ndp_frame {
	struct ethhdr eth;
	struct ipv6hdr ip6;
	__u8 type;
	__u8 code;
	__sum16 check;
	__be32 flags;
	struct addr target;
} __attribute__((packed));

struct ndp_option_mac {
	__u8 type;
	__u8 n_units; /* of eight bytes */
	struct mac mac;
};

#define NDP_MESSAGE_BYTES (sizeof(struct ndp_frame) - offsetof(struct ndp_frame, type))
#define NDP_ADVERT_BYTES  (NDP_MESSAGE_BYTES + sizeof(struct ndp_option_mac))

/* The head of a solicitation or advertisement with no extension headers, else NULL. */
static __always_inline struct ndp_frame *ndp_get(struct __sk_buff *skb, const struct flow *flow)
{
	struct ndp_frame *frame;

	if (flow->l4_off != offsetof(struct ndp_frame, type) ||
	    !parse_ensure(skb, 0, sizeof(*frame)))
		return NULL;
	frame = (void *)(long)skb->data;
	if ((void *)(frame + 1) > (void *)(long)skb->data_end || frame->code ||
	    frame->ip6.hop_limit != NDP_HOP_LIMIT)
		return NULL;
	return frame;
}

static __always_inline bool ndp_is_own(struct __sk_buff *skb, const struct addr *addr)
{
	const struct endpoint_info *endpoint = endpoint_get(addr);

	return endpoint && !endpoint_is_host(endpoint) && endpoint->ifindex == skb->ifindex;
}

/* Over the pseudo header and the message at frame->type, which has check = 0. */
static __always_inline __sum16 ndp_checksum(struct ndp_frame *frame)
{
	__be32 rest[2] = {bpf_htonl(NDP_ADVERT_BYTES), bpf_htonl(IPPROTO_ICMPV6)};
	__s64 sum = bpf_csum_diff(NULL, 0, rest, sizeof(rest), 0);

	sum = bpf_csum_diff(NULL, 0, (void *)frame + offsetof(struct ndp_frame, ip6.saddr),
			    2 * sizeof(struct addr), sum);
	sum = bpf_csum_diff(NULL, 0, (void *)frame + offsetof(struct ndp_frame, type),
			    NDP_ADVERT_BYTES, sum);
	return csum_fold(sum);
}

/* Turns the solicitation into the advertisement of its target, and sends it back. */
static __always_inline int ndp_answer(struct __sk_buff *skb, const struct endpoint_info *endpoint)
{
	struct ndp_frame *frame;
	struct ndp_option_mac *option;

	/* The option that names the sender's address may be missing, or not be alone. */
	if (bpf_skb_change_tail(skb, sizeof(*frame) + sizeof(*option), 0))
		return DROP(NDP, ERROR_WRITING_TO_PACKET);
	frame = (void *)(long)skb->data;
	option = (void *)(frame + 1);
	if ((void *)(option + 1) > (void *)(long)skb->data_end)
		return DROP(NDP, ERROR_WRITING_TO_PACKET);
	__builtin_memcpy(frame->eth.h_dest, &endpoint->mac, ETH_ALEN);
	__builtin_memcpy(frame->eth.h_source, &endpoint->node_mac, ETH_ALEN);
	frame->ip6.payload_len = bpf_htons(NDP_ADVERT_BYTES);
	frame->ip6.daddr = frame->ip6.saddr;
	__builtin_memcpy(&frame->ip6.saddr, &frame->target, sizeof(struct addr));
	frame->type = ICMP6_NEIGHBOR_ADVERT;
	frame->flags = bpf_htonl(NDP_ADVERT_FLAGS);
	option->type = NDP_OPTION_TARGET_MAC;
	option->n_units = 1;
	option->mac = endpoint->node_mac;
	frame->check = 0;
	frame->check = ndp_checksum(frame);
	return bpf_redirect(skb->ifindex, 0);
}

static __always_inline int ndp_solicited(struct __sk_buff *skb, struct packet *packet,
					 const struct endpoint_info *endpoint)
{
	struct ndp_frame *frame = ndp_get(skb, &packet->flow);
	struct addr target;

	if (!frame)
		return DROP(NDP, INVALID_PACKET_DROPPED);
	__builtin_memcpy(&target, &frame->target, sizeof(target));
	/* Duplicate address detection has no source: nobody else has the address. */
	if (addr_is_zero(&packet->flow.saddr) || ndp_is_own(skb, &target))
		return DROP(NDP, MULTICAST_HANDLED);
	if (!addr_is_link_local(&packet->flow.saddr) && !ndp_is_own(skb, &packet->flow.saddr))
		return DROP(NDP, INVALID_SOURCE_IP);
	packet->trace_point = TRACE_TO_ENDPOINT;
	return ndp_answer(skb, endpoint);
}

/* The host's stack asked, because it routes to the device. */
static __always_inline int ndp_advertised(struct __sk_buff *skb, struct packet *packet)
{
	struct ndp_frame *frame = ndp_get(skb, &packet->flow);
	struct addr target;

	if (!frame)
		return DROP(NDP, INVALID_PACKET_DROPPED);
	__builtin_memcpy(&target, &frame->target, sizeof(target));
	/* Its link-local address is its own business; no other may be claimed. */
	if (!addr_is_link_local(&target) && !ndp_is_own(skb, &target))
		return DROP(NDP, INVALID_SOURCE_IP);
	packet->trace_point = TRACE_TO_HOST;
	return TC_ACT_OK;
}

static __noinline int ndp_from_endpoint(struct __sk_buff *skb, struct packet *packet)
{
	const struct endpoint_info *endpoint = endpoint_get_by_device(skb->ifindex);

	if (!endpoint)
		return DROP(NDP, INVALID_SOURCE_IP);
	endpoint_set(packet, SRC, endpoint);
	switch (packet->flow.icmp_type) {
	case ICMP6_NEIGHBOR_SOLICIT:
		return ndp_solicited(skb, packet, endpoint);
	case ICMP6_NEIGHBOR_ADVERT:
		return ndp_advertised(skb, packet);
	case ICMP6_ROUTER_ADVERTISEMENT:
	case ICMP6_REDIRECT:
		return DROP(NDP, FORBIDDEN_ICMPV6_MESSAGE);
	default:
		return DROP(NDP, MULTICAST_HANDLED);
	}
}
