/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/agent_events.h"

#include <stdlib.h>
#include <string.h>
#include "src/agent/agent.h"
#include "src/agent/events.h"
#include "src/agent/policy_view.h"
#include "src/model/ipcache_entry.h"
#include "src/observe/agent_event_text.h"
#include "src/observe/monitor_message.h"

struct agent_events {
	struct agent *agent;
	bool wanted;
	/* As they were told last; empty while nobody listens. */
	GHashTable *endpoints;   /* id to struct seen_endpoint */
	GHashTable *ipcache;     /* struct cidr in the row to struct ipcache_entry */
	GHashTable *policies;    /* key in the row to struct policy */
	GHashTable *regenerated; /* ids: to be told of at the end of a run */
};

struct seen_endpoint {
	struct endpoint *endpoint;
	struct endpoint_state *state; /* NULL: none yet */
};

static void seen_endpoint_free(void *data)
{
	struct seen_endpoint *seen = data;

	row_unref(&seen->endpoint->row);
	if (seen->state)
		row_unref(&seen->state->row);
	g_free(seen);
}

static struct seen_endpoint *see_endpoint(struct agent_events *events,
					  const struct endpoint *endpoint,
					  const struct endpoint_state *state)
{
	struct seen_endpoint *seen = g_new0(struct seen_endpoint, 1);

	seen->endpoint = (struct endpoint *)row_ref(&endpoint->row);
	seen->state = state ? (struct endpoint_state *)row_ref(&state->row) : NULL;
	g_hash_table_insert(events->endpoints, GUINT_TO_POINTER(endpoint->id), seen);
	return seen;
}

static unsigned int hash_cidr(const void *key)
{
	const uint8_t *bytes = key;
	unsigned int hash = 5381;

	for (size_t i = 0; i < CIDR_KEY_BYTES; i++)
		hash = hash * 33 + bytes[i];
	return hash;
}

static gboolean equal_cidr(const void *a, const void *b)
{
	return !memcmp(a, b, CIDR_KEY_BYTES);
}

static void unref_row(void *row)
{
	row_unref(row);
}

static void see_entry(struct agent_events *events, const struct ipcache_entry *entry)
{
	struct ipcache_entry *seen = (struct ipcache_entry *)row_ref(&entry->row);

	g_hash_table_replace(events->ipcache, &seen->cidr, seen);
}

static void see_policy(struct agent_events *events, const struct policy *policy)
{
	struct policy *seen = (struct policy *)row_ref(&policy->row);

	g_hash_table_replace(events->policies, seen->meta.key, seen);
}

/* Takes json. */
static void publish(struct agent_events *events, enum agent_event number, json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);

	/* Labels have no bound, the message has. */
	if (strlen(text) > MONITOR_TEXT_BYTES) {
		free(text);
		json_object_del(json, "labels");
		text = json_dumps(json, JSON_COMPACT);
	}
	if (events->agent->events)
		events_publish_agent(events->agent->events, number, text);
	free(text);
	json_decref(json);
}

/* ---- endpoints ---- */

static json_t *endpoint_json(const struct seen_endpoint *seen, bool with_names)
{
	json_t *labels = json_array();

	for (size_t i = 0; seen->state && i < label_set_n(seen->state->labels); i++) {
		g_autofree char *text = label_format(label_set_get(seen->state->labels, i));

		json_array_append_new(labels, json_string(text));
	}
	return json_pack("{s:i, s:o, s:s*, s:s*}", "id", seen->endpoint->id, "labels", labels,
			 "pod-name", with_names ? seen->endpoint->pod_name : NULL, "namespace",
			 with_names ? seen->endpoint->namespace : NULL);
}

static void tell_regenerated(struct agent_events *events, const struct seen_endpoint *seen)
{
	json_t *json = endpoint_json(seen, false);
	g_autoptr(GError) error = NULL;

	if (endpoint_manager_check_applied(events->agent->endpoints, seen->endpoint->id, &error) ==
	    0) {
		publish(events, AGENT_EVENT_ENDPOINT_REGENERATE_SUCCESS, json);
		return;
	}
	json_object_set_new(json, "error", json_string(error->message));
	publish(events, AGENT_EVENT_ENDPOINT_REGENERATE_FAILURE, json);
}

