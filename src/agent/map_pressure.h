/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Maps that the programs fill: where one is full the kernel forgets what was not used for longest, and nothing
 * fails. So somebody has to look, and say it.
 */
#pragma once

#include "src/agent/conntrack_gc.h"
#include "src/datapath/datapath.h"

struct map_pressure;

/* Both borrowed. */
struct map_pressure *map_pressure_new(struct datapath *datapath, struct conntrack_gc *gc);
void map_pressure_free(struct map_pressure *pressure); /* takes NULL */
/*
 * Looks; every few seconds. A map that is nearly full is swept first; one that is so at the next look too is
 * logged, once until it has room again.
 */
void map_pressure_run(struct map_pressure *pressure);
