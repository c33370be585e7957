/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames from descriptions. What a test expects is described as what it sends, and both are built
 * here from nothing: each checksum is computed over the whole, byte by byte, so that a comparison
 * also proves the incremental updates of the programs.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_BYTES_MAX 4096

struct frame {
	uint8_t data[FRAME_BYTES_MAX];
	size_t n_bytes;
};

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

struct frame_spec {
	const char *src_mac; /* NULL: that of the sender, MAC_POD */
	const char *dst_mac;
	uint16_t ethertype; /* 0: of the addresses' family */
	const char *src;    /* address */
	const char *dst;
	uint8_t protocol; /* IPPROTO_* */
	uint8_t ttl;      /* 0: 64 */
	uint16_t sport;   /* ICMP: the identifier, or the rest of the first word */
	uint16_t dport;
	uint8_t tcp_flags;
	uint8_t type; /* ICMP */
	uint8_t code;
	uint8_t tos;        /* IPv4 */
	bool dont_fragment; /* IPv4 */
	uint8_t n_options;  /* IPv4: words of options */
	const uint8_t
		*options;  /* … in place of no operation; IPv6: the extension from its length on */
	uint8_t extension; /* IPv6: one extension header of this protocol, of eight bytes */
	uint8_t n_extensions;  /* … so often; 0: once */
	uint16_t fragment_off; /* bytes, a multiple of 8 */
	bool more_fragments;
	uint16_t fragment_id;
	uint16_t n_payload;
	bool no_udp_checksum;
	const struct frame_spec *inner; /* ICMP errors: the packet that is embedded … */
	uint16_t n_inner;               /* … cut to so many bytes; 0: whole */
	const uint8_t *raw; /* behind the Ethernet header, in place of everything above */
	size_t n_raw;
	size_t n_cut;       /* bytes missing at the end of the frame */
	uint16_t n_padding; /* bytes behind the packet */
};

void frame_build(struct frame *frame, const struct frame_spec *spec);
/* Internet checksum (RFC 1071) of the bytes. */
uint16_t frame_checksum(const uint8_t *data, size_t n_bytes);
void frame_parse_mac(const char *text, uint8_t *ret_mac);
