/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Masquerading: connections that endpoints open to the outside leave under the address of the
 * device. The translation is decided with the connection's first packet and kept in its conntrack
 * entry.
 *
 * The host's own connections leave as they are, unless an endpoint's connection to the same peer
 * has been given the same port; then the host's is given another in the same way.
 *
 * Of services, clients outside go to back ends outside under the address of the device, and all answers
 * are given back the front end's address, here, where they leave.
 */
#pragma once

#include "bpf/lib/ipcache.h"
#include "bpf/lib/nat_port.h"
#include "bpf/lib/rewrite.h"
#include "bpf/lib/service_packet.h"

static __always_inline bool nat_enabled(const struct packet *packet)
{
	return packet_is_ipv6(packet) ? node_config.enable_masquerade6
				      : node_config.enable_masquerade4;
}

/* Connections of this node, its endpoints' or a service's clients', may have been translated. */
static __always_inline bool nat_in_use(const struct packet *packet)
{
	return nat_enabled(packet) || node_config.enable_node_port;
}

static __always_inline const struct addr *nat_device_addr(const struct packet *packet,
							  const struct device_info *device)
{
	return packet_is_ipv6(packet) ? &device->masquerade6 : &device->masquerade4;
}

/* Whether a connection of an endpoint to this destination is masqueraded. */
static __noinline bool nat_is_wanted(const struct packet *packet)
{
	struct ipcache_prefix_key key = {.prefix_len = 128};
	const struct ipcache_info *info;

	__builtin_memcpy(&key.addr, &packet->flow.daddr, sizeof(key.addr));
	if (bpf_map_lookup_elem(&cilium_ipmasq, &key))
		return false;
	info = ipcache_get(&packet->flow.daddr);
	return !info || !(info->flags & (IPCACHE_F_LOCAL_HOST | IPCACHE_F_REMOTE_NODE));
}

/* What the peer of this flow, which goes out, answers to; addr and port are the caller's. */
static __always_inline void nat_key_init(struct nat_key *key, const struct flow *flow)
{
	__builtin_memset(key, 0, sizeof(*key));
	key->peer = flow->daddr;
	key->peer_port = flow->flags & FLOW_F_ICMP_ECHO ? 0 : flow->dport;
	key->protocol = flow->protocol;
}

static __always_inline void nat_forget_entry(const struct ct_key *key)
{
	if (key->protocol == IPPROTO_TCP)
		bpf_map_delete_elem(&cilium_ct_tcp_global, key);
	else
		bpf_map_delete_elem(&cilium_ct_any_global, key);
}

/*
 * Nothing of the connection has ever left, for want of a port: what was remembered of it, also towards its
 * front end, would push out of the maps what others live by. The next packet begins anew.
 */
static __noinline void nat_forget(const struct packet *packet, const struct ct_entry *ct)
{
	struct packet *asked = packet_inner_begin();
	const struct ct_entry *entry;
	struct ct_key key;

	if (ct->nat != CT_NAT_UNDECIDED || !asked)
		return;
	if (ct->flags & CT_F_SERVICE) {
		asked->flow.saddr = packet->flow.saddr;
		asked->flow.sport = packet->flow.sport;
		asked->flow.daddr = ct->service_addr;
		asked->flow.dport = ct->service_port;
		asked->flow.protocol = packet->flow.protocol;
		entry = service_entry_get(&key, &asked->flow);
		if (entry && entry->service_port == packet->flow.dport &&
		    addr_equal(&entry->service_addr, &packet->flow.daddr))
			nat_forget_entry(&key);
	}
	ct_key_init(&key, &packet->flow);
	nat_forget_entry(&key);
}

/* Makes sure that the way back leads to this connection, and sends the packet out under it. */
static __noinline int nat_translate(struct __sk_buff *skb, struct packet *packet,
				    struct ct_entry *ct, const struct addr *device_addr)
{
	struct nat_entry entry = {
		.addr = packet->flow.saddr,
		.port = packet->flow.sport,
		.created = ct_now(),
		.generation = packet->generation[SRC],
	};
	struct nat_key key;
	struct rewrite to = {.end = REWRITE_SOURCE};
	const struct nat_entry *present = NULL;
	int ret;

