/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removes connections that expired, and translations that no connection has any more. A sweep goes over
 * the maps in small steps, one a call, so that the loop is never held up; nobody waits for one: a packet
 * takes no notice of a dead entry, and a full map evicts by itself.
 */
#pragma once

#include "src/agent/config.h"
#include "src/base/controller.h"
#include "src/datapath/datapath.h"

struct conntrack_gc;

/* After the load; config is that of the load. NULL and *error where the kernel's clock is not to be had. */
struct conntrack_gc *conntrack_gc_new(const struct settings *settings, struct datapath *datapath,
				      const struct datapath_config *config, GError **error);
/* A run is a sweep of all connections. Borrowed. */
void conntrack_gc_set_controller(struct conntrack_gc *gc, struct controller *controller);
/* Takes over the intervals of settings, also while it runs: what it had adapted to is forgotten. */
void conntrack_gc_configure(struct conntrack_gc *gc, const struct settings *settings);
void conntrack_gc_free(struct conntrack_gc *gc); /* takes NULL */
/* One step, if it is time. Returns ns until the next. */
int64_t conntrack_gc_run(struct conntrack_gc *gc);
