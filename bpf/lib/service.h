/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Which back end a packet to a service goes to. Nothing here touches the packet, so that sockets, tc and
 * XDP decide alike: it reads struct flow and the maps. service_flow.h keeps the decision.
 */
#pragma once

#include "bpf/lib/config.h"
#include "bpf/lib/flow_hash.h"
#include "bpf/lib/packet.h"

/* Picks of a slot until one is found: a set that shrinks takes slots away from under its readers. */
#define SERVICE_PICKS 4

static __always_inline const struct lb_frontend *service_frontend_get(const struct addr *addr,
								      __be16 port, __u8 protocol)
{
	struct lb_frontend_key key = {.addr = *addr, .port = port, .protocol = protocol};

	return bpf_map_lookup_elem(&cilium_lb_services, &key);
}

static __always_inline bool service_is_node_port(__be16 port)
{
	__u16 number = bpf_ntohs(port);

	return number >= node_config.node_port_min && number <= node_config.node_port_max;
}

/* Every port of the address that is no service's: NULL, or an entry with LB_FRONTEND_F_WILDCARD. */
static __always_inline const struct lb_frontend *service_wildcard_get(const struct addr *addr)
{
	return service_frontend_get(addr, 0, 0);
}

static __always_inline const struct lb_backend *service_backend_get(__u32 id)
{
	return bpf_map_lookup_elem(&cilium_lb_backends, &id);
}

/* Whether only back ends of this node serve a client that comes from there. */
static __always_inline bool service_is_local(const struct lb_frontend *frontend,
					     enum lb_scope scope)
{
	return frontend->flags & (scope == LB_SCOPE_EXTERNAL ? LB_FRONTEND_F_EXTERNAL_LOCAL
							     : LB_FRONTEND_F_INTERNAL_LOCAL);
}

/* Whether a client outside may use the front end, as far as loadBalancerSourceRanges says. */
static __always_inline bool service_admits(const struct lb_frontend *frontend,
					   const struct addr *client)
{
	struct lb_source_range_key key = {.prefix_len = LB_SOURCE_RANGE_BITS + 128,
					  .service = frontend->service};
	bool is_named;

	if (!(frontend->flags & LB_FRONTEND_F_SOURCE_RANGES))
		return true;
	__builtin_memcpy(&key.addr, client, sizeof(key.addr));
	is_named = bpf_map_lookup_elem(&cilium_lb_source_range, &key) != NULL;
	return is_named != !!(frontend->flags & LB_FRONTEND_F_DENY_RANGES);
}

/* ---- the choice ---- */

static __always_inline __u32 service_now(void)
{
	return bpf_ktime_get_ns() / 1000000000;
}

/* number: of 32 bits, any of which is as likely as another. 0: there is none. */
static __always_inline __u32 service_pick_slot(__u32 set, __u32 number)
{
	const struct lb_set *found;
	const struct lb_slot *slot;
	struct lb_slot_key key = {.set = set};

	for (int i = 0; i < SERVICE_PICKS; i++) {
		found = bpf_map_lookup_elem(&cilium_lb_sets, &set);
		if (!found || !found->n_slots)
			return 0;
		/* The high half of a product is as uniform as a remainder, and no division. */
		key.slot = (__u64)number * found->n_slots >> 32;
		slot = bpf_map_lookup_elem(&cilium_lb_slots, &key);
		if (slot)
			return slot->backend;
	}
	return 0;
}

static __always_inline __u32 service_pick_random(__u32 set)
{
	return service_pick_slot(set, bpf_get_prandom_u32());
}

/* hash: of the flow, under the node's seeds. 0: there is no table. */
static __always_inline __u32 service_pick_maglev(__u32 set, __u32 hash)
{
	const struct lb_maglev_chunk *chunk;
	struct lb_maglev_key key = {.set = set};
	__u32 position;

	if (!node_config.maglev_size)
		return 0;
	position = hash % node_config.maglev_size;
	key.chunk = position / LB_MAGLEV_CHUNK;
	chunk = bpf_map_lookup_elem(&cilium_lb_maglev, &key);
	return chunk ? chunk->backends[position % LB_MAGLEV_CHUNK] : 0;
}

static __always_inline bool service_takes(const struct lb_backend *backend,
					  const struct lb_frontend *frontend, bool local)
{
	return backend->service == frontend->service &&
	       backend->flags & (local ? LB_BACKEND_F_IN_LOCAL : LB_BACKEND_F_IN_ALL);
}

/*
 * The back end that the client has had, or 0; it has it for another timeout then, unless is_asked: then
 * nothing is written. now: service_now().
 */
static __always_inline __u32 service_affinity_get(const struct lb_frontend *frontend,
						  const struct addr *client, bool local, __u32 now,
						  bool is_asked)
{
	struct lb_affinity_key key = {.client = *client, .service = frontend->service};
	struct lb_affinity *affinity = bpf_map_lookup_elem(&cilium_lb_affinity, &key);
	const struct lb_backend *backend;

	if (!affinity || now - affinity->last_used > frontend->affinity_timeout)
		return 0;
	backend = service_backend_get(affinity->backend);
	if (!backend || !service_takes(backend, frontend, local))
		return 0;
	if (affinity->last_used != now && !is_asked)
		affinity->last_used = now;
	return affinity->backend;
}

static __always_inline void service_affinity_set(const struct lb_frontend *frontend,
						 const struct addr *client, __u32 backend,
						 __u32 now)
{
	struct lb_affinity_key key = {.client = *client, .service = frontend->service};
	struct lb_affinity affinity = {.backend = backend, .last_used = now};

	bpf_map_update_elem(&cilium_lb_affinity, &key, &affinity, BPF_ANY);
}

/*
 * A back end for a new connection of the flow, whose destination is the front end: its id, or 0 where
 * there is none. client: as in struct lb_affinity_key. is_hashed: the flow has a source port, and its hash
 * decides, by Maglev's table where the front end says so; else chance does, and flow may be NULL.
 */
static __always_inline __u32 service_choose(const struct lb_frontend *frontend, enum lb_scope scope,
					    const struct flow *flow, const struct addr *client,
					    bool is_hashed)
{
	bool local = service_is_local(frontend, scope);
	__u32 now = frontend->affinity_timeout ? service_now() : 0;
	__u32 set = LB_SET(frontend->service, local);
	bool is_asked = flow && flow->flags & FLOW_F_EXPLAIN; /* sockets have none */
	bool by_table = is_hashed && frontend->algorithm == LB_ALGORITHM_MAGLEV;
	__u32 backend = 0, number;

	if (frontend->affinity_timeout) {
		backend = service_affinity_get(frontend, client, local, now, is_asked);
		if (backend)
			return backend;
	}
	/* By the flow, so that a connection whose entry was pushed out finds its back end again. */
	if (is_hashed && (by_table || !frontend->affinity_timeout))
		number = flow_hash(&flow->saddr, &flow->daddr,
				   frontend->affinity_timeout ? 0 : flow->sport, flow->dport,
				   flow->protocol, node_config.maglev_seed);
	else
		number = bpf_get_prandom_u32();
	if (by_table)
		backend = service_pick_maglev(set, number);
	if (!backend)
		backend = service_pick_slot(set, number);
	if (backend && frontend->affinity_timeout && !is_asked)
		service_affinity_set(frontend, client, backend, now);
	return backend;
}
