/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Ports of the node's addresses for masqueraded connections.
 *
 * cilium_snat_external is the register: an entry exists for each port in use towards a peer,
 * inserting one that must not exist yet (BPF_NOEXIST) decides between two CPUs. An entry whose
 * connection has gone is taken over; nobody needs to sweep.
 */
#pragma once

#include "bpf/lib/conntrack.h"

/*
 * At 99 % of the range in use one port in a hundred is free: 1024 tries miss it in 0.003 %. They
 * are a loop of loops, as the verifier goes through each round of a loop: 64 of them instead of
 * 1024.
 */
#define NAT_PROBE_ROUNDS   32
#define NAT_PROBES_A_ROUND 32

/* Ticks for which an entry counts as used before its connection names it, on whatever CPU. */
#define NAT_ENTRY_YOUNG 2

static __always_inline bool nat_is_owner(const struct nat_entry *entry,
					 const struct nat_entry *candidate)
{
	return entry->port == candidate->port && entry->generation == candidate->generation &&
	       addr_equal(&entry->addr, &candidate->addr);
}

/* True while the connection that has the port exists. */
static __noinline bool nat_entry_alive(const struct nat_key *key, const struct nat_entry *entry)
{
	bool icmp = key->protocol == IPPROTO_ICMP || key->protocol == IPPROTO_ICMPV6;
	struct flow flow = {
		.saddr = entry->addr,
		.daddr = key->peer,
		.sport = entry->port,
		.dport = icmp ? entry->port : key->peer_port,
		.protocol = key->protocol,
	};
	const struct ct_entry *ct;

	if (ct_now() - entry->created < NAT_ENTRY_YOUNG)
		return true;
	ct = ct_find(&flow);
	return ct && ct->expires > ct_now() && ct->nat == CT_NAT_SOURCE &&
	       ct->nat_port == key->port && addr_equal(&ct->nat_addr, &key->addr);
}

/* Keys of entries that a CPU is taking away. Private to this file; one at a time for each CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct nat_key);
	__type(value, __u32);
} nat_claims SEC(".maps");

/*
 * Takes the entry away if it is dead: true when none is there now. One CPU at a time, and each looks
 * again: else the slower of two, which found the same entry dead, would delete what the faster has
 * put in its place.
 */
static __always_inline bool nat_entry_bury(const struct nat_key *key)
{
	const struct nat_entry *present;
	__u32 claim = 1;
	bool alive;

	if (bpf_map_update_elem(&nat_claims, key, &claim, BPF_NOEXIST))
		return false;
	present = bpf_map_lookup_elem(&cilium_snat_external, key);
	alive = present && nat_entry_alive(key, present);
	if (present && !alive)
		bpf_map_delete_elem(&cilium_snat_external, key);
	bpf_map_delete_elem(&nat_claims, key);
	return !alive;
}

static __always_inline __u32 nat_socket_tuple(struct bpf_sock_tuple *tuple,
					      const struct nat_key *key)
{
	if (!addr_is_mapped(&key->addr)) {
		__builtin_memcpy(tuple->ipv6.saddr, &key->peer, sizeof(key->peer));
		__builtin_memcpy(tuple->ipv6.daddr, &key->addr, sizeof(key->addr));
		tuple->ipv6.sport = key->peer_port;
		tuple->ipv6.dport = key->port;
		return sizeof(tuple->ipv6);
	}
	tuple->ipv4.saddr = key->peer.words[3];
	tuple->ipv4.daddr = key->addr.words[3];
	tuple->ipv4.sport = key->peer_port;
	tuple->ipv4.dport = key->port;
	return sizeof(tuple->ipv4);
}

/* True when a socket of the host would get what the peer sends to this port. */
static __noinline bool nat_port_has_socket(struct __sk_buff *skb, const struct nat_key *key)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sock;
	__u32 n_bytes = nat_socket_tuple(&tuple, key);

	if (key->protocol == IPPROTO_TCP)
		sock = bpf_skc_lookup_tcp(skb, &tuple, n_bytes, BPF_F_CURRENT_NETNS, 0);
	else if (key->protocol == IPPROTO_UDP)
		sock = bpf_sk_lookup_udp(skb, &tuple, n_bytes, BPF_F_CURRENT_NETNS, 0);
	else
		return false;
	if (!sock)
		return false;
	bpf_sk_release(sock);
	return true;
}

