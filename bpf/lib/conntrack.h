/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Connections: one lookup finds the entry for both directions. An established packet writes to it
 * only when the tick has changed or a TCP flag is new.
 */
#pragma once

#include "bpf/lib/config.h"
#include "bpf/lib/icmp.h"
#include "bpf/lib/packet.h"
#include "bpf/lib/policy.h"

static __always_inline __u32 ct_now(void)
{
	return bpf_jiffies64() >> node_config.ct_tick_shift;
}

/* Which of the key's two sides sends: 0 or 1. */
static __always_inline bool ct_source_side(const struct flow *flow)
{
	__u64 source = flow->saddr.halves[0];
	__u64 destination = flow->daddr.halves[0];

	if (source == destination) {
		source = flow->saddr.halves[1];
		destination = flow->daddr.halves[1];
	}
	if (likely(source != destination))
		return bpf_be64_to_cpu(source) > bpf_be64_to_cpu(destination);
	return bpf_ntohs(flow->sport) > bpf_ntohs(flow->dport);
}

/* Returns the side that sends. */
static __always_inline bool ct_key_init(struct ct_key *key, const struct flow *flow)
{
	bool icmp = flow->protocol == IPPROTO_ICMP || flow->protocol == IPPROTO_ICMPV6;
	bool side = ct_source_side(flow);

	key->addr[0] = side ? flow->daddr : flow->saddr;
	key->addr[1] = side ? flow->saddr : flow->daddr;
	/* ICMP: type and code are not the ends' ports, and stay in their order. */
	key->port[0] = side && !icmp ? flow->dport : flow->sport;
	key->port[1] = side && !icmp ? flow->sport : flow->dport;
	key->protocol = flow->protocol;
	key->initiator = 0;
	if (icmp)
		key->initiator = 1 + (flow->flags & FLOW_F_ICMP_REPLY ? !side : side);
	key->kind = CT_KIND_CONNECTION;
	key->pad = 0;
	return side;
}

/* Two calls, because the JIT inlines a lookup only where it knows the map. */
static __always_inline struct ct_entry *ct_get(const struct ct_key *key)
{
	struct ct_entry *entry;

	if (key->protocol == IPPROTO_TCP) {
		entry = bpf_map_lookup_elem(&cilium_ct_tcp_global, key);
		branch_mark(entry, 0);
	} else {
		entry = bpf_map_lookup_elem(&cilium_ct_any_global, key);
		branch_mark(entry, 1);
	}
	return entry;
}

static __always_inline bool ct_entry_from_initiator(const struct ct_entry *entry, bool side)
{
	return !!(entry->flags & CT_F_INITIATOR_1) == side;
}

static __always_inline __u32 ct_timeout(const struct ct_entry *entry, __u8 protocol)
{
	if (protocol != IPPROTO_TCP)
		return node_config.ct_timeout_any;
	if (unlikely(ct_entry_closing(entry)))
		return node_config.ct_timeout_tcp_fin;
	return entry->flags & CT_F_SEEN_NON_SYN ? node_config.ct_timeout_tcp
						: node_config.ct_timeout_tcp_syn;
}

/*
 * Who opened a connection whose first packet this is. A TCP answer without a question comes from
 * the responder (the entry was evicted, or the map is new); so does what was sent to a masqueraded
 * port.
 */
static __always_inline bool ct_opened_by_source(const struct packet *packet)
{
	const struct flow *flow = &packet->flow;

	if (packet->nat_reply || flow->flags & FLOW_F_ICMP_REPLY)
		return false;
	return flow->protocol != IPPROTO_TCP ||
	       (flow->tcp_flags & (CT_TCP_SYN | CT_TCP_ACK)) != (CT_TCP_SYN | CT_TCP_ACK);
}

static __always_inline void ct_account(struct ct_entry *entry, const struct __sk_buff *skb,
				       const struct packet *packet)
{
	if (!node_config.enable_ct_accounting || packet->counted ||
	    unlikely((packet->endpoint_flags[SRC] | packet->endpoint_flags[DST]) &
		     ENDPOINT_F_UNCOUNTED))
		return;
	__sync_fetch_and_add(&entry->packets, 1);
	__sync_fetch_and_add(&entry->bytes, skb->len);
}

