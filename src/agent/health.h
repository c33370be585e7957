/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for probes, on agent-health-port of 127.0.0.1 and ::1. A thread of its own gives them, so that
 * there is an answer while the agent starts and while its loop is held up. It asks the loop and waits for
 * the answer for HEALTH_PATIENCE_NS; it holds no pointer into the agent's state, and no privileges.
 *
 *	/healthz  200, or 503 where the agent's state is Failure; also while it starts
 *	/readyz   200 once everything that was there at the start is in force and the API serves
 *	/livez    200, or 503 where the loop, or a step of the start, stands still
 *
 * The body is one line: the state and why.
 */
#pragma once

#include "src/agent/agent.h"

/* How long a probe waits for the loop: less than the probes of Cilium's chart do. */
#define HEALTH_PATIENCE_NS (2 * NSEC_PER_SEC)
/* Without a turn of the loop for so long the agent is not alive. */
#define HEALTH_LIFE_NS (60 * NSEC_PER_SEC)
/* The same for a step of the start: the largest manifests take seconds. */
#define HEALTH_STEP_LIFE_NS (600 * NSEC_PER_SEC)

struct health;

/*
 * Starts answering. NULL where the key says 0. A port that is not to be had fails the controller
 * "health-port", and health_retry() tries again.
 */
struct health *health_new(struct agent *agent);
/* Ends the thread. Its memory goes when the loop has run. Takes NULL, as the others do. */
void health_free(struct health *health);
/* The step of the start that begins; NULL: the start is over, the loop answers from now on. */
void health_set_step(struct health *health, const char *step);
void health_retry(struct health *health);
