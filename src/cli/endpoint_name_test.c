/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "src/cli/endpoint_name.h"

static const struct {
	const char *text, *want;
} cases[] = {
	{"7", "7"},
	{"99999999999", "99999999999"},
	{"-1", "-1"},
	{"", ""},
	{"web", "pod-name:default:web"},
	{"1x", "pod-name:default:1x"},
	{"shop/web", "pod-name:shop:web"},
	{"shop/", "pod-name:shop:"},
	{"pod-name:shop:web", "pod-name:shop:web"},
	{"cep-name:shop/web", "cep-name:shop/web"},
	{"ipv6:fd00::1", "ipv6:fd00::1"},
	{"reserved:host", "reserved:host"},
};

static void test_selector(void **state)
{
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *selector = endpoint_name_selector(cases[i].text);

		assert_string_equal(selector, cases[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_selector)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
