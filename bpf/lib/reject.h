/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A packet becomes the ICMP or ICMPv6 error that answers it, from the address that was asked to who
 * sent it. The caller sends it back the way it came.
 */
#pragma once

#include "bpf/lib/config.h"
#include "bpf/lib/parse.h"

/* The longest answer: RFC 1812, section 4.3.2.3, and RFC 4443, section 2.4 (c). */
#define REJECT_BYTES4     576
#define REJECT_BYTES6     1280
#define REJECT_HEADERS4   (sizeof(struct iphdr) + sizeof(struct icmp_header))
#define REJECT_HEADERS6   (sizeof(struct ipv6hdr) + sizeof(struct icmp_header))
#define REJECT_INNER4_MAX (REJECT_BYTES4 - REJECT_HEADERS4)
#define REJECT_INNER6_MAX (REJECT_BYTES6 - REJECT_HEADERS6)

#define REJECT_TOS_CONTROL    0xc0 /* RFC 1812, section 4.3.2.5 */
#define ICMP4_CODE_PORT       3
#define ICMP4_CODE_TOO_BIG    4
#define ICMP6_UNREACHABLE     1
#define ICMP6_CODE_PORT       4
#define ICMP6_PACKET_TOO_BIG  2
#define REJECT_COPY_BYTES     2048 /* a power of two above REJECT_INNER6_MAX */
#define REJECT_CHUNK          512U /* bpf_csum_diff() takes no more before Linux 6.13 */
#define REJECT_PACKET_TO_MANY 2    /* skb->pkt_type: 1 broadcast, 2 multicast */

enum reject_why {
	REJECT_NO_PORT,
	REJECT_TOO_BIG, /* with the MTU */
};

#define REJECT_CHUNKS 3 /* of REJECT_CHUNK, in the longest copy */

/* A copy of what the answer carries: sums want it in one piece, with zeros behind it. */
struct reject_copy {
	/* Linux 5.10 knows of the size, as a number of 32 bits, only that it is below a power of two. */
	__u8 bytes[REJECT_COPY_BYTES + sizeof(__u64)];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct reject_copy);
} reject_scratch SEC(".maps") __weak;

/*
 * Errors that a CPU makes, as net.ipv4.icmp_msgs_per_sec and icmp_msgs_burst are by themselves: a flood to
 * where nobody answers is not to become another (RFC 1812, section 4.3.2.8; RFC 4443, section 2.4 (f)).
 */
#define REJECT_INTERVAL_NS 1000000
#define REJECT_BURST       50

/* When the CPU will have made up for the errors that it has sent; they may be REJECT_BURST in advance. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} reject_even_ns SEC(".maps") __weak;

struct reject_head4 {
	struct iphdr ip;
	struct icmp_header icmp;
};

struct reject_head6 {
	struct ipv6hdr ip;
	struct icmp_header icmp;
};

/* RFC 1122, section 3.2.2, and RFC 4443, section 2.4 (e): when an error is no answer. */
static __always_inline bool reject_may_answer(const struct __sk_buff *skb, const struct flow *flow)
{
	if (flow->flags & (FLOW_F_ICMP_ERROR | FLOW_F_FRAGMENT_LATER))
		return false;
	if (skb->pkt_type && skb->pkt_type <= REJECT_PACKET_TO_MANY)
		return false;
	return addr_is_routable(&flow->saddr) && addr_is_routable(&flow->daddr);
}

/* Whether one more error is within the limit; then it counts. */
static __always_inline bool reject_take_turn(void)
{
	__u32 zero = 0;
	__u64 now = bpf_ktime_get_ns(), *even = bpf_map_lookup_elem(&reject_even_ns, &zero);

	if (!even)
		return false;
	if (*even < now)
		*even = now;
	if (*even - now > (REJECT_BURST - 1) * (__u64)REJECT_INTERVAL_NS)
		return false;
	*even += REJECT_INTERVAL_NS;
	return true;
}

