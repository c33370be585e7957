/* SPDX-License-Identifier: Apache-2.0 */
/* ICMP and ICMPv6 echo, as a raw socket sends and receives it: pure, takes anything. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ECHO_HEADER_BYTES 8

/*
 * Writes an echo request: ECHO_HEADER_BYTES and the payload, which the caller has put behind them. The
 * checksum of ICMPv6 is the kernel's to fill in. Returns the number of bytes.
 */
size_t echo_encode(uint8_t *message, bool v6, uint16_t id, uint16_t seq, size_t n_payload_bytes);

enum echo_kind {
	ECHO_REPLY,
	ECHO_ERROR, /* an ICMP error about a request */
};

struct echo {
	enum echo_kind kind;
	uint16_t id; /* of the request */
	uint16_t seq;
	uint8_t type, code;     /* of the ICMP message */
	uint8_t ttl;            /* of a reply by IPv4; 0: not known */
	uint32_t mtu;           /* of "too big"; 0: none */
	uint8_t dst[16];        /* ERROR: where the request went; IPv4 in the first four bytes */
	const uint8_t *payload; /* REPLY: inside the bytes given */
	size_t n_payload_bytes;
};

/*
 * bytes: what a raw socket received, with the IP header for IPv4 and without for IPv6. False: it is
 * neither a reply to an echo request nor an error about one.
 */
bool echo_decode(const uint8_t *bytes, size_t n_bytes, bool v6, struct echo *ret_echo);
