// SPDX-License-Identifier: Apache-2.0
/*
 * Sets and their slots. Slots are written in place: what has left gives its slot to what has come, or to what stands last;
 * a set that grows says so when its slots are there, one that shrinks before they go. So every slot that a
 * reader finds holds a back end of before or of after.
 */
#include "src/datapath/lb_private.h"

#include <string.h>

static int compare_ids(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Those that no slot holds yet; a bit each. */
struct pool {
	uint32_t *ids; /* sorted */
	bool *placed;
	uint32_t n;
};

/* True where the id was to be placed, and now is. */
static bool pool_place(struct pool *pool, uint32_t id)
{
	const uint32_t *found =
		id && pool->n ? bsearch(&id, pool->ids, pool->n, sizeof(id), compare_ids) : NULL;

	if (!found || pool->placed[found - pool->ids])
		return false;
	pool->placed[found - pool->ids] = true;
	return true;
}

static void make_room(struct work_set *set, uint32_t n)
{
	if (n <= set->n_room)
		return;
	set->slots = g_renew(uint32_t, set->slots, n);
	memset(set->slots + set->n_room, 0, (n - set->n_room) * sizeof(*set->slots));
	set->n_room = n;
}

void lb_slots_plan(struct work_set *set, const uint32_t *ids, uint32_t n)
{
	struct pool pool = {g_memdup2(ids, n * sizeof(*ids)), g_new0(bool, n), n};
	uint32_t at = 0;

	if (n)
		qsort(pool.ids, n, sizeof(*ids), compare_ids);
	make_room(set, n);
	set->n_next = n;
	g_free(set->next);
	set->next = g_new0(uint32_t, n);
	for (uint32_t i = 0; i < MIN(n, set->n_entries); i++)
		if (pool_place(&pool, set->slots[i]))
			set->next[i] = set->slots[i];
	for (uint32_t i = 0; i < n; i++) {
		if (set->next[i])
			continue;
		/* In the order in which they were given. */
		while (!pool_place(&pool, ids[at]))
			at++;
		set->next[i] = ids[at++];
	}
	g_free(pool.ids);
	g_free(pool.placed);
}

/* ---- steps ---- */

/* Of a work: a slot, or with slot 0 a set. */
static uint32_t index_of(uint32_t slot, enum lb_set_kind kind)
{
	return slot << 1 | kind;
}

static struct work_set *set_at(struct lb_work *work, uint32_t index)
{
	return &work->sets[index & 1];
}

static bool done_slot(struct lb_work *work, uint32_t index, const void *value)
{
	struct work_set *set = set_at(work, index);
	uint32_t slot = index >> 1;
	bool is_new = !set->slots[slot];

	set->slots[slot] = ((const struct lb_slot *)value)->backend;
	set->n_entries = MAX(set->n_entries, slot + 1);
	return is_new;
}

static bool done_slot_removed(struct lb_work *work, uint32_t index, const void *value)
{
	struct work_set *set = set_at(work, index);

	set->slots[index >> 1] = 0;
	while (set->n_entries && !set->slots[set->n_entries - 1])
		set->n_entries--;
	return false;
}

static bool done_set(struct lb_work *work, uint32_t index, const void *value)
{
	struct work_set *set = set_at(work, index);
	bool is_new = !set->n_slots;

	set->n_slots = ((const struct lb_set *)value)->n_slots;
	return is_new;
}

static bool done_set_removed(struct lb_work *work, uint32_t index, const void *value)
{
	set_at(work, index)->n_slots = 0;
	return false;
}

/* A front end that has to stay may name a set that is not needed. */
static bool waits(struct lb_work *work)
{
	for (int kind = 0; !work->may_delete && kind < LB_SET__MAX; kind++)
		work->held |= !work->sets[kind].is_needed && work->sets[kind].n_entries;
	return !work->may_delete;
}

/* fn adds what is to be written of a set to the batch. */
static void foreach_set(struct lb_maps *maps, GPtrArray *works, bool needed,
			void (*fn)(struct lb_maps *maps, struct lb_work *work,
				   enum lb_set_kind kind))
{
	for (guint i = 0; i < works->len; i++) {
		struct lb_work *work = works->pdata[i];

		if (work->error || (!needed && waits(work)))
			continue;
		for (int kind = 0; kind < LB_SET__MAX; kind++)
			if (work->sets[kind].is_needed == needed)
				fn(maps, work, kind);
	}
	lb_batch_end(maps);
}

static uint32_t number_of(const struct lb_work *work, enum lb_set_kind kind)
{
	return LB_SET(work->service->number, kind);
}

static void add_slots(struct lb_maps *maps, struct lb_work *work, enum lb_set_kind kind)
{
	struct work_set *set = &work->sets[kind];

	for (uint32_t i = 0; i < set->n_next; i++) {
		const struct lb_owner owner = {work, index_of(i, kind)};
		const struct lb_slot_key key = {number_of(work, kind), i};
		const struct lb_slot value = {set->next[i]};

		if (set->slots[i] != set->next[i])
			lb_batch_add(maps, &owner, &key, &value);
	}
}

static void add_set(struct lb_maps *maps, struct lb_work *work, enum lb_set_kind kind)
{
	const struct work_set *set = &work->sets[kind];
	const struct lb_owner owner = {work, index_of(0, kind)};
	const uint32_t key = number_of(work, kind);
	const struct lb_set value = {set->n_next};

	if (set->n_next && set->n_slots != set->n_next)
		lb_batch_add(maps, &owner, &key, &value);
}

static void add_set_removal(struct lb_maps *maps, struct lb_work *work, enum lb_set_kind kind)
{
	const struct work_set *set = &work->sets[kind];
	const struct lb_owner owner = {work, index_of(0, kind)};
	const uint32_t key = number_of(work, kind);

	if (!set->n_next && set->n_slots)
		lb_batch_add(maps, &owner, &key, NULL);
}

static void add_slot_removals(struct lb_maps *maps, struct lb_work *work, enum lb_set_kind kind)
{
	const struct work_set *set = &work->sets[kind];

	for (uint32_t i = set->n_entries; i-- > set->n_next;) {
		const struct lb_owner owner = {work, index_of(i, kind)};
		const struct lb_slot_key key = {number_of(work, kind), i};

		if (set->slots[i])
			lb_batch_add(maps, &owner, &key, NULL);
	}
}

void lb_slots_apply(struct lb_maps *maps, GPtrArray *works, bool needed)
{
	lb_batch_begin(maps, PLAN_MAP_cilium_lb_slots, false, done_slot);
	foreach_set(maps, works, needed, add_slots);
	lb_batch_begin(maps, PLAN_MAP_cilium_lb_sets, false, done_set);
	foreach_set(maps, works, needed, add_set);
	lb_batch_begin(maps, PLAN_MAP_cilium_lb_sets, true, done_set_removed);
	foreach_set(maps, works, needed, add_set_removal);
	lb_batch_begin(maps, PLAN_MAP_cilium_lb_slots, true, done_slot_removed);
	foreach_set(maps, works, needed, add_slot_removals);
}
