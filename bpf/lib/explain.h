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
	return explain->verdict;
}
