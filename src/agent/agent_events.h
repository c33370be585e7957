/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the agent tells of itself on the monitor socket: endpoints that come, are in force or go, and
 * addresses that get an identity. It sees the tables after the reconcilers had their turn. While nobody
 * listens it keeps nothing.
 */
#pragma once

#include <stdbool.h>

struct agent;
struct agent_events;

/* After the reconcilers, whose work it tells of. */
struct agent_events *agent_events_new(struct agent *agent);
/* When the store settles no more. Takes NULL. */
void agent_events_free(struct agent_events *events);
/* From now on every change is told, to events_publish_agent(); or none. */
void agent_events_set_wanted(struct agent_events *events, bool wanted);
