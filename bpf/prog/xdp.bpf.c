/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Services on the node's devices, before the kernel makes a buffer of a frame: what comes for a back end
 * of another node is sent on, and its answers are sent back. The same maps and the same decisions as in
 * tc, for the frequent alone: whatever needs more goes on to cil_from_netdev as it came.
 */
#include "bpf/lib/metrics.h"
#include "bpf/lib/service_flow.h"
#include "bpf/lib/xdp_dsr.h"
#include "bpf/lib/xdp_packet.h"
#include "abi/nat.h"

char _license[] SEC("license") __weak = "Dual BSD/GPL";

/* The frame leaves by the device that was found. */
static __always_inline int xdp_send(struct xdp_md *ctx, const struct bpf_fib_lookup *fib,
				    __u32 n_bytes)
{
	metrics_add(METRIC_REASON_INTERFACE, METRIC_DIR_INGRESS, n_bytes);
	metrics_add(METRIC_REASON_INTERFACE, METRIC_DIR_EGRESS, n_bytes);
	metrics_add(METRIC_REASON_FORWARDED, METRIC_DIR_EGRESS, n_bytes);
	return fib->ifindex == ctx->ingress_ifindex ? XDP_TX : bpf_redirect(fib->ifindex, 0);
}

static __always_inline int xdp_drop(int verdict, __u32 n_bytes)
{
	metrics_add(METRIC_REASON_INTERFACE, METRIC_DIR_INGRESS, n_bytes);
	metrics_add_drop(verdict, METRIC_DIR_INGRESS, n_bytes);
	return XDP_DROP;
}

/* Of a device that takes frames; NULL: the frame has to go on to tc. */
static __always_inline const struct device_info *xdp_device(const struct xdp_md *ctx,
							    const struct bpf_fib_lookup *fib)
{
	const struct device_info *device = bpf_map_lookup_elem(&cilium_devices, &fib->ifindex);

	if (!device || (fib->ifindex != ctx->ingress_ifindex && !(device->flags & DEVICE_F_XDP)))
		return NULL;
	return device;
}

/* ---- to back ends that answer by themselves ---- */

static __always_inline int xdp_dsr_ipip(struct xdp_md *ctx, struct packet *packet, struct flow *to)
{
	const struct flow *flow = &packet->flow;
	bool ipv6 = packet_is_ipv6(packet), is_written;
	const struct device_info *device;
	struct bpf_fib_lookup fib;
	struct addr source;

	to->sport = to->dport = 0;
	to->protocol = ipv6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
	if (!xdp_route(ctx, to, dsr_extra_bytes(flow), &fib))
		return XDP_PASS;
	device = xdp_device(ctx, &fib);
	if (!device)
		return XDP_PASS;
	dsr_outer_source(&source, flow, device);
	if (addr_is_zero(&source))
		return XDP_PASS;
	is_written = ipv6 ? xdp_encapsulate6(ctx, flow, &source, &to->daddr, &fib)
			  : xdp_encapsulate4(ctx, flow, &source, &to->daddr, &fib);
	if (!is_written)
		return DROP(XDP, ERROR_WRITING_TO_PACKET);
	return xdp_send(ctx, &fib, flow->end);
}

static __always_inline int xdp_dsr(struct xdp_md *ctx, struct packet *packet, struct flow *to)
{
	const struct flow *flow = &packet->flow;
	struct bpf_fib_lookup fib;

	if (node_config.dsr_dispatch == DSR_DISPATCH_IPIP)
		return xdp_dsr_ipip(ctx, packet, to);
	if (!xdp_route(ctx, to, dsr_extra_bytes(flow), &fib) || !xdp_device(ctx, &fib))
		return XDP_PASS;
	if (!xdp_write(ctx, flow, to, &fib) ||
	    (dsr_needs_option(flow) && !xdp_put_option(ctx, flow)))
		return DROP(XDP, ERROR_WRITING_TO_PACKET);
	return xdp_send(ctx, &fib, flow->end);
}

/* ---- to back ends that answer to this node ---- */

/* As nat_is_still_here(). */
static __always_inline bool xdp_has_addr(const struct device_info *device, const struct addr *addr,
					 bool ipv6)
{
	const struct endpoint_info *owner;

	if (likely(addr_equal(addr, ipv6 ? &device->addr6 : &device->addr4)))
		return true;
	owner = endpoint_get(addr);
	return owner && endpoint_is_host(owner);
}

/* Whether the way back leads to the connection; peer is the back end. */
static __always_inline bool xdp_nat_is_ours(const struct flow *flow, const struct ct_entry *ct)
{
	const struct nat_entry *entry;
	struct nat_key key = {
		.peer = flow->daddr,
		.addr = ct->nat_addr,
		.peer_port = flow->dport,
		.port = ct->nat_port,
		.protocol = flow->protocol,
	};

	entry = bpf_map_lookup_elem(&cilium_snat_external, &key);
	return entry && !entry->generation && entry->port == flow->sport &&
	       addr_equal(&entry->addr, &flow->saddr);
}

