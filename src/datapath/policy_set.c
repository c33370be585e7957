// SPDX-License-Identifier: Apache-2.0
/* A rule set of the plan, and the version of it that is in force. */
#include "src/datapath/policy_private.h"

#include "src/base/clock.h"

struct policy_set *policy_set_get(struct policy_maps *maps, uint32_t number)
{
	struct policy_set *set = g_hash_table_lookup(maps->sets, GUINT_TO_POINTER(number));

	if (set)
		return set;
	set = g_new0(struct policy_set, 1);
	set->number = number;
	set->subjects = g_ptr_array_new();
	g_hash_table_insert(maps->sets, GUINT_TO_POINTER(number), set);
	policy_set_mark(maps, set);
	return set;
}

void policy_set_mark(struct policy_maps *maps, struct policy_set *set)
{
	if (!set->dirty)
		g_ptr_array_add(maps->dirty, set);
	set->dirty = true;
}

/* Takes the reference. */
static void set_current(struct policy_maps *maps, struct policy_set *set,
			struct version *take_version)
{
	struct version *before = set->current;

	set->current = take_version;
	policy_version_unref(maps, before);
}

static bool is_the_rule_set(struct policy_maps *maps, const struct version *version,
			    const struct rule_set *row)
{
	g_autoptr(GArray) added = g_array_new(false, false, sizeof(struct policy_change));
	g_autoptr(GArray) removed = g_array_new(false, false, sizeof(struct policy_change));

	return policy_version_compare(maps, version, row, added, removed) == POLICY_SAME;
}

/*
 * What an agent before this has put in force for one of the endpoints, where it says what the rule set says: then
 * nothing is written, and no connection is judged again.
 */
static bool claim_adopted(struct policy_maps *maps, struct policy_set *set)
{
	const struct version *tried = NULL;

	for (guint i = 0; i < set->subjects->len; i++) {
		const struct policy_subject *subject = set->subjects->pdata[i];
		struct version *version = subject->version;

		if (!version || version->claimed || version == tried)
			continue;
		if (!(version->flags & POLICY_F_INCOMPLETE) &&
		    is_the_rule_set(maps, version, set->row)) {
			version->claimed = true;
			set_current(maps, set, policy_version_ref(version));
			return true;
		}
		tried = version;
	}
	return false;
}

/* A new version, which the endpoints get at the end of the run. 0 or −errno. */
static int replace(struct policy_maps *maps, struct policy_set *set)
{
	struct version *version;
	int err = policy_version_build(maps, set->row, &version);

	/* Up to the last run what is in force was right for every identity. */
	if (err && (set->is_of_row || !set->failing.error))
		set->known_revision = maps->seen_revision;
	set->is_of_row = !err;
	if (!err)
		set_current(maps, set, version);
	return err;
}

static int apply_row(struct policy_maps *maps, struct policy_set *set)
{
	g_autoptr(GArray) added = g_array_new(false, false, sizeof(struct policy_change));
	g_autoptr(GArray) removed = g_array_new(false, false, sizeof(struct policy_change));
	struct version *version;
	enum policy_relation relation;

	if (!set->current && !claim_adopted(maps, set))
		return replace(maps, set);
	version = set->current;
	relation = policy_version_compare(maps, version, set->row, added, removed);
	if (relation == POLICY_SAME)
		version->revision = set->row->revision;
	else if (relation == POLICY_OTHER || version->revision != set->row->revision)
		return replace(maps, set);
	set->is_of_row = true;
	return policy_version_add(maps, version, set->row, added);
}

/* The endpoints that the plan gives it, all at once. */
static void flip(struct policy_maps *maps, struct policy_set *set)
{
	bool was_closed = set->is_closed;

	set->is_closed = false;
	for (guint i = 0; i < set->subjects->len; i++) {
		struct policy_subject *subject = set->subjects->pdata[i];

		policy_subject_update(maps, subject);
		set->is_closed |= !set->is_of_row && (subject->element.flags & POLICY_F_INCOMPLETE);
	}
	if (set->is_closed && !was_closed)
		policy_set_note_closed(maps, set);
}

