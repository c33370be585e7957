// SPDX-License-Identifier: Apache-2.0
#include "src/model/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <glib.h>
#include <cmocka.h>

#define N_ROUNDS 200000

/* Zero groups are likely, and runs of them anywhere: that is where the text form is hard. */
static struct addr random_addr(GRand *random)
{
	struct addr addr;

	for (int i = 0; i < 8; i++) {
		uint16_t group = g_rand_int(random);

		if (g_rand_boolean(random))
			group = g_rand_boolean(random) ? 0 : group & 0xff;
		addr.bytes[2 * i] = group >> 8;
		addr.bytes[2 * i + 1] = group;
	}
	if (g_rand_int_range(random, 0, 4) == 0)
		addr = addr_from_v4((struct in_addr){g_rand_int(random)});
	return addr;
}

static void text_is_inet_ntop_s(void **state)
{
	g_autoptr(GRand) random = g_rand_new_with_seed(1);

	for (int i = 0; i < N_ROUNDS; i++) {
		struct addr addr = random_addr(random), back;
		char expected[INET6_ADDRSTRLEN], text[ADDR_TEXT_BYTES];

		if (addr_is_v4(&addr))
			inet_ntop(AF_INET, addr.bytes + 12, expected, sizeof(expected));
		else
			inet_ntop(AF_INET6, addr.bytes, expected, sizeof(expected));
		addr_format(&addr, text);
		/* inet_ntop writes ::1.2.3.4, a form of addresses that RFC 4291 has retired. */
		if (addr_is_v4(&addr) || !strchr(expected, '.'))
			assert_string_equal(text, expected);
		assert_int_equal(addr_parse(text, &back), 0);
		assert_true(addr_equal(&addr, &back));
	}
}

static void parse_agrees_with_inet_pton(void **state)
{
	static const char alphabet[] = "0123456789abcdefF.:::/%x ";
	g_autoptr(GRand) random = g_rand_new_with_seed(2);
	unsigned int n_good = 0;

	for (int i = 0; i < N_ROUNDS; i++) {
		struct addr addr = random_addr(random), parsed;
		char text[ADDR_TEXT_BYTES];
		uint8_t v4[4], v6[16];
		bool expected;

		addr_format(&addr, text);
		text[g_rand_int_range(random, 0, strlen(text))] =
			alphabet[g_rand_int_range(random, 0, strlen(alphabet))];
		expected = inet_pton(AF_INET, text, v4) == 1 ||
			   (inet_pton(AF_INET6, text, v6) == 1 &&
			    !IN6_IS_ADDR_V4MAPPED((struct in6_addr *)(void *)v6));
		assert_int_equal(addr_parse(text, &parsed), expected ? 0 : -EINVAL);
		n_good += expected;
	}
	assert_in_range(n_good, N_ROUNDS / 10, N_ROUNDS * 9 / 10);
}

static void ambiguous_forms_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		" 1.2.3.4",
		"1.2.3.4 ",
		"01.2.3.4",
		"1.2.3",
		"1.2.3.4.5",
		"1.2.3.256",
		"0x1.2.3.4",
		"fe80::1%eth0",
		"::ffff:1.2.3.4",
		"::ffff:102:304",
		"1::2::3",
		"12345::",
		"1.2.3.4/32",
	};
	struct addr addr;

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_int_equal(addr_parse(bad[i], &addr), -EINVAL);
}

