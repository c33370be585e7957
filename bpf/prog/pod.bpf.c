/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The host's side of an endpoint's veth pair. */
#include "bpf/lib/arp.h"
#include "bpf/lib/conntrack.h"
#include "bpf/lib/delivery.h"
#include "bpf/lib/drop.h"
#include "bpf/lib/endpoint.h"
#include "bpf/lib/fragment.h"
#include "bpf/lib/ipcache.h"
#include "bpf/lib/ndp.h"
#include "bpf/lib/parse.h"
#include "bpf/lib/service_reject.h"

char _license[] SEC("license") __weak = "Dual BSD/GPL";

/* To what stands for the sender itself: an answer to it, or an error about one; else nobody is there. */
static __always_inline int pod_resolve_self(struct __sk_buff *skb, struct packet *packet)
{
	const struct ct_entry *entry;
	int ret;

	endpoint_set_as(packet, DST, SRC);
	if (packet->flow.flags & FLOW_F_ICMP_ERROR) {
		ret = ct_related(skb);
		if (ret < 0)
			return ret;
		return ret ? 0 : DROP(POD, STALE_OR_UNROUTABLE_IP);
	}
	entry = ct_find(&packet->flow);
	/* Nobody opens anything to it. */
	if (!entry || !(entry->flags & CT_F_LOOPBACK) || flow_is_opening(&packet->flow) ||
	    !ct_entry_matches(entry, packet, ct_source_side(&packet->flow)))
		return DROP(POD, STALE_OR_UNROUTABLE_IP);
	return 0;
}

/* Where no endpoint of this node is: another node, the world, or the sender's stand-in. 0, or a drop. */
static __noinline int pod_resolve_remote(struct __sk_buff *skb, struct packet *packet)
{
	if (service_is_loopback(packet, &packet->flow.daddr))
		return pod_resolve_self(skb, packet);
	ipcache_resolve_remote(packet, DST);
	return 0;
}

/* To no endpoint of this node, as it stands: 1 where it is to a service, and has another destination. */
static __always_inline int pod_send_to_service(struct __sk_buff *skb,
					       const struct endpoint_info *destination)
{
	if (likely(destination && !endpoint_is_host(destination)))
		return 0;
	return service_forward(skb, LB_SCOPE_INTERNAL | (destination ? SERVICE_TO_NODE : 0));
}

static __always_inline int pod_send(struct __sk_buff *skb, struct packet *packet)
{
	const struct endpoint_info *destination;
	int ret;

	if (skb->protocol == bpf_htons(ETH_P_ARP))
		return arp_from_endpoint(skb, packet);
	ret = parse_headers(skb, &packet->flow);
	if (unlikely(ret < 0)) {
		endpoint_set_source_by_device(skb, packet);
		return ret;
	}
	if (unlikely(packet->flow.flags & FLOW_F_LINK_LOCAL))
		return ndp_from_endpoint(skb, packet);
	ret = endpoint_resolve_source(skb, packet);
	/* Ports are remembered under the source: after it has been checked. */
	if (likely(ret >= 0) && unlikely(packet->flow.flags & FLOW_F_FRAGMENT))
		ret = fragment_resolve(&packet->flow);
	if (unlikely(ret < 0))
		return ret;
	trace_entry(skb, packet, TRACE_FROM_ENDPOINT);

	destination = endpoint_get(&packet->flow.daddr);
	ret = pod_send_to_service(skb, destination);
	if (unlikely(ret < 0))
		return ret;
	if (unlikely(ret))
		destination = endpoint_get(&packet->flow.daddr);
	if (likely(destination))
		endpoint_set_destination(packet, destination);
	else
		ret = pod_resolve_remote(skb, packet);
	if (unlikely(ret < 0))
		return ret;
	ret = ct_track(skb, packet);
	if (unlikely(ret < 0))
		return ret;

	if (unlikely(packet->service & PACKET_SERVICE_LOOPBACK))
		return deliver_to_sender(skb, packet);
	if (destination && endpoint_is_host(destination))
		return deliver_to_stack(skb, packet, TRACE_TO_HOST);
	/* A port of the node that iptables maps to this endpoint: the way back is the way in. */
	if (unlikely(packet->via_stack || packet_needs_stack(packet)) ||
	    node_config.enable_host_legacy_routing)
		return deliver_to_stack(skb, packet, TRACE_TO_STACK);
	if (destination && service_is_reverse(packet))
		return deliver_reversed(skb, packet, destination, DELIVER_FROM_ENDPOINT);
	if (likely(destination))
		return deliver_to_endpoint(skb, packet, destination, DELIVER_FROM_ENDPOINT);
	if (packet->dst_flags & IPCACHE_F_LOCAL_HOST)
		return deliver_to_stack(skb, packet, TRACE_TO_HOST);
	return deliver_by_route(skb, packet, DELIVER_FROM_ENDPOINT);
}

SEC("tc") int cil_from_container(struct __sk_buff *skb)
{
	struct packet *packet = packet_begin(ETH_HLEN);
	int verdict;

	if (!packet)
		return TC_ACT_SHOT;
	trace_init(packet);
	verdict = pod_send(skb, packet);
	if (service_is_rejected(packet, verdict))
		return service_reject(skb, packet, verdict, true);
	return packet_finish(skb, packet, verdict, METRIC_DIR_EGRESS);
}

/* As cil_from_container: see abi/explain.h. */
SEC("tc") int cil_explain_container(struct __sk_buff *skb)
{
	struct packet *packet = explain_begin(ETH_HLEN);

	return packet ? explain_finish(packet, pod_send(skb, packet)) : TC_ACT_SHOT;
}

/* From the host's stack; who sent it is told by its address, which was checked where it came in. */
static __always_inline int pod_receive(struct __sk_buff *skb, struct packet *packet)
{
	const struct endpoint_info *destination;
	int ret;

	if (skb->protocol == bpf_htons(ETH_P_ARP)) {
		packet->trace_point = TRACE_TO_ENDPOINT;
		return TC_ACT_OK;
	}
	ret = fragment_parse(skb, &packet->flow);
	if (unlikely(ret < 0))
		return ret;
	packet->trace_point = TRACE_TO_ENDPOINT;
	if (unlikely(packet->flow.flags & FLOW_F_LINK_LOCAL ||
		     !addr_is_routable(&packet->flow.daddr)))
		return TC_ACT_OK;
	destination = endpoint_get(&packet->flow.daddr);
	if (!destination || destination->ifindex != skb->ifindex)
		return DROP(POD, STALE_OR_UNROUTABLE_IP);
	endpoint_set_destination(packet, destination);
	ipcache_resolve_source(packet);
	packet->via_stack = packet->identity[SRC] != IDENTITY_HOST;
	ret = ct_track(skb, packet);
	if (ret >= 0)
		ret = service_reverse_due(skb, packet);
	return unlikely(ret < 0) ? ret : TC_ACT_OK;
}

/* Attached only where config_to_container_attached(): else nothing of the stack leaves this way. */
SEC("tc") int cil_to_container(struct __sk_buff *skb)
{
	struct packet *packet = packet_begin(ETH_HLEN);
	int verdict;

	if (!packet)
		return TC_ACT_SHOT;
	trace_init(packet);
	verdict = pod_receive(skb, packet);
	return packet_finish(skb, packet, verdict, METRIC_DIR_INGRESS);
}