void policy_set_weigh_strangers(struct policy_maps *maps, struct policy_set *set)
{
	set->weighed_version = 0;
	if (set->row && !set->is_of_row)
		flip(maps, set);
}

static void read_row(struct policy_maps *maps, struct policy_set *set)
{
	const struct row *row = table_get(maps->rule_sets, &set->number, sizeof(set->number));

	set->wanted = row;
	if (!row || (set->row && row == &set->row->row))
		return;
	if (!set->changed_ns)
		set->changed_ns = store_changed_ns(maps->store);
	if (!set->changed_ns)
		set->changed_ns = clock_monotonic_ns();
	row_ref(row);
	if (set->row)
		row_unref(&set->row->row);
	set->row = (const struct rule_set *)row;
}

/* It is no longer in the plan: what its endpoints have stays until they have another. */
static void forget_row(struct policy_set *set)
{
	set->changed_ns = 0;
	set->failing = (struct policy_failing){0};
}

/* What is there when the rule set does not fit: no endpoint has it, or none is to have it. */
static bool is_of_no_use(const struct policy_maps *maps, const struct policy_set *set, int err)
{
	return (maps->lockdown && policy_error_is_room(-err)) ||
	       (!set->is_of_row && set->current->n_refs == 1);
}

void policy_set_apply(struct policy_maps *maps, struct policy_set *set)
{
	int err;

	read_row(maps, set);
	if (!set->wanted) {
		forget_row(set);
		return;
	}
	set->weighed_version = 0;
	err = apply_row(maps, set);
	if (err && set->current && is_of_no_use(maps, set, err))
		set_current(maps, set, NULL); /* which makes room */
	if (err)
		policy_set_note_failure(maps, set, err);
	else
		policy_set_note_success(maps, set);
}

void policy_set_flip(struct policy_maps *maps, struct policy_set *set)
{
	uint64_t n_flips = maps->n_flips;
	int64_t changed_ns = set->failing.error ? 0 : set->changed_ns;

	if (!set->wanted)
		return;
	if (!set->failing.error)
		set->changed_ns = 0;
	flip(maps, set);
	if (changed_ns && maps->n_flips != n_flips)
		histogram_add_ns(&maps->delays, clock_monotonic_ns() - changed_ns);
}

void policy_set_remove_peers(struct policy_maps *maps, struct policy_set *set)
{
	g_autoptr(GArray) added = g_array_new(false, false, sizeof(struct policy_change));
	g_autoptr(GArray) removed = g_array_new(false, false, sizeof(struct policy_change));
	int err;

	if (!set->row || !set->current || set->current->revision != set->row->revision ||
	    policy_version_compare(maps, set->current, set->row, added, removed) !=
		    POLICY_OTHER_PEERS ||
	    !removed->len)
		return;
	err = policy_version_remove(maps, set->current, removed);
	if (err)
		policy_set_note_failure(maps, set, err);
}

void policy_set_drop(struct policy_maps *maps, struct policy_set *set)
{
	set->dirty = false;
	if (set->wanted || set->subjects->len)
		return;
	g_hash_table_remove(maps->sets, GUINT_TO_POINTER(set->number));
	set_current(maps, set, NULL);
	if (set->row)
		row_unref(&set->row->row);
	g_ptr_array_unref(set->subjects);
	g_free(set);
}

void policy_set_free_all(struct policy_maps *maps)
{
	GHashTableIter iter;
	void *pointer;

	g_hash_table_iter_init(&iter, maps->sets);
	while (g_hash_table_iter_next(&iter, NULL, &pointer)) {
		struct policy_set *set = pointer;

		if (set->row)
			row_unref(&set->row->row);
		g_ptr_array_unref(set->subjects);
		g_free(set);
	}
	g_hash_table_unref(maps->sets);
}
