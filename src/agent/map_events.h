/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last changes that the agent made to each map that the plan fills, in memory. What programs or
 * people write is not among them.
 */
#pragma once

#include "src/agent/config.h"
#include "src/datapath/reconciler.h"

struct map_event {
	uint64_t number; /* one more than the map's event before; greater after a restart */
	int64_t time_ns; /* CLOCK_REALTIME */
	const struct plan_map_entry *entry;
	bool removed;
	int error; /* positive errno; 0: done */
};

struct map_events;

struct map_events *map_events_new(const struct settings *settings);
void map_events_free(struct map_events *events); /* takes NULL */
/* The observer for reconcilers_set_write_observer(); data is the struct map_events. */
void map_events_record(const struct reconciler_entry *write, void *data);
/* False where the configuration switches the events of the map off, or the plan does not fill it. */
bool map_events_kept(const struct map_events *events, enum plan_map map);
/* The events with a number above since, the oldest first. */
void map_events_foreach(const struct map_events *events, enum plan_map map, uint64_t since,
			void (*fn)(const struct map_event *event, void *data), void *data);