static void look_at_endpoint(struct agent_events *events, uint16_t id)
{
	const struct tables *tables = &events->agent->tables;
	const struct endpoint *endpoint =
		(const struct endpoint *)table_get(tables->endpoints, &id, sizeof(id));
	const struct endpoint_state *state =
		(const struct endpoint_state *)table_get(tables->endpoint_states, &id, sizeof(id));
	struct seen_endpoint *seen = g_hash_table_lookup(events->endpoints, GUINT_TO_POINTER(id));
	bool is_same = seen && endpoint && seen->endpoint->generation == endpoint->generation;
	bool is_new_state = state && !(is_same && seen->state == state);

	if (seen && !is_same)
		publish(events, AGENT_EVENT_ENDPOINT_DELETED, endpoint_json(seen, true));
	if (!endpoint) {
		g_hash_table_remove(events->endpoints, GUINT_TO_POINTER(id));
		return;
	}
	seen = see_endpoint(events, endpoint, state);
	if (!is_same)
		publish(events, AGENT_EVENT_ENDPOINT_CREATED, endpoint_json(seen, true));
	if (is_new_state)
		g_hash_table_add(events->regenerated, GUINT_TO_POINTER(id));
}

/* ---- addresses ---- */

static json_t *entry_json(const struct ipcache_entry *entry, const struct ipcache_entry *old)
{
	char cidr[CIDR_TEXT_BYTES], host[ADDR_TEXT_BYTES], old_host[ADDR_TEXT_BYTES];
	json_t *json = json_pack("{s:s, s:I}", "cidr", cidr_format(&entry->cidr, cidr), "id",
				 (json_int_t)entry->identity);

	if (old)
		json_object_set_new(json, "old-id", json_integer(old->identity));
	if (!addr_is_zero(&entry->host))
		json_object_set_new(json, "host-ip", json_string(addr_format(&entry->host, host)));
	if (old && !addr_is_zero(&old->host))
		json_object_set_new(json, "old-host-ip",
				    json_string(addr_format(&old->host, old_host)));
	json_object_set_new(json, "encrypt-key", json_integer(0));
	if (entry->namespace)
		json_object_set_new(json, "namespace", json_string(entry->namespace));
	if (entry->name)
		json_object_set_new(json, "pod-name", json_string(entry->name));
	return json;
}

static void look_at_entry(struct agent_events *events, const struct row_key *key)
{
	const struct ipcache_entry *entry = (const struct ipcache_entry *)table_get(
		events->agent->tables.ipcache, key->data, key->n_bytes);
	const struct ipcache_entry *seen = g_hash_table_lookup(events->ipcache, key->data);

	if (entry == seen)
		return;
	if (!entry) {
		publish(events, AGENT_EVENT_IPCACHE_DELETED, entry_json(seen, NULL));
		g_hash_table_remove(events->ipcache, key->data);
		return;
	}
	publish(events, AGENT_EVENT_IPCACHE_UPSERTED, entry_json(entry, seen));
	see_entry(events, entry);
}

/* ---- policies ---- */

static json_t *policy_json(const struct agent_events *events, const struct policy *policy)
{
	json_t *labels = json_array();

	for (guint i = 0; i < policy->specs->len; i++) {
		const struct policy_spec *spec = policy->specs->pdata[i];

		for (size_t j = 0; spec->labels && j < label_set_n(spec->labels); j++) {
			g_autofree char *text = label_format(label_set_get(spec->labels, j));

			json_array_append_new(labels, json_string(text));
		}
	}
	return json_pack("{s:o, s:I, s:i}", "labels", labels, "revision",
			 (json_int_t)policy_view_get_revision(events->agent), "rule_count",
			 (int)policy->specs->len);
}

static void look_at_policy(struct agent_events *events, const struct row_key *key)
{
	const struct policy *policy = (const struct policy *)table_get(
		events->agent->tables.active_policies, key->data, key->n_bytes);
	g_autofree char *name = g_strndup(key->data, key->n_bytes);
	const struct policy *seen = g_hash_table_lookup(events->policies, name);

	if (policy == seen)
		return;
	if (!policy) {
		publish(events, AGENT_EVENT_POLICY_DELETED, policy_json(events, seen));
		g_hash_table_remove(events->policies, name);
		return;
	}
	/* One that only moved within its file is judged as before. */
	if (!seen || !policy_is_same(policy, seen))
		publish(events, AGENT_EVENT_POLICY_UPDATED, policy_json(events, policy));
	see_policy(events, policy);
}

