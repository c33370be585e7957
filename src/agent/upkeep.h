/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is done from time to time and not on anybody's behalf: comparing the kernel with the plan, trying
 * again what failed, giving back addresses that expired, collecting dead connections.
 */
#pragma once

#include "src/base/clock.h"

/* Without a hint. Reading back a hundred endpoints takes about a millisecond. */
#define UPKEEP_RESYNC_INTERVAL_NS (10 * NSEC_PER_SEC)

struct agent;
struct upkeep;

struct upkeep *upkeep_new(struct agent *agent);
void upkeep_free(struct upkeep *upkeep); /* takes NULL */
/* Somebody else changed something in the kernel that may have been ours: look at it soon. */
void upkeep_hint(struct upkeep *upkeep);
