/* SPDX-License-Identifier: Apache-2.0 */
#include "src/wire/echo.h"

#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <string.h>

static uint16_t get16(const uint8_t *bytes)
{
	return bytes[0] << 8 | bytes[1];
}

static void put16(uint8_t *bytes, uint16_t number)
{
	bytes[0] = number >> 8;
	bytes[1] = number & 0xff;
}

static uint16_t checksum(const uint8_t *bytes, size_t n_bytes)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n_bytes; i++)
		sum += i % 2 ? bytes[i] : bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

size_t echo_encode(uint8_t *message, bool v6, uint16_t id, uint16_t seq, size_t n_payload_bytes)
{
	size_t n_bytes = ECHO_HEADER_BYTES + n_payload_bytes;

	memset(message, 0, ECHO_HEADER_BYTES);
	message[0] = v6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
	put16(message + 4, id);
	put16(message + 6, seq);
	if (!v6)
		put16(message + 2, checksum(message, n_bytes));
	return n_bytes;
}

/* Where the payload of an IP header begins; 0: it is none, or cut off. */
static size_t ip_header_bytes(const uint8_t *bytes, size_t n_bytes, bool v6)
{
	size_t n_header = v6 ? sizeof(struct ip6_hdr) : sizeof(struct iphdr);

	if (n_bytes < n_header || bytes[0] >> 4 != (v6 ? 6 : 4))
		return 0;
	if (v6)
		return bytes[6] == IPPROTO_ICMPV6 ? n_header : 0;
	n_header = (bytes[0] & 0xf) * 4;
	return n_header >= sizeof(struct iphdr) && n_header <= n_bytes && bytes[9] == IPPROTO_ICMP
		       ? n_header
		       : 0;
}

static bool is_error(uint8_t type, bool v6)
{
	if (v6)
		return type >= ICMP6_DST_UNREACH && type <= ICMP6_PARAM_PROB;
	return type == ICMP_DEST_UNREACH || type == ICMP_TIME_EXCEEDED ||
	       type == ICMP_PARAMETERPROB;
}

/* message: the ICMP header; the packet that it is about follows. */
static bool decode_error(const uint8_t *message, size_t n_bytes, bool v6, struct echo *echo)
{
	const uint8_t *inner = message + ECHO_HEADER_BYTES;
	size_t n_inner = n_bytes - ECHO_HEADER_BYTES;
	size_t n_header = ip_header_bytes(inner, n_inner, v6);

	if (!n_header || n_inner - n_header < ECHO_HEADER_BYTES ||
	    inner[n_header] != (v6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO))
		return false;
	echo->kind = ECHO_ERROR;
	echo->id = get16(inner + n_header + 4);
	echo->seq = get16(inner + n_header + 6);
	memcpy(echo->dst, inner + (v6 ? 24 : 16), v6 ? 16 : 4);
	if (v6 && echo->type == ICMP6_PACKET_TOO_BIG)
		echo->mtu = (uint32_t)get16(message + 4) << 16 | get16(message + 6);
	else if (!v6 && echo->type == ICMP_DEST_UNREACH && echo->code == ICMP_FRAG_NEEDED)
		echo->mtu = get16(message + 6);
	return true;
}

bool echo_decode(const uint8_t *bytes, size_t n_bytes, bool v6, struct echo *ret_echo)
{
	size_t n_header = v6 ? 0 : ip_header_bytes(bytes, n_bytes, false);
	const uint8_t *message = bytes + n_header;
	struct echo echo = {.kind = ECHO_REPLY};

	if ((!v6 && !n_header) || n_bytes - n_header < ECHO_HEADER_BYTES)
		return false;
	n_bytes -= n_header;
	echo.type = message[0];
	echo.code = message[1];
	if (is_error(echo.type, v6)) {
		if (!decode_error(message, n_bytes, v6, &echo))
			return false;
	} else if (echo.type == (v6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY)) {
		echo.ttl = v6 ? 0 : bytes[8];
		echo.id = get16(message + 4);
		echo.seq = get16(message + 6);
		echo.payload = message + ECHO_HEADER_BYTES;
		echo.n_payload_bytes = n_bytes - ECHO_HEADER_BYTES;
	} else {
		return false;
	}
	*ret_echo = echo;
	return true;
}
