/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf/test/frame_random.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define N(list)        (sizeof(list) / sizeof((list)[0]))
#define PICK(list)     ((list)[random() % N(list)])
#define MAC_BYTES      12
#define INNER_BYTES    256
#define ARP_BYTES      28
#define NDP_TARGET_OFF 62

static bool one_in(unsigned int n)
{
	return random() % n == 0;
}

static const char *random_place(const struct frame_world *world, bool ipv6, bool is_source)
{
	static const char *const odd4[] = {"0.0.0.0",   "255.255.255.255", "127.0.0.1",
					   "224.0.0.1", "224.0.0.251",     "169.254.1.1"};
	static const char *const odd6[] = {
		"::",       "::1",       "fe80::1",          "ff02::1",    "ff02::1:2",
		"ff02::16", "fe80::a:b", "::ffff:10.0.0.10", "2002::1:2:3"};
	const char *const *places = ipv6 ? world->ipv6 : world->ipv4;

	if (one_in(16))
		return ipv6 ? PICK(odd6) : PICK(odd4);
	/* Else most would end at the check of the source. */
	if (is_source && !one_in(3))
		return places[FRAME_PLACE_SELF];
	return places[random() % FRAME_PLACE__MAX];
}

/* Few, so that frames meet the connections of others. */
static uint16_t random_port(void)
{
	static const uint16_t ports[] = {0, 1, 2, 53, 80, 443, 1000, 4789, 32768, 40000, 65535};

	return one_in(8) ? random() : PICK(ports);
}

static uint8_t random_protocol(bool ipv6)
{
	static const uint8_t protocols[] = {
		IPPROTO_TCP,  IPPROTO_TCP,  IPPROTO_TCP,    IPPROTO_UDP,  IPPROTO_UDP,  IPPROTO_UDP,
		IPPROTO_SCTP, IPPROTO_GRE,  IPPROTO_IPIP,   IPPROTO_IPV6, IPPROTO_IGMP, IPPROTO_ESP,
		IPPROTO_AH,   IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_NONE, IPPROTO_DCCP, 0,
	};

	if (one_in(4))
		return ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	return one_in(32) ? random() : PICK(protocols);
}

static uint8_t random_icmp_type(uint8_t protocol)
{
	static const uint8_t types4[] = {0, 3, 3, 4, 5, 8, 8, 11, 12, 13, 17};
	static const uint8_t types6[] = {1,   2,   3,   4,   128, 128, 129,
					 130, 133, 134, 135, 136, 137, 143};

	if (one_in(16))
		return random();
	return protocol == IPPROTO_ICMP ? PICK(types4) : PICK(types6);
}

static uint16_t random_payload(void)
{
	if (one_in(64))
		return random() % 3000; /* more than an MTU */
	return one_in(8) ? random() % 1400 : random() % 64;
}

static void random_spec(struct frame_spec *spec, const struct frame_world *world)
{
	static const uint8_t extensions[] = {IPPROTO_HOPOPTS, IPPROTO_ROUTING,  IPPROTO_DSTOPTS,
					     IPPROTO_AH,      IPPROTO_FRAGMENT, 135 /* mobility */};
	static const uint8_t ttls[] = {0, 0, 0, 1, 2, 255};
	bool ipv6 = one_in(2);

	*spec = (struct frame_spec){
		.src_mac = world->src_mac,
		.dst_mac = world->dst_mac,
		.src = random_place(world, ipv6, true),
		.dst = random_place(world, ipv6, false),
		.protocol = random_protocol(ipv6),
		.ttl = PICK(ttls),
		.sport = random_port(),
		.dport = random_port(),
		.tcp_flags = random(),
		.code = one_in(4) ? random() : random() % 5,
		.n_options = one_in(16) && !ipv6 ? random() % 11 : 0,
		.fragment_id = random() % 8,
		.n_payload = random_payload(),
		.no_udp_checksum = one_in(8),
	};
	spec->type = random_icmp_type(spec->protocol);
	if (one_in(8) && ipv6) {
		spec->extension = PICK(extensions);
		spec->n_extensions = 1 + random() % 10;
	}
	if (one_in(8)) {
		spec->fragment_off = one_in(2) ? 8 * (random() % 512) : 0;
		spec->more_fragments = one_in(2);
	}
}

