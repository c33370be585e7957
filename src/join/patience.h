/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting for an agent that restarts: a container is not refused because an upgrade goes on.
 *
 *	do
 *		status = api_client_…(client, …, error);
 *	while (patience_wait(&patience, status, error));
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "src/base/error.h"

struct patience {
	int64_t deadline_ns; /* CLOCK_MONOTONIC */
	int64_t pause_ns;
};

/* Patience that lasts so long from now; 0: one try. */
struct patience patience_for(int64_t duration_ns);
/*
 * True, after a pause, when the call is worth another try: the agent was away, and there is time left.
 * Then *error is cleared.
 */
bool patience_wait(struct patience *patience, int status, GError **error);
/* Does the status say that the agent is away, rather than that it refuses? */
bool patience_agent_is_away(int status);
