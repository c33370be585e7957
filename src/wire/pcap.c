// SPDX-License-Identifier: Apache-2.0
#include "src/wire/pcap.h"

#include <string.h>

#define PCAP_MAGIC_US     0xa1b2c3d4
#define PCAP_MAGIC_NS     0xa1b23c4d
#define PCAP_HEADER_BYTES 24
#define PCAP_LINK_OFF     20
#define PCAP_RECORD_BYTES 16

#define NG_SECTION           0x0a0d0d0a
#define NG_INTERFACE         1
#define NG_SIMPLE_PACKET     3
#define NG_ENHANCED_PACKET   6
#define NG_ORDER_MAGIC       0x1a2b3c4d
#define NG_BLOCK_BYTES_MIN   12 /* type, length, and the length again at the end */
#define NG_SECTION_BYTES_MIN 28
#define NG_HEAD_BYTES        8

#define ETHERNET_HEADER_BYTES 14
#define VLAN_TAG_BYTES        4
#define SLL_HEADER_BYTES      16
#define SLL2_HEADER_BYTES     20
#define ETHER_TYPE_IPV4       0x0800
#define ETHER_TYPE_IPV6       0x86dd
#define ETHER_TYPE_VLAN       0x8100
#define ETHER_TYPE_QINQ       0x88a8

static uint32_t swap32(uint32_t number)
{
	return GUINT32_SWAP_LE_BE(number);
}

static uint32_t get32(const struct pcap *pcap, size_t offset)
{
	uint32_t number;

	memcpy(&number, pcap->bytes + offset, sizeof(number));
	return pcap->is_swapped ? swap32(number) : number;
}

static uint16_t get16(const struct pcap *pcap, size_t offset)
{
	uint16_t number;

	memcpy(&number, pcap->bytes + offset, sizeof(number));
	return pcap->is_swapped ? GUINT16_SWAP_LE_BE(number) : number;
}

static uint16_t get_be16(const uint8_t *bytes)
{
	return bytes[0] << 8 | bytes[1];
}

static size_t n_left(const struct pcap *pcap)
{
	return pcap->n_bytes - pcap->offset;
}

static bool find_link(uint32_t number, enum pcap_link *ret_link)
{
	static const struct {
		uint32_t number;
		enum pcap_link link;
	} links[] = {
		{1, PCAP_LINK_ETHERNET}, {12, PCAP_LINK_RAW},   {14, PCAP_LINK_RAW},
		{101, PCAP_LINK_RAW},    {228, PCAP_LINK_RAW},  {229, PCAP_LINK_RAW},
		{113, PCAP_LINK_SLL},    {276, PCAP_LINK_SLL2},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(links); i++) {
		if (links[i].number != number)
			continue;
		*ret_link = links[i].link;
		return true;
	}
	return false;
}

/* The upper bits of pcap's field are the length of a checksum behind each packet. */
static void add_link(struct pcap *pcap, uint32_t number)
{
	unsigned int i = pcap->n_links++;

	pcap->link_numbers[i] = number & 0xffff;
	pcap->is_known[i] = find_link(number & 0xffff, &pcap->links[i]);
}

int pcap_open(const uint8_t *bytes, size_t n_bytes, struct pcap *ret_pcap, GError **error)
{
	struct pcap pcap = {.bytes = bytes, .n_bytes = n_bytes};
	uint32_t magic;

	if (n_bytes < PCAP_HEADER_BYTES)
		return error_set(error, EINVAL,
				 "%zu bytes are no capture: pcap or pcapng begin with at least %d",
				 n_bytes, PCAP_HEADER_BYTES);
	memcpy(&magic, bytes, sizeof(magic));
	if (magic == NG_SECTION) {
		pcap.is_ng = true;
		*ret_pcap = pcap;
		return 0;
	}
	pcap.is_swapped = magic == swap32(PCAP_MAGIC_US) || magic == swap32(PCAP_MAGIC_NS);
	if (!pcap.is_swapped && magic != PCAP_MAGIC_US && magic != PCAP_MAGIC_NS)
		return error_set(
			error, EINVAL,
			"the first bytes are those of neither pcap nor pcapng: want a file "
			"that tcpdump -w or Wireshark wrote");
	add_link(&pcap, get32(&pcap, PCAP_LINK_OFF));
	pcap.offset = PCAP_HEADER_BYTES;
	*ret_pcap = pcap;
	return 0;
}