static void rfc5952(void **state)
{
	static const char *const pairs[][2] = {
		{"2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
		{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
		{"0:0:0:0:0:0:0:0", "::"},
		{"::0102:0304", "::102:304"},
		{"1:0:0:2:0:0:0:3", "1:0:0:2::3"},
		{"1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	};
	char text[ADDR_TEXT_BYTES];
	struct addr addr;

	for (size_t i = 0; i < G_N_ELEMENTS(pairs); i++) {
		assert_int_equal(addr_parse(pairs[i][0], &addr), 0);
		assert_string_equal(addr_format(&addr, text), pairs[i][1]);
	}
}

static void cidr_text(void **state)
{
	static const struct {
		const char *text;
		int result;
		const char *formatted; /* where the result is not −EINVAL */
	} cases[] = {
		{"10.0.0.0/24", 0, "10.0.0.0/24"},
		{"10.0.0.1", 0, "10.0.0.1/32"},
		{"fd00::/64", 0, "fd00::/64"},
		{"fd00::1", 0, "fd00::1/128"},
		{"0.0.0.0/0", 0, "0.0.0.0/0"},
		{"::/0", 0, "::/0"},
		{"10.0.0.1/24", -ERANGE, "10.0.0.0/24"},
		{"fd00::1/9", -ERANGE, "fd00::/9"},
		{"10.128.0.0/9", 0, "10.128.0.0/9"},
		{"10.64.0.0/9", -ERANGE, "10.0.0.0/9"},
		{"10.0.0.0/33", -EINVAL, NULL},
		{"fd00::/129", -EINVAL, NULL},
		{"10.0.0.0/", -EINVAL, NULL},
		{"10.0.0.0/024", -EINVAL, NULL},
		{"10.0.0.0/+24", -EINVAL, NULL},
		{"10.0.0.0/24/8", -EINVAL, NULL},
		{"10.0.0.0/4294967320", -EINVAL, NULL},
		{"/24", -EINVAL, NULL},
		{"::ffff:0:0/96", -EINVAL, NULL},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		char text[CIDR_TEXT_BYTES];
		struct cidr cidr;

		assert_int_equal(cidr_parse(cases[i].text, &cidr), cases[i].result);
		if (cases[i].formatted)
			assert_string_equal(cidr_format(&cidr, text), cases[i].formatted);
	}
}

/* Bit by bit, against the masks of cidr_contains. */
static bool contains_slowly(const struct cidr *cidr, const struct addr *addr)
{
	for (int bit = 0; bit < cidr->prefix_len; bit++)
		if (((cidr->addr.bytes[bit / 8] ^ addr->bytes[bit / 8]) >> (7 - bit % 8)) & 1)
			return false;
	return cidr_is_v4(cidr) == addr_is_v4(addr);
}

static void cidr_contains_its_own(void **state)
{
	g_autoptr(GRand) random = g_rand_new_with_seed(3);
	unsigned int n_inside = 0;

	for (int i = 0; i < N_ROUNDS; i++) {
		struct addr addr = random_addr(random);
		char text[CIDR_TEXT_BYTES + 8], addr_text[ADDR_TEXT_BYTES];
		bool v4 = addr_is_v4(&addr);
		struct cidr cidr;
		int bit;

		g_snprintf(text, sizeof(text), "%s/%d", addr_format(&addr, addr_text),
			   g_rand_int_range(random, 0, v4 ? 33 : 129));
		assert_true(cidr_parse(text, &cidr) != -EINVAL);
		assert_true(cidr_contains(&cidr, &addr));
		bit = g_rand_int_range(random, v4 ? 96 : 0, 128);
		addr.bytes[bit / 8] ^= 0x80 >> bit % 8;
		assert_int_equal(cidr_contains(&cidr, &addr), contains_slowly(&cidr, &addr));
		n_inside += cidr_contains(&cidr, &addr);
	}
	assert_in_range(n_inside, N_ROUNDS / 10, N_ROUNDS * 9 / 10);
}

static void families_stay_apart(void **state)
{
	struct cidr all4, all6;
	struct addr v4, v6;

	assert_int_equal(cidr_parse("0.0.0.0/0", &all4), 0);
	assert_int_equal(cidr_parse("::/0", &all6), 0);
	assert_int_equal(addr_parse("1.2.3.4", &v4), 0);
	assert_int_equal(addr_parse("fd00::1", &v6), 0);
	assert_true(cidr_contains(&all4, &v4) && !cidr_contains(&all4, &v6));
	assert_true(cidr_contains(&all6, &v6) && !cidr_contains(&all6, &v4));
	assert_int_equal(cidr_text_len(&all4), 0);
	assert_true(cidr_is_v4(&all4) && !cidr_is_v4(&all6));
}

/* The last address before each group and the first behind it are of a host. */
static void groups(void **state)
{
	static const char *const of_groups[] = {"224.0.0.0", "239.255.255.255", "255.255.255.255",
						"ff00::", "ffff::1"};
	static const char *const of_hosts[] = {"223.255.255.255", "240.0.0.0", "255.255.255.254",
					       "10.0.0.255",      "feff::",    "::e000:1"};
	struct addr addr;

	for (size_t i = 0; i < G_N_ELEMENTS(of_groups); i++) {
		assert_int_equal(addr_parse(of_groups[i], &addr), 0);
		assert_true(addr_is_group(&addr));
	}
	for (size_t i = 0; i < G_N_ELEMENTS(of_hosts); i++) {
		assert_int_equal(addr_parse(of_hosts[i], &addr), 0);
		assert_false(addr_is_group(&addr));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_inet_ntop_s),
		cmocka_unit_test(parse_agrees_with_inet_pton),
		cmocka_unit_test(ambiguous_forms_are_refused),
		cmocka_unit_test(rfc5952),
		cmocka_unit_test(cidr_text),
		cmocka_unit_test(cidr_contains_its_own),
		cmocka_unit_test(families_stay_apart),
		cmocka_unit_test(groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
