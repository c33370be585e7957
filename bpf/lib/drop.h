/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The one exit of every entry point: a verdict becomes counters and events. */
#pragma once

#include "bpf/lib/trace.h"

/* Consumed rather than dropped: multicast that ends at the endpoint's link. */
static __always_inline bool drop_is_silent(__u8 reason)
{
	return reason == DROP_IGMP_HANDLED || reason == DROP_MULTICAST_HANDLED;
}

/* By policy: the direction and the endpoint are those of the rules that refused. */
static __always_inline bool drop_is_judged(int verdict)
{
	return drop_file(verdict) == SOURCE_POLICY;
}

/* A drop is the business of the endpoint that the packet was leaving, or on its way into. */
static __always_inline bool drop_is_reported(const struct packet *packet, int verdict,
					     enum metric_dir dir)
{
	__u16 flags = packet->endpoint_flags[dir == METRIC_DIR_INGRESS ? DST : SRC];
	const struct runtime_config *runtime;

	if (drop_is_judged(verdict))
		flags = packet->judge_flags;
	if (flags & (ENDPOINT_F_DROP_EVENTS | ENDPOINT_F_NO_DROP_EVENTS))
		return flags & ENDPOINT_F_DROP_EVENTS;
	runtime = runtime_config_get();
	return runtime && runtime->drop_events;
}

static __noinline int drop_packet(struct __sk_buff *skb, const struct packet *packet, int verdict,
				  enum metric_dir dir)
{
	__u32 reason = drop_reason(verdict);

	if (drop_is_judged(verdict))
		dir = trace_policy_direction(packet);
	metrics_add_drop(verdict, dir, skb->len);
	if (!drop_is_silent(reason) && drop_is_reported(packet, verdict, dir))
		event_emit(skb, EVENT_HEAD(EVENT_DROP, reason, dir), verdict);
	return TC_ACT_SHOT;
}

/*
 * What goes on in the host goes on to the programs and filters that others have put behind ours: a
 * limit on what an endpoint sends, for one.
 */
static __always_inline int packet_verdict(int verdict)
{
	return verdict == TC_ACT_OK ? TC_ACT_UNSPEC : verdict;
}

/*
 * For the programs of endpoints. dir is that of a drop; what is forwarded counts by where it went.
 */
static __always_inline int packet_finish(struct __sk_buff *skb, const struct packet *packet,
					 int verdict, enum metric_dir dir)
{
	if (unlikely(verdict < 0))
		return drop_packet(skb, packet, verdict, dir);
	metrics_add(METRIC_REASON_FORWARDED, trace_direction(packet->trace_point), skb->len);
	trace_exit(skb, packet);
	return packet_verdict(verdict);
}
