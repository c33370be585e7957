// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "src/sys/port_set.h"

static void test_text(void **state)
{
	static const char *const texts[][2] = {
		{"", ""},
		{"\n", ""},
		{"0", "0"},
		{"65535", "65535"},
		{"0-65535", "0-65535"},
		{"5,4,3-4,8080\n", "3-5,8080"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		struct port_set set = {0};
		g_autofree char *text = NULL;

		assert_true(port_set_parse(&set, texts[i][0]));
		text = port_set_format(&set);
		assert_string_equal(text, texts[i][1]);
	}
}

static void test_what_is_none(void **state)
{
	static const char *const texts[] = {"x", "1,", ",", "65536", "-1", "3-2", "1-", "1 2"};

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		struct port_set set = {0};

		assert_false(port_set_parse(&set, texts[i]));
	}
}

static void test_remove(void **state)
{
	struct port_set set = {0};
	g_autofree char *text = NULL;

	port_set_add(&set, 10, 20);
	port_set_remove(&set, 12, 13);
	port_set_remove(&set, 20, 30);
	text = port_set_format(&set);
	assert_string_equal(text, "10-11,14-19");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_what_is_none),
		cmocka_unit_test(test_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
