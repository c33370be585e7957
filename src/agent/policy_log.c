/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/policy_log.h"

#include <string.h>
#include "src/base/log.h"
#include "src/model/policy.h"

/* Of a version of a policy; cilium policy list shows all. */
#define NOTES_MAX 10

struct policy_log {
	const struct tables *tables;
	GHashTable *seen; /* key in the row to struct policy: as it was told */
};

static void unref_row(void *row)
{
	row_unref(row);
}

static void tell_notes(const struct policy *policy)
{
	const char *file = policy->meta.file ? policy->meta.file : "";

	for (guint i = 0; i < policy->notes->len && i < NOTES_MAX; i++) {
		const struct policy_note *note = policy->notes->pdata[i];

		if (note->fails_closed)
			log_warning("policy", "Part of a policy fails closed",
				    "policy=%s path=%s file=%s line=%u reason=%s hint=%s",
				    policy->meta.key, note->path, file, note->line, note->text,
				    "what that part would allow is denied; take it out to say so");
		else
			log_warning("policy", "A policy says what is surely not meant",
				    "policy=%s path=%s file=%s line=%u reason=%s hint=%s",
				    policy->meta.key, note->path, file, note->line, note->text,
				    "correct the manifest; the rest of it is in force");
	}
	if (policy->notes->len > NOTES_MAX)
		log_warning("policy", "A policy has more such notes", "policy=%s n=%u hint=%s",
			    policy->meta.key, policy->notes->len - NOTES_MAX,
			    "cilium policy list shows all");
}

static void tell_in_force(const struct policy *policy, bool is_new)
{
	unsigned int n_rules = 0;

	for (guint i = 0; i < policy->specs->len; i++)
		n_rules += ((const struct policy_spec *)policy->specs->pdata[i])->rules->len;
	log_info("policy", is_new ? "Policy in force" : "Policy changed",
		 "policy=%s rules=%u file=%s line=%u", policy->meta.key, n_rules,
		 policy->meta.file ? policy->meta.file : "", policy->meta.line);
}

static void look_at(struct policy_log *log, const struct row_key *key)
{
	const struct policy *policy = (const struct policy *)table_get(log->tables->active_policies,
								       key->data, key->n_bytes);
	g_autofree char *name = g_strndup(key->data, key->n_bytes);
	const struct policy *seen = g_hash_table_lookup(log->seen, name);

	if (!policy) {
		if (seen)
			log_info("policy", "Policy removed", "policy=%s", name);
		g_hash_table_remove(log->seen, name);
		return;
	}
	/* One that only moved within its file is judged as before. */
	if (!seen || !policy_is_same(policy, seen)) {
		tell_in_force(policy, !seen);
		tell_notes(policy);
	}
	row_ref(&policy->row);
	g_hash_table_replace(log->seen, policy->meta.key, (void *)policy);
}

static void run(struct watch *watch, void *data)
{
	struct table *table;
	struct row_key key;

	while (watch_pop(watch, &table, &key))
		look_at(data, &key);
}

struct policy_log *policy_log_new(struct store *store, const struct tables *tables)
{
	struct policy_log *log = g_new0(struct policy_log, 1);

	log->tables = tables;
	log->seen = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, unref_row);
	watch_add(watch_new(store, "policy-log", run, log), tables->active_policies);
	return log;
}

void policy_log_free(struct policy_log *log)
{
	if (!log)
		return;
	g_hash_table_unref(log->seen);
	g_free(log);
}
