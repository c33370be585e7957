/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Events. They enter the ring without waking the reader, which costs more than the packet, until
 * wakeup_bytes wait there; the reader also looks by a timer. What finds no room is counted.
 */
#pragma once

#include "bpf/lib/config.h"
#include "bpf/lib/metrics.h"
#include "bpf/lib/packet.h"

static __always_inline __u64 event_wakeup(const struct runtime_config *runtime)
{
	__u64 n_waiting = bpf_ringbuf_query(&cilium_events, BPF_RB_AVAIL_DATA);

	return n_waiting >= runtime->wakeup_bytes ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
}

static __always_inline enum metric_dir trace_direction(__u8 point)
{
	return point == TRACE_TO_ENDPOINT || point == TRACE_FROM_NETWORK ? METRIC_DIR_INGRESS
									 : METRIC_DIR_EGRESS;
}

/* Of the rules that judged last, as seen from the endpoint whose they are. */
static __always_inline enum metric_dir trace_policy_direction(const struct packet *packet)
{
	return packet->policy.direction == POLICY_INGRESS ? METRIC_DIR_INGRESS : METRIC_DIR_EGRESS;
}

/* Bits 0..7: type, 8..15: subtype, 16..23: direction. */
#define EVENT_HEAD(type, subtype, dir) ((type) | (subtype) << 8 | (dir) << 16)

/*
 * The head of the packet. Returns the bytes read; 0 leaves what was in the ring, and says so by
 * length. Linux 5.10 follows a bound neither to another register nor from "not zero": two tests of
 * one register.
 */
static __always_inline __u32 event_read_packet(struct __sk_buff *skb, struct event *event,
					       __u32 n_bytes)
{
	if (n_bytes > EVENT_PACKET_BYTES)
		n_bytes = EVENT_PACKET_BYTES;
	value_barrier(n_bytes);
	if (n_bytes > EVENT_PACKET_BYTES)
		return 0;
	value_barrier(n_bytes);
	if (n_bytes < ETH_HLEN || bpf_skb_load_bytes(skb, 0, event->packet, n_bytes))
		return 0;
	return n_bytes;
}

/* Who decided, where policy did; the rest of what is in the ring is not zero by itself. */
static __always_inline void event_set_policy(struct event *event, const struct packet *packet,
					     int verdict)
{
	bool is_verdict = event->type == EVENT_POLICY_VERDICT;
	bool is_judged = is_verdict || (verdict && drop_file(verdict) == SOURCE_POLICY);

	event->rule = 0;
	event->rule_set = 0;
	event->match = 0;
	event->policy_endpoint = 0;
	if (is_judged) {
		event->rule = packet->policy.leaf.rule;
		event->rule_set = packet->policy.rule_set;
		event->match = packet->policy.leaf.match;
		event->policy_endpoint = packet->policy.endpoint;
	}
	event->drop_reason = is_verdict && verdict ? drop_reason(verdict) : 0;
}

/* The front end, where the packet has to do with one. */
static __always_inline void event_set_service(struct event *event, const struct packet *packet)
{
	event->pad = 0;
	event->service_port = 0;
	event->service_addr = (struct addr){};
	if (packet->service) {
		event->service_port = packet->service_port;
		event->service_addr = packet->service_addr;
	}
}

/* What tc and XDP know of the frame in their own ways. */
struct event_frame {
	__u32 n_bytes;
	__u32 ifindex;
	__u32 mark;
	__u32 hash;
};

/* A record with all but the head of the packet; or NULL, which is counted. verdict: as event_emit(). */
static __always_inline struct event *event_begin(const struct packet *packet, __u32 head,
						 int verdict, const struct event_frame *frame)
{
	struct event *event = bpf_ringbuf_reserve(&cilium_events, sizeof(*event), 0);

	if (!event) {
		metrics_add(METRIC_REASON_EVENT_LOST, METRIC_DIR_UNKNOWN, sizeof(*event));
		return NULL;
	}
	event->type = head;
	event->subtype = head >> 8;
	event->direction = head >> 16;
	event->ct_state = packet->ct_state;
	event->flags = packet_is_ipv6(packet) ? EVENT_F_IPV6 : 0;
	if (!packet->flow.l3_off)
		event->flags |= EVENT_F_L3_DEVICE;
	event->line = verdict ? drop_line(verdict) : 0;
	event->file = verdict ? drop_file(verdict) : 0;
	event->ext_error = packet->ext_error;
	event->time_ns = bpf_ktime_get_ns();
	event->hash = frame->hash;
	event->mark = frame->mark;
	event->ifindex = frame->ifindex;
	event->src_identity = packet->identity[SRC];
	event->dst_identity = packet->identity[DST];
	event->src_endpoint = packet->endpoint[SRC];
	event->dst_endpoint = packet->endpoint[DST];
	event->orig_len = frame->n_bytes;
	event_set_policy(event, packet, verdict);
	event_set_service(event, packet);
	event->cpu = bpf_get_smp_processor_id();
	return event;
}