	nat_key_init(&key, &packet->flow);
	key.addr = *device_addr;
	key.port = entry.port;
	if (ct->nat == CT_NAT_SOURCE && endpoint_is_node_address(&ct->nat_addr, device_addr)) {
		key.addr = ct->nat_addr;
		key.port = ct->nat_port;
		present = bpf_map_lookup_elem(&cilium_snat_external, &key);
	}
	/* New; or the way back was evicted from the map, and perhaps given to another. */
	if (!present || !nat_is_owner(present, &entry)) {
		ret = nat_port_allocate(skb, &key, &entry);
		if (ret < 0) {
			nat_forget(packet, ct);
			return ret;
		}
		ct->nat_addr = key.addr;
		ct->nat_port = key.port;
		ct->nat = CT_NAT_SOURCE;
	}
	to.addr = key.addr;
	to.port = key.port;
	packet_mark_done(skb);
	return rewrite_packet(skb, &packet->flow, &to);
}

/* Of the packet's connection through a service, an answer: its client knows the front end. */
static __noinline int nat_send_answer(struct __sk_buff *skb, struct packet *packet,
				      const struct ct_entry *ct)
{
	ct_note_service(packet, ct, PACKET_SERVICE_REVERSE);
	packet_mark_done(skb);
	return service_reverse(skb);
}

/* Who sends an ICMP error. */
enum nat_sender {
	NAT_SENDER_ENDPOINT,
	NAT_SENDER_HOST,
	NAT_SENDER_ROUTER, /* somewhere outside; this node sends it on */
};

/*
 * An error about a packet of a masqueraded connection: outside, that packet had come to the translated
 * address. Or of one through a service: the client had sent it to the front end.
 */
static __noinline int nat_send_error(struct __sk_buff *skb, struct packet *packet,
				     const struct device_info *device, enum nat_sender sender)
{
	struct packet *inner = packet_inner_begin();
	const struct ct_entry *ct = NULL;
	int ret;

	/* An endpoint is no router: others' connections are not its to complain of. */
	if (inner && icmp_parse_inner(skb, &packet->flow, &inner->flow) >= 0 &&
	    (sender != NAT_SENDER_ENDPOINT || addr_equal(&inner->flow.daddr, &packet->flow.saddr)))
		ct = ct_find(&inner->flow);
	if (!inner || !ct || ct->expires <= ct_now()) {
		if (sender != NAT_SENDER_ENDPOINT || !nat_enabled(packet) ||
		    addr_is_zero(nat_device_addr(packet, device)) || !nat_is_wanted(packet))
			return 0;
		return DROP(NAT, UNSUPPORTED_PROTOCOL_FOR_NAT_MASQUERADE);
	}
	if (ct_entry_from_initiator(ct, ct_source_side(&inner->flow))) {
		/* A better way to the back end is none to the front end. */
		if (!(ct->flags & CT_F_SERVICE) || (packet->flow.protocol == IPPROTO_ICMP &&
						    packet->flow.icmp_type == ICMP4_REDIRECT))
			return 0;
		return nat_send_answer(skb, packet, ct);
	}
	if (ct->nat != CT_NAT_SOURCE)
		return 0;
	packet->rewrite.addr = ct->nat_addr;
	packet->rewrite.port = ct->nat_port;
	packet->rewrite.end = REWRITE_DESTINATION;
	ret = rewrite_by_packet(skb, true);
	if (ret < 0 || sender == NAT_SENDER_HOST)
		return ret;
	packet->rewrite.end = REWRITE_SOURCE;
	packet_mark_done(skb);
	return rewrite_by_packet(skb, false);
}

/*
 * Makes sure that a packet that leaves has a connection: 0, or a drop. Most have passed
 * cil_from_container, which has judged them; those whose destination the stack has changed since
 * belong to a connection that is seen here alone.
 */
