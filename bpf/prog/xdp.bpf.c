/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Services on the node's devices, before the kernel makes a buffer of a frame: what comes for a back end
 * of another node is sent on, and its answers are sent back. The same maps and the same decisions as in
 * tc, for the frequent alone: whatever needs more goes on to cil_from_netdev as it came.
 */
#include "bpf/lib/metrics.h"
#include "bpf/lib/service_flow.h"
#include "bpf/lib/xdp_drop.h"
#include "bpf/lib/xdp_dsr.h"
#include "bpf/lib/xdp_packet.h"
#include "abi/nat.h"

char _license[] SEC("license") __weak = "Dual BSD/GPL";

#define XDP_NOT_OURS 0 /* in place of XDP_ABORTED, which nothing here returns */

/* The frame leaves by the device that was found. */
static __always_inline int xdp_send(struct xdp_md *ctx, const struct bpf_fib_lookup *fib,
				    __u32 n_bytes)
{
	metrics_add(METRIC_REASON_INTERFACE, METRIC_DIR_INGRESS, n_bytes);
	metrics_add(METRIC_REASON_INTERFACE, METRIC_DIR_EGRESS, n_bytes);
	metrics_add(METRIC_REASON_FORWARDED, METRIC_DIR_EGRESS, n_bytes);
	return fib->ifindex == ctx->ingress_ifindex ? XDP_TX : bpf_redirect(fib->ifindex, 0);
}

/* Of a device that frames may be handed to; NULL: the frame has to go on to tc. */
static __always_inline const struct device_info *xdp_device(const struct xdp_md *ctx,
							    const struct bpf_fib_lookup *fib)
{
	const struct device_info *device = bpf_map_lookup_elem(&cilium_devices, &fib->ifindex);

	if (!device || (fib->ifindex != ctx->ingress_ifindex && !(device->flags & DEVICE_F_XDP)))
		return NULL;
	return device;
}

static __always_inline bool xdp_takes(const struct xdp_md *ctx, const struct bpf_fib_lookup *fib)
{
	return likely(fib->ifindex == ctx->ingress_ifindex) || xdp_device(ctx, fib);
}

/* ---- to back ends that answer by themselves ---- */

/* The packet, as it came, in another one to the back end. */
static __always_inline int xdp_dsr_ipip(struct xdp_md *ctx, const struct packet *packet)
{
	const struct flow *flow = &packet->flow;
	bool ipv6 = packet_is_ipv6(packet), is_written;
	struct packet *outer = packet_inner_get();
	const struct device_info *device;
	struct bpf_fib_lookup fib;
	struct addr source;

	if (!outer)
		return XDP_PASS;
	outer->flow = *flow;
	outer->flow.daddr = packet->backend_addr;
	outer->flow.sport = outer->flow.dport = 0;
	outer->flow.protocol = ipv6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
	if (!xdp_route(ctx, &outer->flow, dsr_extra_bytes(flow), &fib))
		return XDP_PASS;
	device = xdp_device(ctx, &fib);
	if (!device)
		return XDP_PASS;
	dsr_outer_source(&source, flow, device);
	if (addr_is_zero(&source))
		return XDP_PASS;
	is_written = ipv6 ? xdp_encapsulate6(ctx, flow, &source, &outer->flow.daddr, &fib)
			  : xdp_encapsulate4(ctx, flow, &source, &outer->flow.daddr, &fib);
	if (!is_written)
		return DROP(XDP, ERROR_WRITING_TO_PACKET);
	return xdp_send(ctx, &fib, flow->end);
}

static __always_inline int xdp_dsr(struct xdp_md *ctx, struct packet *packet,
				   const struct flow *from)
{
	struct bpf_fib_lookup fib;

	if (!xdp_route(ctx, &packet->flow, dsr_extra_bytes(from), &fib) || !xdp_takes(ctx, &fib))
		return XDP_PASS;
	if (!xdp_write(ctx, from, &packet->flow, &fib) ||
	    (dsr_needs_option(from) && !xdp_put_option(ctx, from)))
		return DROP(XDP, ERROR_WRITING_TO_PACKET);
	return xdp_send(ctx, &fib, from->end);
}

/* ---- to back ends that answer to this node ---- */

/* Whether the way back leads to the connection of the flow, which is from client to back end. */
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
						       bool from_client)
{
	struct ct_entry *entry;
	struct ct_key key;
	bool side = ct_key_init(&key, &packet->flow);

	entry = ct_get(&key);
	if (!entry || !ct_entry_matches(entry, packet, side) || entry->nat != CT_NAT_SOURCE ||
	    (entry->flags & (CT_F_SERVICE | CT_F_DSR | CT_F_LOOPBACK | CT_F_VIA_STACK)) !=
		    CT_F_SERVICE ||
	    ct_entry_from_initiator(entry, side) != from_client)
		return NULL;
	return entry;
}

/* Once it is certain that tc does not see the packet. */
static __always_inline void xdp_touch(struct packet *packet, struct ct_entry *ct)
{
	ct_touch(packet, ct, ct_source_side(&packet->flow), packet->flow.end);
}

