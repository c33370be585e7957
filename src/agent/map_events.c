/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/map_events.h"

#include <string.h>
#include "src/agent/map_event_buffer.h"
#include "src/base/clock.h"
#include "src/datapath/layout.h"

struct ring {
	struct map_event_buffer buffer;
	GQueue events; /* struct map_event *, the oldest first */
	uint64_t last_number;
};

struct map_events {
	struct ring rings[PLAN_MAP__MAX];
};

/* Cilium's sizes. */
#define EVENTS_DEFAULT         128
#define EVENTS_DEFAULT_IPCACHE 1024

static void event_free(void *item)
{
	struct map_event *event = item;

	row_unref(&event->entry->row);
	g_free(event);
}

/* Under Cilium's name for it, or ours. NULL: a map that we do not have. */
static const struct map_layout *find_map(const char *name)
{
	return map_layout_find(g_str_equal(name, "cilium_ipcache_v2") ? "cilium_ipcache" : name);
}

static void configure(struct map_events *events, const char *pair)
{
	g_autofree char *name = NULL;
	struct map_event_buffer buffer;
	int err = map_event_buffer_parse(pair, &name, &buffer);

	g_assert(!err); /* settings_check() */
	for (enum plan_map map = 0; map < PLAN_MAP__MAX; map++)
		if (map_layout_get(map) == find_map(name))
			events->rings[map].buffer = buffer;
}

struct map_events *map_events_new(const struct settings *settings)
{
	struct map_events *events = g_new0(struct map_events, 1);

	for (enum plan_map map = 0; map < PLAN_MAP__MAX; map++) {
		bool is_ipcache =
			map == PLAN_MAP_cilium_ipcache || map == PLAN_MAP_cilium_ipcache_prefix;

		g_queue_init(&events->rings[map].events);
		/* Microseconds: no agent writes a million times a second for as long as it runs. */
		events->rings[map].last_number = clock_realtime_ns() / NSEC_PER_USEC;
		events->rings[map].buffer.n_events_max =
			is_ipcache ? EVENTS_DEFAULT_IPCACHE : EVENTS_DEFAULT;
	}
	for (char **pair = settings->bpf_map_event_buffers; *pair; pair++)
		configure(events, *pair);
	return events;
}

void map_events_free(struct map_events *events)
{
	if (!events)
		return;
	for (int map = 0; map < PLAN_MAP__MAX; map++)
		g_queue_clear_full(&events->rings[map].events, event_free);
	g_free(events);
}

void map_events_record(const struct reconciler_entry *write, void *data)
{
	struct map_events *events = data;
	struct ring *ring = &events->rings[write->entry->data[0]];
	struct map_event *event;

	if (!ring->buffer.n_events_max)
		return;
	if (g_queue_get_length(&ring->events) >= ring->buffer.n_events_max)
		event_free(g_queue_pop_head(&ring->events));
	event = g_new(struct map_event, 1);
	row_ref(&write->entry->row);
	*event = (struct map_event){
		.number = ++ring->last_number,
		.time_ns = clock_realtime_ns(),
		.entry = write->entry,
		.removed = !write->wanted,
		.error = write->error,
	};
	g_queue_push_tail(&ring->events, event);
}

bool map_events_kept(const struct map_events *events, enum plan_map map)
{
	return map_layout_get(map)->filler != MAP_FILLED_BY_PROGRAMS &&
	       events->rings[map].buffer.n_events_max;
}

void map_events_foreach(const struct map_events *events, enum plan_map map, uint64_t since,
			void (*fn)(const struct map_event *event, void *data), void *data)
{
	const struct ring *ring = &events->rings[map];
	int64_t oldest_ns =
		ring->buffer.age_max_ns ? clock_realtime_ns() - ring->buffer.age_max_ns : 0;

	for (const GList *link = ring->events.head; link; link = link->next) {
		const struct map_event *event = link->data;

		if (event->number > since && event->time_ns >= oldest_ns)
			fn(event, data);
	}
}