/* True when the port is that of a service, whose clients may be anybody. */
static __always_inline bool nat_port_has_service(const struct nat_key *key)
{
	return node_config.enable_node_port &&
	       service_frontend_get(&key->addr, key->port, key->protocol);
}

/* What the search works on. Global functions take no pointers before Linux 5.12. */
struct nat_candidate {
	struct nat_key key;
	struct nat_entry entry;
	__u32 at; /* of the walk, from nat_port_min */
	__u32 step;
};

/* Private to this file: programs run to their end on one CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nat_candidate);
} nat_scratch SEC(".maps");

static __always_inline struct nat_candidate *nat_candidate_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&nat_scratch, &zero);
}

/*
 * Takes the port for the candidate: 1 when it is now, or was already, the candidate's own, else 0.
 * A global function, which the verifier judges once and not in each round of the caller's loop.
 */
__attribute__((noinline)) int nat_port_try(struct __sk_buff *skb, __u32 port)
{
	struct nat_candidate *candidate = nat_candidate_get();
	const struct nat_entry *present;

	if (!candidate)
		return 0;
	candidate->key.port = bpf_htons(port);
	present = bpf_map_lookup_elem(&cilium_snat_external, &candidate->key);
	if (present) {
		if (nat_is_owner(present, &candidate->entry))
			return 1;
		if (nat_entry_alive(&candidate->key, present) || !nat_entry_bury(&candidate->key))
			return 0;
	}
	if (nat_port_has_socket(skb, &candidate->key) || nat_port_has_service(&candidate->key))
		return 0;
	return !bpf_map_update_elem(&cilium_snat_external, &candidate->key, &candidate->entry,
				    BPF_NOEXIST);
}

/* The least 2^n − 1 that is not less than value. */
static __always_inline __u32 nat_mask(__u32 value)
{
	value |= value >> 1;
	value |= value >> 2;
	value |= value >> 4;
	return value | value >> 8;
}

/* True where the connection's own port may be tried. Echo identifiers are no ports of the node. */
static __always_inline bool nat_may_keep_port(__u8 protocol, __u32 own, __u32 n_ports)
{
	switch (protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
		return own < n_ports;
	default:
		return true;
	}
}

/*
 * The next steps of a random odd width from a random start. Over a power of two such a walk meets
 * every value once and does not queue up behind long runs of ports in use, as steps of one would. 1
 * when one of the ports was taken, else 0. Global for the same reason as nat_port_try().
 */
__attribute__((noinline)) int nat_port_walk(struct __sk_buff *skb)
{
	__u32 min = node_config.nat_port_min, n_ports = node_config.nat_port_max - min + 1;
	struct nat_candidate *candidate = nat_candidate_get();
	__u32 mask = nat_mask(n_ports - 1);

	if (!candidate)
		return 0;
	for (int i = 0; i < NAT_PROBES_A_ROUND; i++) {
		candidate->at = (candidate->at + candidate->step) & mask;
		if (candidate->at < n_ports && nat_port_try(skb, min + candidate->at))
			return 1;
	}
	return 0;
}

/* Takes a port, which it leaves in key->port: the one that stands there where it is free. */
static __noinline int nat_port_allocate(struct __sk_buff *skb, struct nat_key *key,
					const struct nat_entry *entry)
{
	__u32 min = node_config.nat_port_min, n_ports = node_config.nat_port_max - min + 1;
	struct nat_candidate *candidate = nat_candidate_get();
	__u32 own = bpf_ntohs(key->port);

	if (!candidate)
		return DROP(NAT, NO_MAPPING_FOR_NAT_MASQUERADE);
	candidate->key = *key;
	candidate->entry = *entry;
	if (nat_may_keep_port(key->protocol, own - min, n_ports) && nat_port_try(skb, own))
		return 0;
	/* Another port would need a new CRC over the whole packet. */
	if (key->protocol == IPPROTO_SCTP)
		return DROP(NAT, UNSUPPORTED_PROTOCOL_FOR_NAT_MASQUERADE);
	candidate->at = bpf_get_prandom_u32();
	candidate->step = bpf_get_prandom_u32() | 1;
	for (int i = 0; i < NAT_PROBE_ROUNDS; i++) {
		if (!nat_port_walk(skb))
			continue;
		key->port = candidate->key.port;
		return 0;
	}
	return DROP(NAT, NO_MAPPING_FOR_NAT_MASQUERADE);
}
