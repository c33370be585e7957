/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "src/agent/option.h"

#define SECOND_NS 1000000000LL

static void test_every_row(void **state)
{
	for (size_t i = 0; i < option_n(); i++) {
		const struct option *option = option_get(i);
		g_autofree char *allowed = option_format_allowed(option);
		union option_value value;

		print_message("%s\n", option->key);
		assert_int_equal(option_find(option->key), i); /* no key twice */
		assert_int_equal(strspn(option->key, "abcdefghijklmnopqrstuvwxyz0123456789-"),
				 strlen(option->key));
		assert_true(strlen(option->help) > 2);
		assert_true(strlen(allowed) > 2);
		assert_int_equal(option_parse_value(option, option->default_text, &value), 0);
		assert_true(option_equal_values(option, &value, &value));
		option_fini_value(option, &value);
	}
	assert_int_equal(option_find("no-such-key"), -1);
	assert_int_equal(option_find(""), -1);
}

/* What Cilium's chart can write into a ConfigMap is known. */
static void test_cilium_keys(void **state)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) keys = NULL;
	size_t n = 0;

	assert_true(g_file_get_contents(CONFIG_KEYS_PATH, &text, NULL, NULL));
	keys = g_strsplit(text, "\n", -1);
	for (char **key = keys; *key; key++) {
		if (!**key)
			continue;
		if (option_find(*key) < 0)
			fail_msg("%s is no row", *key);
		n++;
	}
	assert_true(n > 380);
}

static struct option row(enum option_type type, const char *allowed)
{
	return (struct option){.type = type, .key = "k", .default_text = "x", .allowed = allowed};
}

static union option_value parse_good(enum option_type type, const char *allowed, const char *text)
{
	struct option option = row(type, allowed);
	union option_value value;

	if (option_parse_value(&option, text, &value))
		fail_msg("\"%s\" is refused", text);
	return value;
}

