/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Direct server return in tc: a packet to a front end is sent on to a back end of another node, which
 * answers the client by itself; and that node learns what the client asked for.
 */
#pragma once

#include "bpf/lib/delivery.h"
#include "bpf/lib/dsr_format.h"
#include "bpf/lib/ipcache.h"
#include "bpf/lib/reject.h"
#include "bpf/lib/rewrite.h"
#include "bpf/lib/service.h"

#define DSR_ANSWERED 1 /* see dsr_forward() */

#define DSR_MTU_MIN 576

/* Where the way to the back end begins, as dsr_route() found it. */
struct dsr_way {
	__u32 ifindex;
	__u32 mtu; /* too small for the packet; 0: it fits */
};

/*
 * Finds the way of a packet that will be dsr_extra_bytes() longer. Where there is no route the device is the
 * one it came from: what becomes of the packet is said when it is sent.
 */
static __noinline void dsr_route(struct __sk_buff *skb, const struct packet *packet,
				 const struct addr *backend, struct dsr_way *way)
{
	struct bpf_fib_lookup fib = {};
	const struct device_info *device;
	__u32 n_bytes;
	long ret;

	deliver_fib_init(&fib, skb, packet);
	/* Segments are cut smaller. */
	n_bytes = fib.tot_len + (skb->gso_size ? 0 : dsr_extra_bytes(&packet->flow));
	fib.tot_len = n_bytes < 0xffff ? n_bytes : 0xffff;
	n_bytes = fib.tot_len;
	if (packet_is_ipv6(packet))
		deliver_copy_words(fib.ipv6_dst, backend->words);
	else
		fib.ipv4_dst = backend->words[3];
	ret = bpf_fib_lookup(skb, &fib, sizeof(fib), 0);
	way->ifindex = fib.ifindex;
	way->mtu = 0;
	if (ret != BPF_FIB_LKUP_RET_FRAG_NEEDED)
		return;
	/* Before Linux 5.13 the kernel does not say what would fit. */
	device = bpf_map_lookup_elem(&cilium_devices, &way->ifindex);
	if (fib.mtu_result < n_bytes)
		way->mtu = fib.mtu_result;
	else if (device && device->mtu < n_bytes)
		way->mtu = device->mtu;
	if (way->mtu < DSR_MTU_MIN)
		way->mtu = DSR_MTU_MIN;
}

/* Room for the option behind the IP header. */
static __always_inline long dsr_make_room(struct __sk_buff *skb, struct flow *flow, __u32 n_bytes)
{
	/* Fails for datagrams in one piece, which would have to carry an option each. */
	long error = bpf_skb_adjust_room(skb, n_bytes, BPF_ADJ_ROOM_NET, 0);

	flow->l4_off += n_bytes;
	flow->end += n_bytes;
	return error;
}

static __always_inline int dsr_put_option4(struct __sk_buff *skb, struct flow *flow,
					   const struct addr *frontend, __be16 port)
{
	__u32 off = parse_l3_off(flow);
	struct dsr_option4 option;
	struct iphdr old, new;
	__u32 diff;

	if (flow->l4_off - flow->l3_off + sizeof(option) > sizeof(old) + IPV4_OPTIONS_MAX)
		return DROP(DSR, UNSUPPORTED_PROTOCOL_FOR_DSR_ENCAP);
	if (bpf_skb_load_bytes(skb, off, &old, sizeof(old)) ||
	    dsr_make_room(skb, flow, sizeof(option)))
		return DROP(DSR, ERROR_WRITING_TO_PACKET);
	dsr_option4_init(&option, frontend, port);
	new = old;
	new.ihl = old.ihl + sizeof(option) / 4;
	new.tot_len = bpf_htons(bpf_ntohs(old.tot_len) + sizeof(option));
	/* The first word is all that changes in the header itself. */
	diff = bpf_csum_diff((void *)&old, sizeof(__be32), (void *)&new, sizeof(__be32), 0);
	diff = bpf_csum_diff(NULL, 0, (void *)&option, sizeof(option), diff);
	if (bpf_skb_store_bytes(skb, off, &new, sizeof(__be32), 0) ||
	    bpf_skb_store_bytes(skb, off + sizeof(new), &option, sizeof(option), 0) ||
	    bpf_l3_csum_replace(skb, off + offsetof(struct iphdr, check), 0, diff, 0))
		return DROP(DSR, ERROR_WRITING_TO_PACKET);
	return 0;
}

