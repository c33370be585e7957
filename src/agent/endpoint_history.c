/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/endpoint_history.h"

#include <string.h>
#include "src/base/clock.h"
#include "src/model/identity.h"

struct endpoint_history {
	struct store *store;
	struct tables *tables;
	const struct endpoint_manager *manager;
	struct endpoint_log *log;
	GHashTable *known; /* endpoint id to struct known */
};

/* An endpoint as the log has it: what is new is told by comparing. */
struct known {
	const struct endpoint *endpoint;
	const struct endpoint_state *state; /* NULL: none yet */
	bool is_ready;
};

static void free_known(void *data)
{
	struct known *known = data;

	row_unref(&known->endpoint->row);
	if (known->state)
		row_unref(&known->state->row);
	g_free(known);
}

static void G_GNUC_PRINTF(4, 5)
	add(struct endpoint_history *history, uint16_t id, bool failed, const char *format, ...)
{
	g_autofree char *message = NULL;
	va_list args;

	va_start(args, format);
	message = g_strdup_vprintf(format, args);
	va_end(args);
	endpoint_log_add(history->log, id,
			 &(const struct endpoint_log_entry){
				 .time_ns = clock_realtime_ns(),
				 .failed = failed,
				 .phase = endpoint_manager_get_phase(history->manager, id),
				 .message = message,
			 });
}

/* "k8s:a=b k8s:c=d" of the labels that are in set and not, under source and key, in others. */
static char *labels_only_in(const struct label_set *set, const struct label_set *others)
{
	GString *text = g_string_new(NULL);

	for (size_t i = 0; set && i < label_set_n(set); i++) {
		const struct label *label = label_set_get(set, i);
		const char *other =
			others ? label_set_find(others, label->source, label->key) : NULL;
		g_autofree char *one = label_format(label);

		if (!other || strcmp(other, label->value) != 0)
			g_string_append_printf(text, " %s", one);
	}
	return g_string_free(text, false);
}

static void note_labels(struct endpoint_history *history, const struct endpoint *before,
			const struct endpoint *now)
{
	g_autofree char *added = labels_only_in(now->user_labels, before->user_labels);
	g_autofree char *taken = labels_only_in(before->user_labels, now->user_labels);
	g_autofree char *disabled = labels_only_in(now->disabled_labels, before->disabled_labels);
	g_autofree char *enabled = labels_only_in(before->disabled_labels, now->disabled_labels);
	const struct {
		const char *what, *labels;
	} changes[] = {
		{"added", added},
		{"deleted", taken},
		{"disabled", disabled},
		{"enabled again", enabled},
	};

	for (unsigned int i = 0; i < G_N_ELEMENTS(changes); i++)
		if (*changes[i].labels)
			add(history, now->id, false, "Labels %s by an operator:%s", changes[i].what,
			    changes[i].labels);
	if (before->runtime_labels != now->runtime_labels)
		add(history, now->id, false, "Labels of the runtime changed");
}

static void note_options(struct endpoint_history *history, const struct endpoint *before,
			 const struct endpoint *now)
{
	static const char *const words[] = {
		[ENDPOINT_OPTION_UNSET] = "as the node",
		[ENDPOINT_OPTION_ON] = "Enabled",
		[ENDPOINT_OPTION_OFF] = "Disabled",
	};

	for (unsigned int i = 0; i < ENDPOINT_OPTION__MAX; i++)
		if (before->options[i] != now->options[i])
			add(history, now->id, false, "Option %s changed: %s",
			    endpoint_option_name(i), words[now->options[i]]);
}

static void note_first(struct endpoint_history *history, const struct endpoint *endpoint)
{
	g_autoptr(GDateTime) created =
		g_date_time_new_from_unix_utc(endpoint->created_ns / NSEC_PER_SEC);
	g_autofree char *text = g_date_time_format_iso8601(created);

	if (endpoint_manager_get_phase(history->manager, endpoint->id) == ENDPOINT_RESTORING)
		add(history, endpoint->id, false,
		    "Restored: the agent has started, the endpoint is from %s", text);
	else
		add(history, endpoint->id, false, "Created for container %s, interface %s",
		    endpoint->container_id, endpoint->host_ifname);
}

static void run_endpoints(struct endpoint_history *history, uint16_t id)
{
	const struct endpoint *endpoint =
		(const struct endpoint *)table_get(history->tables->endpoints, &id, sizeof(id));
	struct known *known = g_hash_table_lookup(history->known, GUINT_TO_POINTER(id));

	if (!endpoint) {
		g_hash_table_remove(history->known, GUINT_TO_POINTER(id));
		endpoint_log_remove(history->log, id);
		return;
	}
	/* Another under the same id. */
	if (known && known->endpoint->generation != endpoint->generation) {
		g_hash_table_remove(history->known, GUINT_TO_POINTER(id));
		endpoint_log_remove(history->log, id);
		known = NULL;
	}
	if (!known) {
		known = g_new0(struct known, 1);
		known->endpoint = (const struct endpoint *)row_ref(&endpoint->row);
		g_hash_table_insert(history->known, GUINT_TO_POINTER(id), known);
		note_first(history, endpoint);
	} else if (known->endpoint != endpoint) {
		note_labels(history, known->endpoint, endpoint);
		note_options(history, known->endpoint, endpoint);
		row_unref(&known->endpoint->row);
		known->endpoint = (const struct endpoint *)row_ref(&endpoint->row);
	}
}

