/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What becomes of a packet to a front end, and that its connection keeps its back end: an entry of
 * CT_KIND_SERVICE, between client and front end. Nothing here touches the packet: tc and XDP do that,
 * each in its way, with what stands in struct packet then.
 */
#pragma once

#include "bpf/lib/ct_entry.h"
#include "bpf/lib/endpoint.h"
#include "bpf/lib/explain.h"
#include "bpf/lib/ipcache.h"
#include "bpf/lib/service.h"

/* Back ends that are tried for one with which the client has no other connection. */
#define SERVICE_TRIES 4

/* With an enum lb_scope: the destination is an address of this node. */
#define SERVICE_TO_NODE 0x02

enum service_result {
	SERVICE_NONE = 0,  /* not to a service; nothing was changed */
	SERVICE_FOUND = 1, /* it goes to packet->backend_addr */
	SERVICE_DIRECT =
		2, /* … of another node, which answers by itself; of service_forward() alone */
};

static __always_inline enum lb_scope service_scope(__u32 how)
{
	return how & LB_SCOPE_INTERNAL ? LB_SCOPE_INTERNAL : LB_SCOPE_EXTERNAL;
}

static __always_inline const struct addr *service_loopback_addr(const struct packet *packet)
{
	return (const struct addr *)(packet_is_ipv6(packet) ? &node_config.loopback6
							    : &node_config.loopback4);
}

/* Whether that is what stands for an endpoint that reached itself. */
static __always_inline bool service_is_loopback(const struct packet *packet,
						const struct addr *addr)
{
	return addr_equal(addr, service_loopback_addr(packet)) && !addr_is_zero(addr);
}

/* ---- the front end ---- */

/* NodePort on an address of another node: translated here, which saves the way there. */
static __noinline const struct lb_frontend *service_surrogate_get(const struct packet *packet)
{
	const struct lb_frontend *frontend;
	const struct ipcache_info *info;
	struct addr any = {};

	if (!service_is_node_port(packet->flow.dport))
		return NULL;
	info = ipcache_get(&packet->flow.daddr);
	if (!info || !(info->flags & IPCACHE_F_REMOTE_NODE))
		return NULL;
	if (!packet_is_ipv6(packet))
		addr_set_ipv4(&any, 0);
	frontend = service_frontend_get(&any, packet->flow.dport, packet->flow.protocol);
	/* Which back ends are "local" is for that node to say. */
	return frontend && frontend->flags & LB_FRONTEND_F_EXTERNAL_LOCAL ? NULL : frontend;
}

/* NULL: the packet is to no service. */
static __always_inline const struct lb_frontend *service_find(const struct packet *packet,
							      __u32 how)
{
	const struct flow *flow = &packet->flow;
	const struct lb_frontend *frontend =
		service_frontend_get(&flow->daddr, flow->dport, flow->protocol);

	if (frontend || how & SERVICE_TO_NODE)
		return frontend;
	if (how & LB_SCOPE_INTERNAL) {
		frontend = service_surrogate_get(packet);
		if (frontend)
			return frontend;
	}
	return service_wildcard_get(&flow->daddr);
}

static __noinline bool service_is_skipped(const struct packet *packet)
{
	struct lb_skip_key key = {
		.addr = packet->flow.daddr,
		.port = packet->flow.dport,
		.protocol = packet->flow.protocol,
		.endpoint = packet->endpoint[SRC],
	};

	return bpf_map_lookup_elem(&cilium_skip_lb, &key) != NULL;
}

