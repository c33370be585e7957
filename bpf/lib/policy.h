/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Whether a connection may be: by the egress rules of who opened it, where that is an endpoint of
 * this node, and by the ingress rules of who answers, where that is one. Asked for the first packet
 * of a connection, and again when what it was judged by has changed: see conntrack.h.
 */
#pragma once

#include "bpf/lib/explain.h"
#include "bpf/lib/ipcache.h"
#include "bpf/lib/trace.h"

enum policy_how {
	POLICY_FORWARD = 0x01, /* from the opener; else from who answers */
	POLICY_OPENING = 0x02, /* the connection is new: its being allowed is news too */
	POLICY_INNER = 0x04,   /* judge packet_inner_get() */
};

/* The peer's class, or NULL: nothing is allowed. */
static __always_inline const struct policy_peer *policy_peer_get(struct policy_judgement *policy,
								 enum policy_direction direction)
{
	struct policy_peer_key key = {
		.version = policy->rule_set,
		.identity = policy->peer,
		.direction = direction,
	};
	const struct policy_peer *peer = bpf_map_lookup_elem(&cilium_policy_peer, &key);

	policy->entry = POLICY_ENTRY_OWN;
	if (peer)
		return peer;
	policy->entry = POLICY_ENTRY_NONE;
	if (policy->flags & POLICY_F_INCOMPLETE)
		return NULL;
	key.identity = POLICY_IDENTITY_OTHERS;
	peer = bpf_map_lookup_elem(&cilium_policy_peer, &key);
	if (peer)
		policy->entry = POLICY_ENTRY_OTHERS;
	return peer;
}

/* NULL: the class has no entry for protocol and port. */
static __noinline const struct policy_leaf *policy_leaf_find(struct policy_judgement *policy,
							     __u32 prefix_lens)
{
	struct policy_class_key key = {.class = policy->class, .protocol = policy->protocol};

	if (!key.class)
		return NULL;
#pragma clang loop unroll(disable)
	for (int len = POLICY_PORT_BITS; len >= 0; len--) {
		const struct policy_leaf *leaf;

		if (!(prefix_lens & 1U << len))
			continue;
		key.prefix_len = len;
		key.port = policy->port & bpf_htons(0xffff0000U >> len);
		leaf = bpf_map_lookup_elem(&cilium_policy_class, &key);
		if (leaf) {
			policy->prefix_len = len;
			return leaf;
		}
	}
	return NULL;
}

/* The responder's port; of ICMP the type of what the opener sent, also for its answer. */
static __always_inline __be16 policy_port(const struct flow *flow, bool forward)
{
	switch (flow->protocol) {
	case IPPROTO_ICMP:
		return flow->flags & FLOW_F_ICMP_ECHO ? bpf_htons(ICMP4_ECHO_REQUEST) : flow->sport;
	case IPPROTO_ICMPV6:
		return flow->flags & FLOW_F_ICMP_ECHO ? bpf_htons(ICMP6_ECHO_REQUEST) : flow->sport;
	default:
		return forward ? flow->dport : flow->sport;
	}
}

/* As a stage returns it. */
static __always_inline int policy_result(__u8 verdict)
{
	switch (verdict) {
	case POLICY_VERDICT_ALLOW:
		return 0;
	case POLICY_VERDICT_DENY:
		return DROP(POLICY, POLICY_DENY);
	case POLICY_VERDICT_NEEDS_PROXY:
		return DROP(POLICY, PROXY_REDIRECTION_NOT_SUPPORTED_FOR_PROTOCOL);
	case POLICY_VERDICT_NEEDS_AUTH:
		return DROP(POLICY, AUTH_REQUIRED);
	default:
		return DROP(POLICY, POLICY_DENIED);
	}
}

/* Looks up the answer to what policy_ask() asked: 0, or a drop. */
static __always_inline int policy_look_up(struct policy_judgement *policy,
					  enum policy_direction direction)
{
	bool egress = direction == POLICY_EGRESS;
	const struct policy_peer *peer;
	const struct policy_leaf *leaf;

	if (unlikely(!policy->rule_set))
		return policy->endpoint == POLICY_ENDPOINT_HOST ? DROP(POLICY, HOST_NOT_READY)
								: DROP(POLICY, EP_NOT_READY);
	if (policy->flags & (egress ? POLICY_F_OPEN_EGRESS : POLICY_F_OPEN_INGRESS)) {
		policy->leaf.rule = POLICY_RULE_ALLOW_ANY;
		policy->leaf.verdict = POLICY_VERDICT_ALLOW;
		policy->leaf.match = POLICY_MATCH_ALL;
		return 0;
	}
	peer = policy_peer_get(policy, direction);
	if (!peer)
		return policy_result(POLICY_VERDICT_DEFAULT_DENY);
	policy->class = peer->class;
	leaf = policy_leaf_find(policy, peer->prefix_lens);
	policy->leaf = leaf ? *leaf : peer->otherwise;
	return policy_result(policy->leaf.verdict);
}

