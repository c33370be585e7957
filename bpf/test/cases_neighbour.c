/* SPDX-License-Identifier: Apache-2.0 */
/* ARP and neighbour discovery. */
#include <stdlib.h>
#include <string.h>

#include "bpf/test/cases.h"

#define RAW(bytes) .raw = bytes, .n_raw = sizeof(bytes)
#define ETH_ARP    .ethertype = 0x0806
#define ETH_IPV6   .ethertype = 0x86dd

#define MAC_A_BYTES      2, 0, 0, 0, 1, 1
#define MAC_A_NODE_BYTES 2, 0, 0, 0, 1, 0
#define MAC_NONE_BYTES   0, 0, 0, 0, 0, 0
#define BROADCAST        "ff:ff:ff:ff:ff:ff"

#define ARP(op, sender_mac, sender_, target_mac, target_) \
	{0, 1, 8, 0, 6, 4, 0, op, sender_mac, 10, 0, 0, sender_, target_mac, 10, 0, 0, target_}

static const uint8_t arp_ask_router[] = ARP(1, MAC_A_BYTES, 10, MAC_NONE_BYTES, 1);
static const uint8_t arp_router[] = ARP(2, MAC_A_NODE_BYTES, 1, MAC_A_BYTES, 10);
static const uint8_t arp_ask_b[] = ARP(1, MAC_A_BYTES, 10, MAC_NONE_BYTES, 20);
static const uint8_t arp_b[] = ARP(2, MAC_A_NODE_BYTES, 20, MAC_A_BYTES, 10);
static const uint8_t arp_announce[] = ARP(1, MAC_A_BYTES, 10, MAC_NONE_BYTES, 10);
static const uint8_t arp_answer[] = ARP(2, MAC_A_BYTES, 10, MAC_A_NODE_BYTES, 1);
static const uint8_t arp_forged[] = ARP(2, MAC_A_BYTES, 20, MAC_A_NODE_BYTES, 1);
static const uint8_t arp_odd[] = {
	0, 6, 8, 0, 6, 4, 0, 1, MAC_A_BYTES, 10, 0, 0, 10, MAC_NONE_BYTES, 10, 0, 0, 1};

#define FD(last)             0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last
#define SOLICITED_NODE(last) 0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, last
#define LINK_LOCAL           0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9
#define UNSPECIFIED          0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0

#define IPV6(length, hops, src_, dst_) 0x60, 0, 0, 0, 0, length, 58, hops, src_, dst_
#define ASK(target_)                   135, 0, 0, 0, 0, 0, 0, 0, target_
#define SOURCE_OPTION                  1, 1, MAC_A_BYTES

/* The check field of a question is not looked at; that of the answer must be right. */
static const uint8_t nd_ask_router[] = {IPV6(32, 255, FD(0x10), SOLICITED_NODE(1)), ASK(FD(1)),
					SOURCE_OPTION};
static const uint8_t nd_ask_bare[] = {IPV6(24, 255, FD(0x10), SOLICITED_NODE(1)), ASK(FD(1))};
static const uint8_t nd_ask_link_local[] = {IPV6(24, 255, LINK_LOCAL, SOLICITED_NODE(1)),
					    ASK(FD(1))};
static const uint8_t nd_ask_forged[] = {IPV6(24, 255, FD(0x20), SOLICITED_NODE(1)), ASK(FD(1))};
static const uint8_t nd_ask_far[] = {IPV6(24, 254, FD(0x10), SOLICITED_NODE(1)), ASK(FD(1))};
static const uint8_t nd_ask_own[] = {IPV6(24, 255, FD(0x10), SOLICITED_NODE(0x10)), ASK(FD(0x10))};
static const uint8_t nd_probe[] = {IPV6(24, 255, UNSPECIFIED, SOLICITED_NODE(0x10)), ASK(FD(0x10))};
static const uint8_t nd_tell[] = {
	IPV6(24, 255, FD(0x10), FD(1)), 136, 0, 0, 0, 0x60, 0, 0, 0, FD(0x10)};
static const uint8_t nd_tell_link_local[] = {
	IPV6(24, 255, LINK_LOCAL, FD(1)), 136, 0, 0, 0, 0x60, 0, 0, 0, LINK_LOCAL};
static const uint8_t nd_tell_forged[] = {
	IPV6(24, 255, FD(0x10), FD(1)), 136, 0, 0, 0, 0x60, 0, 0, 0, FD(0x20)};
static const uint8_t nd_short[] = {IPV6(8, 255, FD(0x10), FD(1)), 135, 0, 0, 0, 0, 0, 0, 0};
static const uint8_t rs[] = {IPV6(8, 255, LINK_LOCAL, SOLICITED_NODE(1)), 133, 0, 0, 0, 0, 0, 0, 0};
static const uint8_t ra[] = {IPV6(16, 255, LINK_LOCAL, SOLICITED_NODE(1)),
			     134,
			     0,
			     0,
			     0,
			     64,
			     0,
			     0,
			     0,
			     0,
			     0,
			     0,
			     0,
			     0,
			     0,
			     0,
			     0};
static const uint8_t redirect[] = {IPV6(8, 255, LINK_LOCAL, FD(1)), 137, 0, 0, 0, 0, 0, 0, 0};
static const uint8_t mld[] = {IPV6(8, 1, LINK_LOCAL, SOLICITED_NODE(1)), 143, 0, 0, 0, 0, 0, 0, 0};

