/* SPDX-License-Identifier: Apache-2.0 */
#include "src/wire/echo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static const uint8_t ip4[] = {0x45, 0, 0, 84, 0, 0, 0, 0, 63, 1, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1};
static const uint8_t ip6[] = {0x60, 0, 0, 0, 0, 64, 58, 63, 0xfd, 0, 0,    0, 0, 0,
			      0,    0, 0, 0, 0, 0,  0,  0,  0,    1, 0xfd, 0, 0, 0,
			      0,    0, 0, 0, 0, 0,  0,  0,  0,    0, 0,    2};

/* IP header, ICMP header of type and code, and what is inside. */
static size_t build(uint8_t *out, const uint8_t *ip, size_t n_ip, const uint8_t *icmp,
		    const void *inner, size_t n_inner)
{
	memcpy(out, ip, n_ip);
	memcpy(out + n_ip, icmp, ECHO_HEADER_BYTES);
	memcpy(out + n_ip + ECHO_HEADER_BYTES, inner, n_inner);
	return n_ip + ECHO_HEADER_BYTES + n_inner;
}

static void test_request(void **state)
{
	uint8_t message[ECHO_HEADER_BYTES + 3] = {[8] = 'a', 'b', 'c'};
	const uint8_t want4[] = {8, 0, 0x2f, 0x97, 0x12, 0x34, 0, 7, 'a', 'b', 'c'};
	const uint8_t want6[] = {128, 0, 0, 0, 0x12, 0x34, 0, 7, 'a', 'b', 'c'};
	uint32_t sum = 0;

	assert_int_equal(echo_encode(message, true, 0x1234, 7, 3), 11);
	assert_memory_equal(message, want6, sizeof(want6));
	assert_int_equal(echo_encode(message, false, 0x1234, 7, 3), 11);
	for (size_t i = 0; i < sizeof(message); i++)
		sum += i % 2 ? message[i] : message[i] << 8;
	assert_int_equal((sum & 0xffff) + (sum >> 16), 0xffff);
	message[2] = want4[2];
	message[3] = want4[3];
	assert_memory_equal(message, want4, sizeof(want4));
}

static void test_reply(void **state)
{
	const uint8_t icmp4[8] = {0, 0, 1, 2, 0x12, 0x34, 0, 9};
	const uint8_t icmp6[8] = {129, 0, 1, 2, 0x12, 0x34, 0, 9};
	uint8_t bytes[100];
	struct echo echo;
	size_t n = build(bytes, ip4, sizeof(ip4), icmp4, "abc", 3);

	assert_true(echo_decode(bytes, n, false, &echo));
	assert_int_equal(echo.kind, ECHO_REPLY);
	assert_int_equal(echo.id, 0x1234);
	assert_int_equal(echo.seq, 9);
	assert_int_equal(echo.ttl, 63);
	assert_int_equal(echo.n_payload_bytes, 3);
	assert_memory_equal(echo.payload, "abc", 3);
	n = build(bytes, ip6, 0, icmp6, "abc", 3);
	assert_true(echo_decode(bytes, n, true, &echo));
	assert_int_equal(echo.kind, ECHO_REPLY);
	assert_int_equal(echo.seq, 9);
	assert_int_equal(echo.ttl, 0);
}

static void test_errors(void **state)
{
	const uint8_t unreachable[8] = {3, 4, 0, 0, 0, 0, 0x05, 0x78};
	const uint8_t too_big[8] = {2, 0, 0, 0, 0, 0, 0x05, 0x00};
	uint8_t inner[100], bytes[200];
	uint8_t request[ECHO_HEADER_BYTES];
	struct echo echo;
	size_t n;

	echo_encode(request, false, 77, 5, 0);
	n = build(inner, ip4, sizeof(ip4), request, "", 0);
	n = build(bytes, ip4, sizeof(ip4), unreachable, inner, n);
	assert_true(echo_decode(bytes, n, false, &echo));
	assert_int_equal(echo.kind, ECHO_ERROR);
	assert_int_equal(echo.id, 77);
	assert_int_equal(echo.seq, 5);
	assert_int_equal(echo.type, 3);
	assert_int_equal(echo.code, 4);
	assert_int_equal(echo.mtu, 1400);
	assert_memory_equal(echo.dst, ip4 + 16, 4);
	echo_encode(request, true, 77, 6, 0);
	n = build(inner, ip6, sizeof(ip6), request, "", 0);
	n = build(bytes, ip6, 0, too_big, inner, n);
	assert_true(echo_decode(bytes, n, true, &echo));
	assert_int_equal(echo.kind, ECHO_ERROR);
	assert_int_equal(echo.seq, 6);
	assert_int_equal(echo.mtu, 1280);
	assert_memory_equal(echo.dst, ip6 + 24, 16);
	/* Cut anywhere, it is none. */
	for (size_t i = 0; i < n; i++)
		assert_false(echo_decode(bytes, i, true, &echo));
}

static void test_what_it_is_not(void **state)
{
	const uint8_t request[8] = {8, 0, 0, 0, 0, 1, 0, 1};
	uint8_t bytes[100];
	struct echo echo;
	size_t n = build(bytes, ip4, sizeof(ip4), request, "", 0);

	assert_false(echo_decode(bytes, n, false, &echo));
	bytes[20] = 0;
	assert_true(echo_decode(bytes, n, false, &echo));
	bytes[9] = 17; /* UDP */
	assert_false(echo_decode(bytes, n, false, &echo));
	bytes[9] = 1;
	bytes[0] = 0x4f; /* a header longer than there is */
	assert_false(echo_decode(bytes, n, false, &echo));
	bytes[0] = 0x44;
	assert_false(echo_decode(bytes, n, false, &echo));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_reply),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_what_it_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
