/* SPDX-License-Identifier: Apache-2.0 */
/* The first packet of a connection as an Ethernet frame, from what a person says of it. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_BYTES_MAX 128

struct frame_request {
	bool v6;
	uint8_t ether_src[6];
	uint8_t ether_dst[6];
	uint8_t src[16]; /* IPv4 in the first four bytes */
	uint8_t dst[16];
	uint8_t protocol; /* IPPROTO_TCP (a SYN), UDP, SCTP (an INIT), ICMP, ICMPV6 */
	uint16_t sport;   /* host order; ICMP echo: the identifier */
	uint16_t dport;
	uint8_t icmp_type;
	uint8_t icmp_code;
};

/*
 * Writes the frame, with all checksums right but SCTP's CRC, which nobody on the way looks at. Returns the
 * number of bytes, or 0: the protocol is none of the above, or not of the family.
 */
size_t frame_encode(const struct frame_request *request, uint8_t frame[static FRAME_BYTES_MAX]);
