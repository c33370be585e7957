// SPDX-License-Identifier: Apache-2.0
#include "src/join/patience.h"

#include "src/base/clock.h"

/* The agent is back within a third of a second as a rule; the first tries are dense. */
#define PAUSE_MIN_NS (5 * NSEC_PER_MSEC)
#define PAUSE_MAX_NS (100 * NSEC_PER_MSEC)

struct patience patience_for(int64_t duration_ns)
{
	return (struct patience){
		.deadline_ns = clock_monotonic_ns() + duration_ns,
		.pause_ns = PAUSE_MIN_NS,
	};
}

bool patience_agent_is_away(int status)
{
	switch (status) {
	case -ECONNREFUSED:
	case -ECONNRESET:
	case -EPIPE:
	case -EAGAIN:
	case -EBUSY:
	case -ETIMEDOUT:
		return true;
	default:
		return false;
	}
}

bool patience_wait(struct patience *patience, int status, GError **error)
{
	if (!patience_agent_is_away(status))
		return false;
	if (clock_monotonic_ns() + patience->pause_ns > patience->deadline_ns)
		return false;
	g_usleep((gulong)(patience->pause_ns / NSEC_PER_USEC));
	patience->pause_ns = MIN(patience->pause_ns * 2, PAUSE_MAX_NS);
	g_clear_error(error);
	return true;
}
