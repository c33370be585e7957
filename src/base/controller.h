/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The jobs that a program does again and again, by itself: each is a controller, which knows when its job
 * last succeeded, why it failed, and whether it still runs as often as it should. A job begins and ends
 * once a run; what happens in between is its own business. Status and metrics read all of them.
 *
 * Not for several threads: a job that works in a helper thread begins and ends in the loop. Every call
 * on a controller takes NULL and does nothing, for modules that are tested alone.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "src/base/error.h"

struct controller;
struct controllers;

/* What status and metrics read. Borrowed for the call that hands it out. */
struct controller_info {
	const char *name;  /* "conntrack-gc" */
	const char *group; /* "datapath": the part of the program that it belongs to */
	const char *uuid;
	int64_t interval_ns;      /* 0: runs when there is something to do */
	int64_t last_success_ns;  /* CLOCK_REALTIME; 0: never */
	int64_t last_failure_ns;  /* CLOCK_REALTIME; 0: never */
	int64_t failing_since_ns; /* CLOCK_REALTIME; 0: the last run succeeded */
	/* CLOCK_REALTIME: of its last sign of life, where that is longer ago than it should; 0: it is not. */
	int64_t stale_since_ns;
	int64_t last_duration_ns;
	bool is_running;
	int error;              /* positive errno of the last failure; 0: none yet */
	const char *error_text; /* of the last failure; NULL: none yet */
	unsigned int n_consecutive_failures;
	uint64_t n_successes;
	uint64_t n_failures;
};

struct controllers *controllers_new(void);
void controllers_free(struct controllers *controllers); /* takes NULL; and every controller */
/* In the order in which they were added. */
void controllers_foreach(const struct controllers *controllers,
			 void (*fn)(const struct controller_info *info, void *data), void *data);
/* fn is called at the end of each run, for metrics. One; NULL: none. */
void controllers_set_observer(struct controllers *controllers,
			      void (*fn)(const struct controller_info *info, void *data),
			      void *data);
/* For tests: the clock that durations and staleness are measured by. */
void controllers_set_clock(struct controllers *controllers, int64_t (*now_ns)(void));

/* The texts must outlive it. interval_ns: from run to run; 0: runs when there is something to do. */
struct controller *controller_new(struct controllers *controllers, const char *name,
				  const char *group, int64_t interval_ns);
void controller_set_interval(struct controller *controller, int64_t interval_ns);
/* A run begins. One that has begun and not ended goes on: its job works in steps. */
void controller_begin(struct controller *controller);
/* It ends, with NULL well. What it says about the failure is copied. */
void controller_end(struct controller *controller, const GError *error);
bool controller_is_failing(const struct controller *controller);
