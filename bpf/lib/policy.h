/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Whether a connection may be: by the egress rules of who opened it, where that is an endpoint of
 * this node, and by the ingress rules of who answers, where that is one. Asked for the first packet
 * of a connection, and again when what it was judged by has changed: see conntrack.h.
 */
#pragma once

#include "bpf/lib/ipcache.h"
#include "bpf/lib/trace.h"

enum policy_how {
	POLICY_FORWARD = 0x01, /* from the opener; else from who answers */
	POLICY_OPENING = 0x02, /* the connection is new: its being allowed is news too */
};

/* The peer's class, or NULL: nothing is allowed. */
static __always_inline const struct policy_peer *
policy_peer_get(const struct policy_decision *policy, enum policy_direction direction)
{
	struct policy_peer_key key = {
		.version = policy->rule_set,
		.identity = policy->peer,
		.direction = direction,
	};
	const struct policy_peer *peer = bpf_map_lookup_elem(&cilium_policy_peer, &key);

	if (peer || policy->flags & POLICY_F_INCOMPLETE)
		return peer;
	key.identity = POLICY_IDENTITY_OTHERS;
	return bpf_map_lookup_elem(&cilium_policy_peer, &key);
}

/* port: in network byte order; of ICMP, the type. NULL: the class has no entry for it. */
static __noinline const struct policy_leaf *policy_leaf_find(const struct policy_peer *peer,
							     __u8 protocol, __be16 port)
{
	struct policy_class_key key = {.class = peer->class, .protocol = protocol};
	__u32 prefix_lens = peer->prefix_lens;

	if (!key.class)
		return NULL;
#pragma clang loop unroll(disable)
	for (int len = POLICY_PORT_BITS; len >= 0; len--) {
		const struct policy_leaf *leaf;

		if (!(prefix_lens & 1U << len))
			continue;
		key.prefix_len = len;
		key.port = port & bpf_htons(0xffff0000U >> len);
		leaf = bpf_map_lookup_elem(&cilium_policy_class, &key);
		if (leaf)
			return leaf;
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

/* What the rule set of policy says of flow: sets rule and match. 0, or a drop. */
static __always_inline int policy_look_up(struct policy_decision *policy, const struct flow *flow,
					  enum policy_direction direction, bool forward)
{
	bool egress = direction == POLICY_EGRESS;
	const struct policy_peer *peer;
	const struct policy_leaf *leaf;

	policy->rule = 0;
	policy->match = POLICY_MATCH_NONE;
	if (unlikely(!policy->rule_set))
		return policy->endpoint == POLICY_ENDPOINT_HOST ? DROP(POLICY, HOST_NOT_READY)
								: DROP(POLICY, EP_NOT_READY);
	if (policy->flags & (egress ? POLICY_F_OPEN_EGRESS : POLICY_F_OPEN_INGRESS)) {
		policy->rule = POLICY_RULE_ALLOW_ANY;
		policy->match = POLICY_MATCH_ALL;
		return 0;
	}
	peer = policy_peer_get(policy, direction);
	if (!peer)
		return policy_result(POLICY_VERDICT_DEFAULT_DENY);
	leaf = policy_leaf_find(peer, flow->protocol, policy_port(flow, forward));
	if (!leaf)
		leaf = &peer->otherwise;
	policy->rule = leaf->rule;
	policy->match = leaf->match;
	return policy_result(leaf->verdict);
}

/* Whose rules are asked about whom: end is a constant, as the verifier wants it. */
static __always_inline void policy_ask(struct policy_decision *policy, const struct packet *subject,
				       enum packet_end end, enum policy_direction direction)
{
	__u32 version = subject->policy_version[end];

	policy->rule_set = version == POLICY_VERSION_NONE ? 0 : version & ~CT_POLICY_AUDIT;
	policy->peer = subject->identity[end == SRC ? DST : SRC];
	policy->endpoint = subject->endpoint[end];
	policy->endpoint_flags = subject->endpoint_flags[end];
	policy->flags = subject->policy_flags[end];
	policy->dir = direction == POLICY_INGRESS ? METRIC_DIR_INGRESS : METRIC_DIR_EGRESS;
}

/* Whether somebody wants to know what was decided for the endpoint. */
static __always_inline bool policy_is_reported(const struct policy_decision *policy)
{
	const struct runtime_config *runtime = runtime_config_get();

	if (!runtime || runtime->verdict_events == VERDICT_EVENTS_OFF)
		return false;
	if (policy->endpoint_flags & ENDPOINT_F_VERDICTS)
		return true;
	return runtime->verdict_events == VERDICT_EVENTS_ON &&
	       !(policy->endpoint_flags & ENDPOINT_F_NO_VERDICTS);
}

static __always_inline void policy_count(const struct policy_decision *policy,
					 enum event_action action, __u32 how)
{
	if (action == EVENT_ACTION_AUDIT)
		metrics_add(METRIC_REASON_POLICY_AUDITED, policy->dir, 0);
	else if (action == EVENT_ACTION_ALLOW && how & POLICY_OPENING &&
		 policy->rule != POLICY_RULE_ALLOW_ANY)
		metrics_add(METRIC_REASON_POLICY_ALLOWED, policy->dir, 0);
}

/* What is decided, in packet->policy, and result, become an event and what the stage returns. */
static __noinline int policy_conclude(struct __sk_buff *skb, const struct packet *packet,
				      int result, __u32 how)
{
	enum event_action action = EVENT_ACTION_ALLOW;

	/* Without rules there is nothing to audit. */
	if (result < 0)
		action = packet->policy.flags & POLICY_F_AUDIT && packet->policy.rule_set
				 ? EVENT_ACTION_AUDIT
				 : EVENT_ACTION_DENY;
	policy_count(&packet->policy, action, how);
	if ((action != EVENT_ACTION_ALLOW || how & POLICY_OPENING) &&
	    policy_is_reported(&packet->policy))
		event_emit(skb, packet,
			   EVENT_HEAD(EVENT_POLICY_VERDICT, action, packet->policy.dir), result);
	return action == EVENT_ACTION_DENY ? result : 0;
}

/*
 * Judges the connection of subject, which is packet, or the packet inside the ICMP error that packet
 * is. how: enum policy_how. 0, or a drop, which packet->policy explains. Needs what is known of both
 * ends in subject.
 */
static __noinline int policy_judge(struct __sk_buff *skb, struct packet *packet,
				   const struct packet *subject, __u32 how)
{
	bool forward = how & POLICY_FORWARD;
	struct policy_decision *policy = &packet->policy;
	int ret;

	/* Whoever talks to itself does so with nobody's leave. */
	if (unlikely(subject->generation[SRC] &&
		     subject->generation[SRC] == subject->generation[DST]))
		return 0;
	if (subject->policy_version[forward ? SRC : DST]) {
		if (forward)
			policy_ask(policy, subject, SRC, POLICY_EGRESS);
		else
			policy_ask(policy, subject, DST, POLICY_EGRESS);
		ret = policy_look_up(policy, &subject->flow, POLICY_EGRESS, forward);
		ret = policy_conclude(skb, packet, ret, how);
		if (ret < 0)
			return ret;
	}
	if (subject->policy_version[forward ? DST : SRC]) {
		if (forward)
			policy_ask(policy, subject, DST, POLICY_INGRESS);
		else
			policy_ask(policy, subject, SRC, POLICY_INGRESS);
		ret = policy_look_up(policy, &subject->flow, POLICY_INGRESS, forward);
		ret = policy_conclude(skb, packet, ret, how);
		if (ret < 0)
			return ret;
	}
	return 0;
}
