/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When which back end is asked whether it lives, and what its answers come to. Pure: time is what the caller says,
 * in ns of one clock that does not go back.
 *
 * From probe to probe it is an interval, less a tenth at most, by chance: so those that came together drift apart. One
 * that has just failed is asked again sooner, so that it is out within two intervals of its death, where the timeout is
 * less than half of one.
 */
#pragma once

#include <stdbool.h>
#include <glib.h>
#include "src/model/backend_health.h"
#include "src/model/service.h"

/* Under way at a time; what is due beyond waits. */
#define PROBES_MAX 512

/* A back end of a service. Owned by the schedule; data is the caller's. */
struct probe_target {
	struct backend_health_key key;
	struct service_health health; /* its own; path is interned */
	unsigned int n_users;         /* calls of probe_schedule_put() */
	bool is_down;
	bool is_under_way;
	bool is_outdated;  /* what is under way asks what nobody wants to know any more */
	uint8_t n_same;    /* results in a row that speak against is_down */
	int64_t due_ns;    /* of the next probe */
	unsigned int slot; /* in the heap */
	void *data;        /* NULL at first */
};

enum probe_verdict {
	PROBE_UNCHANGED,
	PROBE_WENT_DOWN,
	PROBE_CAME_UP,
};

struct probe_schedule;

/* seed: of the chance. */
struct probe_schedule *probe_schedule_new(uint32_t seed);
void probe_schedule_free(struct probe_schedule *schedule); /* takes NULL */
/*
 * One user more of the target, which is made where there is none; is_down: how it begins then. Another health than
 * before is taken over; where it asks differently, results so far do not count, and it is asked for at once, or when
 * the probe under way has ended. Borrowed until its last user is gone.
 */
struct probe_target *probe_schedule_put(struct probe_schedule *schedule,
					const struct backend_health_key *key,
					const struct service_health *health, bool is_down,
					int64_t now_ns);
/* One user less. True: it was the last, and the target is gone. */
bool probe_schedule_remove(struct probe_schedule *schedule, struct probe_target *target);
/* NULL where there is none. */
struct probe_target *probe_schedule_find(const struct probe_schedule *schedule,
					 const struct backend_health_key *key);
unsigned int probe_schedule_n_targets(const struct probe_schedule *schedule);
unsigned int probe_schedule_n_down(const struct probe_schedule *schedule);
/* One that is due, and now under way. NULL: none, or too many are under way. */
struct probe_target *probe_schedule_take(struct probe_schedule *schedule, int64_t now_ns);
/* When the next one is due, which may be past. INT64_MAX: it waits for a probe to end, or there is none. */
int64_t probe_schedule_next_ns(const struct probe_schedule *schedule);
/* The probe that began at start_ns has ended. It does not count where something else is to be asked since. */
enum probe_verdict probe_schedule_report(struct probe_schedule *schedule,
					 struct probe_target *target, bool is_good,
					 int64_t start_ns);
/* The probe that was taken at now_ns could not be made at all: it is due again in a second. */
void probe_schedule_give_back(struct probe_schedule *schedule, struct probe_target *target,
			      int64_t now_ns);
