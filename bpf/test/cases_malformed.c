/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames that no honest sender emits. (A frame too short for its IP header is not among them:
 * BPF_PROG_TEST_RUN itself refuses it.)
 */
#include "bpf/test/cases.h"

#define UDP4       .src = A4, .dst = B4, .protocol = IPPROTO_UDP, .sport = 1000, .dport = 53
#define UDP6       .src = A6, .dst = B6, .protocol = IPPROTO_UDP, .sport = 1000, .dport = 53
#define TCP4       .src = A4, .dst = B4, .protocol = IPPROTO_TCP, .sport = 1000, .dport = 80
#define RAW(bytes) .raw = bytes, .n_raw = sizeof(bytes)

/* 10.0.0.10 to 10.0.0.20 with one thing wrong each. */
#define IPV4(first, total_high, total_low, protocol)                                    \
	{first, 0, total_high, total_low, 0, 0, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 10, \
	 10,    0, 0,          20,        0, 1, 0, 2, 0,  12,       0, 0, 0,  0, 0, 0}

static const uint8_t version_6_in_ipv4[] = IPV4(0x65, 0, 32, IPPROTO_UDP);
static const uint8_t short_header[] = IPV4(0x44, 0, 32, IPPROTO_UDP);
static const uint8_t header_beyond_packet[] = IPV4(0x4f, 0, 32, IPPROTO_UDP);
static const uint8_t total_beyond_frame[] = IPV4(0x45, 1, 0, IPPROTO_UDP);
static const uint8_t total_of_nothing[] = IPV4(0x45, 0, 0, IPPROTO_UDP);
static const uint8_t total_below_header[] = IPV4(0x45, 0, 19, IPPROTO_UDP);
static const uint8_t total_cuts_udp[] = IPV4(0x45, 0, 27, IPPROTO_UDP);
static const uint8_t tcp_in_12_bytes[] = IPV4(0x45, 0, 32, IPPROTO_TCP);
static const uint8_t icmp6_in_ipv4[] = IPV4(0x45, 0, 32, IPPROTO_ICMPV6);

static const uint8_t tcp_offset_4[] = {
	0x45, 0, 0, 40, 0, 0, 0, 0, 64, IPPROTO_TCP, 0, 0, 10,   0, 0, 10, 10, 0, 0, 20,
	0,    1, 0, 2,  0, 0, 0, 0, 0,  0,           0, 0, 0x40, 2, 0, 0,  0,  0, 0, 0};
static const uint8_t tcp_offset_15[] = {
	0x45, 0, 0, 40, 0, 0, 0, 0, 64, IPPROTO_TCP, 0, 0, 10,   0, 0, 10, 10, 0, 0, 20,
	0,    1, 0, 2,  0, 0, 0, 0, 0,  0,           0, 0, 0xf0, 2, 0, 0,  0,  0, 0, 0};

static const uint8_t arp_of_4_bytes[] = {0, 1, 8, 0};

static const struct test_case cases[] = {
	{"frame shorter than the packet says",
	 .steps = {{.in = {UDP4, .n_payload = 40, .n_cut = 1}, .drop = DROP_INVALID_PACKET_DROPPED},
		   {.in = {UDP6, .n_payload = 40, .n_cut = 1},
		    .drop = DROP_INVALID_PACKET_DROPPED}}},
	{"IPv4 header fields", .steps = {{.in = {RAW(version_6_in_ipv4), .ethertype = 0x0800},
					  .drop = DROP_INVALID_PACKET_DROPPED},
					 {.in = {RAW(short_header), .ethertype = 0x0800},
					  .drop = DROP_INVALID_PACKET_DROPPED},
					 {.in = {RAW(header_beyond_packet), .ethertype = 0x0800},
					  .drop = DROP_INVALID_PACKET_DROPPED},
					 {.in = {RAW(total_beyond_frame), .ethertype = 0x0800},
					  .drop = DROP_INVALID_PACKET_DROPPED},
					 {.in = {RAW(total_of_nothing), .ethertype = 0x0800},
					  .drop = DROP_INVALID_PACKET_DROPPED},
					 {.in = {RAW(total_below_header), .ethertype = 0x0800},
					  .drop = DROP_INVALID_PACKET_DROPPED}}},
	{"truncated L4 header", .steps = {{.in = {RAW(total_cuts_udp), .ethertype = 0x0800},
					   .drop = DROP_CT_TRUNCATED_OR_INVALID_HEADER},
					  {.in = {RAW(tcp_in_12_bytes), .ethertype = 0x0800},
					   .drop = DROP_CT_TRUNCATED_OR_INVALID_HEADER},
					  {.in = {RAW(tcp_offset_4), .ethertype = 0x0800},
					   .drop = DROP_CT_TRUNCATED_OR_INVALID_HEADER},
					  {.in = {RAW(tcp_offset_15), .ethertype = 0x0800},
					   .drop = DROP_CT_TRUNCATED_OR_INVALID_HEADER}}},
	{"IPv4 addresses inside IPv6",
	 .steps = {{.in = {.src = "::ffff:10.0.0.10", .dst = B6, .protocol = IPPROTO_UDP},
		    .drop = DROP_INVALID_PACKET_DROPPED},
		   {.in = {.src = A6, .dst = "::ffff:10.0.0.20", .protocol = IPPROTO_UDP},
		    .drop = DROP_INVALID_PACKET_DROPPED}}},
	{"too many extension headers",
	 .steps = {{.in = {UDP6, .extension = IPPROTO_DSTOPTS, .n_extensions = 8},
		    .drop = DROP_INVALID_IPV6_EXTENSION_HEADER}}},
	{"extension header without an end",
	 .steps = {{.in = {UDP6, .protocol = IPPROTO_DSTOPTS},
		    .drop = DROP_INVALID_IPV6_EXTENSION_HEADER}}},
	{"protocols that are not tracked",
	 .steps = {{.in = {UDP4, .protocol = IPPROTO_GRE, .n_payload = 8},
		    .drop = DROP_CT_UNKNOWN_L4_PROTOCOL},
		   {.in = {UDP6, .protocol = IPPROTO_NONE}, .drop = DROP_CT_UNKNOWN_L4_PROTOCOL},
		   {.in = {RAW(icmp6_in_ipv4), .ethertype = 0x0800},
		    .drop = DROP_CT_UNKNOWN_L4_PROTOCOL},
		   {.in = {UDP6, .protocol = IPPROTO_ICMP}, .drop = DROP_CT_UNKNOWN_L4_PROTOCOL}}},
	{"IGMP ends here",
	 .steps =
		 {{.in = {.src = A4, .dst = "224.0.0.22", .protocol = IPPROTO_IGMP, .n_payload = 8},
		   .drop = DROP_IGMP_HANDLED}}},
	{"other ethertypes",
	 .steps = {{.in = {UDP4, .ethertype = 0x88cc}, .drop = DROP_UNSUPPORTED_L2_PROTOCOL},
		   {.in = {UDP4, .ethertype = 0x8847}, .drop = DROP_UNSUPPORTED_L2_PROTOCOL},
		   {.in = {UDP4, .ethertype = 0x8100}, .drop = DROP_VLAN_FILTERED},
		   {.in = {UDP4, .ethertype = 0x88a8}, .drop = DROP_VLAN_FILTERED}}},
	{"truncated ARP", .steps = {{.in = {RAW(arp_of_4_bytes), .ethertype = 0x0806},
				     .drop = DROP_INVALID_PACKET_DROPPED}}},
};

const struct case_group malformed_cases = CASES(cases);