static __always_inline int dsr_put_option6(struct __sk_buff *skb, struct flow *flow,
					   const struct addr *frontend, __be16 port)
{
	__u32 off = parse_l3_off(flow);
	struct dsr_option6 option;
	struct ipv6hdr ip6;

	if (bpf_skb_load_bytes(skb, off, &ip6, sizeof(ip6)))
		return DROP(DSR, ERROR_WRITING_TO_PACKET);
	/* Nothing stands before options for each hop. */
	if (ip6.nexthdr == IPPROTO_HOPOPTS)
		return DROP(DSR, UNSUPPORTED_PROTOCOL_FOR_DSR_ENCAP);
	if (dsr_make_room(skb, flow, sizeof(option)))
		return DROP(DSR, ERROR_WRITING_TO_PACKET);
	dsr_option6_init(&option, frontend, port, ip6.nexthdr);
	ip6.nexthdr = IPPROTO_DSTOPTS;
	ip6.payload_len = bpf_htons(bpf_ntohs(ip6.payload_len) + sizeof(option));
	if (bpf_skb_store_bytes(skb, off, &ip6, sizeof(ip6), BPF_F_RECOMPUTE_CSUM) ||
	    bpf_skb_store_bytes(skb, off + sizeof(ip6), &option, sizeof(option),
				BPF_F_RECOMPUTE_CSUM))
		return DROP(DSR, ERROR_WRITING_TO_PACKET);
	return 0;
}

/* The packet goes to the back end's address, and takes along the front end where that is needed. */
static __always_inline int dsr_add_option(struct __sk_buff *skb, struct packet *packet,
					  const struct rewrite *backend)
{
	struct addr frontend = packet->flow.daddr;
	__be16 port = packet->flow.dport;
	struct rewrite to = *backend;
	int ret = rewrite_packet(skb, &packet->flow, &to);

	if (ret < 0 || !dsr_needs_option(&packet->flow))
		return ret;
	return packet_is_ipv6(packet) ? dsr_put_option6(skb, &packet->flow, &frontend, port)
				      : dsr_put_option4(skb, &packet->flow, &frontend, port);
}

static __always_inline long dsr_write_outer4(struct __sk_buff *skb, const struct flow *flow,
					     const struct addr *source, const struct addr *backend)
{
	__u32 off = parse_l3_off(flow);
	struct iphdr outer;
	__u8 tos;

	if (bpf_skb_load_bytes(skb, off + offsetof(struct iphdr, tos), &tos, sizeof(tos)) ||
	    bpf_skb_adjust_room(skb, sizeof(outer), BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_ENCAP_L3_IPV4))
		return -1;
	dsr_outer4_init(&outer, source, backend, flow->end - flow->l3_off, tos);
	return bpf_skb_store_bytes(skb, off, &outer, sizeof(outer), BPF_F_RECOMPUTE_CSUM);
}

static __always_inline long dsr_write_outer6(struct __sk_buff *skb, const struct flow *flow,
					     const struct addr *source, const struct addr *backend)
{
	__u32 off = parse_l3_off(flow);
	struct ipv6hdr outer;
	__be32 first;

	if (bpf_skb_load_bytes(skb, off, &first, sizeof(first)) ||
	    bpf_skb_adjust_room(skb, sizeof(outer), BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_ENCAP_L3_IPV6))
		return -1;
	dsr_outer6_init(&outer, source, backend, flow->end - flow->l3_off, first);
	return bpf_skb_store_bytes(skb, off, &outer, sizeof(outer), BPF_F_RECOMPUTE_CSUM);
}

/* The packet as it is, in another to the back end's address; the flow is then that of the latter. */
static __always_inline int dsr_encapsulate(struct __sk_buff *skb, struct packet *packet,
					   const struct addr *backend, __u32 ifindex)
{
	const struct device_info *device = bpf_map_lookup_elem(&cilium_devices, &ifindex);
	struct flow *flow = &packet->flow;
	bool ipv6 = packet_is_ipv6(packet);
	struct addr source;
	__u32 n_outer;

	if (!device)
		return DROP(DSR, NO_EGRESS_IP);
	dsr_outer_source(&source, flow, device);
	if (addr_is_zero(&source))
		return DROP(DSR, NO_EGRESS_IP);
	if (flow->end - flow->l3_off > 0xffff - sizeof(struct ipv6hdr))
		return DROP(DSR, UNSUPPORTED_PROTOCOL_FOR_DSR_ENCAP);
	/* One hop of the inner packet's; the outer one has its own. */
	if (!deliver_decrement_ttl(skb, packet, DELIVER_FROM_NETWORK))
		return DROP(DSR, TTL_EXCEEDED);
	if (ipv6 ? dsr_write_outer6(skb, flow, &source, backend)
		 : dsr_write_outer4(skb, flow, &source, backend))
		return DROP(DSR, ERROR_WRITING_TO_PACKET);
	n_outer = ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	flow->saddr = source;
	flow->daddr = *backend;
	flow->sport = flow->dport = 0;
	flow->protocol = ipv6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
	flow->l4_off = flow->l3_off + n_outer;
	flow->end += n_outer;
	flow->flags = ipv6 ? FLOW_F_IPV6 : 0;
	return 0;
}