/* Two numbers of a packet's ends, in the order of an entry's: side is that of the source. */
static __always_inline __u64 ct_pair(const __u32 *numbers, bool side)
{
	__u64 pair;

	__builtin_memcpy(&pair, numbers, sizeof(pair));
	return side ? pair << 32 | pair >> 32 : pair;
}

static __always_inline bool ct_pair_equal(const __u32 *of_entry, const __u32 *of_packet, bool side)
{
	return ct_pair(of_entry, false) == ct_pair(of_packet, side);
}

static __always_inline void ct_pair_set(__u32 *of_entry, const __u32 *of_packet, bool side)
{
	__u64 pair = ct_pair(of_packet, side);

	__builtin_memcpy(of_entry, &pair, sizeof(pair));
}

/* The entry of a new connection, opened by the sender of the packet or by its receiver. */
static __always_inline int ct_insert(struct __sk_buff *skb, struct packet *packet,
				     const struct ct_key *key, bool forward)
{
	const struct flow *flow = &packet->flow;
	bool side = ct_source_side(flow);
	struct ct_entry entry = {
		.flags = side == forward ? CT_F_INITIATOR_1 : 0,
		.last_report = ct_now(),
	};
	long error;

	ct_pair_set(entry.generation, packet->generation, side);
	ct_pair_set(entry.policy_version, packet->policy_version, side);
	ct_pair_set(entry.identity, packet->identity, side);
	if (forward)
		entry.tx_flags = flow->tcp_flags;
	else
		entry.rx_flags = flow->tcp_flags;
	if (flow->protocol == IPPROTO_TCP && !(flow->tcp_flags & CT_TCP_SYN))
		entry.flags |= CT_F_SEEN_NON_SYN;
	if (packet->via_stack && forward)
		entry.flags |= CT_F_VIA_STACK;
	if (packet->nat_reply) {
		/* The connection was forgotten, its translation was not: take it over. */
		entry.nat = CT_NAT_SOURCE;
		entry.nat_addr = packet->nat_addr;
		entry.nat_port = packet->nat_port;
	}
	entry.expires = ct_now() + ct_timeout(&entry, flow->protocol);
	ct_account(&entry, skb, packet);
	if (flow->protocol == IPPROTO_TCP)
		error = bpf_map_update_elem(&cilium_ct_tcp_global, key, &entry, BPF_ANY);
	else
		error = bpf_map_update_elem(&cilium_ct_any_global, key, &entry, BPF_ANY);
	packet->ext_error = error;
	return error ? DROP(CONNTRACK, CT_MAP_INSERTION_FAILED) : 0;
}

static __always_inline void ct_explain_opening(const struct packet *packet,
					       const struct ct_key *key, bool forward)
{
	__u32 connection = EXPLAIN_CONNECTION_NEW;

	if (packet->ct_state == EVENT_CT_REOPENED)
		connection = EXPLAIN_CONNECTION_REOPENED;
	else if (ct_get(key))
		connection = EXPLAIN_CONNECTION_DEAD;
	explain_connection(connection, forward);
}

/*
 * Opens the connection of the packet, or opens it again in place of a dead entry, where policy allows
 * it: 0, or a drop. Global, as policy_judge().
 */
__weak __attribute__((noinline)) int ct_open(struct __sk_buff *skb)
{
	struct packet *packet = packet_get();
	struct ct_key key;
	bool forward;
	int ret;

	if (!packet)
		return DROP(CONNTRACK, CT_MAP_INSERTION_FAILED);
	ct_key_init(&key, &packet->flow);
	forward = ct_opened_by_source(packet);
	if (unlikely(explain_is_on(packet)))
		ct_explain_opening(packet, &key, forward);
	if (!forward)
		packet->ct_state = EVENT_CT_REPLY;
	ret = policy_judge(skb, POLICY_OPENING | (forward ? POLICY_FORWARD : 0));
	if (ret < 0 || explain_is_on(packet))
		return ret;
	packet->new_tcp_flags = packet->flow.tcp_flags;
	packet->ct_changes = CT_CHANGE_OPENED;
	return ct_insert(skb, packet, &key, forward);
}

