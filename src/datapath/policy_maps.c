// SPDX-License-Identifier: Apache-2.0
/* When the maps of policy are worked at: after changes of the plan, in time, and when the agent starts. */
#include "src/datapath/policy_private.h"

#include <string.h>
#include "src/base/clock.h"

struct policy_maps *policy_maps_new(struct store *store, struct tables *tables,
				    struct datapath *datapath)
{
	struct policy_maps *maps = g_new0(struct policy_maps, 1);

	maps->datapath = datapath;
	maps->store = store;
	maps->rule_sets = tables->rule_sets;
	maps->endpoint_policies = tables->endpoint_policies;
	maps->identities = tables->identities;
	maps->now_ns = clock_monotonic_ns;
	maps->sets = g_hash_table_new(NULL, NULL);
	maps->subjects = g_hash_table_new(NULL, NULL);
	maps->versions = g_hash_table_new(NULL, NULL);
	maps->dirty = g_ptr_array_new();
	g_queue_init(&maps->retired);
	policy_class_init(maps);
	return maps;
}

static void free_versions(struct policy_maps *maps)
{
	g_autoptr(GList) versions = g_hash_table_get_values(maps->versions);

	for (GList *link = versions; link; link = link->next)
		policy_version_free(maps, link->data);
	g_hash_table_unref(maps->versions);
	g_queue_clear(&maps->retired);
}

void policy_maps_free(struct policy_maps *maps)
{
	if (!maps)
		return;
	policy_subject_free_all(maps);
	policy_set_free_all(maps);
	free_versions(maps);
	policy_class_fini(maps);
	g_ptr_array_unref(maps->dirty);
	g_free(maps);
}

/* ---- a run ---- */

static void apply_dirty(struct policy_maps *maps, const GArray *ids)
{
	for (guint i = 0; i < ids->len; i++)
		policy_subject_link(maps, g_array_index(ids, uint16_t, i));
	/*
	 * All versions first: a policy may change the rules of both ends of a connection, and between the two
	 * flips there is then no time for more than a packet or two.
	 */
	for (guint i = 0; i < maps->dirty->len; i++)
		policy_set_apply(maps, maps->dirty->pdata[i]);
	for (guint i = 0; i < maps->dirty->len; i++)
		policy_set_flip(maps, maps->dirty->pdata[i]);
	for (guint i = 0; i < ids->len; i++) {
		struct policy_subject *subject =
			policy_subject_get(maps, g_array_index(ids, uint16_t, i));

		if (subject)
			policy_subject_update(maps, subject);
	}
	for (guint i = 0; i < maps->dirty->len; i++)
		policy_set_drop(maps, maps->dirty->pdata[i]);
	g_ptr_array_set_size(maps->dirty, 0);
}

static uint32_t number_of(const struct row_key *key)
{
	uint32_t number;

	memcpy(&number, key->data, sizeof(number));
	return number;
}

static void weigh_strangers(struct policy_maps *maps)
{
	GHashTableIter iter;
	void *set;

	g_hash_table_iter_init(&iter, maps->sets);
	while (g_hash_table_iter_next(&iter, NULL, &set))
		policy_set_weigh_strangers(maps, set);
}

static void run_watch(struct watch *watch, void *data)
{
	struct policy_maps *maps = data;
	g_autoptr(GArray) ids = g_array_new(false, false, sizeof(uint16_t));
	bool identities_changed = false;
	struct table *table;
	struct row_key key;

	policy_begin_run(maps);
	while (watch_pop(watch, &table, &key)) {
		if (table == maps->rule_sets)
			policy_set_mark(maps, policy_set_get(maps, number_of(&key)));
		else if (table == maps->endpoint_policies)
			g_array_append_vals(ids, key.data, 1);
		else
			identities_changed = true;
	}
	apply_dirty(maps, ids);
	if (identities_changed)
		weigh_strangers(maps);
	maps->seen_revision = store_revision(maps->store);
	policy_end_run(maps, NULL);
}

void policy_maps_watch(struct policy_maps *maps, struct store *store, struct tables *tables)
{
	struct watch *watch = watch_new(store, "policy", run_watch, maps);

	watch_add(watch, tables->endpoint_policies);
	watch_add(watch, tables->rule_sets);
	watch_add(watch, tables->identities);
}