/* Bytes of the packet that the answer carries; 0 is refused by who copies them. */
static __always_inline __u32 reject_inner_bytes(const struct flow *flow)
{
	__u32 max = flow->flags & FLOW_F_IPV6 ? REJECT_INNER6_MAX : REJECT_INNER4_MAX;
	__u32 n_bytes = flow->end - flow->l3_off;

	return n_bytes < max ? n_bytes : max;
}

/* The sum over n_bytes of the packet from off on, or negative. */
static __always_inline __s64 reject_inner_sum(struct __sk_buff *skb, __u32 off, __u32 n_bytes)
{
	__u32 zero = 0, done = 0, last;
	struct reject_copy *copy = bpf_map_lookup_elem(&reject_scratch, &zero);
	__s64 sum = 0;

	if (!copy || !n_bytes)
		return -1;
	/*
	 * One test, of what the size is made of again behind it: before Linux 5.16 a value that was put on the
	 * stack between two tests knows only of the first.
	 */
	last = n_bytes - 1;
	value_barrier(last);
	if (last >= REJECT_INNER6_MAX)
		return -1;
	if (bpf_skb_load_bytes(skb, off, copy->bytes, last + 1))
		return -1;
	__builtin_memset(copy->bytes + last + 1, 0, sizeof(__be32));
	for (int i = 0; i < REJECT_CHUNKS && done < n_bytes; i++, done += REJECT_CHUNK) {
		__u32 n = (n_bytes - done + 3) & ~3U;

		if (n > REJECT_CHUNK)
			n = REJECT_CHUNK;
		value_barrier(n);
		if (n > REJECT_CHUNK)
			return -1;
		sum = bpf_csum_diff(NULL, 0, (void *)(copy->bytes + i * REJECT_CHUNK), n, sum);
		if (sum < 0)
			return -1;
	}
	return sum;
}

/* The link's addresses change places. */
static __always_inline long reject_turn_link(struct __sk_buff *skb)
{
	struct mac macs[2], turned[2];
	long error = bpf_skb_load_bytes(skb, 0, macs, sizeof(macs));

	if (error)
		return error;
	turned[0] = macs[1];
	turned[1] = macs[0];
	return bpf_skb_store_bytes(skb, 0, turned, sizeof(turned), 0);
}

static __always_inline long reject_write4(struct __sk_buff *skb, const struct flow *flow,
					  struct reject_head4 *head, __u32 n_inner, __u32 inner_sum)
{
	head->ip.version = 4;
	head->ip.ihl = sizeof(head->ip) / 4;
	head->ip.tos = REJECT_TOS_CONTROL;
	head->ip.tot_len = bpf_htons(sizeof(*head) + n_inner);
	head->ip.frag_off = bpf_htons(IPV4_DONT_FRAGMENT);
	head->ip.ttl = OWN_TTL;
	head->ip.protocol = IPPROTO_ICMP;
	head->ip.saddr = flow->daddr.words[3];
	head->ip.daddr = flow->saddr.words[3];
	head->ip.check = csum_fold(bpf_csum_diff(NULL, 0, (void *)&head->ip, sizeof(head->ip), 0));
	head->icmp.check = csum_fold(
		bpf_csum_diff(NULL, 0, (void *)&head->icmp, sizeof(head->icmp), inner_sum));
	return bpf_skb_store_bytes(skb, parse_l3_off(flow), head, sizeof(*head),
				   BPF_F_RECOMPUTE_CSUM);
}

static __always_inline long reject_write6(struct __sk_buff *skb, const struct flow *flow,
					  struct reject_head6 *head, __u32 n_inner, __u32 inner_sum)
{
	__u32 n_payload = sizeof(head->icmp) + n_inner;
	__be32 pseudo[2] = {bpf_htonl(n_payload), bpf_htonl(IPPROTO_ICMPV6)};

