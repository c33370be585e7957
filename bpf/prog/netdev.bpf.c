/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The node's devices: between endpoints and everything outside. What concerns no endpoint passes as
 * it is, well-formed or not: that is for the host's stack to judge.
 */
#include "bpf/lib/conntrack.h"
#include "bpf/lib/delivery.h"
#include "bpf/lib/drop.h"
#include "bpf/lib/dsr.h"
#include "bpf/lib/endpoint.h"
#include "bpf/lib/fragment.h"
#include "bpf/lib/host_firewall.h"
#include "bpf/lib/ipcache.h"
#include "bpf/lib/nat.h"
#include "bpf/lib/service_reject.h"

char _license[] SEC("license") __weak = "Dual BSD/GPL";

static __always_inline const struct device_info *netdev_get(struct __sk_buff *skb)
{
	__u32 ifindex = skb->ifindex;

	return bpf_map_lookup_elem(&cilium_devices, &ifindex);
}

static __always_inline __u32 netdev_l3_off(const struct device_info *device)
{
	return device && device->flags & DEVICE_F_L3 ? 0 : ETH_HLEN;
}

static __always_inline struct packet *netdev_begin(const struct device_info *device)
{
	struct packet *packet = packet_begin(netdev_l3_off(device));

	if (packet)
		trace_init(packet);
	return packet;
}

static __always_inline int netdev_deliver(struct __sk_buff *skb, struct packet *packet,
					  const struct endpoint_info *destination)
{
	bool by_stack;
	int ret;

	/* Groups, broadcast, addresses of the link: the stack refuses to forward them. */
	if (!addr_is_routable(&packet->flow.saddr))
		return TC_ACT_OK;
	/* Addresses of this node and its endpoints do not come from outside. */
	if (endpoint_get(&packet->flow.saddr))
		return DROP(NETDEV, INVALID_SOURCE_IP);
	endpoint_set_destination(packet, destination);
	ipcache_resolve_remote(packet, SRC);
	trace_entry(skb, packet, TRACE_FROM_NETWORK);
	/* The stack routes it to the endpoint's programs, which do what follows. */
	by_stack = node_config.enable_host_legacy_routing || unlikely(packet_needs_stack(packet));
	if (by_stack && !explain_is_on(packet)) {
		/* Nobody behind this knows that it answers, or goes to a service. */
		packet->counted = true;
		ret = packet->nat_reply || packet->service ? ct_track(skb, packet) : 0;
		if (ret < 0)
			return ret;
		packet->trace_point = TRACE_TO_STACK;
		return TC_ACT_OK;
	}
	ret = ct_track(skb, packet);
	if (unlikely(ret < 0))
		return ret;
	/*
	 * The stack has the rest of the way back; or there is no room for the link-layer header that
	 * the endpoint's device wants, which the stack makes.
	 */
	if (unlikely(packet->via_stack) || !packet->flow.l3_off || by_stack)
		return deliver_to_stack(skb, packet, TRACE_TO_STACK);
	if (service_is_reverse(packet))
		return deliver_reversed(skb, packet, destination, DELIVER_FROM_NETWORK);
	return deliver_to_endpoint(skb, packet, destination, DELIVER_FROM_NETWORK);
}

static __always_inline int netdev_parse_l4(struct __sk_buff *skb, struct packet *packet)
{
	int ret = parse_l4(skb, &packet->flow);

	if (ret >= 0 && packet->flow.flags & FLOW_F_FRAGMENT)
		ret = fragment_resolve(&packet->flow);
	return ret;
}

/* ---- of services, between a client and a back end that are both outside ---- */

static __always_inline int netdev_route(struct __sk_buff *skb, struct packet *packet)
{
	/* Without a link-layer header there is nothing to begin the next one with. */
	if (node_config.enable_host_legacy_routing || !packet->flow.l3_off)
		return deliver_to_stack(skb, packet, TRACE_TO_STACK);
	return deliver_by_route(skb, packet, DELIVER_FROM_NETWORK);
}