static __noinline int nat_track(struct __sk_buff *skb, struct packet *packet)
{
	const struct ct_entry *ct = ct_find(&packet->flow);

	if (ct && !(ct->flags & CT_F_VIA_STACK) &&
	    ct_entry_matches(ct, packet, ct_source_side(&packet->flow)))
		return 0;
	ipcache_resolve_remote(packet, DST);
	/* The stack knows the way back. */
	packet->via_stack = packet->generation[SRC] != 0;
	return ct_track(skb, packet);
}

/* A packet of an endpoint leaves the node: 0, or a drop. */
static __noinline int nat_send(struct __sk_buff *skb, struct packet *packet,
			       const struct device_info *device)
{
	struct ct_entry *ct;
	int ret = 0;

	if (packet->flow.flags & FLOW_F_ICMP_ERROR)
		return nat_send_error(skb, packet, device, NAT_SENDER_ENDPOINT);
	if (nat_enabled(packet))
		ret = nat_track(skb, packet);
	if (ret < 0)
		return ret;
	ct = ct_find(&packet->flow);
	if (!ct)
		return nat_enabled(packet) ? DROP(NAT, CT_MAP_INSERTION_FAILED) : 0;
	if (!ct_entry_from_initiator(ct, ct_source_side(&packet->flow)))
		return ct->flags & CT_F_SERVICE ? nat_send_answer(skb, packet, ct) : 0;
	if (ct->nat == CT_NAT_NONE || !nat_enabled(packet))
		return 0;
	/* Not for ever: the device may yet be given one. */
	if (addr_is_zero(nat_device_addr(packet, device)) && ct->nat == CT_NAT_UNDECIDED)
		return 0;
	if (ct->nat == CT_NAT_UNDECIDED && !nat_is_wanted(packet)) {
		ct->nat = CT_NAT_NONE;
		return 0;
	}
	/* Of ICMP, only what has an identifier can be told apart. */
	if ((packet->flow.protocol == IPPROTO_ICMP || packet->flow.protocol == IPPROTO_ICMPV6) &&
	    !(packet->flow.flags & FLOW_F_ICMP_ECHO))
		return DROP(NAT, UNSUPPORTED_PROTOCOL_FOR_NAT_MASQUERADE);
	return nat_translate(skb, packet, ct, nat_device_addr(packet, device));
}

/*
 * True when the host cannot use the port towards this peer. A ping of its own has no socket that
 * would keep endpoints off its identifier, so the host registers that like anybody.
 */
static __noinline bool nat_host_collides(const struct packet *packet)
{
	const struct flow *flow = &packet->flow;
	const struct nat_entry *present;
	struct nat_key key;

	if (flow->flags & FLOW_F_ICMP_ECHO)
		return !(flow->flags & FLOW_F_ICMP_REPLY);
	nat_key_init(&key, flow);
	key.addr = flow->saddr;
	key.port = flow->sport;
	present = bpf_map_lookup_elem(&cilium_snat_external, &key);
	if (!present || (present->port == flow->sport && addr_equal(&present->addr, &flow->saddr)))
		return false;
	return nat_entry_alive(&key, present) || !nat_entry_bury(&key);
}

/* What the host answers, of itself alone tracked by its firewall, keeps a service's connection alive. */
static __always_inline int nat_answer_of_host(struct __sk_buff *skb, struct packet *packet,
					      struct ct_entry *ct)
{
	if (!(ct->flags & CT_F_SERVICE))
		return 0;
	if (!node_config.enable_host_firewall)
		ct_touch(packet, ct, ct_source_side(&packet->flow), skb->len);
	return nat_send_answer(skb, packet, ct);
}

/* A packet of the host itself leaves the node. */
static __noinline int nat_send_host(struct __sk_buff *skb, struct packet *packet,
				    const struct device_info *device)
{
	struct ct_entry *ct;
	int ret;

	if (packet->flow.flags & FLOW_F_ICMP_ERROR)
		return nat_send_error(skb, packet, device, NAT_SENDER_HOST);
	ct = ct_find(&packet->flow);
	if (ct && ct->expires > ct_now() &&
	    !ct_entry_from_initiator(ct, ct_source_side(&packet->flow)))
		return nat_answer_of_host(skb, packet, ct);
	if (!ct || ct->expires <= ct_now() || ct->nat != CT_NAT_SOURCE) {
		if (!nat_host_collides(packet))
			return 0;
		ret = nat_track(skb, packet);
		if (ret < 0)
			return ret;
		ct = ct_find(&packet->flow);
		if (!ct)
			return DROP(NAT, CT_MAP_INSERTION_FAILED);
	}
	return nat_translate(skb, packet, ct, &packet->flow.saddr);
}

