// SPDX-License-Identifier: Apache-2.0
#include "src/derive/policy_subject.h"

#include "src/derive/selector_index.h"

struct policy_subjects {
	GHashTable *by_labels[2];        /* [is_host]: label set to struct policy_subject */
	struct selector_index *specs[2]; /* [selects_nodes]: struct compiled_spec */
};

struct policy_subjects *policy_subjects_new(void)
{
	struct policy_subjects *subjects = g_new0(struct policy_subjects, 1);

	for (unsigned int i = 0; i < 2; i++) {
		subjects->by_labels[i] = g_hash_table_new(NULL, NULL);
		subjects->specs[i] = selector_index_new();
	}
	return subjects;
}

static void subject_free(struct policy_subject *subject)
{
	g_ptr_array_unref(subject->specs);
	g_hash_table_unref(subject->port_names);
	g_array_unref(subject->ids);
	label_set_unref(subject->labels);
	g_free(subject);
}

void policy_subjects_free(struct policy_subjects *subjects)
{
	GHashTableIter iter;
	void *subject;

	if (!subjects)
		return;
	for (unsigned int i = 0; i < 2; i++) {
		g_hash_table_iter_init(&iter, subjects->by_labels[i]);
		while (g_hash_table_iter_next(&iter, NULL, &subject))
			subject_free(subject);
		g_hash_table_unref(subjects->by_labels[i]);
		selector_index_free(subjects->specs[i]);
	}
	g_free(subjects);
}

static void collect_spec(void *item, void *data)
{
	g_ptr_array_add(data, item);
}

static int compare_specs(const void *a, const void *b)
{
	return compiled_spec_compare(*(struct compiled_spec *const *)a,
				     *(struct compiled_spec *const *)b);
}

struct policy_subject *policy_subject_ref(struct policy_subjects *subjects,
					  const struct label_set *labels, bool is_host)
{
	struct policy_subject *subject = g_hash_table_lookup(subjects->by_labels[is_host], labels);

	if (subject) {
		subject->n_users++;
		return subject;
	}
	subject = g_new0(struct policy_subject, 1);
	subject->labels = label_set_ref(labels);
	subject->is_host = is_host;
	subject->is_init = label_set_find(labels, "reserved", "init");
	subject->is_changed = true;
	subject->specs = g_ptr_array_new();
	subject->ids = g_array_new(false, false, sizeof(uint32_t));
	subject->port_names = g_hash_table_new(NULL, NULL);
	subject->n_users = 1;
	selector_index_foreach(subjects->specs[is_host], labels, collect_spec, subject->specs);
	g_ptr_array_sort(subject->specs, compare_specs);
	g_hash_table_insert(subjects->by_labels[is_host], (void *)labels, subject);
	return subject;
}

void policy_subject_unref(struct policy_subjects *subjects, struct policy_subject *subject)
{
	if (--subject->n_users > 0)
		return;
	g_hash_table_remove(subjects->by_labels[subject->is_host], subject->labels);
	subject_free(subject);
}

/* Where the spec stands among those of the subject, or would stand. */
static unsigned int find_place(const struct policy_subject *subject,
			       const struct compiled_spec *spec)
{
	unsigned int low = 0, high = subject->specs->len;

	while (low < high) {
		unsigned int middle = low + (high - low) / 2;

		if (compiled_spec_compare(subject->specs->pdata[middle], spec) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void policy_subjects_add_spec(struct policy_subjects *subjects, struct compiled_spec *spec)
{
	bool selects_nodes = spec->spec->selects_nodes;
	GHashTableIter iter;
	void *value;

	selector_index_add(subjects->specs[selects_nodes], spec->spec->subject, spec);
	g_hash_table_iter_init(&iter, subjects->by_labels[selects_nodes]);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		struct policy_subject *subject = value;

		if (!selector_matches(spec->spec->subject, subject->labels))
			continue;
		g_ptr_array_insert(subject->specs, (int)find_place(subject, spec), spec);
		subject->is_changed = true;
	}
}

void policy_subjects_remove_spec(struct policy_subjects *subjects, struct compiled_spec *spec)
{
	bool selects_nodes = spec->spec->selects_nodes;
	GHashTableIter iter;
	void *value;

	selector_index_remove(subjects->specs[selects_nodes], spec->spec->subject, spec);
	g_hash_table_iter_init(&iter, subjects->by_labels[selects_nodes]);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		struct policy_subject *subject = value;
		unsigned int place = find_place(subject, spec);

		if (place == subject->specs->len || subject->specs->pdata[place] != spec)
			continue;
		g_ptr_array_remove_index(subject->specs, place);
		subject->is_changed = true;
	}
}

static void settle(struct policy_subject *subject)
{
	uint32_t is_init = subject->is_init;

	g_hash_table_remove_all(subject->port_names);
	g_array_set_size(subject->ids, 0);
	g_array_append_val(subject->ids, is_init);
	for (unsigned int i = 0; i < subject->specs->len; i++) {
		const struct compiled_spec *spec = subject->specs->pdata[i];

		g_array_append_val(subject->ids, spec->id);
		for (unsigned int j = 0; spec->port_names && j < spec->port_names->len; j++)
			g_hash_table_add(subject->port_names, spec->port_names->pdata[j]);
	}
}

static void foreach_changed(struct policy_subjects *subjects,
			    void (*fn)(struct policy_subject *subject))
{
	GHashTableIter iter;
	void *value;

	for (unsigned int i = 0; i < 2; i++) {
		g_hash_table_iter_init(&iter, subjects->by_labels[i]);
		while (g_hash_table_iter_next(&iter, NULL, &value)) {
			struct policy_subject *subject = value;

			if (subject->is_changed)
				fn(subject);
		}
	}
}

void policy_subjects_settle(struct policy_subjects *subjects)
{
	foreach_changed(subjects, settle);
}

static void take_change(struct policy_subject *subject)
{
	subject->is_changed = false;
}

void policy_subjects_take_changes(struct policy_subjects *subjects)
{
	foreach_changed(subjects, take_change);
}
