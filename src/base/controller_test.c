// SPDX-License-Identifier: Apache-2.0
#include "src/base/controller.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <string.h>
#include "src/base/clock.h"

static int64_t fake_now_ns;

static int64_t fake_clock(void)
{
	return fake_now_ns;
}

static int set_up(void **state)
{
	struct controllers *controllers = controllers_new();

	fake_now_ns = 1000 * NSEC_PER_SEC;
	controllers_set_clock(controllers, fake_clock);
	*state = controllers;
	return 0;
}

static int tear_down(void **state)
{
	controllers_free(*state);
	return 0;
}

static void take_last(const struct controller_info *info, void *data)
{
	*(struct controller_info *)data = *info;
}

static struct controller_info last_of(struct controllers *controllers)
{
	struct controller_info info = {0};

	controllers_foreach(controllers, take_last, &info);
	return info;
}

static void run_badly(struct controller *controller, const char *text)
{
	g_autoptr(GError) error = NULL;

	error_set(&error, ENOSPC, "%s", text);
	controller_begin(controller);
	controller_end(controller, error);
}

static void test_counts(void **state)
{
	struct controller *controller = controller_new(*state, "sync", "state", 0);
	struct controller_info info = last_of(*state);

	assert_string_equal(info.name, "sync");
	assert_string_equal(info.group, "state");
	assert_int_equal(strlen(info.uuid), 36);
	assert_true(!info.last_success_ns && !info.last_failure_ns && !info.error_text);
	run_badly(controller, "first");
	run_badly(controller, "second");
	assert_true(controller_is_failing(controller));
	info = last_of(*state);
	assert_int_equal(info.n_consecutive_failures, 2);
	assert_int_equal(info.n_failures, 2);
	assert_int_equal(info.error, ENOSPC);
	assert_string_equal(info.error_text, "second");
	assert_true(info.failing_since_ns && info.failing_since_ns <= info.last_failure_ns);
	controller_begin(controller);
	fake_now_ns += 3 * NSEC_PER_MSEC;
	assert_true(last_of(*state).is_running);
	controller_end(controller, NULL);
	info = last_of(*state);
	assert_false(controller_is_failing(controller));
	assert_int_equal(info.n_consecutive_failures, 0);
	assert_int_equal(info.n_failures, 2);
	assert_int_equal(info.n_successes, 1);
	assert_int_equal(info.last_duration_ns, 3 * NSEC_PER_MSEC);
	assert_int_equal(info.failing_since_ns, 0);
	/* What went wrong last stays to be read. */
	assert_string_equal(info.error_text, "second");
}

static void test_late_run_is_stale(void **state)
{
	struct controller *controller = controller_new(*state, "gc", "datapath", 60 * NSEC_PER_SEC);

	fake_now_ns += 129 * NSEC_PER_SEC;
	assert_int_equal(last_of(*state).stale_since_ns, 0);
	fake_now_ns += 2 * NSEC_PER_SEC;
	assert_in_range(last_of(*state).stale_since_ns, clock_realtime_ns() - 132 * NSEC_PER_SEC,
			clock_realtime_ns() - 130 * NSEC_PER_SEC);
	controller_set_interval(controller, 120 * NSEC_PER_SEC);
	assert_int_equal(last_of(*state).stale_since_ns, 0);
	fake_now_ns += 500 * NSEC_PER_SEC;
	assert_int_not_equal(last_of(*state).stale_since_ns, 0);
	run_badly(controller, "it runs, if in vain");
	assert_int_equal(last_of(*state).stale_since_ns, 0);
}

static void test_endless_run_is_stale(void **state)
{
	struct controller *controller = controller_new(*state, "sync", "state", 0);

	fake_now_ns += 1000 * NSEC_PER_SEC;
	assert_int_equal(last_of(*state).stale_since_ns, 0);
	controller_begin(controller);
	for (int i = 0; i < 10; i++) {
		fake_now_ns += 9 * NSEC_PER_SEC;
		assert_int_equal(last_of(*state).stale_since_ns, 0);
		controller_begin(controller); /* another step */
	}
	fake_now_ns += 11 * NSEC_PER_SEC;
	assert_int_not_equal(last_of(*state).stale_since_ns, 0);
	controller_end(controller, NULL);
	assert_int_equal(last_of(*state).stale_since_ns, 0);
	assert_int_equal(last_of(*state).last_duration_ns, 101 * NSEC_PER_SEC);
}

static void test_observer(void **state)
{
	struct controller *controller = controller_new(*state, "sync", "state", 0);
	struct controller_info seen = {0};

	controllers_set_observer(*state, take_last, &seen);
	run_badly(controller, "full");
	assert_int_equal(seen.n_consecutive_failures, 1);
	controller_begin(controller);
	controller_end(controller, NULL);
	assert_int_equal(seen.n_consecutive_failures, 0);
	assert_int_equal(seen.n_successes, 1);
}

static void test_none(void **state)
{
	controller_begin(NULL);
	controller_end(NULL, NULL);
	controller_set_interval(NULL, 1);
	assert_false(controller_is_failing(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_counts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_late_run_is_stale, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_endless_run_is_stale, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_observer, set_up, tear_down),
		cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
