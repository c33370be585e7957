/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Asks, in one run and as the programs do, what the rules of one endpoint say of several peers. In every version
 * that the test puts in force all leaves name one rule, so that two in one run are a mix, and none is a gap.
 */
#include "bpf/lib/conntrack.h"
#include "bpf/lib/endpoint.h"
#include "bpf/lib/policy.h"

char _license[] SEC("license") = "Dual BSD/GPL";

struct {
	__u64 n_runs;
	__u64 n_mixed;
	__u64 n_missing;
	__u64 n_changes; /* runs that another version judged than the run before */
	__u32 last_rule;
} probe;

static __always_inline __u32 ask(struct packet *packet, __u32 peer, enum policy_direction direction)
{
	struct policy_judgement *policy = &packet->policy;

	policy_ask(packet, packet, DST, direction);
	policy->peer = peer;
	policy_look_up(policy, direction);
	if (!policy->leaf.rule)
		probe.n_missing++;
	return policy->leaf.rule;
}

SEC("tc") int policy_probe(struct __sk_buff *skb __attribute__((unused)))
{
	struct packet *packet = packet_begin(ETH_HLEN);
	__u32 rule;

	if (!packet)
		return TC_ACT_SHOT;
	packet->flow.protocol = IPPROTO_TCP;
	packet->flow.sport = packet->flow.dport = bpf_htons(80); /* whoever opened */
	endpoint_set_policy(packet, DST, 1);
	rule = ask(packet, 100, POLICY_INGRESS);
	/* The first, one whose class has ports, one without an entry, the other direction. */
	if (ask(packet, 101, POLICY_INGRESS) != rule || ask(packet, 999, POLICY_INGRESS) != rule ||
	    ask(packet, 100, POLICY_EGRESS) != rule)
		probe.n_mixed++;
	if (rule != probe.last_rule)
		probe.n_changes++;
	probe.last_rule = rule;
	probe.n_runs++;
	return TC_ACT_OK;
}