/* The advertisement of fd00::1 to the asker whose address is in the frame, with its checksum. */
static void check_advert(struct harness *harness, const struct run *run)
{
	static const uint8_t head[] = {
		MAC_A_BYTES, MAC_A_NODE_BYTES, 0x86, 0xdd, 0x60, 0, 0, 0, 0, 32, 58, 255, FD(1)};
	static const uint8_t message[] = {136, 0, 0,     0, 0xe0, 0,
					  0,   0, FD(1), 2, 1,    MAC_A_NODE_BYTES};
	uint8_t pseudo[72] = {};

	if (run->out.n_bytes != 14 + 40 + 32 || memcmp(run->out.data, head, sizeof(head)))
		abort();
	memcpy(pseudo, run->out.data + 14 + 8, 32);
	pseudo[35] = 32;
	pseudo[39] = 58;
	memcpy(pseudo + 40, run->out.data + 54, 32);
	if (frame_checksum(pseudo, sizeof(pseudo)))
		abort();
	/* With the checksum taken out the message is as it must be. */
	memset(pseudo + 42, 0, 2);
	if (memcmp(pseudo + 40, message, sizeof(message)))
		abort();
}

#define ADVERT .verdict = TC_ACT_REDIRECT, .n_out = -1, .check = check_advert

static const struct test_case cases[] = {
	{"ARP: every address is behind the node",
	 .steps = {{.in = {RAW(arp_ask_router), ETH_ARP, .dst_mac = BROADCAST},
		    .verdict = TC_ACT_REDIRECT,
		    .out = {RAW(arp_router), ETH_ARP, TO_A}},
		   {.in = {RAW(arp_ask_b), ETH_ARP, .dst_mac = BROADCAST},
		    .verdict = TC_ACT_REDIRECT,
		    .out = {RAW(arp_b), ETH_ARP, TO_A}}}},
	{"ARP: nobody else has its own address",
	 .steps = {{.in = {RAW(arp_announce), ETH_ARP}, .drop = DROP_MULTICAST_HANDLED}}},
	{"ARP: answers to the host's stack",
	 .steps = {{.in = {RAW(arp_answer), ETH_ARP}, .verdict = TC_ACT_UNSPEC},
		   {.in = {RAW(arp_forged), ETH_ARP}, .drop = DROP_INVALID_SOURCE_IP}}},
	{"ARP: of another link layer",
	 .steps = {{.in = {RAW(arp_odd), ETH_ARP}, .drop = DROP_INVALID_PACKET_DROPPED}}},
	{"ARP: from no endpoint", .steps = {{.in = {RAW(arp_ask_b), ETH_ARP},
					     .ifindex = IFINDEX_NODE,
					     .drop = DROP_UNSUPPORTED_L2_PROTOCOL}}},
	{"ND: every address is behind the node",
	 .steps = {{.in = {RAW(nd_ask_router), ETH_IPV6}, ADVERT},
		   {.in = {RAW(nd_ask_bare), ETH_IPV6}, ADVERT},
		   {.in = {RAW(nd_ask_link_local), ETH_IPV6}, ADVERT}}},
	{"ND: nobody else has its own address",
	 .steps = {{.in = {RAW(nd_ask_own), ETH_IPV6}, .drop = DROP_MULTICAST_HANDLED},
		   {.in = {RAW(nd_probe), ETH_IPV6}, .drop = DROP_MULTICAST_HANDLED}}},
	{"ND: forged or from afar",
	 .steps = {{.in = {RAW(nd_ask_forged), ETH_IPV6}, .drop = DROP_INVALID_SOURCE_IP},
		   {.in = {RAW(nd_tell_forged), ETH_IPV6}, .drop = DROP_INVALID_SOURCE_IP},
		   {.in = {RAW(nd_ask_far), ETH_IPV6}, .drop = DROP_INVALID_PACKET_DROPPED},
		   {.in = {RAW(nd_short), ETH_IPV6}, .drop = DROP_INVALID_PACKET_DROPPED},
		   {.in = {RAW(nd_ask_bare), ETH_IPV6},
		    .ifindex = IFINDEX_NODE,
		    .drop = DROP_INVALID_SOURCE_IP}}},
	{"ND: answers to the host's stack",
	 .steps = {{.in = {RAW(nd_tell), ETH_IPV6}, .verdict = TC_ACT_UNSPEC},
		   {.in = {RAW(nd_tell_link_local), ETH_IPV6}, .verdict = TC_ACT_UNSPEC}}},
	{"ND: no endpoint is a router",
	 .steps = {{.in = {RAW(ra), ETH_IPV6}, .drop = DROP_FORBIDDEN_ICMPV6_MESSAGE},
		   {.in = {RAW(redirect), ETH_IPV6}, .drop = DROP_FORBIDDEN_ICMPV6_MESSAGE}}},
	{"router solicitations and listener reports end here",
	 .steps = {{.in = {RAW(rs), ETH_IPV6}, .drop = DROP_MULTICAST_HANDLED},
		   {.in = {RAW(mld), ETH_IPV6}, .drop = DROP_MULTICAST_HANDLED}}},
};

const struct case_group neighbour_cases = CASES(cases);
