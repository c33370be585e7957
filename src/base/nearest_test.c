/* SPDX-License-Identifier: Apache-2.0 */
#include "src/base/nearest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void distances(void **state)
{
	static const struct {
		const char *a, *b;
		unsigned int distance;
	} cases[] = {
		{"", "", 0},          {"", "abc", 3},
		{"abc", "", 3},       {"list", "list", 0},
		{"lsit", "list", 1},  {"lis", "list", 1},
		{"listt", "list", 1}, {"lost", "list", 1},
		{"output", "put", 3}, {"kitten", "sitting", 3},
		{"ca", "abc", 3},
	};
	char long_a[200], long_b[200];

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		assert_int_equal(nearest_distance(cases[i].a, cases[i].b), cases[i].distance);
		assert_int_equal(nearest_distance(cases[i].b, cases[i].a), cases[i].distance);
	}
	memset(long_a, 'a', sizeof(long_a));
	memset(long_b, 'b', sizeof(long_b));
	long_a[199] = long_b[199] = 0;
	assert_int_equal(nearest_distance(long_a, long_b), NEAREST_WORD_MAX_BYTES);
}

static const char *best_of(const char *word)
{
	static const char *const known[] = {"bpf", "cleanup", "config",  "endpoint", "identity",
					    "ip",  "map",     "metrics", "monitor",  "status"};
	struct nearest nearest;

	nearest_init(&nearest, word);
	for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
		nearest_offer(&nearest, known[i]);
	return nearest.best;
}

static void suggestions(void **state)
{
	assert_string_equal(best_of("endpiont"), "endpoint");
	assert_string_equal(best_of("endpoints"), "endpoint");
	assert_string_equal(best_of("stat"), "status");
	assert_string_equal(best_of("moniter"), "monitor");
	assert_string_equal(best_of("ipp"), "ip");
	assert_null(best_of("frobnicate"));
	assert_null(best_of("service"));
	assert_null(best_of(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(distances),
		cmocka_unit_test(suggestions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
