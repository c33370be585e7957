/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * ARP of an endpoint: every address but its own is behind the host's side of its veth pair, which
 * answers for all.
 */
#pragma once

#include "bpf/lib/delivery.h"
#include "bpf/lib/endpoint.h"
#include "bpf/lib/parse.h"

#define ARP_OP_REQUEST 1
#define ARP_OP_REPLY   2

struct arp_frame {
	struct ethhdr eth;
	__be16 hardware;
	__be16 protocol;
	__u8 n_hardware_bytes;
	__u8 n_protocol_bytes;
	__be16 op;
	struct mac sender_mac;
	__be32 sender;
	struct mac target_mac;
	__be32 target;
} __attribute__((packed));

static __always_inline struct arp_frame *arp_get(struct __sk_buff *skb)
{
	struct arp_frame *frame;

	if (!parse_ensure(skb, 0, sizeof(*frame)))
		return NULL;
	frame = (void *)(long)skb->data;
	if ((void *)(frame + 1) > (void *)(long)skb->data_end ||
	    frame->hardware != bpf_htons(1 /* Ethernet */) ||
	    frame->protocol != bpf_htons(ETH_P_IP) || frame->n_hardware_bytes != ETH_ALEN ||
	    frame->n_protocol_bytes != sizeof(__be32))
		return NULL;
	return frame;
}

static __always_inline bool arp_is_own(struct __sk_buff *skb, __be32 ipv4)
{
	const struct endpoint_info *endpoint;
	struct addr addr;

	addr_set_ipv4(&addr, ipv4);
	endpoint = endpoint_get(&addr);
	return endpoint && !endpoint_is_host(endpoint) && endpoint->ifindex == skb->ifindex;
}

static __always_inline int arp_answer(struct __sk_buff *skb, struct arp_frame *frame,
				      const struct mac *mac)
{
	__be32 target = frame->target;

	frame->op = bpf_htons(ARP_OP_REPLY);
	frame->target_mac = frame->sender_mac;
	frame->target = frame->sender;
	frame->sender_mac = *mac;
	frame->sender = target;
	__builtin_memcpy(frame->eth.h_dest, frame->eth.h_source, ETH_ALEN);
	__builtin_memcpy(frame->eth.h_source, mac, ETH_ALEN);
	return bpf_redirect(skb->ifindex, 0);
}

static __noinline int arp_from_endpoint(struct __sk_buff *skb, struct packet *packet)
{
	const struct endpoint_info *endpoint = endpoint_get_by_device(skb->ifindex);
	struct arp_frame *frame = arp_get(skb);

	if (!endpoint || !node_config.enable_ipv4)
		return DROP(ARP, UNSUPPORTED_L2_PROTOCOL);
	endpoint_set(packet, SRC, endpoint);
	if (!frame)
		return DROP(ARP, INVALID_PACKET_DROPPED);
	if (frame->op == bpf_htons(ARP_OP_REQUEST)) {
		/* It announces, or probes, its own address: nobody else has it. */
		if (arp_is_own(skb, frame->target))
			return DROP(ARP, MULTICAST_HANDLED);
		packet->trace_point = TRACE_TO_ENDPOINT;
		return arp_answer(skb, frame, &endpoint->node_mac);
	}
	/* The host's stack asked, because it routes to the device. */
	if (frame->op == bpf_htons(ARP_OP_REPLY) && arp_is_own(skb, frame->sender)) {
		packet->trace_point = TRACE_TO_HOST;
		return TC_ACT_OK;
	}
	return DROP(ARP, INVALID_SOURCE_IP);
}
