// SPDX-License-Identifier: Apache-2.0
#include "src/wire/frame.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "src/wire/packet.h"

static const struct frame_request base4 = {
	.ether_src = {2, 0, 0, 0, 0, 1},
	.ether_dst = {2, 0, 0, 0, 0, 2},
	.src = {10, 0, 0, 1},
	.dst = {10, 0, 0, 2},
	.sport = 40000,
	.dport = 8080,
};

static const struct frame_request base6 = {
	.v6 = true,
	.ether_src = {2, 0, 0, 0, 0, 1},
	.ether_dst = {2, 0, 0, 0, 0, 2},
	.src = {0xfd, [15] = 1},
	.dst = {0xfd, [15] = 2},
	.sport = 40000,
	.dport = 8080,
};

/* Of a range that has its checksum in it: 0xffff. */
static uint32_t sum(uint32_t sum, const uint8_t *bytes, size_t n_bytes)
{
	for (size_t i = 0; i < n_bytes; i++)
		sum += i % 2 ? bytes[i] : bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void check(const struct frame_request *base, uint8_t protocol, uint8_t icmp_type)
{
	struct frame_request request = *base;
	size_t n_ip = base->v6 ? 40 : 20, n_addr = base->v6 ? 16 : 4, n_bytes;
	uint8_t frame[FRAME_BYTES_MAX];
	struct packet packet;
	uint32_t total = 0;

	request.protocol = protocol;
	request.icmp_type = icmp_type;
	n_bytes = frame_encode(&request, frame);
	assert_true(n_bytes > 14 + n_ip && n_bytes <= FRAME_BYTES_MAX);
	packet_decode(frame, n_bytes, false, &packet);
	assert_true(packet.layers & (base->v6 ? PACKET_IPV6 : PACKET_IPV4));
	assert_memory_equal(packet.src, base->src, n_addr);
	assert_memory_equal(packet.dst, base->dst, n_addr);
	assert_memory_equal(packet.ether_src, base->ether_src, 6);
	assert_memory_equal(packet.ether_dst, base->ether_dst, 6);
	assert_int_equal(packet.protocol, protocol);
	assert_int_equal(packet.ip_bytes, n_bytes - 14);
	if (!base->v6)
		assert_int_equal(sum(0, frame + 14, 20), 0xffff);
	if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6) {
		assert_int_equal(packet.icmp_type, icmp_type);
	} else {
		assert_int_equal(packet.sport, 40000);
		assert_int_equal(packet.dport, 8080);
	}
	if (protocol == IPPROTO_TCP)
		assert_int_equal(packet.tcp_flags, PACKET_TCP_SYN);
	if (protocol == IPPROTO_SCTP)
		return;
	if (protocol != IPPROTO_ICMP) {
		total = sum(sum(0, base->src, n_addr), base->dst, n_addr);
		total += protocol + n_bytes - 14 - n_ip;
	}
	assert_int_equal(sum(total, frame + 14 + n_ip, n_bytes - 14 - n_ip), 0xffff);
}

static void test_frames(void **state)
{
	static const uint8_t ports[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP};

	for (size_t i = 0; i < sizeof(ports); i++) {
		check(&base4, ports[i], 0);
		check(&base6, ports[i], 0);
	}
	check(&base4, IPPROTO_ICMP, 8);
	check(&base6, IPPROTO_ICMPV6, 128);
}

static void test_refused(void **state)
{
	struct frame_request request = base4;
	uint8_t frame[FRAME_BYTES_MAX];

	assert_int_equal(frame_encode(&request, frame), 0);
	request.protocol = IPPROTO_ICMPV6;
	assert_int_equal(frame_encode(&request, frame), 0);
	request = base6;
	request.protocol = IPPROTO_ICMP;
	assert_int_equal(frame_encode(&request, frame), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
