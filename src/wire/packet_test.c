/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "src/wire/packet.h"

/* 02::02 to 02::01, IPv4 10.0.0.1 to 10.0.0.2, TTL 64, TCP 4321 to 80, SYN and ACK. */
static const uint8_t tcp4[] = {
	0x02, 0,    0,  0,  0, 1, 0x02, 0, 0,  0, 0, 2, 0x08, 0x00, /* Ethernet */
	0x45, 0,    0,  40, 0, 7, 0x40, 0, 64, 6, 0, 0, 10,   0,
	0,    1,    10, 0,  0, 2, /* IPv4 */
	0x10, 0xe1, 0,  80, 0, 0, 0,    1, 0,  0, 0, 2, 0x50, 0x12,
	0xff, 0xff, 0,  0,  0, 0, /* TCP */
};

/* IPv6 fd00::1 to fd00::2, hop-by-hop options, UDP 53 to 1024. */
static const uint8_t udp6[] = {
	0x60, 0,  0, 0, 0,    16, 0, 63, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0,    0,  0, 1, 0xfd, 0,  0, 0,  0,    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, /* IPv6 */
	17,   0,  1, 4, 0,    0,  0, 0,                                         /* hop-by-hop */
	0,    53, 4, 0, 0,    8,  0, 0,                                         /* UDP */
};

static void test_tcp4(void **state)
{
	struct packet packet;

	packet_decode(tcp4, sizeof(tcp4), false, &packet);
	assert_int_equal(packet.layers, PACKET_ETHERNET | PACKET_IPV4 | PACKET_TCP);
	assert_int_equal(packet.ether_src[5], 2);
	assert_int_equal(packet.ttl, 64);
	assert_int_equal(packet.ip_id, 7);
	assert_int_equal(packet.sport, 4321);
	assert_int_equal(packet.dport, 80);
	assert_int_equal(packet.tcp_flags, PACKET_TCP_SYN | PACKET_TCP_ACK);
	assert_int_equal(packet.tcp_ack, 2);
}

static void test_udp6_without_link_layer(void **state)
{
	struct packet packet;

	packet_decode(udp6, sizeof(udp6), true, &packet);
	assert_int_equal(packet.layers, PACKET_IPV6 | PACKET_UDP);
	assert_int_equal(packet.protocol, 17);
	assert_int_equal(packet.src[15], 1);
	assert_int_equal(packet.sport, 53);
	assert_int_equal(packet.dport, 1024);
}

static void test_vlan(void **state)
{
	uint8_t tagged[sizeof(tcp4) + 4];
	struct packet packet;

	memcpy(tagged, tcp4, 12);
	memcpy(tagged + 12, "\x81\x00\x00\x05", 4);
	memcpy(tagged + 16, tcp4 + 12, sizeof(tcp4) - 12);
	packet_decode(tagged, sizeof(tagged), false, &packet);
	assert_int_equal(packet.layers, PACKET_ETHERNET | PACKET_IPV4 | PACKET_TCP);
}

/* The middle of a datagram has no ports, whatever its bytes look like. */
static void test_later_fragment(void **state)
{
	struct packet packet;
	uint8_t bytes[sizeof(tcp4)];

	memcpy(bytes, tcp4, sizeof(tcp4));
	bytes[14 + 6] = 0x20;
	bytes[14 + 7] = 0x01;
	packet_decode(bytes, sizeof(bytes), false, &packet);
	assert_int_equal(packet.layers, PACKET_ETHERNET | PACKET_IPV4);
	assert_int_equal(packet.fragment_offset, 8);
	assert_true(packet.more_fragments);
}

/* Each shorter head has no more layers than a longer one, and nothing is read behind it. */
static void test_every_length(void **state)
{
	unsigned int layers = 0;

	for (size_t n = 0; n <= sizeof(tcp4); n++) {
		uint8_t *copy = malloc(n ? n : 1); /* the sanitizer sees what is behind */
		struct packet packet;

		memcpy(copy, tcp4, n);
		packet_decode(copy, n, false, &packet);
		assert_int_equal(packet.layers & layers, layers);
		layers = packet.layers;
		free(copy);
	}
	assert_int_equal(layers, PACKET_ETHERNET | PACKET_IPV4 | PACKET_TCP);
}

static void test_malformed(void **state)
{
	uint8_t bytes[sizeof(tcp4)];
	struct packet packet;

	memcpy(bytes, tcp4, sizeof(tcp4));
	bytes[14] = 0x44; /* a header of 16 bytes */
	packet_decode(bytes, sizeof(bytes), false, &packet);
	assert_int_equal(packet.layers, PACKET_ETHERNET);
	bytes[14] = 0x65; /* IPv6 by its version, IPv4 by its type */
	packet_decode(bytes, sizeof(bytes), false, &packet);
	assert_int_equal(packet.layers, PACKET_ETHERNET);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tcp4),         cmocka_unit_test(test_udp6_without_link_layer),
		cmocka_unit_test(test_vlan),         cmocka_unit_test(test_later_fragment),
		cmocka_unit_test(test_every_length), cmocka_unit_test(test_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