/* Whether the client may use the front end: SERVICE_FOUND, SERVICE_NONE or a drop. */
static __always_inline int service_enter(const struct packet *packet,
					 const struct lb_frontend *frontend, enum lb_scope scope)
{
	/* A host port on a loopback address: sockets of the host alone. */
	if (frontend->flags & LB_FRONTEND_F_LOOPBACK)
		return SERVICE_NONE;
	if (scope == LB_SCOPE_INTERNAL)
		return frontend->type == LB_TYPE_LOCAL_REDIRECT && service_is_skipped(packet)
			       ? SERVICE_NONE
			       : SERVICE_FOUND;
	/* Groups, broadcast, addresses of the link: nobody forwards them. */
	if (!addr_is_routable(&packet->flow.saddr))
		return SERVICE_NONE;
	if (!(frontend->flags & LB_FRONTEND_F_EXTERNAL))
		return DROP(SERVICE_FLOW, IS_A_CLUSTERIP);
	/* Nor does anything outside have the front end's address. */
	if (endpoint_get(&packet->flow.saddr) ||
	    addr_equal(&packet->flow.saddr, &packet->flow.daddr))
		return DROP(SERVICE_FLOW, INVALID_SOURCE_IP);
	if (!service_admits(frontend, &packet->flow.saddr))
		return DROP(SERVICE_FLOW, DENIED_BY_LB_SRC_RANGE_CHECK);
	return SERVICE_FOUND;
}

/* ---- the entry ---- */

/* The connection between the packet's sender, or its receiver, and a front end. NULL: none. */
static __always_inline struct ct_entry *service_entry_get(struct ct_key *key,
							  const struct flow *flow)
{
	struct ct_entry *entry;

	ct_key_init(key, flow);
	key->kind = CT_KIND_SERVICE;
	entry = ct_get(key);
	return entry && entry->expires > ct_now() ? entry : NULL;
}

/* What the packet goes to, for who rewrites it and for its connection. */
static __always_inline void service_set(struct packet *packet, const struct lb_backend *backend,
					__u32 id)
{
	const struct flow *flow = &packet->flow;

	packet->service |= PACKET_SERVICE_FORWARD;
	packet->backend_addr = backend->addr;
	packet->backend_port = backend->port;
	packet->service_backend = id;
	packet->backend_flags = backend->flags;
	if (unlikely(packet->generation[SRC] && addr_equal(&backend->addr, &flow->saddr)))
		packet->service |= PACKET_SERVICE_LOOPBACK;
}

/*
 * Whether the client already has another connection to that back end, by which its answers would be
 * taken for the other's: directly, or through another front end.
 */
static __noinline bool service_collides(const struct packet *packet,
					const struct lb_backend *backend)
{
	const struct flow *flow = &packet->flow;
	struct packet *other = packet_inner_begin();
	const struct ct_entry *entry;
	bool side;

	if (!other)
		return true;
	other->flow.saddr = flow->saddr;
	if (packet->generation[SRC] && addr_equal(&backend->addr, &flow->saddr))
		other->flow.saddr = *service_loopback_addr(packet);
	other->flow.daddr = backend->addr;
	other->flow.sport = flow->sport;
	other->flow.dport = backend->port;
	other->flow.protocol = flow->protocol;
	entry = ct_find(&other->flow);
	if (likely(!entry) || entry->expires <= ct_now())
		return false;
	side = ct_source_side(&other->flow);
	if (entry->generation[side] != packet->generation[SRC])
		return false;
	if (flow_is_opening(flow) && ct_entry_closing(entry))
		return false;
	return !(entry->flags & CT_F_SERVICE) || entry->service_port != flow->dport ||
	       !addr_equal(&entry->service_addr, &flow->daddr);
}

static __noinline int service_insert(struct packet *packet, const struct ct_key *key)
{
	const struct flow *flow = &packet->flow;
	struct ct_entry entry = {
		.flags = ct_source_side(flow) ? CT_F_INITIATOR_1 : 0,
		.tx_flags = flow->tcp_flags,
		.last_report = ct_now(),
		.service_addr = packet->backend_addr,
		.service_port = packet->backend_port,
		.backend = packet->service_backend,
	};
	long error;

	entry.expires = ct_now() + service_timeout(&entry, flow->protocol);
	if (flow->protocol == IPPROTO_TCP)
		error = bpf_map_update_elem(&cilium_ct_tcp_global, key, &entry, BPF_ANY);
	else
		error = bpf_map_update_elem(&cilium_ct_any_global, key, &entry, BPF_ANY);
	packet->ext_error = error;
	return error ? DROP(SERVICE_FLOW, CT_MAP_INSERTION_FAILED) : SERVICE_FOUND;
}

/* Nobody is there to send to, as far as this client may be sent. */
static __always_inline int service_refuse(struct packet *packet)
{
	if (node_config.reject_without_backend)
		packet->service |= PACKET_SERVICE_REJECT;
	return DROP(SERVICE_FLOW, SERVICE_BACKEND_NOT_FOUND);
}