/* To a back end of another node; cil_to_netdev gives it the address of the device there. */
static __noinline int netdev_send_on(struct __sk_buff *skb, struct packet *packet)
{
	int ret;

	ipcache_resolve_remote(packet, SRC);
	ipcache_resolve_remote(packet, DST);
	ret = ct_track(skb, packet);
	return ret < 0 ? ret : netdev_route(skb, packet);
}

/* To one that answers the client by itself: this node sees no answer, and keeps no connection. */
static __noinline int netdev_send_direct(struct __sk_buff *skb, struct packet *packet)
{
	const struct addr *backend = &packet->backend_addr;
	int ret = dsr_forward(skb, backend->halves[0], backend->halves[1], packet->backend_port);

	if (ret < 0)
		return ret;
	if (ret == DSR_ANSWERED) {
		packet->trace_point = TRACE_TO_NETWORK;
		ret = bpf_redirect(skb->ifindex, 0);
	} else {
		ret = netdev_route(skb, packet);
	}
	packet_mark_done(skb);
	return ret;
}

/* An answer of such a back end, which has its client's address again; or an error about one. */
static __noinline int netdev_send_back(struct __sk_buff *skb, struct packet *packet)
{
	const struct ct_entry *ct;
	int ret;

	if (!(packet->flow.flags & FLOW_F_ICMP_ERROR)) {
		ct = ct_find(&packet->flow);
		if (!ct || ct->expires <= ct_now() || !(ct->flags & CT_F_SERVICE))
			return DROP(NETDEV, STALE_OR_UNROUTABLE_IP);
	}
	ipcache_resolve_remote(packet, SRC);
	ipcache_resolve_remote(packet, DST);
	ret = ct_track(skb, packet);
	if (ret < 0)
		return ret;
	if (!(packet->service & PACKET_SERVICE_KNOWN))
		return DROP(NETDEV, STALE_OR_UNROUTABLE_IP);
	return netdev_route(skb, packet);
}

/*
 * The packet came to an address of this node and has been given that of the connection's opener.
 * NULL: the endpoint is gone, or another one now has its address; or it is a client outside.
 */
static __always_inline const struct endpoint_info *netdev_opener(const struct packet *packet)
{
	const struct endpoint_info *opener = endpoint_get(&packet->flow.daddr);

	if (!opener || endpoint_is_host(opener) || opener->generation == packet->nat_generation)
		return opener;
	return NULL;
}

/* Of a connection that cil_from_netdev has not translated, though it may have come through another node. */
static __always_inline void netdev_note_dsr(struct __sk_buff *skb, struct packet *packet)
{
	if (!node_config.enable_dsr_options ||
	    !dsr_find(skb, &packet->flow, &packet->service_addr, &packet->service_port) ||
	    !dsr_is_believed(&packet->service_addr, packet->service_port, packet->flow.protocol))
		return;
	packet->service = PACKET_SERVICE_KNOWN | PACKET_SERVICE_FORWARD | PACKET_SERVICE_DSR;
	packet->service_backend = 0;
	packet->service_flags = 0;
}

/* Without its firewall the host's connections are not tracked, but for those through services. */
static __noinline int netdev_track_host(struct __sk_buff *skb, struct packet *packet)
{
	endpoint_set_host(packet, DST);
	packet->counted = true;
	ipcache_resolve_remote(packet, SRC);
	return ct_track(skb, packet);
}

/* To the node itself. parsed: what parsing the headers has returned. */
static __always_inline int netdev_receive_host(struct __sk_buff *skb, struct packet *packet,
					       int parsed)
{
	int ret = 0;

	if (node_config.enable_host_firewall)
		ret = host_firewall_receive(skb, packet, parsed);
	else if (packet->service)
		ret = netdev_track_host(skb, packet);
	return ret < 0 ? ret : TC_ACT_OK;
}

/* What has become of a packet that is to no endpoint as it stands. */
enum netdev_translated {
	NETDEV_OPENER = 1,  /* it goes to who opened its connection */
	NETDEV_BACKEND = 2, /* … to a back end */
	NETDEV_DIRECT = 3,  /* it is to go to one that answers the client by itself */
};