/* ---- what stands in front of IP ---- */

/* VLAN tags are no part of what the programs see: the kernel takes them off. */
static size_t skip_ethernet(const uint8_t *frame, size_t n_bytes, uint16_t *ret_type)
{
	size_t offset = ETHERNET_HEADER_BYTES;

	if (n_bytes < offset)
		return n_bytes + 1;
	*ret_type = get_be16(frame + offset - 2);
	while ((*ret_type == ETHER_TYPE_VLAN || *ret_type == ETHER_TYPE_QINQ) &&
	       n_bytes >= offset + VLAN_TAG_BYTES) {
		*ret_type = get_be16(frame + offset + 2);
		offset += VLAN_TAG_BYTES;
	}
	return offset;
}

static size_t skip_link(enum pcap_link link, const uint8_t *bytes, size_t n_bytes,
			uint16_t *ret_type)
{
	switch (link) {
	case PCAP_LINK_ETHERNET:
		return skip_ethernet(bytes, n_bytes, ret_type);
	case PCAP_LINK_SLL:
		if (n_bytes >= SLL_HEADER_BYTES)
			*ret_type = get_be16(bytes + SLL_HEADER_BYTES - 2);
		return SLL_HEADER_BYTES;
	case PCAP_LINK_SLL2:
		if (n_bytes >= SLL2_HEADER_BYTES)
			*ret_type = get_be16(bytes);
		return SLL2_HEADER_BYTES;
	case PCAP_LINK_RAW:
		break;
	}
	if (n_bytes)
		*ret_type = bytes[0] >> 4 == 6 ? ETHER_TYPE_IPV6 : ETHER_TYPE_IPV4;
	return 0;
}

static int make_packet(const struct pcap *pcap, unsigned int interface, size_t offset,
		       uint32_t n_bytes, uint32_t n_full_bytes, struct pcap_packet *ret_packet,
		       GError **error)
{
	const uint8_t *bytes = pcap->bytes + offset;
	struct pcap_packet packet = {0};
	size_t n_header;

	if (interface >= pcap->n_links)
		return error_set(error, EINVAL, "a packet of interface %u, of which there is none",
				 interface);
	if (!pcap->is_known[interface])
		return error_set(
			error, EINVAL,
			"link type %u: want Ethernet (1), raw IP (101), or what the device "
			"\"any\" gives (113, 276)",
			pcap->link_numbers[interface]);
	n_header = skip_link(pcap->links[interface], bytes, n_bytes, &packet.ether_type);
	if (n_header > n_bytes)
		return error_set(error, EINVAL, "a packet ends in its link-layer header");
	packet.bytes = bytes + n_header;
	packet.n_bytes = n_bytes - n_header;
	packet.n_full_bytes = MAX(n_full_bytes, n_bytes) - n_header;
	if (pcap->links[interface] == PCAP_LINK_ETHERNET) {
		packet.ethernet = bytes;
		packet.n_ethernet_bytes = n_bytes;
	}
	*ret_packet = packet;
	return 1;
}

/* ---- pcap ---- */

static int next_record(struct pcap *pcap, struct pcap_packet *ret_packet, GError **error)
{
	size_t offset = pcap->offset;
	uint32_t n_bytes;

	if (!n_left(pcap))
		return 0;
	if (n_left(pcap) < PCAP_RECORD_BYTES)
		return error_set(error, EINVAL, "the file ends in the header of a packet");
	n_bytes = get32(pcap, offset + 8);
	if (n_bytes > PCAP_PACKET_BYTES_MAX || n_bytes > n_left(pcap) - PCAP_RECORD_BYTES)
		return error_set(error, EINVAL, "the file ends in a packet of %u bytes", n_bytes);
	pcap->offset += PCAP_RECORD_BYTES + n_bytes;
	return make_packet(pcap, 0, offset + PCAP_RECORD_BYTES, n_bytes, get32(pcap, offset + 12),
			   ret_packet, error);
}