/*
 * Makes of a packet to a front end, whose flow is as it came, one to a back end of another node, whose
 * address and port these are: 0, and it is to be routed by its flow; DSR_ANSWERED: it would become too
 * long, and now is an ICMP error for its sender; or a drop. Global, so that the verifier follows it
 * once: hence an address in halves.
 */
__weak __attribute__((noinline)) int dsr_forward(struct __sk_buff *skb, __u64 half0, __u64 half1,
						 __u32 port)
{
	struct packet *packet = packet_get();
	struct rewrite to = {
		.addr.halves = {half0, half1}, .port = port, .end = REWRITE_DESTINATION};
	struct dsr_way way;

	if (!packet)
		return DROP(DSR, ERROR_WRITING_TO_PACKET);
	dsr_route(skb, packet, &to.addr, &way);
	if (way.mtu) {
		int ret = reject_packet(skb, REJECT_TOO_BIG,
					way.mtu - dsr_extra_bytes(&packet->flow));
		return ret < 0 ? DROP(DSR, IP_FRAGMENTATION_NOT_SUPPORTED) : DSR_ANSWERED;
	}
	if (node_config.dsr_dispatch == DSR_DISPATCH_IPIP)
		return dsr_encapsulate(skb, packet, &to.addr, way.ifindex);
	return dsr_add_option(skb, packet, &to);
}

/* Of the address of a prefix, of which the ipcache knows because of a policy. */
#define DSR_IDENTITY_LOCAL (1 << 24)
#define DSR_IDENTITY_WORLD 2

/* Whether it is somewhere in the cluster: a node, a pod, whatever has an identity of its own. */
static __always_inline bool dsr_is_inside(const struct ipcache_info *info)
{
	__u32 identity = info->identity;

	if (info->flags & (IPCACHE_F_LOCAL_HOST | IPCACHE_F_REMOTE_NODE))
		return true;
	return identity < DSR_IDENTITY_LOCAL && identity != DSR_IDENTITY_WORLD &&
	       identity != node_config.world_identity4 && identity != node_config.world_identity6;
}

/* What stands for the machine itself, or for no address at all. */
static __always_inline bool dsr_is_nobody(const struct addr *addr)
{
	return !addr_is_routable(addr) || addr_is_any(addr) || addr_is_loopback(addr);
}

/*
 * Whether an option may say that the client asked for this. Anybody outside can write one, and who forwards
 * for a front end cannot be told from him by address: but nobody inside is to seem to answer, who does
 * not. A front end that only other nodes serve is not known here, nor is its address.
 */
static __noinline bool dsr_is_believed(const struct addr *addr, __be16 port, __u8 protocol)
{
	const struct lb_frontend *frontend;
	const struct ipcache_info *info;

	if (dsr_is_nobody(addr))
		return false;
	frontend = service_frontend_get(addr, port, protocol);
	if (frontend)
		return frontend->flags & LB_FRONTEND_F_EXTERNAL;
	if (endpoint_get(addr) || service_wildcard_get(addr))
		return false;
	info = ipcache_get(addr);
	if (!info || !dsr_is_inside(info))
		return true;
	/* A NodePort of another node. */
	return info->flags & IPCACHE_F_REMOTE_NODE && service_is_node_port(port);
}

/*
 * What the client of a packet asked for, where another node's packet says it: true, with the front end's
 * address and port.
 */
static __noinline bool dsr_find(struct __sk_buff *skb, const struct flow *flow,
				struct addr *ret_addr, __be16 *ret_port)
{
	__u32 off = parse_l3_off(flow);
	struct dsr_option6 option6;
	struct dsr_option4 option4;

	if (flow->flags & FLOW_F_IPV6) {
		__u8 next;

		/* Without extension headers, as nearly all packets are, nothing is read. */
		if (flow->l4_off < flow->l3_off + sizeof(struct ipv6hdr) + sizeof(option6) ||
		    bpf_skb_load_bytes(skb, off + offsetof(struct ipv6hdr, nexthdr), &next, 1) ||
		    next != IPPROTO_DSTOPTS ||
		    bpf_skb_load_bytes(skb, off + sizeof(struct ipv6hdr), &option6,
				       sizeof(option6)) ||
		    option6.type != DSR_OPTION6 ||
		    option6.n_bytes != sizeof(option6) - offsetof(struct dsr_option6, port))
			return false;
		addr_set_words(ret_addr, option6.addr);
		*ret_port = option6.port;
		return true;
	}
	if (flow->l4_off < flow->l3_off + sizeof(struct iphdr) + sizeof(option4) ||
	    bpf_skb_load_bytes(skb, off + sizeof(struct iphdr), &option4, sizeof(option4)) ||
	    option4.type != DSR_OPTION4 || option4.n_bytes != sizeof(option4))
		return false;
	addr_set_ipv4(ret_addr, option4.addr);
	*ret_port = option4.port;
	return true;
}