static __always_inline int xdp_snat(struct xdp_md *ctx, struct packet *packet,
				    const struct flow *from)
{
	struct flow *to = &packet->flow;
	const struct device_info *device;
	struct bpf_fib_lookup fib;
	struct ct_entry *ct;
	struct addr client;
	__be16 port;

	/* A port is searched for in tc. */
	if (flow_is_opening(from))
		return XDP_PASS;
	ct = xdp_connection(packet, true);
	if (!ct || ct->service_port != from->dport ||
	    !addr_equal(&ct->service_addr, &from->daddr) || !xdp_nat_is_ours(to, ct))
		return XDP_PASS;
	client = to->saddr;
	port = to->sport;
	to->saddr = ct->nat_addr;
	to->sport = ct->nat_port;
	if (!xdp_route(ctx, to, 0, &fib))
		return XDP_PASS;
	device = xdp_device(ctx, &fib);
	if (!device ||
	    !endpoint_is_node_address(&to->saddr, device_own_addr(device, packet_is_ipv6(packet))))
		return XDP_PASS;
	if (!xdp_write(ctx, from, to, &fib))
		return DROP(XDP, ERROR_WRITING_TO_PACKET);
	to->saddr = client;
	to->sport = port;
	xdp_touch(packet, ct);
	return xdp_send(ctx, &fib, from->end);
}

/*
 * To a front end, whose back end is chosen: an XDP verdict, or a drop. Global, as xdp_reverse(): a stack
 * of its own, and the verifier follows it once.
 */
__weak __attribute__((noinline)) int xdp_forward(struct xdp_md *ctx)
{
	struct packet *packet = packet_get(), *inner = packet_inner_get();
	bool is_direct;

	if (!packet || !inner)
		return XDP_PASS;
	/* Endpoints have policies, and a device of their own. */
	if (packet->backend_flags & LB_BACKEND_F_LOCAL)
		return XDP_PASS;
	is_direct = packet->service_flags & LB_FRONTEND_F_DSR;
	if (is_direct && node_config.dsr_dispatch == DSR_DISPATCH_IPIP)
		return xdp_dsr_ipip(ctx, packet);
	inner->flow = packet->flow;
	packet->flow.daddr = packet->backend_addr;
	packet->flow.dport = packet->backend_port;
	return is_direct ? xdp_dsr(ctx, packet, &inner->flow) : xdp_snat(ctx, packet, &inner->flow);
}

static __always_inline int xdp_answer(struct xdp_md *ctx, struct packet *packet, struct flow *from)
{
	struct flow *to = &packet->flow;
	struct nat_key key = {
		.peer = to->saddr,
		.addr = to->daddr,
		.peer_port = to->sport,
		.port = to->dport,
		.protocol = to->protocol,
	};
	const struct nat_entry *entry = bpf_map_lookup_elem(&cilium_snat_external, &key);
	struct bpf_fib_lookup fib;
	struct ct_entry *ct;

	if (!entry)
		return XDP_NOT_OURS;
	if (entry->generation)
		return XDP_PASS;
	*from = *to;
	to->daddr = entry->addr;
	to->dport = entry->port;
	ct = xdp_connection(packet, false);
	if (!ct || ct->nat_port != from->dport || !addr_equal(&ct->nat_addr, &from->daddr))
		return XDP_PASS;
	to->saddr = ct->service_addr;
	to->sport = ct->service_port;
	if (!xdp_route(ctx, to, 0, &fib) || !xdp_takes(ctx, &fib))
		return XDP_PASS;
	if (!xdp_write(ctx, from, to, &fib))
		return DROP(XDP, ERROR_WRITING_TO_PACKET);
	to->saddr = from->saddr;
	to->sport = from->sport;
	xdp_touch(packet, ct);
	return xdp_send(ctx, &fib, from->end);
}

/*
 * To a port by which this node has sent something on: an XDP verdict, a drop, or XDP_NOT_OURS where it
 * has not.
 */
__weak __attribute__((noinline)) int xdp_reverse(struct xdp_md *ctx)
{
	struct packet *packet = packet_get(), *inner = packet_inner_get();

	return packet && inner ? xdp_answer(ctx, packet, &inner->flow) : XDP_PASS;
}

static __always_inline bool xdp_is_nat_port(__be16 port)
{
	__u16 number = bpf_ntohs(port);

	return number >= node_config.nat_port_min && number <= node_config.nat_port_max;
}

/* As cil_from_netdev: whose port it is comes first. */
static __always_inline int xdp_receive(struct xdp_md *ctx, struct packet *packet)
{
	int verdict = XDP_NOT_OURS;

	if (xdp_is_nat_port(packet->flow.dport))
		verdict = xdp_reverse(ctx);
	if (verdict != XDP_NOT_OURS)
		return verdict;
	verdict = service_decide(packet, LB_SCOPE_EXTERNAL | SERVICE_TO_NODE);
	if (verdict == SERVICE_FOUND)
		return xdp_forward(ctx);
	/* What is to be answered is dropped in tc. */
	return verdict < 0 && !(packet->service & PACKET_SERVICE_REJECT) ? verdict : XDP_PASS;
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
	verdict = xdp_receive(ctx, packet);
	return verdict < 0 ? xdp_drop(ctx, packet, verdict) : verdict;
}
