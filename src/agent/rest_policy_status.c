/* SPDX-License-Identifier: Apache-2.0 */
/* GET /policy/status: each policy, whether it is valid and in force, whom it selects, notes. */
#include "src/agent/rest_private.h"

#include <string.h>
#include "src/agent/policy_view.h"
#include "src/derive/policy_warning.h"
#include "src/model/source_problem.h"

/* A policy, accepted or refused. */
struct entry {
	char *key;
	const struct policy *policy; /* NULL: no version of it was ever accepted */
	json_t *problems;
};

static void entry_free(void *data)
{
	struct entry *entry = data;

	g_free(entry->key);
	json_decref(entry->problems);
	g_free(entry);
}

static struct entry *find_entry(GHashTable *entries, const char *key)
{
	struct entry *entry = g_hash_table_lookup(entries, key);

	if (!entry) {
		entry = g_new0(struct entry, 1);
		entry->key = g_strdup(key);
		entry->problems = json_array();
		g_hash_table_insert(entries, entry->key, entry);
	}
	return entry;
}

static bool add_policy(const struct row *row, void *data)
{
	const struct policy *policy = (const struct policy *)row;

	find_entry(data, policy->meta.key)->policy = policy;
	return true;
}

static bool add_problem(const struct row *row, void *data)
{
	const struct source_problem *problem = (const struct source_problem *)row;
	g_autofree char *file = g_utf8_make_valid(problem->file, -1);
	json_t *json;

	if (!policy_view_is_of_policy(problem))
		return true;
	json = json_pack("{s:s, s:s*, s:s}", "file", file, "field", problem->field, "reason",
			 problem->reason);
	if (problem->line)
		json_object_set_new(json, "line", json_integer(problem->line));
	json_array_append_new(find_entry(data, problem->object)->problems, json);
	return true;
}

static void append_notes(json_t *list, const GPtrArray *notes)
{
	for (guint i = 0; i < notes->len; i++) {
		const struct policy_note *note = notes->pdata[i];
		json_t *json = json_pack("{s:b, s:s, s:s}", "fails-closed", note->fails_closed,
					 "path", note->path, "text", note->text);

		if (note->line)
			json_object_set_new(json, "line", json_integer(note->line));
		json_array_append_new(list, json);
	}
}

/* What the manifest alone shows, then what only shows beside other objects. */
static json_t *notes_to_json(const struct policy *policy, const struct policy_warnings *warnings)
{
	g_autoptr(GPtrArray) found = policy ? policy_warnings_find(warnings, policy) : NULL;
	json_t *list = json_array();

	if (policy) {
		append_notes(list, policy->notes);
		append_notes(list, found);
	}
	return list;
}

static json_t *entry_to_json(const struct agent *agent, const struct entry *entry,
			     GHashTable *counts, const struct policy_warnings *warnings)
{
	const struct object_meta *meta = entry->policy ? &entry->policy->meta : NULL;
	json_t *json = json_pack(
		"{s:s, s:b, s:b, s:i, s:i, s:o, s:O}", "policy", entry->key, "valid",
		!json_array_size(entry->problems), "active",
		table_get(agent->tables.active_policies, entry->key, strlen(entry->key)) != NULL,
		"rules", entry->policy ? policy_view_n_rules(entry->policy) : 0, "endpoints",
		GPOINTER_TO_UINT(g_hash_table_lookup(counts, entry->key)), "notes",
		notes_to_json(entry->policy, warnings), "problems", entry->problems);

	if (meta && meta->file) {
		g_autofree char *file = g_utf8_make_valid(meta->file, -1);

		json_object_set_new(json, "file", json_string(file));
	}
	if (meta && meta->line)
		json_object_set_new(json, "line", json_integer(meta->line));
	return json;
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(a, b);
}

void rest_policy_status(struct rest_call *call)
{
	const struct agent *agent = call->agent;
	g_autoptr(GHashTable) entries =
		g_hash_table_new_full(g_str_hash, g_str_equal, NULL, entry_free);
	g_autoptr(GHashTable) counts = policy_view_count_endpoints(agent);
	struct policy_warnings *warnings =
		policy_warnings_new(&agent->tables, &agent->derive_config);
	json_t *list = json_array();
	GList *keys;

	table_foreach (agent->tables.policies, add_policy, entries)
		;
	table_foreach (agent->tables.source_problems, add_problem, entries)
		;
	keys = g_list_sort(g_hash_table_get_keys(entries), compare_keys);
	for (GList *key = keys; key; key = key->next)
		json_array_append_new(list,
				      entry_to_json(agent, g_hash_table_lookup(entries, key->data),
						    counts, warnings));
	g_list_free(keys);
	policy_warnings_free(warnings);
	rest_reply(call, 200,
		   json_pack("{s:I, s:s, s:o}", "revision",
			     (json_int_t)policy_view_get_revision(agent), "enforcement",
			     policy_view_get_enforcement(agent), "policies", list));
}
