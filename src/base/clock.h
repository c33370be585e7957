/* SPDX-License-Identifier: Apache-2.0 */
/* The clocks, in nanoseconds. derive takes the time as an argument and never includes this. */
#pragma once

#include <stdint.h>
#include <time.h>

#define NSEC_PER_USEC INT64_C(1000)
#define NSEC_PER_MSEC INT64_C(1000000)
#define NSEC_PER_SEC  INT64_C(1000000000)

static inline int64_t clock_read_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

/* For intervals; does not count the time asleep. */
static inline int64_t clock_monotonic_ns(void)
{
	return clock_read_ns(CLOCK_MONOTONIC);
}

/* For what is kept over a restart of the agent: counts the time asleep, starts anew at boot. */
static inline int64_t clock_boottime_ns(void)
{
	return clock_read_ns(CLOCK_BOOTTIME);
}

/* For what people read. It jumps when the clock is set. */
static inline int64_t clock_realtime_ns(void)
{
	return clock_read_ns(CLOCK_REALTIME);
}

/*
 * When that was by the clock of people as it is set now. Ages are kept in boot time: a clock that was wrong
 * until somebody set it would else make them years. 0 stays 0.
 */
static inline int64_t clock_realtime_of_ns(int64_t boottime_ns)
{
	return boottime_ns ? clock_realtime_ns() - (clock_boottime_ns() - boottime_ns) : 0;
}
