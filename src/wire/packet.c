/* SPDX-License-Identifier: Apache-2.0 */
#include "src/wire/packet.h"

#include <string.h>
#include <linux/if_ether.h>
#include <netinet/in.h>

#define VLAN_TAGS_MAX     2
#define EXTENSIONS_MAX    8
#define ICMP_ECHO_REPLY   0
#define ICMP_ECHO         8
#define ICMPV6_ECHO       128
#define ICMPV6_ECHO_REPLY 129

/* What is left of the packet. */
struct rest {
	const uint8_t *bytes;
	size_t n;
};

static uint16_t get_16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static uint32_t get_32(const uint8_t *bytes)
{
	return (uint32_t)get_16(bytes) << 16 | get_16(bytes + 2);
}

/* The next n bytes, or NULL where there are not so many. */
static const uint8_t *take(struct rest *rest, size_t n)
{
	const uint8_t *bytes = rest->bytes;

	if (rest->n < n)
		return NULL;
	rest->bytes += n;
	rest->n -= n;
	return bytes;
}

static void decode_tcp(struct rest rest, struct packet *packet)
{
	const uint8_t *tcp = take(&rest, 20);

	if (!tcp)
		return;
	packet->layers |= PACKET_TCP;
	packet->sport = get_16(tcp);
	packet->dport = get_16(tcp + 2);
	packet->tcp_seq = get_32(tcp + 4);
	packet->tcp_ack = get_32(tcp + 8);
	packet->tcp_flags = tcp[13] & 0x3f;
	packet->tcp_window = get_16(tcp + 14);
}

static void decode_ports(struct rest rest, unsigned int layer, size_t n_header_bytes,
			 struct packet *packet)
{
	const uint8_t *header = take(&rest, n_header_bytes);

	if (!header)
		return;
	packet->layers |= layer;
	packet->sport = get_16(header);
	packet->dport = get_16(header + 2);
}

static void decode_icmp(struct rest rest, unsigned int layer, struct packet *packet)
{
	const uint8_t *icmp = take(&rest, 8);
	bool is_echo;

	if (!icmp)
		return;
	packet->layers |= layer;
	packet->icmp_type = icmp[0];
	packet->icmp_code = icmp[1];
	if (layer == PACKET_ICMPV4)
		is_echo = icmp[0] == ICMP_ECHO || icmp[0] == ICMP_ECHO_REPLY;
	else
		is_echo = icmp[0] == ICMPV6_ECHO || icmp[0] == ICMPV6_ECHO_REPLY;
	if (is_echo) {
		packet->icmp_id = get_16(icmp + 4);
		packet->icmp_seq = get_16(icmp + 6);
	}
}

static void decode_transport(struct rest rest, struct packet *packet)
{
	if (packet->fragment_offset)
		return; /* what follows is the middle of a datagram */
	switch (packet->protocol) {
	case IPPROTO_TCP:
		decode_tcp(rest, packet);
		break;
	case IPPROTO_UDP:
		decode_ports(rest, PACKET_UDP, 8, packet);
		break;
	case IPPROTO_SCTP:
		decode_ports(rest, PACKET_SCTP, 12, packet);
		break;
	case IPPROTO_ICMP:
		if (packet->layers & PACKET_IPV4)
			decode_icmp(rest, PACKET_ICMPV4, packet);
		break;
	case IPPROTO_ICMPV6:
		if (packet->layers & PACKET_IPV6)
			decode_icmp(rest, PACKET_ICMPV6, packet);
		break;
	}
}

static void decode_ipv4(struct rest rest, struct packet *packet)
{
	const uint8_t *ip = take(&rest, 20);
	size_t n_header_bytes;

	if (!ip || ip[0] >> 4 != 4)
		return;
	n_header_bytes = (ip[0] & 0x0f) * 4;
	if (n_header_bytes < 20)
		return;
	packet->layers |= PACKET_IPV4;
	packet->tos = ip[1];
	packet->ip_bytes = get_16(ip + 2);
	packet->ip_id = get_16(ip + 4);
	packet->more_fragments = ip[6] & 0x20;
	packet->fragment_offset = (get_16(ip + 6) & 0x1fff) * 8;
	packet->ttl = ip[8];
	packet->protocol = ip[9];
	memcpy(packet->src, ip + 12, 4);
	memcpy(packet->dst, ip + 16, 4);
	if (take(&rest, n_header_bytes - 20))
		decode_transport(rest, packet);
}