/*
 * To an address of this node, under which its endpoints and what it sends on for services go out too; or,
 * is_node false, to none that it knows. An enum netdev_translated, or a verdict.
 */
static __always_inline int netdev_translate(struct __sk_buff *skb, struct packet *packet,
					    bool is_node)
{
	int parsed, ret = 0;

	if (!nat_in_use(packet) && !node_config.enable_host_firewall)
		return TC_ACT_OK;
	parsed = netdev_parse_l4(skb, packet);
	if (parsed >= 0 && is_node && nat_in_use(packet))
		ret = nat_receive(skb, packet);
	if (ret)
		return ret < 0 ? ret : NETDEV_OPENER;
	if (parsed >= 0 && node_config.enable_node_port) {
		ret = service_forward(skb, LB_SCOPE_EXTERNAL | (is_node ? SERVICE_TO_NODE : 0));
		if (ret)
			trace_entry(skb, packet, TRACE_FROM_NETWORK);
		if (ret > 0)
			return ret == SERVICE_DIRECT ? NETDEV_DIRECT : NETDEV_BACKEND;
		if (ret < 0)
			return ret;
		if (is_node)
			netdev_note_dsr(skb, packet);
	}
	return is_node ? netdev_receive_host(skb, packet, parsed) : TC_ACT_OK;
}

/* Past its translation: its new destination where that is of this node, else NULL, and the verdict. */
static __always_inline const struct endpoint_info *netdev_translated(struct __sk_buff *skb,
								     struct packet *packet,
								     enum netdev_translated to,
								     int *ret_verdict)
{
	const struct endpoint_info *destination;

	if (to == NETDEV_OPENER) {
		destination = netdev_opener(packet);
		if (!destination)
			*ret_verdict = packet->nat_generation || !node_config.enable_node_port
					       ? DROP(NETDEV, STALE_OR_UNROUTABLE_IP)
					       : netdev_send_back(skb, packet);
		return destination;
	}
	if (to == NETDEV_DIRECT) {
		*ret_verdict = netdev_send_direct(skb, packet);
		return NULL;
	}
	destination = endpoint_get(&packet->flow.daddr);
	if (!destination)
		*ret_verdict = netdev_send_on(skb, packet);
	return destination;
}

static __always_inline int netdev_receive(struct __sk_buff *skb, struct packet *packet)
{
	const struct endpoint_info *destination;
	int ret = parse_l3(skb, &packet->flow);

	if (ret < 0 && !node_config.enable_host_firewall)
		return TC_ACT_OK;
	destination = endpoint_get(&packet->flow.daddr);
	if (!destination && (ret < 0 || !node_config.enable_node_port))
		return TC_ACT_OK;
	if (ret < 0)
		return endpoint_is_host(destination) ? netdev_receive_host(skb, packet, ret)
						     : TC_ACT_OK;
	if (!destination || endpoint_is_host(destination)) {
		ret = netdev_translate(skb, packet, destination != NULL);
		if (ret <= 0)
			return ret;
		destination = netdev_translated(skb, packet, ret, &ret);
		if (!destination)
			return ret;
		if (endpoint_is_host(destination))
			return netdev_receive_host(skb, packet, 0);
	} else {
		ret = netdev_parse_l4(skb, packet);
		if (ret < 0)
			return ret;
		netdev_note_dsr(skb, packet);
	}
	return netdev_deliver(skb, packet, destination);
}

SEC("tc") int cil_from_netdev(struct __sk_buff *skb)
{
	struct packet *packet = netdev_begin(netdev_get(skb));
	int verdict;

	if (!packet)
		return TC_ACT_SHOT;
	metrics_add(METRIC_REASON_INTERFACE, METRIC_DIR_INGRESS, skb->len);
	verdict = netdev_receive(skb, packet);
	if (service_is_rejected(packet, verdict))
		return service_reject(skb, packet, verdict, false);
	if (verdict == TC_ACT_OK)
		return packet_verdict(verdict);
	return packet_finish(skb, packet, verdict, METRIC_DIR_INGRESS);
}

