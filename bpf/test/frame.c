/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf/test/frame.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define MAC_SENDER   "02:00:00:00:01:01"
#define MAC_RECEIVER "02:00:00:00:01:00"

static void put8(struct frame *frame, uint8_t value)
{
	assert(frame->n_bytes < FRAME_BYTES_MAX);
	frame->data[frame->n_bytes++] = value;
}

static void put16(struct frame *frame, uint16_t value)
{
	put8(frame, value >> 8);
	put8(frame, value & 0xff);
}

static void put_bytes(struct frame *frame, const void *bytes, size_t n_bytes)
{
	for (size_t i = 0; i < n_bytes; i++)
		put8(frame, ((const uint8_t *)bytes)[i]);
}

static void put_zeros(struct frame *frame, size_t n_bytes)
{
	while (n_bytes--)
		put8(frame, 0);
}

static void set16(struct frame *frame, size_t off, uint16_t value)
{
	frame->data[off] = value >> 8;
	frame->data[off + 1] = value & 0xff;
}

static bool is_ipv6(const struct frame_spec *spec)
{
	return strchr(spec->src, ':') != NULL;
}

static void put_addr(struct frame *frame, const char *text)
{
	uint8_t addr[16];
	bool ipv6 = strchr(text, ':') != NULL;

	if (inet_pton(ipv6 ? AF_INET6 : AF_INET, text, addr) != 1)
		assert(!"bad address in a frame");
	put_bytes(frame, addr, ipv6 ? 16 : 4);
}

uint16_t frame_checksum(const uint8_t *data, size_t n_bytes)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n_bytes; i++)
		sum += i % 2 ? data[i] : (uint32_t)data[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

void frame_parse_mac(const char *text, uint8_t *ret_mac)
{
	unsigned int b[6];

	if (sscanf(text, "%x:%x:%x:%x:%x:%x", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5]) != 6)
		assert(!"bad MAC in a frame");
	for (int i = 0; i < 6; i++)
		ret_mac[i] = b[i];
}

/* Where the L4 checksum is, or −1. */
static int check_off(const struct frame_spec *spec)
{
	switch (spec->protocol) {
	case IPPROTO_TCP:
		return 16;
	case IPPROTO_UDP:
		return spec->no_udp_checksum ? -1 : 6;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return 2;
	default:
		return -1;
	}
}

/* The checksum over pseudo header and l4_off..end of the frame. */
static void set_l4_checksum(struct frame *frame, const struct frame_spec *spec, size_t l4_off)
{
	struct frame pseudo = {.n_bytes = 0};
	size_t n_l4 = frame->n_bytes - l4_off;
	int off = check_off(spec);
	uint16_t check;

	if (off < 0)
		return;
	if (spec->protocol != IPPROTO_ICMP) {
		put_addr(&pseudo, spec->src);
		put_addr(&pseudo, spec->dst);
		put16(&pseudo, 0);
		put16(&pseudo, n_l4);
		put16(&pseudo, 0);
		put16(&pseudo, spec->protocol);
	}
	put_bytes(&pseudo, frame->data + l4_off, n_l4);
	check = frame_checksum(pseudo.data, pseudo.n_bytes);
	if (!check && spec->protocol == IPPROTO_UDP)
		check = 0xffff;
	set16(frame, l4_off + off, check);
}

static void put_packet(struct frame *frame, const struct frame_spec *spec);

static void put_l4(struct frame *frame, const struct frame_spec *spec)
{
	switch (spec->protocol) {
	case IPPROTO_TCP:
		put16(frame, spec->sport);
		put16(frame, spec->dport);
		put_bytes(frame, "\x11\x22\x33\x44\x55\x66\x77\x88", 8);
		put8(frame, 5 << 4);
		put8(frame, spec->tcp_flags);
		put16(frame, 65535);
		put_zeros(frame, 4);
		break;
	case IPPROTO_UDP:
		put16(frame, spec->sport);
		put16(frame, spec->dport);
		put16(frame, 8 + spec->n_payload);
		put16(frame, 0);
		break;
	case IPPROTO_SCTP:
		put16(frame, spec->sport);
		put16(frame, spec->dport);
		put_bytes(frame, "\x01\x02\x03\x04\xde\xad\xbe\xef", 8);
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		put8(frame, spec->type);
		put8(frame, spec->code);
		put16(frame, 0);
		put16(frame, spec->sport);
		put16(frame, spec->dport);
		break;
	default:
		break;
	}
}