/* The connection of a packet, whose flow is that between client and back end; or NULL. */
static __always_inline struct ct_entry *xdp_connection(const struct packet *packet,
						       const struct flow *flow, bool from_client)
{
	struct ct_entry *entry;
	struct ct_key key;
	bool side = ct_key_init(&key, flow);

	entry = ct_get(&key);
	if (!entry || !ct_entry_matches(entry, packet, side) || entry->nat != CT_NAT_SOURCE ||
	    (entry->flags & (CT_F_SERVICE | CT_F_DSR | CT_F_LOOPBACK | CT_F_VIA_STACK)) !=
		    CT_F_SERVICE ||
	    ct_entry_from_initiator(entry, side) != from_client)
		return NULL;
	return entry;
}

/* Once it is certain that tc does not see the packet. */
static __always_inline void xdp_touch(struct packet *packet, struct ct_entry *ct, bool from_client)
{
	bool initiator = ct->flags & CT_F_INITIATOR_1;

	ct_touch(packet, ct, initiator == from_client, packet->flow.end);
}

static __always_inline int xdp_snat(struct xdp_md *ctx, struct packet *packet, struct flow *to)
{
	const struct flow *flow = &packet->flow;
	const struct device_info *device;
	struct bpf_fib_lookup fib;
	struct ct_entry *ct;

	/* A port is searched for in tc. */
	if (service_is_opening(flow))
		return XDP_PASS;
	ct = xdp_connection(packet, to, true);
	if (!ct || ct->service_port != flow->dport ||
	    !addr_equal(&ct->service_addr, &flow->daddr) || !xdp_nat_is_ours(to, ct))
		return XDP_PASS;
	to->saddr = ct->nat_addr;
	to->sport = ct->nat_port;
	if (!xdp_route(ctx, to, 0, &fib))
		return XDP_PASS;
	device = xdp_device(ctx, &fib);
	if (!device || !xdp_has_addr(device, &to->saddr, packet_is_ipv6(packet)))
		return XDP_PASS;
	xdp_touch(packet, ct, true);
	if (!xdp_write(ctx, flow, to, &fib))
		return DROP(XDP, ERROR_WRITING_TO_PACKET);
	return xdp_send(ctx, &fib, flow->end);
}

/*
 * To a front end, whose back end is chosen: an XDP verdict, or a drop. Global, as xdp_reverse(): a stack
 * of its own, and the verifier follows it once.
 */
__weak __attribute__((noinline)) int xdp_forward(struct xdp_md *ctx)
{
	struct packet *packet = packet_get(), *inner = packet_inner_get();
	const struct lb_backend *backend;
	struct flow *to;

	if (!packet || !inner)
		return XDP_PASS;
	to = &inner->flow;
	backend = service_backend_get(packet->service_backend);
	/* Endpoints have policies, and a device of their own. */
	if (!backend || backend->flags & LB_BACKEND_F_LOCAL)
		return XDP_PASS;
	*to = packet->flow;
	to->daddr = packet->backend_addr;
	to->dport = packet->backend_port;
	if (packet->service_flags & LB_FRONTEND_F_DSR)
		return xdp_dsr(ctx, packet, to);
	return xdp_snat(ctx, packet, to);
}

static __always_inline int xdp_answer(struct xdp_md *ctx, struct packet *packet, struct flow *to)
{
	const struct flow *flow = &packet->flow;
	struct nat_key key = {
		.peer = flow->saddr,
		.addr = flow->daddr,
		.peer_port = flow->sport,
		.port = flow->dport,
		.protocol = flow->protocol,
	};
	const struct nat_entry *entry = bpf_map_lookup_elem(&cilium_snat_external, &key);
	struct bpf_fib_lookup fib;
	struct ct_entry *ct;

	if (!entry || entry->generation)
		return XDP_PASS;
	*to = *flow;
	to->daddr = entry->addr;
	to->dport = entry->port;
	ct = xdp_connection(packet, to, false);
	if (!ct || ct->nat_port != flow->dport || !addr_equal(&ct->nat_addr, &flow->daddr))
		return XDP_PASS;
	to->saddr = ct->service_addr;
	to->sport = ct->service_port;
	if (!xdp_route(ctx, to, 0, &fib) || !xdp_device(ctx, &fib))
		return XDP_PASS;
	xdp_touch(packet, ct, false);
	if (!xdp_write(ctx, flow, to, &fib))
		return DROP(XDP, ERROR_WRITING_TO_PACKET);
	return xdp_send(ctx, &fib, flow->end);
}

/* To a port of this node by which it has sent something on: an XDP verdict, or a drop. */
__weak __attribute__((noinline)) int xdp_reverse(struct xdp_md *ctx)
{
	struct packet *packet = packet_get(), *inner = packet_inner_get();

	return packet && inner ? xdp_answer(ctx, packet, &inner->flow) : XDP_PASS;
}

SEC("xdp") int cil_xdp_entry(struct xdp_md *ctx)
{
	struct packet *packet;
	int verdict;

	if (!node_config.enable_node_port)
		return XDP_PASS;
	packet = packet_begin(0);
	if (!packet || !xdp_parse(ctx, &packet->flow))
		return XDP_PASS;
	verdict = service_decide(packet, LB_SCOPE_EXTERNAL | SERVICE_TO_NODE);
	if (verdict == SERVICE_FOUND)
		verdict = xdp_forward(ctx);
	else if (verdict == SERVICE_NONE)
		verdict = xdp_reverse(ctx);
	else if (packet->service & PACKET_SERVICE_REJECT)
		return XDP_PASS; /* to be answered */
	return verdict < 0 ? xdp_drop(verdict, packet->flow.end) : verdict;
}
