/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must be true of a frame behind a program, whatever it was before. With a parser of its own:
 * not one line is shared with what it judges.
 *
 * Checksums are not asked to be right (many of the frames come with wrong ones) but to be as wrong as
 * they were: the sum over all that one covers, itself included, must not change.
 */
#include "bpf/test/fuzz.h"

#include <linux/pkt_cls.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <string.h>

#define MACS_BYTES 12

/* Offsets in the frame. */
struct layout {
	bool is_ipv6;
	size_t addrs, n_addr; /* source and destination, one behind the other */
	size_t hops;
	size_t l4, end;
	uint8_t protocol;
	bool is_whole; /* the L4 header could be found, and is in this fragment */
};

static unsigned int get16(const struct frame *frame, size_t off)
{
	return frame->data[off] << 8 | frame->data[off + 1];
}

static uint32_t sum_of(const struct frame *frame, size_t from, size_t to)
{
	uint32_t sum = 0;

	for (size_t i = from; i < to; i++)
		sum += (i - from) % 2 ? frame->data[i] : frame->data[i] << 8;
	return sum;
}

/* In ones' complement 0 and 0xffff are the same. */
static bool sums_equal(uint32_t a, uint32_t b)
{
	return a % 0xffff == b % 0xffff;
}

static void find_l4_ipv4(const struct frame *frame, struct layout *layout)
{
	size_t n_header = (frame->data[ETH_HLEN] & 0xf) * 4, total = get16(frame, ETH_HLEN + 2);

	layout->addrs = ETH_HLEN + 12;
	layout->n_addr = 4;
	layout->hops = ETH_HLEN + 8;
	layout->protocol = frame->data[ETH_HLEN + 9];
	layout->l4 = ETH_HLEN + (n_header < 20 ? 20 : n_header);
	layout->end = total ? ETH_HLEN + total : frame->n_bytes;
	layout->is_whole = n_header >= 20 && layout->end <= frame->n_bytes &&
			   layout->l4 <= layout->end && !(get16(frame, ETH_HLEN + 6) & 0x1fff);
	if (layout->l4 > frame->n_bytes)
		layout->l4 = frame->n_bytes;
}

static bool is_extension(uint8_t protocol)
{
	return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING ||
	       protocol == IPPROTO_DSTOPTS || protocol == IPPROTO_FRAGMENT ||
	       protocol == IPPROTO_AH;
}

/* Where the header behind the extension header at off begins; 0: the frame ends before. */
static size_t skip_extension(const struct frame *frame, struct layout *layout, size_t off)
{
	uint8_t extension = layout->protocol, n_units;

	if (off + 8 > frame->n_bytes)
		return 0;
	n_units = frame->data[off + 1];
	layout->protocol = frame->data[off];
	if (extension == IPPROTO_AH)
		return off + (n_units + 2) * 4;
	if (extension != IPPROTO_FRAGMENT)
		return off + (n_units + 1) * 8;
	layout->is_whole = layout->is_whole && !(get16(frame, off + 2) & 0xfff8);
	return off + 8;
}

static void find_l4_ipv6(const struct frame *frame, struct layout *layout)
{
	size_t n_payload = get16(frame, ETH_HLEN + 4), off = ETH_HLEN + 40;

	layout->is_ipv6 = true;
	layout->addrs = ETH_HLEN + 8;
	layout->n_addr = 16;
	layout->hops = ETH_HLEN + 7;
	layout->protocol = frame->data[ETH_HLEN + 6];
	layout->end = n_payload ? off + n_payload : frame->n_bytes;
	layout->is_whole = layout->end <= frame->n_bytes;
	while (layout->is_whole && is_extension(layout->protocol)) {
		size_t next = skip_extension(frame, layout, off);

		layout->is_whole = layout->is_whole && next && next <= layout->end;
		if (layout->is_whole)
			off = next;
	}
	layout->l4 = off;
}

/* False for what is no IP at all. */
static bool find_l4(const struct frame *frame, struct layout *layout)
{
	*layout = (struct layout){0};
	switch (get16(frame, MACS_BYTES)) {
	case ETHERTYPE_IP:
		find_l4_ipv4(frame, layout);
		return true;
	case ETHERTYPE_IPV6:
		find_l4_ipv6(frame, layout);
		return true;
	default:
		return false;
	}
}