static __always_inline void ct_check_interval(struct packet *packet, struct ct_entry *entry,
					      __u32 now)
{
	const struct runtime_config *runtime;

	if (!packet->trace)
		return;
	runtime = runtime_config_get();
	if (!runtime || now - entry->last_report < runtime->trace_interval)
		return;
	entry->last_report = now;
	packet->ct_changes |= CT_CHANGE_INTERVAL;
}

/* A packet of a live connection. */
static __always_inline void ct_touch(struct __sk_buff *skb, struct packet *packet,
				     struct ct_entry *entry, bool side)
{
	bool forward = ct_entry_from_initiator(entry, side);
	__u8 *seen = forward ? &entry->tx_flags : &entry->rx_flags;
	__u16 flags = entry->flags;
	__u32 now = ct_now(), expires;

	packet->ct_state = forward ? EVENT_CT_ESTABLISHED : EVENT_CT_REPLY;
	if (!forward) {
		flags |= CT_F_SEEN_REPLY;
		packet->via_stack = !!(flags & CT_F_VIA_STACK);
	}
	if (packet->flow.protocol == IPPROTO_TCP) {
		if (!(packet->flow.tcp_flags & CT_TCP_SYN))
			flags |= CT_F_SEEN_NON_SYN;
		packet->new_tcp_flags = packet->flow.tcp_flags & ~*seen;
		if (unlikely(packet->new_tcp_flags))
			*seen |= packet->new_tcp_flags;
	}
	if (unlikely(flags != entry->flags))
		entry->flags = flags;
	expires = now + ct_timeout(entry, packet->flow.protocol);
	if (unlikely(entry->expires != expires)) {
		entry->expires = expires;
		ct_check_interval(packet, entry, now);
	}
	ct_account(entry, skb, packet);
}

/* Whether this is the entry of the packet: it is alive, and stands for these very endpoints. */
static __always_inline bool ct_entry_matches(const struct ct_entry *entry,
					     const struct packet *packet, bool side)
{
	return entry->expires > ct_now() &&
	       ct_pair_equal(entry->generation, packet->generation, side);
}

/* Whether what it was found allowed by is still what counts. */
static __always_inline bool ct_entry_is_judged(const struct ct_entry *entry,
					       const struct packet *packet, bool side)
{
	return ct_pair_equal(entry->policy_version, packet->policy_version, side) &&
	       ct_pair_equal(entry->identity, packet->identity, side);
}

/*
 * A connection of an endpoint to which the stack has given an address of the node, either way. It is
 * judged under its own addresses; here the host's rules have nothing to say of it.
 */
static __always_inline bool ct_is_translated(const struct packet *packet,
					     const struct ct_entry *entry)
{
	if (!node_config.enable_host_firewall || packet->generation[SRC] || packet->generation[DST])
		return false;
	return packet->via_stack || entry->flags & CT_F_VIA_STACK;
}

/* Judges the connection of subject, a packet from side, once more: see policy_judge(). */
static __noinline int ct_judge_again(struct __sk_buff *skb, struct packet *packet,
				     const struct packet *subject, struct ct_entry *entry)
{
	bool side = ct_source_side(&subject->flow);
	bool forward = ct_entry_from_initiator(entry, side);
	int ret;

	if (ct_is_translated(packet, entry))
		return 0;
	ret = policy_judge(skb,
			   (forward ? POLICY_FORWARD : 0) | (subject == packet ? 0 : POLICY_INNER));
	if (ret < 0 || explain_is_on(packet))
		return ret;
	ct_pair_set(entry->policy_version, subject->policy_version, side);
	ct_pair_set(entry->identity, subject->identity, side);
	return 0;
}