/* Those that fail: all whose time has come, and those that want room, where there is more than before. */
static void retry_sets(struct policy_maps *maps, bool has_more_room)
{
	g_autoptr(GList) sets = g_hash_table_get_values(maps->sets);
	g_autoptr(GArray) no_ids = g_array_new(false, false, sizeof(uint16_t));
	int64_t now_ns = maps->now_ns();

	for (GList *link = sets; link; link = link->next) {
		struct policy_set *set = link->data;

		if (set->failing.error &&
		    (set->failing.next_ns <= now_ns ||
		     (has_more_room && policy_error_is_room(set->failing.error)))) {
			policy_set_mark(maps, set);
			policy_set_remove_peers(maps, set);
		}
	}
	apply_dirty(maps, no_ids);
}

static void run_removals(struct watch *watch, void *data)
{
	struct policy_maps *maps = data;
	uint32_t n_before = maps->n_peers;
	struct table *table;
	struct row_key key;

	policy_begin_run(maps);
	while (watch_pop(watch, &table, &key)) {
		struct policy_set *set =
			g_hash_table_lookup(maps->sets, GUINT_TO_POINTER(number_of(&key)));

		if (set)
			policy_set_remove_peers(maps, set);
	}
	if (maps->n_peers < n_before)
		retry_sets(maps, true);
	policy_end_run(maps, NULL);
}

void policy_maps_watch_removals(struct policy_maps *maps, struct store *store,
				struct tables *tables)
{
	watch_add(watch_new(store, "policy-removals", run_removals, maps), tables->rule_sets);
}

/* ---- in time ---- */

static int64_t next_set_ns(const struct policy_maps *maps)
{
	int64_t next_ns = INT64_MAX;
	GHashTableIter iter;
	void *pointer;

	g_hash_table_iter_init(&iter, maps->sets);
	while (g_hash_table_iter_next(&iter, NULL, &pointer)) {
		const struct policy_failing *failing = &((struct policy_set *)pointer)->failing;

		if (failing->error)
			next_ns = MIN(next_ns, failing->next_ns);
	}
	return next_ns == INT64_MAX ? -1 : MAX(next_ns - maps->now_ns(), 0);
}

int64_t policy_maps_retry(struct policy_maps *maps)
{
	int64_t reclaim_ns, set_ns;
	bool has_more_room;

	policy_begin_run(maps);
	has_more_room = policy_reclaim(maps);
	retry_sets(maps, has_more_room);
	policy_wait_if_needed(maps);
	policy_end_run(maps, NULL);
	reclaim_ns = policy_reclaim_next_ns(maps);
	set_ns = next_set_ns(maps);
	if (reclaim_ns < 0 || set_ns < 0)
		return MAX(reclaim_ns, set_ns);
	return MIN(reclaim_ns, set_ns);
}

void policy_maps_allow_deletion(struct policy_maps *maps)
{
	maps->deletion_allowed = true;
	policy_subject_forget_orphans(maps);
}

/* ---- what others hand in ---- */

void policy_maps_set_clock(struct policy_maps *maps, int64_t (*now_ns)(void))
{
	maps->now_ns = now_ns;
}

void policy_maps_set_controller(struct policy_maps *maps, struct controllers *controllers,
				int64_t interval_ns)
{
	maps->controller = controller_new(controllers, "reconcile-policy", "datapath", interval_ns);
}

void policy_maps_set_version_source(struct policy_maps *maps, policy_take_version take, void *data)
{
	maps->take_version = take;
	maps->take_version_data = data;
}

void policy_maps_set_waiter(struct policy_maps *maps, policy_wait wait, void *data)
{
	maps->wait = wait;
	maps->wait_data = data;
}

void policy_maps_set_lockdown(struct policy_maps *maps, bool lockdown)
{
	maps->lockdown = lockdown;
}

void policy_maps_set_observer(struct policy_maps *maps, reconciler_observer observer, void *data)
{
	maps->observer = observer;
	maps->observer_data = data;
}

void policy_maps_set_room_observer(struct policy_maps *maps, reconciler_room_observer observer,
				   void *data)
{
	maps->room_observer = observer;
	maps->room_observer_data = data;
}

void policy_maps_set_write_observer(struct policy_maps *maps, reconciler_write_fn fn, void *data)
{
	maps->on_write = fn;
	maps->on_write_data = data;
}
