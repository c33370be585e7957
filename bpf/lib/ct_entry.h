/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Entries of connections, without the packet: what tc and XDP do with them alike. */
#pragma once

#include <linux/in6.h>

#include "bpf/lib/config.h"
#include "bpf/lib/packet.h"

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

/* The entry of a flow as it is, neither judged nor touched. */
static __noinline struct ct_entry *ct_find(const struct flow *flow)
{
	struct ct_key key;

	ct_key_init(&key, flow);
	return ct_get(&key);
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

/* Whether this is the entry of the packet: it is alive, and stands for these very endpoints. */
static __always_inline bool ct_entry_matches(const struct ct_entry *entry,
					     const struct packet *packet, bool side)
{
	return entry->expires > ct_now() &&
	       ct_pair_equal(entry->generation, packet->generation, side);
}

static __always_inline void ct_account(struct ct_entry *entry, __u32 n_bytes,
				       const struct packet *packet)
{
	if (!node_config.enable_ct_accounting || packet->counted ||
	    unlikely((packet->endpoint_flags[SRC] | packet->endpoint_flags[DST]) &
		     ENDPOINT_F_UNCOUNTED))
		return;
	__sync_fetch_and_add(&entry->packets, 1);
	__sync_fetch_and_add(&entry->bytes, n_bytes);
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

/* ---- entries of CT_KIND_SERVICE ---- */

/* The client has sent its last, or the back end will have no more of it. */
static __always_inline bool service_is_closing(const struct ct_entry *entry)
{
	return ct_entry_side_closed(entry->tx_flags) || entry->rx_flags & CT_TCP_RST;
}

static __always_inline __u32 service_timeout(const struct ct_entry *entry, __u8 protocol)
{
	if (protocol != IPPROTO_TCP)
		return node_config.ct_timeout_service_any;
	return service_is_closing(entry) ? node_config.ct_timeout_service_tcp_closing
					 : node_config.ct_timeout_service_tcp;
}

static __always_inline void service_touch(struct ct_entry *entry, __u8 *seen,
					  const struct flow *flow)
{
	__u8 new_flags = flow->tcp_flags & ~*seen;
	__u32 expires;

	if (unlikely(new_flags))
		*seen |= new_flags;
	expires = ct_now() + service_timeout(entry, flow->protocol);
	if (unlikely(entry->expires != expires))
		entry->expires = expires;
}

/*
 * The back end has answered with packet_get(), whose service is known: while it does, the client's next
 * packet is to find it. An entry that is not there is no loss, the next packet chooses. Returns 0. Global,
 * so that the verifier follows it once.
 */
__weak __attribute__((noinline)) int service_touch_reply(__u32 tcp_flags)
{
	const struct packet *packet = packet_get();
	struct flow flow = {.tcp_flags = tcp_flags};
	struct ct_entry *entry;
	struct ct_key key;

	if (!packet)
		return 0;
	flow.saddr = packet->service_addr;
	flow.daddr =
		packet->service & PACKET_SERVICE_LOOPBACK ? packet->flow.saddr : packet->flow.daddr;
	flow.sport = packet->service_port;
	flow.dport = packet->flow.dport;
	flow.protocol = packet->flow.protocol;
	ct_key_init(&key, &flow);
	key.kind = CT_KIND_SERVICE;
	entry = ct_get(&key);
	if (entry && entry->expires > ct_now())
		service_touch(entry, &entry->rx_flags, &flow);
	return 0;
}

/* ---- connections ---- */

/*
 * The packet is one of a connection that was opened through a service. how: PACKET_SERVICE_REVERSE,
 * PACKET_SERVICE_TICK.
 */
static __noinline void ct_note_service(struct packet *packet, const struct ct_entry *entry,
				       __u32 how)
{
	packet->service |= PACKET_SERVICE_KNOWN | how;
	if (entry->flags & CT_F_LOOPBACK)
		packet->service |= PACKET_SERVICE_LOOPBACK;
	packet->service_addr = entry->service_addr;
	packet->service_port = entry->service_port;
	packet->service_backend = entry->backend;
	if (how & PACKET_SERVICE_REVERSE &&
	    (how & PACKET_SERVICE_TICK || packet->new_tcp_flags & (CT_TCP_FIN | CT_TCP_RST)))
		service_touch_reply(packet->flow.tcp_flags);
}

/* A packet of a live connection. */
static __always_inline void ct_touch(struct packet *packet, struct ct_entry *entry, bool side,
				     __u32 n_bytes)
{
	bool forward = ct_entry_from_initiator(entry, side);
	__u8 *seen = forward ? &entry->tx_flags : &entry->rx_flags;
	__u16 flags = entry->flags;
	__u32 now = ct_now(), expires, how = forward ? 0 : PACKET_SERVICE_REVERSE;

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
		how |= PACKET_SERVICE_TICK;
	}
	if (unlikely(flags & CT_F_SERVICE))
		ct_note_service(packet, entry, how);
	ct_account(entry, n_bytes, packet);
}
