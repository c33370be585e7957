/* SPDX-License-Identifier: Apache-2.0 */
#include "src/observe/packet_text.h"

#include <arpa/inet.h>
#include <stdio.h>

#define HOST_TEXT_BYTES INET6_ADDRSTRLEN
#define MAC_BYTES       18

struct code_name {
	int type;
	int code; /* −1: any */
	const char *name;
};

static const struct code_name icmpv4_names[] = {
	{0, -1, "EchoReply"},
	{3, 0, "DestinationUnreachable(Net)"},
	{3, 1, "DestinationUnreachable(Host)"},
	{3, 2, "DestinationUnreachable(Protocol)"},
	{3, 3, "DestinationUnreachable(Port)"},
	{3, 4, "DestinationUnreachable(FragmentationNeeded)"},
	{3, -1, "DestinationUnreachable"},
	{5, -1, "Redirect"},
	{8, -1, "EchoRequest"},
	{9, -1, "RouterAdvertisement"},
	{10, -1, "RouterSolicitation"},
	{11, 0, "TimeExceeded(TTLExceeded)"},
	{11, 1, "TimeExceeded(FragmentReassemblyTimeExceeded)"},
	{11, -1, "TimeExceeded"},
	{12, -1, "ParameterProblem"},
	{13, -1, "TimestampRequest"},
	{14, -1, "TimestampReply"},
};

static const struct code_name icmpv6_names[] = {
	{1, 0, "DestinationUnreachable(NoRouteToDst)"},
	{1, 1, "DestinationUnreachable(AdminProhibited)"},
	{1, 3, "DestinationUnreachable(Address)"},
	{1, 4, "DestinationUnreachable(Port)"},
	{1, -1, "DestinationUnreachable"},
	{2, -1, "PacketTooBig"},
	{3, 0, "TimeExceeded(HopLimitExceeded)"},
	{3, 1, "TimeExceeded(FragmentReassemblyTimeExceeded)"},
	{3, -1, "TimeExceeded"},
	{4, -1, "ParameterProblem"},
	{128, -1, "EchoRequest"},
	{129, -1, "EchoReply"},
	{133, -1, "RouterSolicitation"},
	{134, -1, "RouterAdvertisement"},
	{135, -1, "NeighborSolicitation"},
	{136, -1, "NeighborAdvertisement"},
	{137, -1, "Redirect"},
};

char *packet_text_format_icmp(bool v6, uint8_t type, uint8_t code)
{
	const struct code_name *names = v6 ? icmpv6_names : icmpv4_names;
	size_t n = v6 ? G_N_ELEMENTS(icmpv6_names) : G_N_ELEMENTS(icmpv4_names);

	for (size_t i = 0; i < n; i++)
		if (names[i].type == type && (names[i].code < 0 || names[i].code == code))
			return g_strdup(names[i].name);
	return g_strdup_printf("%u(%u)", type, code);
}

static void append_icmp(GString *text, const struct packet *packet)
{
	g_autofree char *name = packet_text_format_icmp(!(packet->layers & PACKET_ICMPV4),
							packet->icmp_type, packet->icmp_code);

	g_string_append(text, name);
}

static const char *format_host(const struct packet *packet, const uint8_t *addr,
			       char buffer[static HOST_TEXT_BYTES])
{
	inet_ntop(packet->layers & PACKET_IPV6 ? AF_INET6 : AF_INET, addr, buffer, HOST_TEXT_BYTES);
	return buffer;
}

static const char *format_mac(const uint8_t *mac, char buffer[static MAC_BYTES])
{
	g_snprintf(buffer, MAC_BYTES, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		   mac[3], mac[4], mac[5]);
	return buffer;
}

static void append_host_port(GString *text, const struct packet *packet, const uint8_t *addr,
			     uint16_t port)
{
	char host[HOST_TEXT_BYTES];

	g_string_append_printf(text, packet->layers & PACKET_IPV6 ? "[%s]:%u" : "%s:%u",
			       format_host(packet, addr, host), port);
}

static void append_flags(GString *text, unsigned int flags)
{
	static const struct {
		unsigned int flag;
		const char *name;
	} names[] = {
		{PACKET_TCP_SYN, "SYN"},
		{PACKET_TCP_ACK, "ACK"},
		{PACKET_TCP_RST, "RST"},
		{PACKET_TCP_FIN, "FIN"},
	};
	const char *separator = "";

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		if (flags & names[i].flag) {
			g_string_append_printf(text, "%s%s", separator, names[i].name);
			separator = ", ";
		}
}

static const char *port_protocol(const struct packet *packet)
{
	if (packet->layers & PACKET_TCP)
		return "tcp";
	if (packet->layers & PACKET_UDP)
		return "udp";
	return packet->layers & PACKET_SCTP ? "sctp" : NULL;
}