/* An error carries the head of what the destination sent, or something like it; a tunnel anything. */
static void random_inner(struct frame_spec *spec, struct frame_spec *inner,
			 const struct frame_world *world)
{
	random_spec(inner, world);
	if (!one_in(4)) {
		bool ipv6 = strchr(spec->dst, ':') != NULL;

		inner->src = spec->dst;
		inner->dst = one_in(4) ? random_place(world, ipv6, false) : spec->src;
	}
	inner->n_payload %= INNER_BYTES;
	spec->inner = inner;
	spec->n_inner = one_in(3) ? 1 + random() % 64 : 0;
	if (one_in(2))
		spec->n_payload = 0;
}

static void put_ethertype(struct frame *frame, uint16_t ethertype)
{
	frame->data[MAC_BYTES] = ethertype >> 8;
	frame->data[MAC_BYTES + 1] = ethertype & 0xff;
}

static void add_vlan(struct frame *frame)
{
	memmove(frame->data + MAC_BYTES + 4, frame->data + MAC_BYTES, frame->n_bytes - MAC_BYTES);
	frame->n_bytes += 4;
	put_ethertype(frame, one_in(2) ? ETHERTYPE_VLAN : 0x88a8);
	frame->data[MAC_BYTES + 2] = random();
	frame->data[MAC_BYTES + 3] = random();
}

static void make_arp(struct frame *frame, const struct frame_world *world)
{
	uint8_t arp[ARP_BYTES] = {0, 1, 8, 0, 6, 4, 0, 1 + random() % 3};

	memcpy(arp + 8, frame->data + 6, 6);
	inet_pton(AF_INET, random_place(world, false, true), arp + 14);
	inet_pton(AF_INET, random_place(world, false, false), arp + 24);
	put_ethertype(frame, ETHERTYPE_ARP);
	memcpy(frame->data + MAC_BYTES + 2, arp, sizeof(arp));
	frame->n_bytes = MAC_BYTES + 2 + sizeof(arp);
}

/* Whom neighbour discovery asks about; the checksum is then wrong, and nobody of us looks at it. */
static void put_target(struct frame *frame, const struct frame_world *world)
{
	if (frame->n_bytes >= NDP_TARGET_OFF + 16)
		inet_pton(AF_INET6, random_place(world, true, one_in(2)),
			  frame->data + NDP_TARGET_OFF);
}

static void mutate(struct frame *frame)
{
	static const uint16_t ethertypes[] = {0x0800, 0x86dd, 0x0806, 0x8847, 0x88cc, 0x22f0};
	int n_changes = one_in(2) ? 0 : random() % 5;

	if (one_in(64))
		put_ethertype(frame, one_in(2) ? random() : PICK(ethertypes));
	for (int i = 0; i < n_changes; i++) {
		/* The headers rather than what they carry. */
		size_t n = frame->n_bytes < 100 || one_in(4) ? frame->n_bytes : 100;

		frame->data[MAC_BYTES + 2 + random() % (n - MAC_BYTES - 2)] = random();
	}
	if (one_in(8))
		frame->n_bytes = MAC_BYTES + 3 + random() % (frame->n_bytes - MAC_BYTES - 2);
}

void frame_random(struct frame *frame, const struct frame_world *world)
{
	struct frame_spec spec, inner;
	bool is_icmp;

	random_spec(&spec, world);
	is_icmp = spec.protocol == IPPROTO_ICMP || spec.protocol == IPPROTO_ICMPV6;
	if (is_icmp ? !one_in(3) : one_in(16))
		random_inner(&spec, &inner, world);
	if (one_in(16))
		spec.n_padding = random() % 64;
	frame_build(frame, &spec);
	if (spec.protocol == IPPROTO_ICMPV6 && (spec.type == 135 || spec.type == 136))
		put_target(frame, world);
	if (one_in(24))
		make_arp(frame, world);
	if (one_in(24))
		add_vlan(frame);
	if (one_in(96))
		add_vlan(frame);
	mutate(frame);
}
