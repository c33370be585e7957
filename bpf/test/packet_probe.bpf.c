/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* One stage at a time on a packet, as the programs call it. */
#include "bpf/lib/dsr.h"
#include "bpf/lib/fragment.h"
#include "bpf/lib/reject.h"

char _license[] SEC("license") = "Dual BSD/GPL";

struct {
	__u32 why; /* enum reject_why */
	__u32 mtu;
	__u32 is_l3; /* the device has no link layer */
	__s32 result;
	struct addr addr; /* the back end, or the front end that was found */
	__be16 port;
} probe;

static __always_inline struct packet *probe_begin(struct __sk_buff *skb)
{
	struct packet *packet = packet_begin(probe.is_l3 ? 0 : ETH_HLEN);

	if (!packet)
		return NULL;
	probe.result = fragment_parse(skb, &packet->flow);
	return packet;
}

SEC("tc") int probe_reject(struct __sk_buff *skb)
{
	struct packet *packet = probe_begin(skb);

	if (!packet)
		return TC_ACT_SHOT;
	probe.result = reject_packet(skb, probe.why, probe.mtu);
	return probe.result < 0 ? TC_ACT_SHOT : TC_ACT_OK;
}

SEC("tc") int probe_dsr_forward(struct __sk_buff *skb)
{
	struct packet *packet = probe_begin(skb);

	if (!packet)
		return TC_ACT_SHOT;
	probe.result = dsr_forward(skb, probe.addr.halves[0], probe.addr.halves[1], probe.port);
	return probe.result < 0 ? TC_ACT_SHOT : TC_ACT_OK;
}

SEC("tc") int probe_dsr_find(struct __sk_buff *skb)
{
	struct packet *packet = probe_begin(skb);
	struct addr addr;
	__be16 port;

	if (!packet)
		return TC_ACT_SHOT;
	probe.result = dsr_find(skb, &packet->flow, &addr, &port);
	if (probe.result) {
		probe.addr = addr;
		probe.port = port;
	}
	return TC_ACT_OK;
}
