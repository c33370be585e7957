/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What cil_xdp_entry is measured with: a sender, a receiver, and the least that one can do between. */
#include "bpf/lib/xdp_packet.h"

#define BENCH_HEAD_WORDS 10

char _license[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} bench_received SEC(".maps");

/* The bits of the source port that change from packet to packet. */
volatile __u16 bench_flow_mask;
volatile __u32 bench_sport_off;

static __always_inline void count(void)
{
	__u32 zero = 0;
	__u64 *n = bpf_map_lookup_elem(&bench_received, &zero);

	if (n)
		++*n;
}

/*
 * The frame: what came back from the last round is in its pages, translated. All of a frame's headers,
 * in words.
 */
__u64 bench_frame[BENCH_HEAD_WORDS];

SEC("xdp") int bench_xdp_send(struct xdp_md *ctx)
{
	__u64 *head = xdp_at(ctx, 0, sizeof(bench_frame));
	__be16 *sport = xdp_at(ctx, bench_sport_off & 0x3f, sizeof(*sport));

	for (int i = 0; head && i < BENCH_HEAD_WORDS; i++)
		head[i] = bench_frame[i];
	if (sport)
		*sport = bpf_htons(1024 + (bpf_get_prandom_u32() & bench_flow_mask));
	return XDP_TX;
}

SEC("xdp") int bench_xdp_receive(struct xdp_md *ctx __attribute__((unused)))
{
	count();
	return XDP_DROP;
}

/* A bare reflector. */
SEC("xdp") int bench_xdp_tx(struct xdp_md *ctx)
{
	struct ethhdr *eth = xdp_at(ctx, 0, sizeof(*eth));
	__u8 mac[ETH_ALEN];

	if (!eth)
		return XDP_DROP;
	__builtin_memcpy(mac, eth->h_dest, sizeof(mac));
	__builtin_memcpy(eth->h_dest, eth->h_source, sizeof(mac));
	__builtin_memcpy(eth->h_source, mac, sizeof(mac));
	return XDP_TX;
}
