/* SPDX-License-Identifier: Apache-2.0 */
/* /map: the pinned maps, what the plan wants in them, and what the agent wrote. */
#include "src/agent/rest_private.h"
#include "src/base/clock.h"
#include "src/datapath/layout.h"
#include "src/model/map_text.h"

/* BPFMap, as it is made: for one map or all. */
struct map_json {
	json_t *cache; /* NULL: not asked for, or not planned */
	unsigned int n_entries;
	unsigned int n_errors;
};

static const void *value_of(const struct plan_map_entry *entry)
{
	return entry->data + 1 + entry->n_key_bytes;
}

static const char *state_text(bool wanted, int error)
{
	if (!error)
		return "sync";
	return wanted ? "insert" : "delete";
}

static json_t *entry_to_json(const struct plan_map_entry *entry, bool wanted, int error)
{
	g_autofree char *key = map_key_format(entry->data[0], entry->data + 1);
	g_autofree char *value = map_value_format(entry->data[0], value_of(entry));
	json_t *json = json_pack("{s:s, s:s, s:s}", "key", key, "value", value, "desired-action",
				 state_text(wanted, error));

	if (error)
		json_object_set_new(json, "last-error", json_string(g_strerror(error)));
	return json;
}

static void add_entry(const struct reconciler_entry *entry, void *data)
{
	struct map_json *map = &((struct map_json *)data)[entry->entry->data[0]];

	map->n_entries += entry->wanted;
	map->n_errors += entry->error != 0;
	if (map->cache)
		json_array_append_new(map->cache,
				      entry_to_json(entry->entry, entry->wanted, entry->error));
}

/* Takes the cache. */
static json_t *map_to_json(const struct agent *agent, enum plan_map map, struct map_json *take_map)
{
	const struct map_layout *layout = map_layout_get(map);

	return json_pack("{s:o, s:i, s:i, s:b, s:o*}", "path",
			 json_sprintf("%s/tc/globals/%s", agent->settings->bpf_root, layout->name),
			 "num-entries", take_map->n_entries, "num-errors", take_map->n_errors,
			 "cache-enabled", layout->filler == MAP_FILLED_BY_ENTRIES, "cache",
			 take_map->cache);
}

void rest_map_list(struct rest_call *call)
{
	struct map_json maps[PLAN_MAP__MAX] = {{0}};
	json_t *list = json_array();

	for (int map = 0; map < PLAN_MAP__MAX; map++)
		if (map_layout_get(map)->filler == MAP_FILLED_BY_ENTRIES)
			maps[map].cache = json_array();
	reconcilers_foreach_entry(call->agent->reconcilers, add_entry, maps);
	for (int map = 0; map < PLAN_MAP__MAX; map++)
		json_array_append_new(list, map_to_json(call->agent, map, &maps[map]));
	rest_reply(call, 200, json_pack("{s:o}", "maps", list));
}

/* The map that the path names; PLAN_MAP__MAX after the refusal. */
static enum plan_map find_map(struct rest_call *call)
{
	for (enum plan_map map = 0; map < PLAN_MAP__MAX; map++)
		if (g_str_equal(call->arg, map_layout_get(map)->name))
			return map;
	rest_refuse(call, 404, "map %s was not found: see \"cilium map list\"", call->arg);
	return PLAN_MAP__MAX;
}

void rest_map_get(struct rest_call *call)
{
	struct map_json maps[PLAN_MAP__MAX] = {{0}};
	enum plan_map map = find_map(call);

	if (map == PLAN_MAP__MAX)
		return;
	if (map_layout_get(map)->filler == MAP_FILLED_BY_ENTRIES)
		maps[map].cache = json_array();
	reconcilers_foreach_entry(call->agent->reconcilers, add_entry, maps);
	rest_reply(call, 200, map_to_json(call->agent, map, &maps[map]));
}

static void add_event(const struct map_event *event, void *list)
{
	g_autoptr(GDateTime) second = g_date_time_new_from_unix_utc(event->time_ns / NSEC_PER_SEC);
	g_autofree char *text = g_date_time_format(second, "%FT%T");
	json_t *json = entry_to_json(event->entry, !event->removed, event->error);

	json_object_set_new(json, "action", json_string(event->removed ? "delete" : "update"));
	json_object_set_new(json, "timestamp",
			    json_sprintf("%s.%06dZ", text,
					 (int)(event->time_ns % NSEC_PER_SEC / NSEC_PER_USEC)));
	json_object_set_new(json, "number", json_integer((json_int_t)event->number));
	json_array_append_new(list, json);
}

void rest_map_events(struct rest_call *call)
{
	const char *since_text = http_request_query(call->request, "since");
	enum plan_map map = find_map(call);
	guint64 since = 0;
	json_t *list;

	if (map == PLAN_MAP__MAX)
		return;
	if (http_request_query(call->request, "follow") &&
	    !g_str_equal(http_request_query(call->request, "follow"), "false")) {
		rest_refuse(call, 400,
			    "follow: this agent answers at once; ask again with since=<number of "
			    "the last event>");
		return;
	}
	if (since_text &&
	    !g_ascii_string_to_unsigned(since_text, 10, 0, G_MAXUINT64, &since, NULL)) {
		rest_refuse(call, 400, "since \"%s\": expected the number of an event", since_text);
		return;
	}
	if (!map_events_kept(call->agent->map_events, map)) {
		rest_refuse(call, 404,
			    "no events of map %s are kept: the agent does not write to it, or the "
			    "key bpf-map-event-buffers switches them off",
			    call->arg);
		return;
	}
	list = json_array();
	map_events_foreach(call->agent->map_events, map, since, add_event, list);
	rest_reply(call, 200, list);
}
