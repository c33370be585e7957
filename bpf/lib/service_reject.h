/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A packet to a service without back ends, or to a port of its address that is no service's: it is
 * dropped, counted and reported, and an ICMP error goes to who sent it, so that he need not wait: as many of
 * them as reject_packet() lets a CPU send.
 */
#pragma once

#include "bpf/lib/drop.h"
#include "bpf/lib/reject.h"

/* What becomes of a drop by service_forward(); is_endpoint: it came from an endpoint's device. */
static __noinline int service_reject(struct __sk_buff *skb, const struct packet *packet,
				     int verdict, bool is_endpoint)
{
	drop_packet(skb, packet, verdict, is_endpoint ? METRIC_DIR_EGRESS : METRIC_DIR_INGRESS);
	if (reject_unreachable(skb) < 0)
		return TC_ACT_SHOT;
	/* No other program has to make anything of it. */
	packet_mark_done(skb);
	return is_endpoint ? bpf_redirect_peer(skb->ifindex, 0) : bpf_redirect(skb->ifindex, 0);
}

static __always_inline bool service_is_rejected(const struct packet *packet, int verdict)
{
	return unlikely(verdict < 0) && packet->service & PACKET_SERVICE_REJECT;
}
