/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the whole path is compared with: parsing alone, and with one connection and one endpoint. */
#include "bpf/lib/conntrack.h"
#include "bpf/lib/endpoint.h"
#include "bpf/lib/fragment.h"

char _license[] SEC("license") = "Dual BSD/GPL";

SEC("tc") int bench_parse(struct __sk_buff *skb)
{
	struct packet *packet = packet_begin(ETH_HLEN);

	return !packet || fragment_parse(skb, &packet->flow) < 0 ? TC_ACT_SHOT : TC_ACT_OK;
}

SEC("tc") int bench_reference(struct __sk_buff *skb)
{
	struct packet *packet = packet_begin(ETH_HLEN);

	if (!packet || fragment_parse(skb, &packet->flow) < 0 || !endpoint_get(&packet->flow.daddr))
		return TC_ACT_SHOT;
	return ct_track(skb, packet) < 0 ? TC_ACT_SHOT : TC_ACT_OK;
}
