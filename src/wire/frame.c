// SPDX-License-Identifier: Apache-2.0
#include "src/wire/frame.h"

#include <netinet/in.h>
#include <string.h>

#define ETHERNET_BYTES 14
#define IPV4_BYTES     20
#define IPV6_BYTES     40
#define TCP_BYTES      20
#define UDP_BYTES      8
#define ICMP_BYTES     8
#define SCTP_BYTES     32 /* common header and an INIT chunk */
#define TTL            64
#define TCP_SYN        0x02
#define TCP_WINDOW     65535
#define SCTP_INIT      1

static void put16(uint8_t *bytes, uint16_t number)
{
	bytes[0] = number >> 8;
	bytes[1] = number & 0xff;
}

static uint32_t add_words(uint32_t sum, const uint8_t *bytes, size_t n_bytes)
{
	for (size_t i = 0; i < n_bytes; i++)
		sum += i % 2 ? bytes[i] : bytes[i] << 8;
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* Over what follows the IP header and, but for ICMP of IPv4, the pseudo header. */
static uint16_t l4_checksum(const struct frame_request *request, const uint8_t *l4, size_t n_bytes)
{
	size_t n_addr = request->v6 ? 16 : 4;
	uint32_t sum = 0;

	if (request->protocol != IPPROTO_ICMP) {
		sum = add_words(sum, request->src, n_addr);
		sum = add_words(sum, request->dst, n_addr);
		sum += request->protocol + n_bytes;
	}
	return fold(add_words(sum, l4, n_bytes));
}

static size_t put_l4(const struct frame_request *request, uint8_t *l4)
{
	switch (request->protocol) {
	case IPPROTO_TCP:
		l4[12] = TCP_BYTES / 4 << 4;
		l4[13] = TCP_SYN;
		put16(l4 + 14, TCP_WINDOW);
		break;
	case IPPROTO_UDP:
		put16(l4 + 4, UDP_BYTES);
		break;
	case IPPROTO_SCTP:
		l4[12] = SCTP_INIT;
		put16(l4 + 14, SCTP_BYTES - 12);
		break;
	default:
		l4[0] = request->icmp_type;
		l4[1] = request->icmp_code;
		put16(l4 + 4, request->sport);
		put16(l4 + 2, l4_checksum(request, l4, ICMP_BYTES));
		return ICMP_BYTES;
	}
	put16(l4, request->sport);
	put16(l4 + 2, request->dport);
	if (request->protocol == IPPROTO_SCTP)
		return SCTP_BYTES;
	if (request->protocol == IPPROTO_TCP) {
		put16(l4 + 16, l4_checksum(request, l4, TCP_BYTES));
		return TCP_BYTES;
	}
	put16(l4 + 6, l4_checksum(request, l4, UDP_BYTES));
	if (!l4[6] && !l4[7])
		put16(l4 + 6, 0xffff); /* RFC 768: zero means none */
	return UDP_BYTES;
}

static void put_ipv4(const struct frame_request *request, uint8_t *ip, size_t n_l4)
{
	ip[0] = 0x45;
	put16(ip + 2, IPV4_BYTES + n_l4);
	ip[8] = TTL;
	ip[9] = request->protocol;
	memcpy(ip + 12, request->src, 4);
	memcpy(ip + 16, request->dst, 4);
	put16(ip + 10, fold(add_words(0, ip, IPV4_BYTES)));
}

static void put_ipv6(const struct frame_request *request, uint8_t *ip, size_t n_l4)
{
	ip[0] = 0x60;
	put16(ip + 4, n_l4);
	ip[6] = request->protocol;
	ip[7] = TTL;
	memcpy(ip + 8, request->src, 16);
	memcpy(ip + 24, request->dst, 16);
}

static bool is_known(const struct frame_request *request)
{
	switch (request->protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_SCTP:
		return true;
	case IPPROTO_ICMP:
		return !request->v6;
	case IPPROTO_ICMPV6:
		return request->v6;
	default:
		return false;
	}
}

size_t frame_encode(const struct frame_request *request, uint8_t frame[static FRAME_BYTES_MAX])
{
	size_t n_ip = request->v6 ? IPV6_BYTES : IPV4_BYTES;
	size_t n_l4;

	if (!is_known(request))
		return 0;
	memset(frame, 0, FRAME_BYTES_MAX);
	memcpy(frame, request->ether_dst, 6);
	memcpy(frame + 6, request->ether_src, 6);
	put16(frame + 12, request->v6 ? 0x86dd : 0x0800);
	n_l4 = put_l4(request, frame + ETHERNET_BYTES + n_ip);
	if (request->v6)
		put_ipv6(request, frame + ETHERNET_BYTES, n_l4);
	else
		put_ipv4(request, frame + ETHERNET_BYTES, n_l4);
	return ETHERNET_BYTES + n_ip + n_l4;
}