/* What cil_from_netdev has sent on for a service, to a back end or to a client, leaves the node. */
static __noinline int nat_send_foreign(struct __sk_buff *skb, struct packet *packet,
				       const struct device_info *device)
{
	const struct addr *addr = device_own_addr(device, packet_is_ipv6(packet));
	struct ct_entry *ct;

	if (packet->flow.flags & FLOW_F_ICMP_ERROR)
		return nat_send_error(skb, packet, device, NAT_SENDER_ROUTER);
	ct = ct_find(&packet->flow);
	if (!ct || ct->expires <= ct_now() || !(ct->flags & CT_F_SERVICE))
		return 0;
	if (!ct_entry_from_initiator(ct, ct_source_side(&packet->flow)))
		return nat_send_answer(skb, packet, ct);
	if (addr_is_zero(addr)) {
		nat_forget(packet, ct);
		return DROP(NAT, NO_MAPPING_FOR_NAT_MASQUERADE);
	}
	return nat_translate(skb, packet, ct, addr);
}

/* The entry that says whose packet this is that came to addr and port of this node, or NULL. */
static __always_inline const struct nat_entry *nat_get(const struct nat_key *key)
{
	return bpf_map_lookup_elem(&cilium_snat_external, key);
}

/* As nat_receive, for an error about a packet that this node sent under a translated address. */
static __noinline int nat_receive_error(struct __sk_buff *skb, struct packet *packet)
{
	struct flow inner = {};
	struct rewrite to = {.end = REWRITE_SOURCE};
	const struct nat_entry *entry;
	struct nat_key key;
	int ret;

	if (icmp_parse_inner(skb, &packet->flow, &inner) < 0)
		return 0;
	nat_key_init(&key, &inner);
	key.addr = inner.saddr;
	key.port = inner.sport;
	entry = nat_get(&key);
	if (!entry)
		return 0;
	packet->nat_generation = entry->generation;
	to.addr = entry->addr;
	to.port = entry->port;
	ret = rewrite_inner(skb, &packet->flow, &inner, &to);
	if (ret < 0)
		return ret;
	to.end = REWRITE_DESTINATION;
	ret = rewrite_packet(skb, &packet->flow, &to);
	return ret < 0 ? ret : 1;
}

/*
 * A packet came to an address of this node: 1 when it belongs to a translated connection, and now
 * goes to who opened that; 0 when not; or a drop.
 */
static __noinline int nat_receive(struct __sk_buff *skb, struct packet *packet)
{
	const struct flow *flow = &packet->flow;
	struct rewrite to = {.end = REWRITE_DESTINATION};
	const struct nat_entry *entry;
	struct nat_key key = {
		.peer = flow->saddr,
		.addr = flow->daddr,
		.peer_port = flow->flags & FLOW_F_ICMP_ECHO ? 0 : flow->sport,
		.port = flow->dport,
		.protocol = flow->protocol,
	};
	int ret;

	if (flow->flags & FLOW_F_ICMP_ERROR)
		return nat_receive_error(skb, packet);
	if ((flow->protocol == IPPROTO_ICMP || flow->protocol == IPPROTO_ICMPV6) &&
	    !(flow->flags & FLOW_F_ICMP_REPLY))
		return 0;
	entry = nat_get(&key);
	if (!entry)
		return 0;
	packet->nat_reply = true;
	packet->nat_addr = key.addr;
	packet->nat_port = key.port;
	packet->nat_generation = entry->generation;
	to.addr = entry->addr;
	to.port = entry->port;
	ret = rewrite_packet(skb, &packet->flow, &to);
	return ret < 0 ? ret : 1;
}
