/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Connections: one lookup finds the entry for both directions. An established packet writes to it
 * only when the tick has changed or a TCP flag is new.
 */
#pragma once

#include "bpf/lib/ct_entry.h"
#include "bpf/lib/icmp.h"
#include "bpf/lib/policy.h"
#include "bpf/lib/service_flow.h"

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
	if (packet->service & PACKET_SERVICE_FORWARD && !(flow->flags & FLOW_F_ICMP_ERROR))
		service_remember(&entry, packet);
	if (packet->nat_reply) {
		/* The connection was forgotten, its translation was not: take it over. */
		entry.nat = CT_NAT_SOURCE;
		entry.nat_addr = packet->nat_addr;
		entry.nat_port = packet->nat_port;
	}
	entry.expires = ct_now() + ct_timeout(&entry, flow->protocol);
	ct_account(&entry, skb->len, packet);
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
	if (entry->flags & CT_F_SERVICE)
		ct_note_service(packet, entry,
				forward == (packet == subject) ? 0 : PACKET_SERVICE_REVERSE);
	if (!forward || packet != subject)
		packet->via_stack = !!(entry->flags & CT_F_VIA_STACK);
	ret = ct_judge_again(skb, packet, subject, entry);
	return is_judged ? 0 : ret;
}

/* What an error about this packet is to service_reverse(): one to the client is from the back end. */
static __always_inline __u32 ct_inner_service(const struct ct_entry *entry,
					      const struct packet *inner)
{
	return ct_entry_from_initiator(entry, ct_source_side(&inner->flow)) ? PACKET_SERVICE_REVERSE
									    : 0;
}

static __always_inline void ct_resolve_loopback(struct packet *packet)
{
	if (service_is_loopback(packet, &packet->flow.saddr))
		endpoint_set_as(packet, SRC, DST);
	else
		endpoint_set_as(packet, DST, SRC);
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
	if (unlikely(entry->flags & CT_F_LOOPBACK))
		ct_resolve_loopback(inner);
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
	if (entry->flags & CT_F_SERVICE)
		ct_note_service(packet, entry, ct_inner_service(entry, inner));
	return 1;
}

/*
 * The entry of a packet to a service knows nothing of that: it was forgotten, and opened again by an
 * answer, which could not say it. Or it does not know what another node says: who translates asks before.
 */
static __noinline bool ct_is_of_another_service(const struct packet *packet,
						const struct ct_entry *entry, bool side)
{
	bool is_told = packet->service & PACKET_SERVICE_DSR;

	if (!(entry->flags & CT_F_SERVICE))
		return is_told || !ct_entry_from_initiator(entry, side);
	return is_told && (entry->service_port != packet->service_port ||
			   !addr_equal(&entry->service_addr, &packet->service_addr));
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
	if (unlikely(flow_is_opening(&packet->flow) && ct_entry_closing(entry))) {
		packet->ct_state = EVENT_CT_REOPENED;
		return ct_open(skb);
	}
	if (unlikely(packet->service & PACKET_SERVICE_FORWARD) &&
	    ct_is_of_another_service(packet, entry, side)) {
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
	ct_touch(packet, entry, side, skb->len);
	return 0;
}
