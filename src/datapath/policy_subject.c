// SPDX-License-Identifier: Apache-2.0
/* cilium_policy_endpoint: which version an endpoint has. One store puts it in force. */
#include "src/datapath/policy_private.h"

#include <string.h>

static struct policy_subject *add_subject(struct policy_maps *maps, uint16_t id)
{
	struct policy_subject *subject = g_new0(struct policy_subject, 1);

	subject->id = id;
	g_hash_table_insert(maps->subjects, GUINT_TO_POINTER(id), subject);
	return subject;
}

struct policy_subject *policy_subject_get(const struct policy_maps *maps, uint16_t id)
{
	return g_hash_table_lookup(maps->subjects, GUINT_TO_POINTER(id));
}

static void set_rule_set(struct policy_maps *maps, struct policy_subject *subject,
			 struct policy_set *set)
{
	struct policy_set *before = subject->set;

	if (before == set)
		return;
	if (set)
		g_ptr_array_add(set->subjects, subject);
	subject->set = set;
	if (before)
		g_ptr_array_remove_fast(before->subjects, subject);
	/* Without endpoints it may go; at the end of the run, as they may come back. */
	if (before)
		policy_set_mark(maps, before);
}

void policy_subject_link(struct policy_maps *maps, uint16_t id)
{
	const struct row *row = table_get(maps->endpoint_policies, &id, sizeof(id));
	struct policy_subject *subject = policy_subject_get(maps, id);

	if (!row && !subject)
		return;
	if (!subject)
		subject = add_subject(maps, id);
	if (row)
		row_ref(row);
	if (subject->row)
		row_unref(&subject->row->row);
	subject->row = (const struct endpoint_policy *)row;
	set_rule_set(maps, subject, row ? policy_set_get(maps, subject->row->rule_set) : NULL);
}

void policy_subject_write(struct policy_maps *maps, const struct policy_subject *subject)
{
	const uint32_t key = subject->id;

	maps->datapath->ops->policy_set(maps->datapath, subject->id, &subject->element);
	maps->n_flips++;
	policy_tell_write(maps, PLAN_MAP_cilium_policy_endpoint, &key, &subject->element, 0);
}

/*
 * Where there is no room for the rule set what is in force stays: the endpoint's rules of before, be they of
 * another rule set, or, with lockdown, nothing.
 */
static struct version *wanted_version(const struct policy_maps *maps,
				      const struct policy_subject *subject)
{
	const struct policy_set *set = subject->set;

	if (!set || (maps->lockdown && policy_error_is_room(set->failing.error)))
		return NULL;
	return set->is_of_row ? set->current : subject->version;
}

static struct policy_endpoint wanted_element(struct policy_maps *maps,
					     const struct policy_subject *subject,
					     const struct version *version)
{
	struct policy_endpoint element = {0};

	if (!version)
		return element;
	element.version = version->number;
	element.flags = version->flags;
	if (!subject->set->is_of_row && subject->set->row &&
	    policy_set_lets_strangers_in(maps, subject->set, version))
		element.flags |= POLICY_F_INCOMPLETE;
	if (subject->row->audit)
		element.flags |= POLICY_F_AUDIT;
	return element;
}

static void free_subject(struct policy_subject *subject)
{
	if (subject->row)
		row_unref(&subject->row->row);
	g_free(subject);
}

static void note_realized(struct policy_subject *subject)
{
	const struct policy_set *set = subject->set;

	if (!set->row || set->changed_ns || subject->version != set->current)
		return;
	subject->rule_set_revision = set->row->revision;
	subject->policy_revision = subject->row->policy_revision;
}

void policy_subject_update(struct policy_maps *maps, struct policy_subject *subject)
{
	struct version *version = wanted_version(maps, subject);
	struct policy_endpoint element = wanted_element(maps, subject, version);

	if (memcmp(&element, &subject->element, sizeof(element)) != 0) {
		subject->element = element;
		policy_subject_write(maps, subject);
	}
	if (version != subject->version) {
		struct version *before = subject->version;

		subject->version = version ? policy_version_ref(version) : NULL;
		policy_version_unref(maps, before);
	}
	if (subject->row) {
		note_realized(subject);
		return;
	}
	g_hash_table_remove(maps->subjects, GUINT_TO_POINTER(subject->id));
	free_subject(subject);
}

void policy_subject_adopt(struct policy_maps *maps, uint16_t id,
			  const struct policy_endpoint *element)
{
	struct policy_subject *subject = add_subject(maps, id);
	struct version *version =
		g_hash_table_lookup(maps->versions, GUINT_TO_POINTER(element->version));

	subject->element = *element;
	if (!element->version)
		return;
	/* One without entries: open in both directions. */
	subject->version =
		version ? policy_version_ref(version) : policy_version_new(maps, element->version);
	subject->version->flags |= element->flags & ~POLICY_F_AUDIT;
}

void policy_subject_forget_orphans(struct policy_maps *maps)
{
	g_autoptr(GList) subjects = g_hash_table_get_values(maps->subjects);

	for (GList *link = subjects; link; link = link->next) {
		struct policy_subject *subject = link->data;

		if (!subject->row)
			policy_subject_update(maps, subject);
	}
}

void policy_subject_free_all(struct policy_maps *maps)
{
	GHashTableIter iter;
	void *subject;

	g_hash_table_iter_init(&iter, maps->subjects);
	while (g_hash_table_iter_next(&iter, NULL, &subject))
		free_subject(subject);
	g_hash_table_unref(maps->subjects);
}
