/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head of a packet to its fields. Pure, never reads beyond what it is given, takes anything: what
 * is cut off or malformed is simply not among the layers.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	PACKET_ETHERNET = 1 << 0,
	PACKET_ARP = 1 << 1,
	PACKET_IPV4 = 1 << 2,
	PACKET_IPV6 = 1 << 3,
	PACKET_TCP = 1 << 4,
	PACKET_UDP = 1 << 5,
	PACKET_SCTP = 1 << 6,
	PACKET_ICMPV4 = 1 << 7,
	PACKET_ICMPV6 = 1 << 8,
};

enum {
	PACKET_TCP_FIN = 0x01,
	PACKET_TCP_SYN = 0x02,
	PACKET_TCP_RST = 0x04,
	PACKET_TCP_PSH = 0x08,
	PACKET_TCP_ACK = 0x10,
	PACKET_TCP_URG = 0x20,
};

/* Numbers are in host order; addresses as on the wire, IPv4 in the first four bytes. */
struct packet {
	unsigned int layers; /* PACKET_*: which of the following are set */
	uint8_t ether_src[6];
	uint8_t ether_dst[6];
	uint16_t ether_type; /* behind VLAN tags; also set where packets have no link layer */
	uint8_t src[16];
	uint8_t dst[16];
	uint8_t protocol; /* behind extension headers */
	uint8_t ttl;
	uint8_t tos;
	uint16_t ip_bytes;        /* total length as the header says */
	uint32_t ip_id;           /* IPv6: of the fragment header */
	uint16_t fragment_offset; /* bytes */
	bool more_fragments;
	uint16_t sport; /* TCP, UDP, SCTP */
	uint16_t dport;
	uint8_t tcp_flags; /* PACKET_TCP_* */
	uint32_t tcp_seq;
	uint32_t tcp_ack;
	uint16_t tcp_window;
	uint8_t icmp_type; /* both versions */
	uint8_t icmp_code;
	uint16_t icmp_id; /* of echo */
	uint16_t icmp_seq;
	uint16_t arp_op; /* 1: request, 2: reply; the addresses are in src and dst */
};

/* l3: the bytes begin with the IP header. */
void packet_decode(const uint8_t *bytes, size_t n_bytes, bool l3, struct packet *ret_packet);
