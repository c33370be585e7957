/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Drops in XDP: counted and reported as those of tc (bpf/lib/drop.h). */
#pragma once

#include "bpf/lib/drop.h"
#include "bpf/lib/xdp_packet.h"

#define XDP_WORD ((int)sizeof(__u64))

/* As event_read_packet(); bpf_xdp_load_bytes() is too young. Whole words, then what is left. */
static __always_inline __u32 xdp_read_head(const struct xdp_md *ctx, struct event *event)
{
	__u32 off = 0;

#pragma clang loop unroll(disable)
	for (int i = 0; i < EVENT_PACKET_BYTES / XDP_WORD; i++, off += XDP_WORD) {
		const void *word = xdp_at(ctx, off, XDP_WORD);

		if (!word)
			break;
		__builtin_memcpy(event->packet + off, word, XDP_WORD);
	}
#pragma clang loop unroll(disable)
	for (int i = 0; i < XDP_WORD - 1 && off < EVENT_PACKET_BYTES; i++, off++) {
		const __u8 *byte = xdp_at(ctx, off, 1);

		if (!byte)
			break;
		event->packet[off] = *byte;
	}
	return off;
}

/* Reports packet_get(), which is dropped. Returns 0. Global, as event_emit(). */
__weak __attribute__((noinline)) int xdp_report_drop(struct xdp_md *ctx, int verdict)
{
	const struct runtime_config *runtime = runtime_config_get();
	const struct packet *packet = packet_get();
	struct event_frame frame = {.ifindex = ctx->ingress_ifindex};
	__u32 n_bytes = ctx->data_end - ctx->data;
	struct event *event;

	/* A difference, before either of the two goes to the stack. */
	value_barrier(n_bytes);
	frame.n_bytes = n_bytes;
	if (!runtime || !packet)
		return 0;
	event = event_begin(packet,
			    EVENT_HEAD(EVENT_DROP, drop_reason(verdict), METRIC_DIR_INGRESS),
			    verdict, &frame);
	if (!event)
		return 0;
	event->cap_len = xdp_read_head(ctx, event);
	bpf_ringbuf_submit(event, event_wakeup(runtime));
	return 0;
}

static __always_inline int xdp_drop(struct xdp_md *ctx, const struct packet *packet, int verdict)
{
	__u32 n_bytes = packet->flow.end;

	metrics_add(METRIC_REASON_INTERFACE, METRIC_DIR_INGRESS, n_bytes);
	metrics_add_drop(verdict, METRIC_DIR_INGRESS, n_bytes);
	if (drop_is_reported(packet, verdict, METRIC_DIR_INGRESS))
		xdp_report_drop(ctx, verdict);
	return XDP_DROP;
}