/* Of the node itself. parsed: what parsing the headers has returned. */
static __always_inline int netdev_send_host(struct __sk_buff *skb, struct packet *packet,
					    const struct device_info *device, int parsed)
{
	endpoint_set_host(packet, SRC);
	if (node_config.enable_host_firewall) {
		int ret = host_firewall_send(skb, packet, parsed);

		if (ret < 0)
			return ret;
	}
	if (parsed < 0 || !nat_in_use(packet) || explain_is_on(packet))
		return TC_ACT_OK;
	return nat_send_host(skb, packet, device);
}

/* From no address of this node: a service's, if it is for us at all. */
static __always_inline int netdev_send_foreign(struct __sk_buff *skb, struct packet *packet,
					       const struct device_info *device)
{
	/* cil_from_netdev has seen it, and marked it. */
	if (!node_config.enable_node_port || explain_is_on(packet) ||
	    (skb->mark & MARK_MAGIC_MASK) != MARK_MAGIC_IDENTITY ||
	    netdev_parse_l4(skb, packet) < 0)
		return TC_ACT_OK;
	packet->trace_point = TRACE_TO_NETWORK;
	packet->counted = true;
	return nat_send_foreign(skb, packet, device);
}

static __always_inline int netdev_send(struct __sk_buff *skb, struct packet *packet,
				       const struct device_info *device)
{
	const struct endpoint_info *source;
	int ret;

	/* A device upon a device: the upper one has done it. */
	if (!device || (skb->mark & MARK_MAGIC_MASK) == MARK_MAGIC_SNAT_DONE)
		return TC_ACT_OK;
	ret = parse_l3(skb, &packet->flow);
	if ((ret < 0 || !nat_in_use(packet)) && !node_config.enable_host_firewall)
		return TC_ACT_OK;
	source = endpoint_get(&packet->flow.saddr);
	if (!source)
		return ret < 0 ? TC_ACT_OK : netdev_send_foreign(skb, packet, device);
	if (ret >= 0) {
		ret = netdev_parse_l4(skb, packet);
		if (packet->flow.flags & FLOW_F_LINK_LOCAL)
			return TC_ACT_OK;
	}
	packet->trace_point = TRACE_TO_NETWORK;
	packet->counted = true;
	if (endpoint_is_host(source))
		return netdev_send_host(skb, packet, device, ret);
	/* To explain it, cil_explain_container is asked. */
	if (!nat_in_use(packet) || explain_is_on(packet))
		return TC_ACT_OK;
	endpoint_set(packet, SRC, source);
	if (ret < 0)
		return ret;
	return nat_send(skb, packet, device);
}

SEC("tc") int cil_to_netdev(struct __sk_buff *skb)
{
	const struct device_info *device = netdev_get(skb);
	struct packet *packet = netdev_begin(device);
	int verdict;

	if (!packet)
		return TC_ACT_SHOT;
	metrics_add(METRIC_REASON_INTERFACE, METRIC_DIR_EGRESS, skb->len);
	verdict = netdev_send(skb, packet, device);
	if (unlikely(verdict < 0))
		return drop_packet(skb, packet, verdict, METRIC_DIR_EGRESS);
	return packet_verdict(verdict);
}

/* As cil_from_netdev: see abi/explain.h. */
SEC("tc") int cil_explain_netdev(struct __sk_buff *skb)
{
	struct packet *packet = explain_begin(netdev_l3_off(netdev_get(skb)));

	return packet ? explain_finish(packet, netdev_receive(skb, packet)) : TC_ACT_SHOT;
}

/* As cil_to_netdev, without what masquerading would make of the packet. */
SEC("tc") int cil_explain_to_netdev(struct __sk_buff *skb)
{
	const struct device_info *device = netdev_get(skb);
	struct packet *packet = explain_begin(netdev_l3_off(device));

	return packet ? explain_finish(packet, netdev_send(skb, packet, device)) : TC_ACT_SHOT;
}
