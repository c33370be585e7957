/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What cil_explain_… programs remember of a packet's way. FLOW_F_EXPLAIN says that one of them runs; it
 * is tested where a packet writes something, never on the established packet's way to there.
 */
#pragma once

#include "bpf/lib/maps.h"
#include "bpf/lib/packet.h"
#include "abi/explain.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct explain);
} cilium_explain SEC(".maps") __weak;

static __always_inline struct explain *explain_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&cilium_explain, &zero);
}

static __always_inline bool explain_is_on(const struct packet *packet)
{
	return packet->flow.flags & FLOW_F_EXPLAIN;
}

/* In place of packet_begin(). */
static __always_inline struct packet *explain_begin(__u32 l3_off)
{
	struct packet *packet = packet_begin(l3_off);
	struct explain *explain = explain_get();

	if (!packet || !explain)
		return NULL;
	__builtin_memset(explain, 0, sizeof(*explain));
	explain->verdict = TC_ACT_SHOT;
	packet->flow.flags = FLOW_F_EXPLAIN;
	return packet;
}

static __noinline void explain_connection(enum explain_connection connection, bool from_opener)
{
	struct explain *explain = explain_get();

	if (!explain)
		return;
	explain->connection = connection;
	explain->from_opener = from_opener;
}

static __noinline void explain_judgement(const struct policy_judgement *judgement)
{
	struct explain *explain = explain_get();

	if (!explain)
		return;
	if (judgement->direction == POLICY_INGRESS)
		explain->judgements[POLICY_INGRESS] = *judgement;
	else
		explain->judgements[POLICY_EGRESS] = *judgement;
	explain->judged |=
		judgement->direction == POLICY_INGRESS ? 1 << POLICY_INGRESS : 1 << POLICY_EGRESS;
}

static __always_inline __u8 explain_service_what(const struct packet *packet,
						 const struct explain *explain)
{
	bool is_related = explain->connection >= EXPLAIN_CONNECTION_RELATED;
	__u8 service = packet->service;

	if (service & PACKET_SERVICE_DSR)
		return EXPLAIN_SERVICE_TOLD;
	if (service & PACKET_SERVICE_CHOSEN)
		return EXPLAIN_SERVICE_CHOSEN;
	if (service & PACKET_SERVICE_FORWARD)
		return EXPLAIN_SERVICE_KEPT;
	if (explain->connection == EXPLAIN_CONNECTION_UNASKED)
		return EXPLAIN_SERVICE_NOBODY;
	return explain->from_opener == is_related ? EXPLAIN_SERVICE_ANSWER : EXPLAIN_SERVICE_TOLD;
}

static __always_inline void explain_service(const struct packet *packet, struct explain *explain)
{
	bool is_forward = packet->service & PACKET_SERVICE_FORWARD;

	explain->service = explain_service_what(packet, explain);
	explain->frontend_addr = packet->service_addr;
	explain->frontend_port = packet->service_port;
	explain->backend = packet->service_backend;
	explain->service_is_loopback = !!(packet->service & PACKET_SERVICE_LOOPBACK);
	explain->service_is_rejected = !!(packet->service & PACKET_SERVICE_REJECT);
	if (!is_forward || packet->service & PACKET_SERVICE_DSR)
		return;
	explain->backend_addr = packet->backend_addr;
	explain->backend_port = packet->backend_port;
	/* The one way on which nobody asks for the connection. */
	explain->service_is_direct = packet->service_flags & LB_FRONTEND_F_DSR &&
				     explain->connection == EXPLAIN_CONNECTION_UNASKED;
}

/* In place of packet_finish(). verdict: as a stage returns it. */
static __noinline int explain_finish(const struct packet *packet, int verdict)
{
	struct explain *explain = explain_get();

	if (!explain)
		return TC_ACT_SHOT;
	explain->verdict = verdict < 0 ? TC_ACT_SHOT : verdict;
	if (verdict < 0) {
		explain->drop_reason = drop_reason(verdict);
		explain->drop_file = drop_file(verdict);
		explain->drop_line = drop_line(verdict);
	}
	explain->trace_point = packet->trace_point;
	explain->src_endpoint = packet->endpoint[SRC];
	explain->dst_endpoint = packet->endpoint[DST];
	explain->src_identity = packet->identity[SRC];
	explain->dst_identity = packet->identity[DST];
	if (packet->service)
		explain_service(packet, explain);
	return explain->verdict;
}