static void refuse(enum option_type type, const char *allowed, const char *const texts[])
{
	struct option option = row(type, allowed);
	union option_value value;

	for (; *texts; texts++)
		if (option_parse_value(&option, *texts, &value) != -EINVAL)
			fail_msg("\"%s\" is accepted as %d", *texts, type);
}
#define REFUSE(type, allowed, ...) \
	refuse(OPTION_TYPE_##type, allowed, (const char *const[]){__VA_ARGS__, NULL})

static void test_numbers(void **state)
{
	assert_true(parse_good(OPTION_TYPE_BOOL, "", "true").boolean);
	assert_true(parse_good(OPTION_TYPE_BOOL, "", "1").boolean);
	assert_false(parse_good(OPTION_TYPE_BOOL, "", "False").boolean);
	REFUSE(BOOL, "", "yes", "tRUE", "true ", "2", "enabled");

	assert_int_equal(parse_good(OPTION_TYPE_UINT, "0 68..65535", "0").number, 0);
	assert_int_equal(parse_good(OPTION_TYPE_UINT, "0 68..65535", "68").number, 68);
	assert_int_equal(parse_good(OPTION_TYPE_UINT, "0 68..65535", "65535").number, 65535);
	assert_int_equal(parse_good(OPTION_TYPE_UINT, "", "4294967295").number, UINT32_MAX);
	REFUSE(UINT, "0 68..65535", "67", "65536", "-1", "+68", " 68", "68 ", "68.0", "0x44", "1e3",
	       "99999999999999999999", "abc");
	assert_int_equal(parse_good(OPTION_TYPE_INT, "", "-1").integer, -1);
	REFUSE(INT, "", "-2", "--1", "-", "2147483648");

	assert_true(parse_good(OPTION_TYPE_FLOAT, "0..1", "0.0025").real == 0.0025);
	REFUSE(FLOAT, "0..1", "1.1", "-0.1", "nan", "inf", "0,5", "0.5x", "1e999");
}

static void test_durations(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} cases[] = {
		{"0", 0},
		{"0s", 0},
		{"5s", 5 * SECOND_NS},
		{"1m0s", 60 * SECOND_NS},
		{"2h13m20s", 8000 * SECOND_NS},
		{"1.5h", 5400 * SECOND_NS},
		{"100ms", SECOND_NS / 10},
		{"10us", 10000},
		{"10µs", 10000},
		{"1ns", 1},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		assert_int_equal(parse_good(OPTION_TYPE_DURATION, "", cases[i].text).ns,
				 cases[i].ns);
	REFUSE(DURATION, "", "5", "s", "5 s", "-5s", "1h-1m", "5d", "1.2.3s", "5S", "10000000h",
	       "99999999999999999999s");
	REFUSE(DURATION, "1s..1h", "999ms", "0", "1h0m1s");
	assert_int_equal(parse_good(OPTION_TYPE_DURATION, "1s..1h", "60m").ns, 3600 * SECOND_NS);
}

static void check_text(enum option_type type, const char *text, const char *want)
{
	union option_value value = parse_good(type, "", text);

	assert_string_equal(value.text, want);
	g_free(value.text);
}

static void test_texts(void **state)
{
	g_autofree char *here = g_canonicalize_filename("run/x", NULL);
	g_autofree char *long_name = g_strnfill(33, 'a');
	g_autofree char *long_path = g_strnfill(4096, '/');

	check_text(OPTION_TYPE_NAME, "prod-1", "prod-1");
	REFUSE(NAME, "", "-a", "a-", "A", "a.b", "a b", long_name);
	check_text(OPTION_TYPE_PATH, "/var/run//cilium/", "/var/run/cilium");
	check_text(OPTION_TYPE_PATH, "run/x", here);
	REFUSE(PATH, "", "a\nb", long_path);
	check_text(OPTION_TYPE_LISTEN, ":9962", ":9962");
	check_text(OPTION_TYPE_LISTEN, "[::1]:80", "[::1]:80");
	check_text(OPTION_TYPE_LISTEN, "localhost:0", "localhost:0");
	REFUSE(LISTEN, "", "9962", "a:", "a:65536", "::1:80", "[::1:80", "a:-1", "a\nb:1");
	REFUSE(STRING, "", "\xff\xfe", "a\xc0\x80");
}

static void test_words(void **state)
{
	assert_int_equal(parse_good(OPTION_TYPE_ENUM, "none low max", "low").number, 1);
	REFUSE(ENUM, "none low max", "Low", "lo", "none low", "low ");
	assert_int_equal(parse_good(OPTION_TYPE_FLAGS, "fin syn rst", "syn,rst").number, 6);
	assert_int_equal(parse_good(OPTION_TYPE_FLAGS, "fin syn rst", "all").number, 7);
	assert_int_equal(parse_good(OPTION_TYPE_FLAGS, "fin syn rst", "").number, 0);
	REFUSE(FLAGS, "fin syn rst", "syn;rst", "SYN", "al");
}

static void check_list(enum option_type type, const char *text, const char *want)
{
	union option_value value = parse_good(type, "", text);
	g_autofree char *joined = g_strjoinv("|", value.list);

	assert_string_equal(joined, want);
	g_strfreev(value.list);
}

static void test_lists(void **state)
{
	check_list(OPTION_TYPE_LIST, "eth0 eth1", "eth0|eth1");
	check_list(OPTION_TYPE_LIST, " eth0,, eth+ ", "eth0|eth+");
	check_list(OPTION_TYPE_LIST, "", "");
	check_list(OPTION_TYPE_MAP, "level=debug,format=json", "level=debug|format=json");
	check_list(OPTION_TYPE_MAP, "create=rate:10/s,burst:4,put=x",
		   "create=rate:10/s,burst:4|put=x");
	check_list(OPTION_TYPE_MAP, "{\"a\": \"b\", \"n\": 5}", "a=b|n=5");
	check_list(OPTION_TYPE_MAP, "{}", "");
	check_list(OPTION_TYPE_MAP, "", "");
	REFUSE(MAP, "", "level", "=x", "level,a=b", "{\"a\": ", "{\"a\":1,\"a\":2}", "{} x");
}

static void test_addresses(void **state)
{
	union option_value value = parse_good(OPTION_TYPE_CIDR4, "auto", "10.1.0.0/16");
	char text[CIDR_TEXT_BYTES];

	assert_true(value.cidr.is_set);
	assert_string_equal(cidr_format(&value.cidr.cidr, text), "10.1.0.0/16");
	assert_false(parse_good(OPTION_TYPE_CIDR4, "auto", "auto").cidr.is_set);
	assert_true(parse_good(OPTION_TYPE_CIDR6, "", "fd00::/64").cidr.is_set);
	REFUSE(CIDR4, "", "auto", "10.0.0.1/16", "10.0.0.0/33", "fd00::/64", "10.0.0/8", "x");
	REFUSE(CIDR6, "auto", "10.0.0.0/8", "fd00::1/64", "fd00::/129", "Auto");
	parse_good(OPTION_TYPE_ADDRESS, "", "169.254.42.1");
	REFUSE(ADDRESS, "", "169.254.42", "1.2.3.4/32", "fe80::1%eth0");
	value = parse_good(OPTION_TYPE_PORTS, "", "30000,32767");
	assert_int_equal(value.ports.min, 30000);
	assert_int_equal(value.ports.max, 32767);
	parse_good(OPTION_TYPE_PORTS, "", "0-0");
	REFUSE(PORTS, "", "1", "2,1", "1,65536", "1,2,3", "a,b", "-1,5", "1--5");
}

/* As Helm writes what nobody set. */
static void test_empty_is_default(void **state)
{
	static const char *const keys[] = {"enable-ipv4",
					   "mtu",
					   "routing-mode",
					   "ipv4-range",
					   "bpf-ct-timeout-regular-tcp",
					   "node-port-range",
					   "state-dir",
					   "hubble-listen-address"};

	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
		const struct option *option = option_get(option_find(keys[i]));
		union option_value empty, by_default;

		assert_int_equal(option_parse_value(option, "", &empty), 0);
		assert_int_equal(option_parse_value(option, option->default_text, &by_default), 0);
		assert_true(option_equal_values(option, &empty, &by_default));
		option_fini_value(option, &empty);
		option_fini_value(option, &by_default);
	}
}