/* ---- pcapng ---- */

/* The byte order is that of the section, so its length cannot be read before. */
static int begin_section(struct pcap *pcap, GError **error)
{
	uint32_t magic;

	if (n_left(pcap) < NG_SECTION_BYTES_MIN)
		return error_set(error, EINVAL, "the file ends in the header of a section");
	memcpy(&magic, pcap->bytes + pcap->offset + NG_HEAD_BYTES, sizeof(magic));
	if (magic != NG_ORDER_MAGIC && magic != swap32(NG_ORDER_MAGIC))
		return error_set(error, EINVAL, "a section does not tell its byte order");
	pcap->is_swapped = magic != NG_ORDER_MAGIC;
	pcap->n_links = 0;
	return 0;
}

static int add_interface(struct pcap *pcap, size_t offset, uint32_t n_block_bytes, GError **error)
{
	if (n_block_bytes < NG_BLOCK_BYTES_MIN + 8)
		return error_set(error, EINVAL, "the description of an interface is cut off");
	if (pcap->n_links == PCAP_INTERFACES_MAX)
		return error_set(error, EINVAL, "more than %d interfaces", PCAP_INTERFACES_MAX);
	add_link(pcap, get16(pcap, offset + NG_HEAD_BYTES));
	return 0;
}

/* What of a block is the packet's: captured bytes at offset; head: of the block in front of them. */
static int take_block(const struct pcap *pcap, size_t offset, uint32_t n_block_bytes,
		      struct pcap_packet *ret_packet, GError **error)
{
	bool is_simple = get32(pcap, offset) == NG_SIMPLE_PACKET;
	uint32_t n_head = NG_HEAD_BYTES + (is_simple ? 4 : 20);
	uint32_t n_room, n_bytes, n_full_bytes;

	if (n_block_bytes < n_head + 4)
		return error_set(error, EINVAL, "a packet is cut off");
	n_room = n_block_bytes - n_head - 4;
	n_full_bytes = get32(pcap, offset + n_head - 4);
	n_bytes = is_simple ? MIN(n_full_bytes, n_room) : get32(pcap, offset + n_head - 8);
	if (n_bytes > n_room || n_bytes > PCAP_PACKET_BYTES_MAX)
		return error_set(error, EINVAL, "a block of %u bytes has a packet of %u",
				 n_block_bytes, n_bytes);
	return make_packet(pcap, is_simple ? 0 : get32(pcap, offset + NG_HEAD_BYTES),
			   offset + n_head, n_bytes, n_full_bytes, ret_packet, error);
}

/* 1 with a packet, 0 where the block was none, −EINVAL. */
static int next_block(struct pcap *pcap, struct pcap_packet *ret_packet, GError **error)
{
	size_t offset = pcap->offset;
	uint32_t type, n_bytes;
	int err = 0;

	if (n_left(pcap) < NG_BLOCK_BYTES_MIN)
		return error_set(error, EINVAL, "the file ends in the head of a block");
	type = get32(pcap, offset);
	if (type == NG_SECTION)
		err = begin_section(pcap, error);
	if (err)
		return err;
	n_bytes = get32(pcap, offset + 4);
	if (n_bytes < NG_BLOCK_BYTES_MIN || n_bytes % 4 || n_bytes > n_left(pcap))
		return error_set(error, EINVAL, "the file ends in a block of %u bytes", n_bytes);
	pcap->offset += n_bytes;
	switch (type) {
	case NG_INTERFACE:
		return add_interface(pcap, offset, n_bytes, error);
	case NG_SIMPLE_PACKET:
	case NG_ENHANCED_PACKET:
		return take_block(pcap, offset, n_bytes, ret_packet, error);
	default:
		return 0;
	}
}

int pcap_next(struct pcap *pcap, struct pcap_packet *ret_packet, GError **error)
{
	int ret = 0;

	if (!pcap->is_ng)
		return next_record(pcap, ret_packet, error);
	while (!ret && n_left(pcap))
		ret = next_block(pcap, ret_packet, error);
	return ret;
}
