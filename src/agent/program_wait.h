/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waits, in a thread of libuv's pool, until the programs that run have ended, so that what they can be using is
 * deleted only then. The thread shares a descriptor with the loop, and no state.
 */
#pragma once

#include "src/agent/agent.h"

/* The waiter for reconcilers_set_policy_waiter(); data is the agent, which has reconcilers. */
void program_wait_begin(int (*wait)(struct datapath *dp), struct datapath *dp, void *data);