void packet_text_append_connection(GString *text, const struct packet *packet)
{
	const char *protocol = port_protocol(packet);
	char src[HOST_TEXT_BYTES], dst[HOST_TEXT_BYTES];

	if (!(packet->layers & (PACKET_IPV4 | PACKET_IPV6))) {
		g_string_append(text, "[unknown]");
	} else if (protocol) {
		append_host_port(text, packet, packet->src, packet->sport);
		g_string_append(text, " -> ");
		append_host_port(text, packet, packet->dst, packet->dport);
		g_string_append_printf(text, " %s", protocol);
		if (packet->layers & PACKET_TCP) {
			g_string_append_c(text, ' ');
			append_flags(text, packet->tcp_flags);
		}
	} else {
		g_string_append_printf(text, "%s -> %s", format_host(packet, packet->src, src),
				       format_host(packet, packet->dst, dst));
		if (packet->layers & (PACKET_ICMPV4 | PACKET_ICMPV6)) {
			g_string_append_c(text, ' ');
			append_icmp(text, packet);
		}
	}
}

static void append_ethernet(GString *text, const struct packet *packet)
{
	char src[MAC_BYTES], dst[MAC_BYTES];

	g_string_append_printf(text, "SrcMAC=%s DstMAC=%s EthernetType=0x%04x",
			       format_mac(packet->ether_src, src),
			       format_mac(packet->ether_dst, dst), packet->ether_type);
}

static void append_arp(GString *text, const struct packet *packet)
{
	char src[HOST_TEXT_BYTES], dst[HOST_TEXT_BYTES];

	g_string_append_printf(text, "Operation=%u SourceProtAddress=%s DstProtAddress=%s",
			       packet->arp_op, format_host(packet, packet->src, src),
			       format_host(packet, packet->dst, dst));
}

static void append_ip(GString *text, const struct packet *packet)
{
	char src[HOST_TEXT_BYTES], dst[HOST_TEXT_BYTES];

	g_string_append_printf(text, "SrcIP=%s DstIP=%s TTL=%u Protocol=%u Length=%u",
			       format_host(packet, packet->src, src),
			       format_host(packet, packet->dst, dst), packet->ttl, packet->protocol,
			       packet->ip_bytes);
	if (packet->fragment_offset || packet->more_fragments)
		g_string_append_printf(text, " Id=%u FragOffset=%u MoreFragments=%s", packet->ip_id,
				       packet->fragment_offset,
				       packet->more_fragments ? "true" : "false");
}

static void append_tcp(GString *text, const struct packet *packet)
{
	g_string_append_printf(
		text, "SrcPort=%u DstPort=%u Seq=%u Ack=%u Window=%u Flags=", packet->sport,
		packet->dport, packet->tcp_seq, packet->tcp_ack, packet->tcp_window);
	append_flags(text, packet->tcp_flags);
}

static void append_ports(GString *text, const struct packet *packet)
{
	g_string_append_printf(text, "SrcPort=%u DstPort=%u", packet->sport, packet->dport);
}

static void append_icmp_layer(GString *text, const struct packet *packet)
{
	g_string_append(text, "TypeCode=");
	append_icmp(text, packet);
	g_string_append_printf(text, " Id=%u Seq=%u", packet->icmp_id, packet->icmp_seq);
}

static const struct {
	unsigned int layer;
	const char *title;
	const char *member;
	void (*append)(GString *text, const struct packet *packet);
} layers[] = {
	{PACKET_ETHERNET, "Ethernet", "ethernet", append_ethernet},
	{PACKET_ARP, "ARP", "arp", append_arp},
	{PACKET_IPV4, "IPv4", "ipv4", append_ip},
	{PACKET_IPV6, "IPv6", "ipv6", append_ip},
	{PACKET_TCP, "TCP", "tcp", append_tcp},
	{PACKET_UDP, "UDP", "udp", append_ports},
	{PACKET_SCTP, "SCTP", "sctp", append_ports},
	{PACKET_ICMPV4, "ICMPv4", "icmpv4", append_icmp_layer},
	{PACKET_ICMPV6, "ICMPv6", "icmpv6", append_icmp_layer},
};

void packet_text_append_layers(GString *text, const struct packet *packet)
{
	for (size_t i = 0; i < G_N_ELEMENTS(layers); i++)
		if (packet->layers & layers[i].layer) {
			g_string_append_printf(text, "%s\t", layers[i].title);
			layers[i].append(text, packet);
			g_string_append_c(text, '\n');
		}
}

json_t *packet_to_json(const struct packet *packet)
{
	char src[HOST_TEXT_BYTES], dst[HOST_TEXT_BYTES];
	json_t *object = json_object();

	for (size_t i = 0; i < G_N_ELEMENTS(layers); i++)
		if (packet->layers & layers[i].layer) {
			g_autoptr(GString) text = g_string_new(NULL);

			g_string_append_printf(text, "%s ", layers[i].title);
			layers[i].append(text, packet);
			json_object_set_new(object, layers[i].member, json_string(text->str));
		}
	if (packet->layers & PACKET_ETHERNET)
		json_object_set_new(object, "l2",
				    json_pack("{s:s, s:s}", "src",
					      format_mac(packet->ether_src, src), "dst",
					      format_mac(packet->ether_dst, dst)));
	if (packet->layers & (PACKET_IPV4 | PACKET_IPV6))
		json_object_set_new(object, "l3",
				    json_pack("{s:s, s:s}", "src",
					      format_host(packet, packet->src, src), "dst",
					      format_host(packet, packet->dst, dst)));
	if (port_protocol(packet))
		json_object_set_new(object, "l4",
				    json_pack("{s:o, s:o}", "src",
					      json_sprintf("%u", packet->sport), "dst",
					      json_sprintf("%u", packet->dport)));
	return object;
}