static void test_texts_for_people(void **state)
{
	struct option option = row(OPTION_TYPE_UINT, "0 68..65535");
	g_autofree char *number = option_format_allowed(&option);
	g_autofree char *variable = option_format_variable(option_get(option_find("enable-ipv4")));

	assert_string_equal(number, "a number: 0, 68..65535");
	assert_string_equal(variable, "CILIUM_ENABLE_IPV4");
}

/* Any bytes get an answer; under the sanitizers this is what the test is for. */
static void test_random_values(void **state)
{
	static const char alphabet[] = "0123456789.,-:=/{}[]\"' \tabcdfhmnsuxtrue\xc2\xb5\xff\x01";
	GRand *rand = g_rand_new_with_seed(3);
	size_t n_accepted = 0;

	for (int round = 0; round < 40; round++) {
		for (size_t i = 0; i < option_n(); i++) {
			const struct option *option = option_get(i);
			union option_value value;
			char text[24];
			int n = g_rand_int_range(rand, 0, sizeof(text));

			for (int j = 0; j < n; j++)
				text[j] = alphabet[g_rand_int_range(rand, 0, sizeof(alphabet) - 1)];
			text[n] = '\0';
			if (option_parse_value(option, text, &value))
				continue;
			n_accepted++;
			option_fini_value(option, &value);
		}
	}
	assert_true(n_accepted > 0);
	g_rand_free(rand);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_row),
		cmocka_unit_test(test_cilium_keys),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_empty_is_default),
		cmocka_unit_test(test_texts_for_people),
		cmocka_unit_test(test_random_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