static void note_state(struct endpoint_history *history, const struct endpoint_state *before,
		       const struct endpoint_state *now)
{
	g_autofree char *added = labels_only_in(now->labels, before ? before->labels : NULL);
	g_autofree char *gone = labels_only_in(before ? before->labels : NULL, now->labels);

	if (now->identity == IDENTITY_UNKNOWN)
		add(history, now->id, true, "No identity: every number is in use");
	else if (!before || before->identity == IDENTITY_UNKNOWN)
		add(history, now->id, false, "Identity %u", now->identity);
	else if (before->identity != now->identity)
		add(history, now->id, false, "Identity changed from %u to %u; new:%s; gone:%s",
		    before->identity, now->identity, *added ? added : " none",
		    *gone ? gone : " none");
	else if (before->labels != now->labels)
		add(history, now->id, false, "Labels changed, identity stays %u; new:%s; gone:%s",
		    now->identity, *added ? added : " none", *gone ? gone : " none");
}

static void run_states(struct endpoint_history *history, uint16_t id)
{
	const struct endpoint_state *state = (const struct endpoint_state *)table_get(
		history->tables->endpoint_states, &id, sizeof(id));
	struct known *known = g_hash_table_lookup(history->known, GUINT_TO_POINTER(id));

	if (!state || !known || known->state == state)
		return;
	note_state(history, known->state, state);
	if (known->state)
		row_unref(&known->state->row);
	known->state = (const struct endpoint_state *)row_ref(&state->row);
}

static void run(struct watch *watch, void *data)
{
	struct endpoint_history *history = data;
	g_autoptr(GArray) states = g_array_new(false, false, sizeof(uint16_t));
	struct table *table;
	struct row_key key;

	/* Who it is comes before what has been derived from that. */
	while (watch_pop(watch, &table, &key)) {
		uint16_t id;

		memcpy(&id, key.data, sizeof(id));
		if (table == history->tables->endpoints)
			run_endpoints(history, id);
		else
			g_array_append_val(states, id);
	}
	for (unsigned int i = 0; i < states->len; i++)
		run_states(history, g_array_index(states, uint16_t, i));
}

static void check_ready(struct endpoint_history *history, uint16_t id)
{
	struct known *known = g_hash_table_lookup(history->known, GUINT_TO_POINTER(id));
	bool is_ready = endpoint_manager_get_phase(history->manager, id) == ENDPOINT_READY;

	if (!known || known->is_ready == is_ready)
		return;
	known->is_ready = is_ready;
	if (is_ready)
		add(history, id, false, "Ready: everything the endpoint needs is in the kernel");
}

/* Behind the reconcilers. */
static void run_ready(struct watch *watch, void *data)
{
	struct endpoint_history *history = data;
	struct table *table;
	struct row_key key;

	while (watch_pop(watch, &table, &key)) {
		uint16_t id;

		memcpy(&id, key.data, sizeof(id));
		check_ready(history, id);
	}
}

static void on_note(const struct reconciler_note *note, void *data)
{
	struct endpoint_history *history = data;
	uint16_t id = note->endpoint_id;

	/* What is left of an endpoint that has gone is no longer its own business. */
	if (!g_hash_table_contains(history->known, GUINT_TO_POINTER(id)))
		return;
	switch (note->event) {
	case RECONCILER_FAILED:
		add(history, id, true, "%s: %s; will be tried again", note->object,
		    g_strerror(note->error));
		break;
	case RECONCILER_APPLIED:
		add(history, id, false, "%s: applied after failures", note->object);
		break;
	case RECONCILER_REPAIRED:
		add(history, id, false, "%s: changed or removed from outside, repaired",
		    note->object);
		break;
	}
	check_ready(history, id);
}

struct endpoint_history *endpoint_history_new(struct store *store, struct tables *tables,
					      const struct endpoint_manager *manager)
{
	struct endpoint_history *history = g_new0(struct endpoint_history, 1);
	struct watch *watch = watch_new(store, "endpoint-history", run, history);

	history->store = store;
	history->tables = tables;
	history->manager = manager;
	history->log = endpoint_log_new();
	history->known = g_hash_table_new_full(NULL, NULL, NULL, free_known);
	watch_add(watch, tables->endpoints);
	watch_add(watch, tables->endpoint_states);
	return history;
}

void endpoint_history_set_reconcilers(struct endpoint_history *history,
				      struct reconcilers *reconcilers)
{
	struct watch *watch = watch_new(history->store, "endpoint-ready", run_ready, history);

	watch_add(watch, history->tables->endpoints);
	watch_add(watch, history->tables->endpoint_states);
	reconcilers_set_observer(reconcilers, on_note, history);
}

void endpoint_history_free(struct endpoint_history *history)
{
	if (!history)
		return;
	g_hash_table_unref(history->known);
	endpoint_log_free(history->log);
	g_free(history);
}

const struct endpoint_log *endpoint_history_get_log(const struct endpoint_history *history)
{
	return history->log;
}