static void put_l4_and_payload(struct frame *frame, const struct frame_spec *spec)
{
	size_t l4_off = frame->n_bytes;

	if (!spec->fragment_off)
		put_l4(frame, spec);
	if (spec->inner) {
		size_t start = frame->n_bytes;

		put_packet(frame, spec->inner);
		if (spec->n_inner && frame->n_bytes - start > spec->n_inner)
			frame->n_bytes = start + spec->n_inner;
	}
	for (unsigned int i = 0; i < spec->n_payload; i++)
		put8(frame, i * 7 + 1);
	if (!spec->fragment_off)
		set_l4_checksum(frame, spec, l4_off);
}

static void put_ipv4(struct frame *frame, const struct frame_spec *spec)
{
	size_t start = frame->n_bytes, n_header = 20 + 4 * spec->n_options;

	put8(frame, 4 << 4 | n_header / 4);
	put8(frame, spec->tos);
	put16(frame, 0);
	put16(frame, spec->fragment_id);
	put16(frame, (spec->dont_fragment ? 0x4000 : 0) | (spec->more_fragments ? 0x2000 : 0) |
			     spec->fragment_off / 8);
	put8(frame, spec->ttl ? spec->ttl : 64);
	put8(frame, spec->protocol);
	put16(frame, 0);
	put_addr(frame, spec->src);
	put_addr(frame, spec->dst);
	for (int i = 0; i < 4 * spec->n_options; i++)
		put8(frame, spec->options ? spec->options[i] : 1 /* no operation */);
	put_l4_and_payload(frame, spec);
	set16(frame, start + 2, frame->n_bytes - start);
	set16(frame, start + 10, frame_checksum(frame->data + start, n_header));
}

/* All of an extension header but its first byte. */
static void put_extension(struct frame *frame, const struct frame_spec *spec)
{
	if (spec->options) {
		put_bytes(frame, spec->options, (spec->options[0] + 1) * 8 - 1);
		return;
	}
	put8(frame, 0);
	put_bytes(frame, "\x01\x04\x00\x00\x00\x00", 6); /* PadN */
}

static void put_ipv6(struct frame *frame, const struct frame_spec *spec)
{
	size_t start = frame->n_bytes;
	bool fragment = spec->more_fragments || spec->fragment_off;
	int n_extensions = spec->extension ? spec->n_extensions ? spec->n_extensions : 1 : 0;

	put_bytes(frame, "\x60\x00\x00\x00", 4);
	put16(frame, 0);
	put8(frame, n_extensions ? spec->extension : fragment ? IPPROTO_FRAGMENT : spec->protocol);
	put8(frame, spec->ttl ? spec->ttl : 64);
	put_addr(frame, spec->src);
	put_addr(frame, spec->dst);
	for (int i = 1; i <= n_extensions; i++) {
		put8(frame, i < n_extensions ? spec->extension
			    : fragment       ? IPPROTO_FRAGMENT
					     : spec->protocol);
		put_extension(frame, spec);
	}
	if (fragment) {
		put8(frame, spec->protocol);
		put8(frame, 0);
		put16(frame, spec->fragment_off | spec->more_fragments);
		put16(frame, 0);
		put16(frame, spec->fragment_id);
	}
	put_l4_and_payload(frame, spec);
	set16(frame, start + 4, frame->n_bytes - start - 40);
}

static void put_packet(struct frame *frame, const struct frame_spec *spec)
{
	if (is_ipv6(spec))
		put_ipv6(frame, spec);
	else
		put_ipv4(frame, spec);
}

void frame_build(struct frame *frame, const struct frame_spec *spec)
{
	uint8_t mac[6];

	frame->n_bytes = 0;
	frame_parse_mac(spec->dst_mac ? spec->dst_mac : MAC_RECEIVER, mac);
	put_bytes(frame, mac, sizeof(mac));
	frame_parse_mac(spec->src_mac ? spec->src_mac : MAC_SENDER, mac);
	put_bytes(frame, mac, sizeof(mac));
	if (spec->ethertype)
		put16(frame, spec->ethertype);
	else
		put16(frame, is_ipv6(spec) ? 0x86dd : 0x0800);
	if (spec->raw)
		put_bytes(frame, spec->raw, spec->n_raw);
	else
		put_packet(frame, spec);
	put_zeros(frame, spec->n_padding);
	assert(spec->n_cut <= frame->n_bytes - 14);
	frame->n_bytes -= spec->n_cut;
}
