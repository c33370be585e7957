// SPDX-License-Identifier: Apache-2.0
#include "src/derive/selector_index.h"

#include <string.h>

#define KEY_POD_NAMESPACE "io.kubernetes.pod.namespace"

struct place {
	const struct selector *selector;
	void *item;
};

struct bucket {
	char *key;
	char *value;   /* NULL: whatever value */
	GArray *items; /* struct place */
};

struct selector_index {
	GHashTable *buckets; /* struct bucket, by itself */
	GArray *rest;        /* struct place */
};

static unsigned int bucket_hash(const void *pointer)
{
	const struct bucket *bucket = pointer;

	return g_str_hash(bucket->key) * 31 + (bucket->value ? g_str_hash(bucket->value) : 0);
}

static int bucket_equal(const void *pointer_a, const void *pointer_b)
{
	const struct bucket *a = pointer_a, *b = pointer_b;

	return strcmp(a->key, b->key) == 0 && g_strcmp0(a->value, b->value) == 0;
}

static void bucket_free(void *pointer)
{
	struct bucket *bucket = pointer;

	g_array_unref(bucket->items);
	g_free(bucket->key);
	g_free(bucket->value);
	g_free(bucket);
}

struct selector_index *selector_index_new(void)
{
	struct selector_index *index = g_new0(struct selector_index, 1);

	index->buckets = g_hash_table_new_full(bucket_hash, bucket_equal, bucket_free, NULL);
	index->rest = g_array_new(false, false, sizeof(struct place));
	return index;
}

void selector_index_free(struct selector_index *index)
{
	if (!index)
		return;
	g_hash_table_unref(index->buckets);
	g_array_unref(index->rest);
	g_free(index);
}

static bool asks_for_one_value(const struct requirement *requirement)
{
	return requirement->op == REQUIREMENT_IN && requirement->values[0] &&
	       !requirement->values[1];
}

const struct requirement *selector_index_choose(const struct selector *selector)
{
	const struct requirement *chosen = NULL;

	for (size_t i = 0; i < selector_n_requirements(selector); i++) {
		const struct requirement *requirement = selector_get_requirement(selector, i);

		if (!asks_for_one_value(requirement))
			continue;
		if (strcmp(requirement->key, KEY_POD_NAMESPACE) != 0)
			return requirement;
		chosen = requirement;
	}
	return chosen;
}

static const struct requirement *choose_key(const struct selector *selector)
{
	for (size_t i = 0; i < selector_n_requirements(selector); i++) {
		const struct requirement *requirement = selector_get_requirement(selector, i);

		if (requirement->op == REQUIREMENT_IN || requirement->op == REQUIREMENT_EXISTS)
			return requirement;
	}
	return NULL;
}

/* Where the selector stands, now or when it has been added. NULL: with the rest. */
static struct bucket *find_bucket(const struct selector_index *index,
				  const struct selector *selector, bool create)
{
	const struct requirement *value = selector_index_choose(selector);
	const struct requirement *key = value ? value : choose_key(selector);
	struct bucket wanted, *bucket;

	if (!key)
		return NULL;
	wanted.key = (char *)key->key;
	wanted.value = value ? (char *)value->values[0] : NULL;
	bucket = g_hash_table_lookup(index->buckets, &wanted);
	if (bucket || !create)
		return bucket;
	bucket = g_new0(struct bucket, 1);
	bucket->key = g_strdup(wanted.key);
	bucket->value = g_strdup(wanted.value);
	bucket->items = g_array_new(false, false, sizeof(struct place));
	g_hash_table_add(index->buckets, bucket);
	return bucket;
}

void selector_index_add(struct selector_index *index, const struct selector *selector, void *item)
{
	struct bucket *bucket = find_bucket(index, selector, true);
	struct place place = {selector, item};

	g_array_append_val(bucket ? bucket->items : index->rest, place);
}

void selector_index_remove(struct selector_index *index, const struct selector *selector,
			   void *item)
{
	struct bucket *bucket = find_bucket(index, selector, false);
	GArray *items = bucket ? bucket->items : index->rest;

	for (unsigned int i = 0; i < items->len; i++) {
		if (g_array_index(items, struct place, i).item != item)
			continue;
		g_array_remove_index_fast(items, i);
		break;
	}
	if (bucket && !items->len)
		g_hash_table_remove(index->buckets, bucket);
}

struct walk {
	const struct label_set *labels;
	void (*fn)(void *item, void *data);
	void *data;
};

static void try_each(const GArray *items, const struct walk *walk)
{
	for (unsigned int i = 0; i < items->len; i++) {
		const struct place *place = &g_array_index(items, struct place, i);

		if (selector_matches(place->selector, walk->labels))
			walk->fn(place->item, walk->data);
	}
}

static void try_bucket(const struct selector_index *index, const char *key, const char *value,
		       const struct walk *walk)
{
	struct bucket wanted = {.key = (char *)key, .value = (char *)value};
	const struct bucket *bucket = g_hash_table_lookup(index->buckets, &wanted);

	if (bucket)
		try_each(bucket->items, walk);
}

/* Whether a label before the i-th has its key, and its value; equal keys stand together. */
static bool is_repeated(const struct label_set *labels, size_t i, bool same_value)
{
	const struct label *label = label_set_get(labels, i);

	for (size_t j = i; j > 0; j--) {
		const struct label *before = label_set_get(labels, j - 1);

		if (strcmp(before->key, label->key) != 0)
			return false;
		if (!same_value || strcmp(before->value, label->value) == 0)
			return true;
	}
	return false;
}

void selector_index_foreach(const struct selector_index *index, const struct label_set *labels,
			    void (*fn)(void *item, void *data), void *data)
{
	const struct walk walk = {labels, fn, data};

	for (size_t i = 0; i < label_set_n(labels); i++) {
		const struct label *label = label_set_get(labels, i);

		if (!is_repeated(labels, i, false))
			try_bucket(index, label->key, NULL, &walk);
		if (!is_repeated(labels, i, true))
			try_bucket(index, label->key, label->value, &walk);
	}
	try_each(index->rest, &walk);
}
