/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The node's devices: between endpoints and everything outside. What concerns no endpoint passes as it
 * is, well-formed or not: that is for the host's stack to judge.
 */
#include "bpf/lib/conntrack.h"
#include "bpf/lib/delivery.h"
#include "bpf/lib/drop.h"
#include "bpf/lib/endpoint.h"
#include "bpf/lib/fragment.h"
#include "bpf/lib/ipcache.h"

char _license[] SEC("license") __weak = "Dual BSD/GPL";

static __always_inline const struct device_info *netdev_get(struct __sk_buff *skb)
{
	__u32 ifindex = skb->ifindex;

	return bpf_map_lookup_elem(&cilium_devices, &ifindex);
}

static __always_inline void netdev_init(struct packet *packet, const struct device_info *device)
{
	packet->flow.l3_off = device && device->flags & DEVICE_F_L3 ? 0 : ETH_HLEN;
	trace_init(packet);
}

static __always_inline int netdev_deliver(struct __sk_buff *skb, struct packet *packet,
					  const struct endpoint_info *destination)
{
	int ret;

	/* Addresses of this node and its endpoints do not come from outside. */
	if (endpoint_get(&packet->flow.saddr))
		return DROP(NETDEV, INVALID_SOURCE_IP);
	endpoint_set_destination(packet, destination);
	packet->src_identity = ipcache_identity(packet, ipcache_get(&packet->flow.saddr));
	trace_entry(skb, packet, TRACE_FROM_NETWORK);
	/* The stack routes it to cil_to_container, which does what follows. */
	if (node_config.enable_host_legacy_routing) {
		packet->trace_point = TRACE_TO_STACK;
		return TC_ACT_OK;
	}
	ret = ct_track(skb, packet);
	if (unlikely(ret < 0))
		return ret;
	/* No room for the link-layer header that the endpoint's device wants: the stack makes it. */
	if (!packet->flow.l3_off)
		return deliver_to_stack(skb, packet, TRACE_TO_STACK);
	return deliver_to_endpoint(skb, packet, destination);
}

static __always_inline int netdev_receive(struct __sk_buff *skb, struct packet *packet)
{
	const struct endpoint_info *destination;
	int ret;

	if (parse_l3(skb, &packet->flow) < 0)
		return TC_ACT_OK;
	destination = endpoint_get(&packet->flow.daddr);
	if (!destination || endpoint_is_host(destination))
		return TC_ACT_OK;
	ret = parse_l4(skb, &packet->flow);
	if (ret >= 0 && packet->flow.flags & FLOW_F_FRAGMENT)
		ret = fragment_resolve(&packet->flow);
	if (ret < 0)
		return ret;
	return netdev_deliver(skb, packet, destination);
}

SEC("tc") int cil_from_netdev(struct __sk_buff *skb)
{
	struct packet packet = {};
	int verdict;

	metrics_add(METRIC_REASON_INTERFACE, METRIC_DIR_INGRESS, skb->len);
	netdev_init(&packet, netdev_get(skb));
	verdict = netdev_receive(skb, &packet);
	if (verdict == TC_ACT_OK)
		return TC_ACT_OK;
	return packet_finish(skb, &packet, verdict, METRIC_DIR_INGRESS);
}

SEC("tc") int cil_to_netdev(struct __sk_buff *skb)
{
	metrics_add(METRIC_REASON_INTERFACE, METRIC_DIR_EGRESS, skb->len);
	return TC_ACT_OK;
}