	head->ip.version = 6;
	head->ip.payload_len = bpf_htons(n_payload);
	head->ip.nexthdr = IPPROTO_ICMPV6;
	head->ip.hop_limit = OWN_TTL;
	__builtin_memcpy(&head->ip.saddr, &flow->daddr, sizeof(head->ip.saddr));
	__builtin_memcpy(&head->ip.daddr, &flow->saddr, sizeof(head->ip.daddr));
	inner_sum = bpf_csum_diff(NULL, 0, (void *)&head->ip.saddr,
				  sizeof(head->ip.saddr) + sizeof(head->ip.daddr), inner_sum);
	inner_sum = bpf_csum_diff(NULL, 0, pseudo, sizeof(pseudo), inner_sum);
	head->icmp.check = csum_fold(
		bpf_csum_diff(NULL, 0, (void *)&head->icmp, sizeof(head->icmp), inner_sum));
	return bpf_skb_store_bytes(skb, parse_l3_off(flow), head, sizeof(*head),
				   BPF_F_RECOMPUTE_CSUM);
}

static __always_inline long reject_write(struct __sk_buff *skb, const struct flow *flow,
					 enum reject_why why, __u32 mtu, __u32 inner_sum)
{
	__u32 n_inner = reject_inner_bytes(flow);

	if (flow->flags & FLOW_F_IPV6) {
		struct reject_head6 head = {};

		head.icmp.type = why == REJECT_TOO_BIG ? ICMP6_PACKET_TOO_BIG : ICMP6_UNREACHABLE;
		head.icmp.code = why == REJECT_TOO_BIG ? 0 : ICMP6_CODE_PORT;
		/* 32 bits, of which no MTU needs more than the low half. */
		head.icmp.echo_sequence = bpf_htons(mtu);
		return reject_write6(skb, flow, &head, n_inner, inner_sum);
	}

	struct reject_head4 head = {};

	head.icmp.type = ICMP4_UNREACHABLE;
	head.icmp.code = why == REJECT_TOO_BIG ? ICMP4_CODE_TOO_BIG : ICMP4_CODE_PORT;
	head.icmp.echo_sequence = bpf_htons(mtu);
	return reject_write4(skb, flow, &head, n_inner, inner_sum);
}

/*
 * Makes an answer of the packet, whose flow is as it came: 0, or a drop, where nothing was written or
 * the packet is not to go on. why: enum reject_why; mtu: 0 but for REJECT_TOO_BIG. The flow is not that
 * of the answer. Global, so that the verifier follows it once.
 */
__weak __attribute__((noinline)) int reject_packet(struct __sk_buff *skb, __u32 why, __u32 mtu)
{
	const struct packet *packet = packet_get();
	const struct flow *flow;
	__u32 n_inner, n_room;
	__s64 sum;

	if (!packet || !reject_may_answer(skb, &packet->flow))
		return DROP(REJECT, SERVICE_BACKEND_NOT_FOUND);
	/* Without the MTU no packet of the connection would ever arrive: that is said each time. */
	if (why != REJECT_TOO_BIG && !reject_take_turn())
		return DROP(REJECT, SERVICE_BACKEND_NOT_FOUND);
	flow = &packet->flow;
	n_inner = reject_inner_bytes(flow);
	n_room = flow->flags & FLOW_F_IPV6 ? REJECT_HEADERS6 : REJECT_HEADERS4;
	sum = reject_inner_sum(skb, parse_l3_off(flow), n_inner);
	/* The tail also ends what is yet to be cut into segments. */
	if (sum < 0 || bpf_skb_change_tail(skb, parse_l3_off(flow) + n_inner, 0) ||
	    bpf_skb_adjust_room(skb, n_room, BPF_ADJ_ROOM_MAC, 0))
		return DROP(REJECT, ERROR_WRITING_TO_PACKET);
	if (flow->l3_off && reject_turn_link(skb))
		return DROP(REJECT, ERROR_WRITING_TO_PACKET);
	if (reject_write(skb, flow, why, mtu, sum))
		return DROP(REJECT, ERROR_WRITING_TO_PACKET);
	return 0;
}

/* Nobody is behind the port: see reject_packet(). */
__weak __attribute__((noinline)) int reject_unreachable(struct __sk_buff *skb)
{
	return reject_packet(skb, REJECT_NO_PORT, 0);
}