/* Whose rules are asked about whom. end: enum packet_end, as the verifier knows. */
static __always_inline void policy_ask(struct packet *packet, const struct packet *subject,
				       __u32 end, enum policy_direction direction)
{
	struct policy_judgement *policy = &packet->policy;
	bool forward = (end == SRC) == (direction == POLICY_EGRESS);
	__u32 version = subject->policy_version[end];

	policy->rule_set = version == POLICY_VERSION_NONE ? 0 : version & ~CT_POLICY_AUDIT;
	policy->peer = subject->identity[end ^ 1];
	policy->endpoint = subject->endpoint[end];
	policy->flags = subject->policy_flags[end];
	policy->direction = direction;
	policy->protocol = subject->flow.protocol;
	policy->port = policy_port(&subject->flow, forward);
	policy->class = 0;
	policy->leaf = (struct policy_leaf){};
	policy->entry = POLICY_ENTRY_UNASKED;
	policy->prefix_len = POLICY_PREFIX_NONE;
	packet->judge_flags = subject->endpoint_flags[end];
}

/* Whether somebody wants to know what was decided for the endpoint. */
static __always_inline bool policy_is_reported(const struct packet *packet)
{
	const struct runtime_config *runtime = runtime_config_get();

	if (!runtime || runtime->verdict_events == VERDICT_EVENTS_OFF)
		return false;
	if (packet->judge_flags & ENDPOINT_F_VERDICTS)
		return true;
	return runtime->verdict_events == VERDICT_EVENTS_ON &&
	       !(packet->judge_flags & ENDPOINT_F_NO_VERDICTS);
}

/* How often it was decided so; what nothing concerns is not counted. */
static __always_inline void policy_count(const struct packet *packet, enum event_action action)
{
	if (action == EVENT_ACTION_AUDIT)
		metrics_add(METRIC_REASON_POLICY_AUDITED, trace_policy_direction(packet), 0);
	else if (action == EVENT_ACTION_ALLOW && packet->policy_how & POLICY_OPENING &&
		 packet->policy.leaf.rule != POLICY_RULE_ALLOW_ANY)
		metrics_add(METRIC_REASON_POLICY_ALLOWED, trace_policy_direction(packet), 0);
}

/* The answer, in packet, becomes an event and what a stage returns. */
static __always_inline int policy_conclude(struct __sk_buff *skb, const struct packet *packet)
{
	int result = packet->policy_result;
	enum event_action action = EVENT_ACTION_ALLOW;

	/* Without rules there is nothing to audit. */
	if (result < 0)
		action = packet->policy.flags & POLICY_F_AUDIT && packet->policy.rule_set
				 ? EVENT_ACTION_AUDIT
				 : EVENT_ACTION_DENY;
	if (unlikely(explain_is_on(packet))) {
		explain_judgement(&packet->policy);
		return action == EVENT_ACTION_DENY ? result : 0;
	}
	policy_count(packet, action);
	if ((action != EVENT_ACTION_ALLOW || packet->policy_how & POLICY_OPENING) &&
	    policy_is_reported(packet))
		event_emit(skb,
			   EVENT_HEAD(EVENT_POLICY_VERDICT, action, trace_policy_direction(packet)),
			   result);
	return action == EVENT_ACTION_DENY ? result : 0;
}

/* By the rules of one end of subject, about the other: 0, or a drop. */
static __always_inline int policy_judge_end(struct __sk_buff *skb, struct packet *packet,
					    const struct packet *subject, __u32 end,
					    enum policy_direction direction)
{
	value_barrier(end);
	end &= 1;
	if (!subject->policy_version[end])
		return 0;
	policy_ask(packet, subject, end, direction);
	/* Through memory: of one number the verifier follows one way, of constants one for each. */
	packet->policy_result = policy_look_up(&packet->policy, direction);
	return policy_conclude(skb, packet);
}

/*
 * Judges the connection of the packet; or of the packet inside the ICMP error that it is. how: enum
 * policy_how. 0, or a drop, which packet->policy explains. Needs what is known of both ends.
 *
 * A global function: the verifier looks at it once and not for every state of its callers.
 */
__weak __attribute__((noinline)) int policy_judge(struct __sk_buff *skb, __u32 how)
{
	struct packet *packet = packet_get(), *subject = packet;
	__u32 opener;
	int ret;

	if (how & POLICY_INNER)
		subject = packet_inner_get();
	if (!packet || !subject)
		return DROP(POLICY, POLICY_DENIED);
	/* Whoever talks to itself does so with nobody's leave. */
	if (unlikely(subject->generation[SRC] &&
		     subject->generation[SRC] == subject->generation[DST]))
		return 0;
	packet->policy_how = how;
	opener = how & POLICY_FORWARD ? SRC : DST;
	ret = policy_judge_end(skb, packet, subject, opener, POLICY_EGRESS);
	return ret < 0 ? ret : policy_judge_end(skb, packet, subject, !opener, POLICY_INGRESS);
}