/* The checksum's place in the L4 header, or 0 where there is none, or UDP's says "none". */
static size_t check_off(const struct frame *frame, const struct layout *layout)
{
	size_t off = 0;

	if (layout->protocol == IPPROTO_TCP)
		off = 16;
	if (layout->protocol == IPPROTO_UDP)
		off = 6;
	if (layout->protocol == (layout->is_ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
		off = 2;
	if (!off || !layout->is_whole || layout->l4 + off + 2 > layout->end)
		return 0;
	if (layout->protocol == IPPROTO_UDP && !get16(frame, layout->l4 + off))
		return 0;
	return off;
}

static uint32_t l4_sum(const struct frame *frame, const struct layout *layout)
{
	uint32_t sum = sum_of(frame, layout->l4, layout->end);

	if (layout->protocol != IPPROTO_ICMP)
		sum += sum_of(frame, layout->addrs, layout->addrs + 2 * layout->n_addr);
	return sum;
}

static bool bytes_equal(const struct frame *a, const struct frame *b, size_t from, size_t to)
{
	return to <= from || !memcmp(a->data + from, b->data + from, to - from);
}

bool fuzz_has_services;

/* Which of the two addresses a program may have changed: bit 0 and 1. */
static unsigned int rewritten_ends(enum test_program program)
{
	if (fuzz_has_services)
		return 3;
	return program == TO_NETDEV ? 1 : program == FROM_NETDEV ? 2 : 0;
}

static const char *check_addrs(enum test_program program, const struct frame *in,
			       const struct frame *out, const struct layout *layout)
{
	for (int i = 0; i < 2; i++) {
		size_t from = layout->addrs + i * layout->n_addr;

		if (!(rewritten_ends(program) & 1U << i) &&
		    !bytes_equal(in, out, from, from + layout->n_addr))
			return "another address than the program may change";
	}
	return NULL;
}

static const char *check_l4(enum test_program program, const struct frame *in,
			    const struct frame *out, const struct layout *layout)
{
	size_t check = check_off(in, layout);

	if (!bytes_equal(in, out, layout->end, in->n_bytes))
		return "bytes behind the packet have changed";
	if (!rewritten_ends(program) || !layout->is_whole)
		return bytes_equal(in, out, layout->l4, in->n_bytes) ? NULL : "payload";
	if (check)
		return sums_equal(l4_sum(in, layout), l4_sum(out, layout)) ? NULL : "L4 checksum";
	/* SCTP, whose checksum covers no address, or UDP without one: the ports at most. */
	return bytes_equal(in, out, layout->l4 + 4, in->n_bytes) ? NULL
								 : "payload behind the ports";
}

/* A packet that goes on: one hop less perhaps, another address and port perhaps, nothing else. */
static const char *check_packet(enum test_program program, const struct frame *in,
				const struct frame *out)
{
	struct layout layout;
	int n_hops;

	if (!find_l4(in, &layout))
		return bytes_equal(in, out, MACS_BYTES, in->n_bytes) ? NULL : "not IP, and changed";
	n_hops = in->data[layout.hops] - out->data[layout.hops];
	if (n_hops != 0 && n_hops != 1)
		return "hop limit";
	if (!bytes_equal(in, out, MACS_BYTES, layout.hops))
		return "head of the IP header";
	if (!layout.is_ipv6 && (!sums_equal(sum_of(in, ETH_HLEN, ETH_HLEN + 20),
					    sum_of(out, ETH_HLEN, ETH_HLEN + 20)) ||
				in->data[ETH_HLEN + 9] != out->data[ETH_HLEN + 9]))
		return "IPv4 header, or its checksum";
	if (!bytes_equal(in, out, layout.addrs + 2 * layout.n_addr, layout.l4))
		return "options or extension headers";
	return check_addrs(program, in, out, &layout) ?: check_l4(program, in, out, &layout);
}

static bool is_link_local_message(const struct frame *frame, const struct layout *layout)
{
	uint8_t type = layout->l4 < frame->n_bytes ? frame->data[layout->l4] : 0;

	return layout->is_ipv6 && layout->protocol == IPPROTO_ICMPV6 &&
	       ((type >= 130 && type <= 137) || type == 143);
}

static struct addr addr_at(const struct frame *frame, const struct layout *layout, size_t off)
{
	struct addr addr = {.bytes = {[10] = 0xff, [11] = 0xff}};

	memcpy(addr.bytes + sizeof(addr) - layout->n_addr, frame->data + off, layout->n_addr);
	return addr;
}

bool fuzz_parse_frame(const struct frame *frame, struct fuzz_flow *ret_flow)
{
	struct layout layout;

	if (!find_l4(frame, &layout) || !layout.is_whole || layout.l4 + 4 > layout.end)
		return false;
	*ret_flow = (struct fuzz_flow){
		.src = addr_at(frame, &layout, layout.addrs),
		.dst = addr_at(frame, &layout, layout.addrs + layout.n_addr),
		.protocol = layout.protocol,
		.type = frame->data[layout.l4],
		.sport = get16(frame, layout.l4),
		.dport = get16(frame, layout.l4 + 2),
		.is_link_local = is_link_local_message(frame, &layout),
	};
	return true;
}

/* Only what a pod sends under its own address goes on: whoever it says that it is. */
static const char *check_source(const struct frame *in)
{
	const struct addr own4 = harness_addr(A4), own6 = harness_addr(A6);
	struct layout layout;

	if (!find_l4(in, &layout) || is_link_local_message(in, &layout))
		return NULL;
	if (!memcmp(in->data + layout.addrs, layout.is_ipv6 ? own6.bytes : own4.bytes + 12,
		    layout.n_addr))
		return NULL;
	return "went on under a foreign address";
}

/* What a pod is answered for its question: neighbour advertisements and ARP replies, well-formed. */
static const char *check_answer(const struct frame *in, const struct frame *out)
{
	struct layout layout;

	if (get16(out, MACS_BYTES) == ETHERTYPE_ARP) {
		if (out->n_bytes != in->n_bytes || get16(out, ETH_HLEN + 6) != 2)
			return "ARP reply";
		return memcmp(out->data, in->data + 6, 6) ? "ARP reply to another" : NULL;
	}
	if (!find_l4(out, &layout) || out->n_bytes != 86 || layout.l4 != ETH_HLEN + 40 ||
	    out->data[layout.l4] != 136 || out->data[layout.hops] != 255)
		return "neighbour advertisement";
	if (!sums_equal(l4_sum(out, &layout) + layout.end - layout.l4 + IPPROTO_ICMPV6, 0))
		return "checksum of a neighbour advertisement";
	return NULL;
}

bool fuzz_is_unreachable(const struct frame *in, const struct frame *out)
{
	struct layout was, is;
	unsigned int type;

	if (!fuzz_has_services || !find_l4(in, &was) || !find_l4(out, &is) ||
	    was.is_ipv6 != is.is_ipv6 || !is.is_whole || is.l4 >= out->n_bytes)
		return false;
	type = out->data[is.l4];
	return is.protocol == (is.is_ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP) &&
	       type == (is.is_ipv6 ? 1 : 3) &&
	       !memcmp(out->data + is.addrs, in->data + was.addrs + was.n_addr, is.n_addr) &&
	       !memcmp(out->data + is.addrs + is.n_addr, in->data + was.addrs, is.n_addr) &&
	       memcmp(in->data + was.addrs, in->data + was.addrs + was.n_addr, was.n_addr);
}

/* The error is well-formed, goes back on the link, and carries the frame as it came. */
static const char *check_unreachable(const struct frame *in, const struct frame *out)
{
	struct layout layout;
	uint32_t sum;
	size_t n_inner;

	find_l4(out, &layout);
	n_inner = out->n_bytes - layout.l4 - 8;
	if (memcmp(out->data, in->data + 6, 6) || memcmp(out->data + 6, in->data, 6))
		return "error to another link address";
	if (layout.end != out->n_bytes || layout.end - ETH_HLEN > (layout.is_ipv6 ? 1280 : 576))
		return "length of an error";
	if (n_inner + ETH_HLEN > in->n_bytes ||
	    memcmp(out->data + layout.l4 + 8, in->data + ETH_HLEN, n_inner))
		return "another packet in an error";
	if (!layout.is_ipv6 && !sums_equal(sum_of(out, ETH_HLEN, ETH_HLEN + 20), 0))
		return "IPv4 header of an error";
	sum = sum_of(out, layout.l4, layout.end);
	if (layout.is_ipv6)
		sum += sum_of(out, layout.addrs, layout.addrs + 32) + layout.end - layout.l4 +
		       IPPROTO_ICMPV6;
	return sums_equal(sum, 0) ? NULL : "checksum of an error";
}

static bool is_answer(enum test_program program, const struct frame *in, const struct run *run)
{
	struct layout layout;

	if (program != FROM_CONTAINER || run->verdict != TC_ACT_REDIRECT)
		return false;
	if (get16(in, MACS_BYTES) == ETHERTYPE_ARP)
		return true;
	return find_l4(in, &layout) && is_link_local_message(in, &layout);
}

const char *fuzz_check_frame(enum test_program program, const struct frame *in,
			     const struct run *run)
{
	const char *wrong;

	if (run->verdict == TC_ACT_SHOT)
		return NULL;
	if (run->verdict != TC_ACT_UNSPEC && run->verdict != TC_ACT_REDIRECT)
		return "no verdict";
	if (is_answer(program, in, run))
		return check_answer(in, &run->out);
	if (run->verdict == TC_ACT_REDIRECT && fuzz_is_unreachable(in, &run->out))
		return check_unreachable(in, &run->out);
	if (run->out.n_bytes != in->n_bytes)
		return "another length";
	if (program == FROM_CONTAINER) {
		wrong = check_source(in);
		if (wrong)
			return wrong;
	}
	return check_packet(program, in, &run->out);
}