/* Of the reconciler, when it happens: it may be at a try that no change has caused. */
static void on_room(const struct reconciler_room_note *note, void *data)
{
	struct agent_events *events = data;
	struct reconciler_policy_statistics policy =
		reconcilers_policy_statistics(events->agent->reconcilers);
	json_t *json;

	if (!events->wanted)
		return;
	json = json_pack("{s:s, s:s*, s:i, s:I, s:I, s:I, s:I}", "rules", note->rules, "error",
			 note->fits ? NULL : g_strerror(note->error), "rule-sets",
			 (int)policy.n_unfit, "peers", (json_int_t)policy.n_peers, "max-peers",
			 (json_int_t)policy.max_peers, "class-entries",
			 (json_int_t)policy.n_class_entries, "max-class-entries",
			 (json_int_t)policy.max_class_entries);
	publish(events, note->fits ? AGENT_EVENT_POLICY_FITS : AGENT_EVENT_POLICY_OVERFLOW, json);
}

/* The endpoint is the one that was seen, and other rules are in force for it. */
static void look_at_endpoint_policy(struct agent_events *events, uint16_t id)
{
	struct seen_endpoint *seen = g_hash_table_lookup(events->endpoints, GUINT_TO_POINTER(id));

	if (seen && policy_view_get(events->agent, id))
		g_hash_table_add(events->regenerated, GUINT_TO_POINTER(id));
}

/* Once, though identity and rules are others. */
static void tell_all_regenerated(struct agent_events *events)
{
	GHashTableIter iter;
	void *id;

	g_hash_table_iter_init(&iter, events->regenerated);
	while (g_hash_table_iter_next(&iter, &id, NULL)) {
		const struct seen_endpoint *seen = g_hash_table_lookup(events->endpoints, id);

		if (seen)
			tell_regenerated(events, seen);
	}
	g_hash_table_remove_all(events->regenerated);
}

/* ---- life ---- */

static void run(struct watch *watch, void *data)
{
	struct agent_events *events = data;
	struct table *table;
	struct row_key key;

	while (watch_pop(watch, &table, &key)) {
		uint16_t id;

		if (!events->wanted)
			continue;
		if (table == events->agent->tables.ipcache) {
			look_at_entry(events, &key);
			continue;
		}
		if (table == events->agent->tables.active_policies) {
			look_at_policy(events, &key);
			continue;
		}
		memcpy(&id, key.data, sizeof(id));
		if (table == events->agent->tables.endpoint_policies)
			look_at_endpoint_policy(events, id);
		else
			look_at_endpoint(events, id);
	}
	tell_all_regenerated(events);
}

struct agent_events *agent_events_new(struct agent *agent)
{
	struct agent_events *events = g_new0(struct agent_events, 1);
	struct watch *watch = watch_new(agent->store, "agent-events", run, events);

	events->agent = agent;
	events->endpoints = g_hash_table_new_full(NULL, NULL, NULL, seen_endpoint_free);
	events->ipcache = g_hash_table_new_full(hash_cidr, equal_cidr, NULL, unref_row);
	events->regenerated = g_hash_table_new(NULL, NULL);
	events->policies = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, unref_row);
	watch_add(watch, agent->tables.ipcache);
	watch_add(watch, agent->tables.endpoints);
	watch_add(watch, agent->tables.endpoint_states);
	watch_add(watch, agent->tables.active_policies);
	watch_add(watch, agent->tables.endpoint_policies);
	reconcilers_set_room_observer(agent->reconcilers, on_room, events);
	return events;
}

void agent_events_free(struct agent_events *events)
{
	if (!events)
		return;
	g_hash_table_unref(events->endpoints);
	g_hash_table_unref(events->ipcache);
	g_hash_table_unref(events->policies);
	g_hash_table_unref(events->regenerated);
	g_free(events);
}

static bool take_endpoint(const struct row *row, void *data)
{
	const struct endpoint *endpoint = (const struct endpoint *)row;
	struct agent_events *events = data;

	see_endpoint(events, endpoint,
		     (const struct endpoint_state *)table_get(events->agent->tables.endpoint_states,
							      &endpoint->id, sizeof(endpoint->id)));
	return true;
}

static bool take_entry(const struct row *row, void *data)
{
	see_entry(data, (const struct ipcache_entry *)row);
	return true;
}

static bool take_policy(const struct row *row, void *data)
{
	see_policy(data, (const struct policy *)row);
	return true;
}

void agent_events_set_wanted(struct agent_events *events, bool wanted)
{
	events->wanted = wanted;
	g_hash_table_remove_all(events->endpoints);
	g_hash_table_remove_all(events->ipcache);
	g_hash_table_remove_all(events->policies);
	if (!wanted)
		return;
	table_foreach (events->agent->tables.endpoints, take_endpoint, events)
		;
	table_foreach (events->agent->tables.ipcache, take_entry, events)
		;
	table_foreach (events->agent->tables.active_policies, take_policy, events)
		;
}
