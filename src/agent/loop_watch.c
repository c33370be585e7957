// SPDX-License-Identifier: Apache-2.0
#include "src/agent/loop_watch.h"

#include <glib.h>
#include <stdatomic.h>
#include "src/base/clock.h"

/* The loop has no timer of its own that is sure to run this often. */
#define TURN_INTERVAL_MS 1000

struct loop_watch {
	uv_check_t check; /* at the end of each turn */
	uv_timer_t timer;
	unsigned int n_handles;    /* still open */
	_Atomic int64_t turned_ns; /* CLOCK_MONOTONIC; the only member that other threads read */
	uint64_t idle_ns;          /* of the loop, as at the last turn */
	int64_t max_lag_at_ns;     /* CLOCK_BOOTTIME */
	struct loop_statistics statistics;
};

static void on_turn(uv_check_t *check)
{
	struct loop_watch *watch = check->data;
	uint64_t idle_ns = uv_metrics_idle_time(check->loop);
	int64_t now_ns = clock_monotonic_ns();
	int64_t lag_ns =
		now_ns - atomic_load(&watch->turned_ns) - (int64_t)(idle_ns - watch->idle_ns);

	watch->statistics.n_turns++;
	if (lag_ns > watch->statistics.max_lag_ns) {
		watch->statistics.max_lag_ns = lag_ns;
		watch->max_lag_at_ns = clock_boottime_ns();
	}
	watch->idle_ns = idle_ns;
	atomic_store(&watch->turned_ns, now_ns);
}

static void on_timer(uv_timer_t *timer)
{
}

void loop_watch_restart(struct loop_watch *watch)
{
	watch->statistics = (struct loop_statistics){0};
	watch->max_lag_at_ns = 0;
	watch->idle_ns = uv_metrics_idle_time(watch->check.loop);
	atomic_store(&watch->turned_ns, clock_monotonic_ns());
}

struct loop_watch *loop_watch_new(uv_loop_t *loop)
{
	struct loop_watch *watch = g_new0(struct loop_watch, 1);

	uv_check_init(loop, &watch->check);
	uv_timer_init(loop, &watch->timer);
	watch->check.data = watch->timer.data = watch;
	watch->n_handles = 2;
	loop_watch_restart(watch);
	uv_check_start(&watch->check, on_turn);
	uv_timer_start(&watch->timer, on_timer, TURN_INTERVAL_MS, TURN_INTERVAL_MS);
	return watch;
}

static void on_closed(uv_handle_t *handle)
{
	struct loop_watch *watch = handle->data;

	if (!--watch->n_handles)
		g_free(watch);
}

void loop_watch_free(struct loop_watch *watch)
{
	if (!watch)
		return;
	uv_close((uv_handle_t *)&watch->check, on_closed);
	uv_close((uv_handle_t *)&watch->timer, on_closed);
}

struct loop_statistics loop_watch_get_statistics(const struct loop_watch *watch)
{
	struct loop_statistics statistics = watch->statistics;

	statistics.max_lag_at_ns = clock_realtime_of_ns(watch->max_lag_at_ns);
	return statistics;
}

int64_t loop_watch_silent_ns(const struct loop_watch *watch)
{
	return clock_monotonic_ns() - atomic_load(&watch->turned_ns);
}
