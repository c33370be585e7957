/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* cilium_host, to which the node's pod CIDRs are routed: from the host's stack to endpoints. */
#include "bpf/lib/conntrack.h"
#include "bpf/lib/delivery.h"
#include "bpf/lib/drop.h"
#include "bpf/lib/endpoint.h"
#include "bpf/lib/fragment.h"
#include "bpf/lib/ipcache.h"

char _license[] SEC("license") __weak = "Dual BSD/GPL";

/* The stack has routed the packet: no hop is taken off again. */
static __always_inline int host_send(struct __sk_buff *skb, struct packet *packet)
{
	const struct endpoint_info *destination;
	int ret;

	packet->trace_point = TRACE_TO_HOST;
	if (skb->protocol != bpf_htons(ETH_P_IP) && skb->protocol != bpf_htons(ETH_P_IPV6))
		return TC_ACT_OK;
	ret = fragment_parse(skb, &packet->flow);
	/* The kernel's own neighbour discovery and multicast, on a link where nobody else is. */
	if (!addr_is_routable(&packet->flow.daddr) || packet->flow.flags & FLOW_F_LINK_LOCAL)
		return TC_ACT_OK;
	if (unlikely(ret < 0))
		return ret;
	destination = endpoint_get(&packet->flow.daddr);
	if (!destination)
		return DROP(HOST, STALE_OR_UNROUTABLE_IP);
	if (endpoint_is_host(destination))
		return TC_ACT_OK;
	endpoint_set_destination(packet, destination);
	ipcache_resolve_source(packet);
	packet->via_stack = packet->identity[SRC] != IDENTITY_HOST;
	trace_entry(skb, packet, TRACE_FROM_HOST);
	/* Otherwise cil_to_container, which the packet passes next, does this. */
	if (!config_to_container_attached() || explain_is_on(packet)) {
		ret = ct_track(skb, packet);
		if (ret >= 0)
			ret = service_reverse_due(skb, packet);
		if (unlikely(ret < 0))
			return ret;
	}
	if (!deliver_set_macs(skb, destination))
		return DROP(HOST, ERROR_WRITING_TO_PACKET);
	packet->trace_point = TRACE_TO_ENDPOINT;
	/* Not bpf_redirect_peer(), which works from an ingress hook only. */
	return bpf_redirect(destination->ifindex, 0);
}

SEC("tc") int cil_from_host(struct __sk_buff *skb)
{
	struct packet *packet = packet_begin(ETH_HLEN);
	int verdict;

	if (!packet)
		return TC_ACT_SHOT;
	trace_init(packet);
	verdict = host_send(skb, packet);
	/* What cil_to_container will count and report is not this program's. */
	if (config_to_container_attached() && verdict == TC_ACT_REDIRECT)
		return verdict;
	return packet_finish(skb, packet, verdict, METRIC_DIR_INGRESS);
}

/* As cil_from_host, and where that is attached cil_to_container behind it: see abi/explain.h. */
SEC("tc") int cil_explain_host(struct __sk_buff *skb)
{
	struct packet *packet = explain_begin(ETH_HLEN);

	return packet ? explain_finish(packet, host_send(skb, packet)) : TC_ACT_SHOT;
}