/* Steps over one extension header. False where there is none, or it is cut off. */
static bool skip_extension(struct rest *rest, struct packet *packet)
{
	const uint8_t *header;

	switch (packet->protocol) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_DSTOPTS:
		header = take(rest, 8);
		if (!header || !take(rest, header[1] * 8u))
			return false;
		break;
	case IPPROTO_AH:
		header = take(rest, 8);
		if (!header || header[1] < 1 || !take(rest, (header[1] + 2) * 4u - 8))
			return false;
		break;
	case IPPROTO_FRAGMENT:
		header = take(rest, 8);
		if (!header)
			return false;
		packet->fragment_offset = get_16(header + 2) & 0xfff8;
		packet->more_fragments = header[3] & 1;
		packet->ip_id = get_32(header + 4);
		break;
	default:
		return false;
	}
	packet->protocol = header[0];
	return true;
}

static void decode_ipv6(struct rest rest, struct packet *packet)
{
	const uint8_t *ip = take(&rest, 40);
	unsigned int n_extensions = 0;

	if (!ip || ip[0] >> 4 != 6)
		return;
	packet->layers |= PACKET_IPV6;
	packet->tos = (uint8_t)(get_16(ip) >> 4);
	packet->ip_bytes = get_16(ip + 4) + 40;
	packet->protocol = ip[6];
	packet->ttl = ip[7];
	memcpy(packet->src, ip + 8, 16);
	memcpy(packet->dst, ip + 24, 16);
	while (n_extensions++ < EXTENSIONS_MAX && !packet->fragment_offset &&
	       skip_extension(&rest, packet))
		;
	decode_transport(rest, packet);
}

static void decode_arp(struct rest rest, struct packet *packet)
{
	const uint8_t *arp = take(&rest, 28);

	/* Ethernet and IPv4 only. */
	if (!arp || get_16(arp) != 1 || get_16(arp + 2) != ETH_P_IP || arp[4] != 6 || arp[5] != 4)
		return;
	packet->layers |= PACKET_ARP;
	packet->arp_op = get_16(arp + 6);
	memcpy(packet->src, arp + 14, 4);
	memcpy(packet->dst, arp + 24, 4);
}

/* False where the frame is cut off before its type. */
static bool decode_ethernet(struct rest *rest, struct packet *packet)
{
	const uint8_t *ether = take(rest, ETH_HLEN);

	if (!ether)
		return false;
	packet->layers |= PACKET_ETHERNET;
	memcpy(packet->ether_dst, ether, 6);
	memcpy(packet->ether_src, ether + 6, 6);
	packet->ether_type = get_16(ether + 12);
	for (int i = 0; i < VLAN_TAGS_MAX &&
			(packet->ether_type == ETH_P_8021Q || packet->ether_type == ETH_P_8021AD);
	     i++) {
		const uint8_t *tag = take(rest, 4);

		if (!tag)
			return false;
		packet->ether_type = get_16(tag + 2);
	}
	return true;
}

void packet_decode(const uint8_t *bytes, size_t n_bytes, bool l3, struct packet *ret_packet)
{
	struct rest rest = {.bytes = bytes, .n = n_bytes};
	struct packet *packet = ret_packet;

	*packet = (struct packet){0};
	if (l3)
		packet->ether_type = n_bytes && bytes[0] >> 4 == 6 ? ETH_P_IPV6 : ETH_P_IP;
	else if (!decode_ethernet(&rest, packet))
		return;
	if (packet->ether_type == ETH_P_IP)
		decode_ipv4(rest, packet);
	else if (packet->ether_type == ETH_P_IPV6)
		decode_ipv6(rest, packet);
	else if (packet->ether_type == ETH_P_ARP)
		decode_arp(rest, packet);
}
