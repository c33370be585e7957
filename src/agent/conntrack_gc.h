/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removes connections that expired, and translations that no connection has any more. A sweep goes over
 * the maps in small steps, one a call, so that the loop is never held up; nobody waits for one: a packet
 * takes no notice of a dead entry, and a full map evicts by itself.
 */
#pragma once

#include "src/agent/config.h"
#include "src/base/controller.h"
#include "src/base/histogram.h"
#include "src/datapath/datapath.h"

struct conntrack_gc;

enum conntrack_gc_map {
	CONNTRACK_GC_TCP,
	CONNTRACK_GC_ANY,
	CONNTRACK_GC_NAT, /* last: translations are judged by what connections are left */
	CONNTRACK_GC_MAP__MAX,
};

/* Of sweeps over one map, since start. Each goes over the entries of both families. */
struct conntrack_gc_statistics {
	uint64_t n_completed;
	uint64_t n_uncompleted; /* reading the map failed */
	struct conntrack_gc_count {
		unsigned int n_alive;
		unsigned int n_deleted;
	} ipv4, ipv6;                                        /* of the last that was completed */
	struct histogram completed_times, uncompleted_times; /* with the pauses between steps */
};

/* After the load; config is that of the load. NULL and *error where the kernel's clock is not to be had. */
struct conntrack_gc *conntrack_gc_new(const struct settings *settings, struct datapath *datapath,
				      const struct datapath_config *config, GError **error);
/* A run is a sweep of all connections. Borrowed. */
void conntrack_gc_set_controller(struct conntrack_gc *gc, struct controller *controller);
/* Takes over the intervals of settings, also while it runs: what it had adapted to is forgotten. */
void conntrack_gc_configure(struct conntrack_gc *gc, const struct settings *settings);
void conntrack_gc_free(struct conntrack_gc *gc); /* takes NULL */
/* Borrowed. */
const struct conntrack_gc_statistics *conntrack_gc_get_statistics(const struct conntrack_gc *gc,
								  enum conntrack_gc_map map);
/* Between two sweeps, as it is now. */
int64_t conntrack_gc_get_interval_ns(const struct conntrack_gc *gc);
/* A map is nearly full: the next sweep begins now, unless the last was only just. */
void conntrack_gc_hurry(struct conntrack_gc *gc);
/* One step, if it is time. Returns ns until the next. */
int64_t conntrack_gc_run(struct conntrack_gc *gc);
