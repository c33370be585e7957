// SPDX-License-Identifier: Apache-2.0
#include "src/agent/loop_watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>
#include <unistd.h>
#include "src/base/clock.h"

#define HOLD_UP_NS (50 * NSEC_PER_MSEC)

static void hold_up(uv_timer_t *timer)
{
	usleep(HOLD_UP_NS / NSEC_PER_USEC);
}

static void do_nothing(uv_timer_t *timer)
{
}

/* Lets the loop wait, and then runs fn. */
static void run_after(uv_loop_t *loop, uv_timer_t *timer, uint64_t delay_ms, uv_timer_cb fn)
{
	uv_timer_start(timer, fn, delay_ms, 0);
	while (uv_is_active((uv_handle_t *)timer))
		uv_run(loop, UV_RUN_ONCE);
	/* What a callback took is known at the end of the turn. */
	uv_run(loop, UV_RUN_NOWAIT);
}

static void test_holding_up_is_measured_and_waiting_is_not(void **state)
{
	struct loop_watch *watch;
	uv_timer_t timer;
	uv_loop_t loop;

	uv_loop_init(&loop);
	uv_loop_configure(&loop, UV_METRICS_IDLE_TIME);
	uv_timer_init(&loop, &timer);
	watch = loop_watch_new(&loop);
	usleep(HOLD_UP_NS / NSEC_PER_USEC); /* a start that takes its time */
	loop_watch_restart(watch);
	run_after(&loop, &timer, 4 * HOLD_UP_NS / NSEC_PER_MSEC, do_nothing);
	assert_in_range(loop_watch_get_statistics(watch).max_lag_ns, 0, 3 * HOLD_UP_NS);
	run_after(&loop, &timer, 1, hold_up);
	assert_true(loop_watch_get_statistics(watch).max_lag_ns >= HOLD_UP_NS);
	assert_true(loop_watch_get_statistics(watch).max_lag_at_ns > 0);
	assert_true(loop_watch_get_statistics(watch).n_turns >= 2);
	usleep(HOLD_UP_NS / NSEC_PER_USEC);
	assert_true(loop_watch_silent_ns(watch) >= HOLD_UP_NS);
	loop_watch_free(watch);
	uv_close((uv_handle_t *)&timer, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_holding_up_is_measured_and_waiting_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