/* A back end for a new connection: SERVICE_FOUND, or a drop. */
static __noinline int service_open(struct packet *packet, const struct lb_frontend *frontend,
				   enum lb_scope scope, const struct ct_key *key)
{
	const struct flow *flow = &packet->flow;
	__u32 set = LB_SET(frontend->service, service_is_local(frontend, scope));
	const struct lb_backend *backend;
	bool is_found = false;
	__u32 id;

	id = service_choose(frontend, scope, flow, &flow->saddr, true);
#pragma clang loop unroll(disable)
	for (int i = 0; i < SERVICE_TRIES && id; i++) {
		backend = service_backend_get(id);
		is_found |= backend != NULL;
		if (backend && likely(!service_collides(packet, backend))) {
			service_set(packet, backend, id);
			packet->service |= PACKET_SERVICE_CHOSEN;
			return explain_is_on(packet) ? SERVICE_FOUND : service_insert(packet, key);
		}
		id = service_pick_random(set);
	}
	return is_found ? DROP(SERVICE_FLOW, CT_CANNOT_CREATE_ENTRY_FROM_PACKET)
			: service_refuse(packet);
}

/* The back end of the packet to the front end: SERVICE_FOUND, or a drop. */
static __always_inline int service_continue(struct packet *packet,
					    const struct lb_frontend *frontend, enum lb_scope scope)
{
	const struct flow *flow = &packet->flow;
	bool is_opening = flow_is_opening(flow);
	const struct lb_backend *backend;
	struct ct_entry *entry;
	struct ct_key key;

	entry = service_entry_get(&key, flow);
	if (!entry)
		return service_open(packet, frontend, scope, &key);
	backend = service_backend_get(entry->backend);
	if (!backend || backend->service != frontend->service) {
		/* Another would not know the connection. */
		if (flow->protocol == IPPROTO_TCP && !is_opening)
			return DROP(SERVICE_FLOW, SERVICE_BACKEND_NOT_FOUND);
		return service_open(packet, frontend, scope, &key);
	}
	if (is_opening && (service_is_closing(entry) ||
			   !service_takes(backend, frontend, service_is_local(frontend, scope))))
		return service_open(packet, frontend, scope, &key);
	service_set(packet, backend, entry->backend);
	if (!explain_is_on(packet))
		service_touch(entry, &entry->tx_flags, flow);
	return SERVICE_FOUND;
}

/*
 * What becomes of a packet, no ICMP error, that may be to a service: an enum service_result, or a drop,
 * to be answered where packet->service says so. how: enum lb_scope, SERVICE_TO_NODE. Needs what is known
 * of the sender; of the receiver nothing.
 */
static __always_inline int service_decide(struct packet *packet, __u32 how)
{
	const struct lb_frontend *frontend = service_find(packet, how);
	enum lb_scope scope = service_scope(how);
	int ret;

	if (likely(!frontend))
		return SERVICE_NONE;
	ret = service_enter(packet, frontend, scope);
	if (ret == SERVICE_NONE)
		return ret;
	/* Before any drop, whose event names the service. */
	packet->service = PACKET_SERVICE_KNOWN;
	packet->service_addr = packet->flow.daddr;
	packet->service_port = packet->flow.dport;
	packet->service_backend = 0;
	packet->service_flags = frontend->flags;
	if (ret < 0)
		return ret;
	if (frontend->flags & LB_FRONTEND_F_WILDCARD)
		return service_refuse(packet);
	return service_continue(packet, frontend, scope);
}

/* What the connection, whose first packet this is, has to remember. */
static __always_inline void service_remember(struct ct_entry *entry, const struct packet *packet)
{
	entry->flags |= CT_F_SERVICE;
	if (packet->service & PACKET_SERVICE_LOOPBACK)
		entry->flags |= CT_F_LOOPBACK;
	if (packet->service & PACKET_SERVICE_DSR)
		entry->flags |= CT_F_DSR;
	entry->service_addr = packet->service_addr;
	entry->service_port = packet->service_port;
	entry->backend = packet->service_backend;
}