/*
 * verdict: of a drop, or of what only audit lets go; else 0. Returns 0. A global function, which the
 * verifier follows once and not for each of its callers.
 */
__weak __attribute__((noinline)) int event_emit(struct __sk_buff *skb, __u32 head, int verdict)
{
	const struct runtime_config *runtime = runtime_config_get();
	const struct packet *packet = packet_get();
	struct event_frame frame = {
		.n_bytes = skb->len,
		.ifindex = skb->ifindex,
		.mark = skb->mark,
	};
	struct event *event;

	if (!runtime || !packet)
		return 0;
	frame.hash = bpf_get_hash_recalc(skb);
	event = event_begin(packet, head, verdict, &frame);
	if (!event)
		return 0;
	event->cap_len = event_read_packet(skb, event, frame.n_bytes);
	bpf_ringbuf_submit(event, event_wakeup(runtime));
	return 0;
}

/* At the entry of each program: one array element says whether anybody listens. */
static __always_inline void trace_init(struct packet *packet)
{
	const struct runtime_config *runtime = runtime_config_get();

	if (runtime && runtime->trace_events)
		packet->trace = 1 + runtime->trace_aggregation;
}

/*
 * For whom the packet is traced: either end that asks is enough; where all local ends have it off, or none
 * asks and one has to, nobody.
 */
static __always_inline bool trace_is_wanted(const struct packet *packet,
					    const struct runtime_config *runtime)
{
	bool src_off = packet->endpoint_flags[SRC] & ENDPOINT_F_NO_TRACE;
	bool dst_off = packet->endpoint_flags[DST] & ENDPOINT_F_NO_TRACE;

	if ((packet->endpoint_flags[SRC] | packet->endpoint_flags[DST]) & ENDPOINT_F_TRACE)
		return true;
	if (runtime->trace_events != TRACE_EVENTS_ON)
		return false;
	if (src_off)
		return packet->endpoint[DST] && !dst_off;
	return packet->endpoint[SRC] || !dst_off;
}

static __noinline void trace_report_entry(struct __sk_buff *skb, struct packet *packet,
					  enum trace_point point)
{
	const struct runtime_config *runtime = runtime_config_get();

	if (!runtime || !trace_is_wanted(packet, runtime))
		return;
	packet->ct_state = EVENT_CT_UNKNOWN;
	event_emit(skb, EVENT_HEAD(EVENT_TRACE, point, trace_direction(point)), 0);
}

/* Where the packet came in; only when every packet is to be reported. */
static __always_inline void trace_entry(struct __sk_buff *skb, struct packet *packet,
					enum trace_point point)
{
	if (unlikely(packet->trace == 1 + TRACE_AGGREGATION_NONE))
		trace_report_entry(skb, packet, point);
}

static __noinline void trace_report(struct __sk_buff *skb, const struct packet *packet)
{
	const struct runtime_config *runtime = runtime_config_get();
	__u8 point = packet->trace_point;

	if (!runtime || !trace_is_wanted(packet, runtime))
		return;
	if (packet->trace > 1 + TRACE_AGGREGATION_LOW && !packet->ct_changes &&
	    !(packet->new_tcp_flags & runtime->trace_tcp_flags))
		return;
	event_emit(skb, EVENT_HEAD(EVENT_TRACE, point, trace_direction(point)), 0);
}

/* Where the packet went. */
static __always_inline void trace_exit(struct __sk_buff *skb, const struct packet *packet)
{
	if (unlikely(packet->trace))
		trace_report(skb, packet);
}
