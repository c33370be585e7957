/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How well the loop turns: whatever holds it up (a large manifest, a slow system call) holds up everything,
 * so the longest time that it was held up is measured, and when it turned last.
 */
#pragma once

#include <uv.h>

struct loop_watch;

/* The loop must have been configured with UV_METRICS_IDLE_TIME before anything ran on it. */
struct loop_watch *loop_watch_new(uv_loop_t *loop);
void loop_watch_free(struct loop_watch *watch); /* takes NULL; frees itself once the loop has run */

/* Forgets what was measured: the start takes its time, and the loop does not turn meanwhile. */
void loop_watch_restart(struct loop_watch *watch);

struct loop_statistics {
	uint64_t n_turns;
	int64_t max_lag_ns;    /* the longest turn, waiting left out */
	int64_t max_lag_at_ns; /* CLOCK_REALTIME: when it ended; 0: no turn yet */
};

struct loop_statistics loop_watch_get_statistics(const struct loop_watch *watch);
/* How long ago the loop turned last, which it does at least every second. Any thread may ask. */
int64_t loop_watch_silent_ns(const struct loop_watch *watch);