/*
 * In place of all that a packet does to its connection; found: EXPLAIN_CONNECTION_FOUND or _RELATED,
 * behind which stand their stale ones. What is not judged is asked all the same.
 */
static __noinline int ct_explain(struct __sk_buff *skb, struct packet *packet,
				 const struct packet *subject, struct ct_entry *entry, __u32 found)
{
	bool side = ct_source_side(&subject->flow);
	bool forward = ct_entry_from_initiator(entry, side);
	bool is_judged = ct_entry_is_judged(entry, subject, side);
	int ret;

	explain_connection(is_judged ? found : found + 1, forward);
	if (!forward || packet != subject)
		packet->via_stack = !!(entry->flags & CT_F_VIA_STACK);
	ret = ct_judge_again(skb, packet, subject, entry);
	return is_judged ? 0 : ret;
}

/* The entry of a flow as it is, neither judged nor touched. */
static __noinline struct ct_entry *ct_find(const struct flow *flow)
{
	struct ct_key key;

	ct_key_init(&key, flow);
	return ct_get(&key);
}

/*
 * Whether the packet is an ICMP error about a connection that is known, and that may be: 1, 0, or a
 * drop.
 */
__weak __attribute__((noinline)) int ct_related(struct __sk_buff *skb)
{
	struct packet *packet = packet_get(), *inner = packet_inner_begin();
	struct ct_entry *entry;
	int ret;

	if (!packet || !inner || icmp_parse_inner(skb, &packet->flow, &inner->flow) < 0)
		return 0;
	entry = ct_find(&inner->flow);
	if (!entry)
		return 0;
	/* The error may come from anybody on the way. */
	ipcache_resolve(inner, SRC);
	ipcache_resolve(inner, DST);
	if (!ct_entry_matches(entry, inner, ct_source_side(&inner->flow)))
		return 0;
	packet->ct_state = EVENT_CT_RELATED;
	if (explain_is_on(packet)) {
		ret = ct_explain(skb, packet, inner, entry, EXPLAIN_CONNECTION_RELATED);
		return ret < 0 ? ret : 1;
	}
	if (!ct_entry_is_judged(entry, inner, ct_source_side(&inner->flow))) {
		ret = ct_judge_again(skb, packet, inner, entry);
		if (ret < 0)
			return ret;
	}
	packet->via_stack = !!(entry->flags & CT_F_VIA_STACK);
	return 1;
}

/*
 * Finds or opens the connection of the packet, which policy allows: 0, or a drop. Needs what is
 * known of both ends in packet, and sets what trace events tell.
 */
static __always_inline int ct_track(struct __sk_buff *skb, struct packet *packet)
{
	struct ct_key key;
	struct ct_entry *entry;
	bool side;
	int ret;

	if (unlikely(packet->flow.flags & FLOW_F_ICMP_ERROR)) {
		ret = ct_related(skb);
		if (ret)
			return ret < 0 ? ret : 0;
	}
	side = ct_key_init(&key, &packet->flow);
	entry = ct_get(&key);
	packet->ct_state = EVENT_CT_NEW;
	if (unlikely(!entry || !ct_entry_matches(entry, packet, side)))
		return ct_open(skb);
	if (unlikely((packet->flow.tcp_flags & (CT_TCP_SYN | CT_TCP_ACK)) == CT_TCP_SYN &&
		     ct_entry_closing(entry))) {
		packet->ct_state = EVENT_CT_REOPENED;
		return ct_open(skb);
	}
	if (unlikely(explain_is_on(packet)))
		return ct_explain(skb, packet, packet, entry, EXPLAIN_CONNECTION_FOUND);
	if (unlikely(!ct_entry_is_judged(entry, packet, side))) {
		packet->ct_state = ct_entry_from_initiator(entry, side) ? EVENT_CT_ESTABLISHED
									: EVENT_CT_REPLY;
		ret = ct_judge_again(skb, packet, packet, entry);
		if (ret < 0)
			return ret;
	}
	ct_touch(skb, packet, entry, side);
	return 0;
}
