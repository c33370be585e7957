// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "src/base/clock.h"
#include "src/sys/jiffies.h"

/* The low half of jiffies64 of a kernel of that frequency, so long after boot, begun late by skew. */
static uint32_t jiffies_at(unsigned int hz, int64_t seconds, int skew_jiffies)
{
	return (uint32_t)((seconds - 300) * hz - skew_jiffies);
}

static void test_guesses_frequency(void **state)
{
	const unsigned int frequencies[] = {100, 250, 300, 1000};
	const int64_t times[] = {1, 30, 250, 600, 86400, 365 * 86400};

	for (size_t i = 0; i < 4; i++) {
		for (size_t j = 0; j < 6; j++) {
			unsigned int hz = frequencies[i];

			assert_int_equal(jiffies_guess_hz(jiffies_at(hz, times[j], hz / 4),
							  times[j] * NSEC_PER_SEC),
					 hz);
		}
	}
}

static void test_admits_ambiguity(void **state)
{
	/* Five minutes after boot every kernel has counted to 2^32. */
	assert_int_equal(jiffies_guess_hz(jiffies_at(250, 300, 0), 300 * NSEC_PER_SEC), 0);
	assert_int_equal(jiffies_guess_hz(jiffies_at(250, 305, 0), 305 * NSEC_PER_SEC), 0);
	/* A clock that fits no frequency. */
	assert_int_equal(jiffies_guess_hz(jiffies_at(1024, 86400, 0), 86400 * NSEC_PER_SEC), 0);
}

static void test_tick_is_about_a_second(void **state)
{
	assert_int_equal(jiffies_tick_shift(100), 7);
	assert_int_equal(jiffies_tick_shift(250), 8);
	assert_int_equal(jiffies_tick_shift(300), 8);
	assert_int_equal(jiffies_tick_shift(1000), 10);
}

static void test_converts(void **state)
{
	const struct jiffies_clock clock = {.hz = 250, .tick_shift = 8};

	assert_int_equal(jiffies_ticks_from_seconds(&clock, 0), 0);
	assert_int_equal(jiffies_ticks_from_seconds(&clock, 1), 1);
	assert_int_equal(jiffies_ticks_from_seconds(&clock, 10), 10);
	assert_int_equal(jiffies_ticks_from_seconds(&clock, 8000), 7813);
	assert_int_equal(jiffies_ticks_from_seconds(&clock, UINT32_MAX), 4194304000u);
	assert_int_equal(jiffies_ns_from_ticks(&clock, 1), 1024 * NSEC_PER_MSEC);
	assert_int_equal(jiffies_ns_from_ticks(&clock, -2), -2048 * NSEC_PER_MSEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_guesses_frequency),
		cmocka_unit_test(test_admits_ambiguity),
		cmocka_unit_test(test_tick_is_about_a_second),
		cmocka_unit_test(test_converts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
