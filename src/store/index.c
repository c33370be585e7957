// SPDX-License-Identifier: Apache-2.0
/* Secondary indexes: a bucket of rows under each index key. */
#include "src/store/table_private.h"

#include <string.h>

/* Most buckets hold one row, which costs no set. */
struct bucket {
	const struct row *only; /* borrowed from the table, as those of rows; NULL: rows has them */
	struct keyed_set *rows; /* by their own key; NULL: there is only one */
	uint32_t n_key_bytes;
	uint8_t key[];
};

struct table_index {
	struct table *table;
	void (*keys_of)(const struct row *row,
			void (*add)(const void *key, size_t n_bytes, void *data), void *data);
	struct keyed_set buckets; /* struct bucket, owned */
};

static void bucket_key(const void *item, struct row_key *ret_key)
{
	const struct bucket *bucket = item;

	*ret_key = (struct row_key){.data = bucket->key, .n_bytes = bucket->n_key_bytes};
}

static void bucket_free(struct bucket *bucket)
{
	if (bucket->rows)
		keyed_set_fini(bucket->rows);
	g_free(bucket->rows);
	g_free(bucket);
}

struct table_index *table_index_new(
	struct table *table,
	void (*keys_of)(const struct row *row,
			void (*add)(const void *key, size_t n_bytes, void *data), void *data))
{
	struct table_index *index = g_new0(struct table_index, 1);

	g_assert(table->rows.n == 0);
	index->table = table;
	index->keys_of = keys_of;
	keyed_set_init(&index->buckets, bucket_key);
	g_ptr_array_add(table->indexes, index);
	return index;
}

static bool free_bucket(void *item, void *data)
{
	bucket_free(item);
	return true;
}

void table_index_free(struct table_index *index)
{
	keyed_set_foreach(&index->buckets, free_bucket, NULL);
	keyed_set_fini(&index->buckets);
	g_free(index);
}

static bool is_same(const struct table *table, const struct row *a, const struct row *b)
{
	struct row_key key_a, key_b;

	table->class->key(a, &key_a);
	table->class->key(b, &key_b);
	return key_a.n_bytes == key_b.n_bytes && !memcmp(key_a.data, key_b.data, key_a.n_bytes);
}

static void bucket_put(const struct table *table, struct bucket *bucket, const struct row *row)
{
	if (!bucket->rows && (!bucket->only || is_same(table, bucket->only, row))) {
		bucket->only = row;
		return;
	}
	if (!bucket->rows) {
		bucket->rows = g_new(struct keyed_set, 1);
		keyed_set_init(bucket->rows, table->rows.key);
		keyed_set_put(bucket->rows, (void *)bucket->only);
		bucket->only = NULL;
	}
	keyed_set_put(bucket->rows, (void *)row);
}

/* Whether the bucket is empty now. */
static bool bucket_remove(const struct table *table, struct bucket *bucket, const struct row *row)
{
	struct row_key key;

	if (!bucket->rows) {
		if (is_same(table, bucket->only, row))
			bucket->only = NULL;
		return !bucket->only;
	}
	table->class->key(row, &key);
	keyed_set_remove(bucket->rows, key.data, key.n_bytes);
	return !bucket->rows->n;
}

struct update {
	struct table_index *index;
	const struct row *row;
};

static void put_row(const void *key, size_t n_bytes, void *data)
{
	struct update *update = data;
	struct table_index *index = update->index;
	struct bucket *bucket = keyed_set_get(&index->buckets, key, n_bytes);

	if (!bucket) {
		bucket = g_malloc0(offsetof(struct bucket, key) + n_bytes);
		bucket->n_key_bytes = n_bytes;
		memcpy(bucket->key, key, n_bytes);
		keyed_set_put(&index->buckets, bucket);
	}
	bucket_put(index->table, bucket, update->row);
}

static void remove_row(const void *key, size_t n_bytes, void *data)
{
	struct update *update = data;
	struct table_index *index = update->index;
	struct bucket *bucket = keyed_set_get(&index->buckets, key, n_bytes);

	/* NULL where the row names the same index key twice. */
	if (!bucket)
		return;
	if (bucket_remove(index->table, bucket, update->row)) {
		keyed_set_remove(&index->buckets, key, n_bytes);
		bucket_free(bucket);
	}
}

void table_index_update(struct table_index *index, const struct row *old_row,
			const struct row *new_row)
{
	struct update update = {.index = index, .row = old_row};

	if (old_row)
		index->keys_of(old_row, remove_row, &update);
	update.row = new_row;
	if (new_row)
		index->keys_of(new_row, put_row, &update);
}

struct walk {
	bool (*fn)(const struct row *row, void *data);
	void *data;
};

static bool visit(void *item, void *data)
{
	const struct walk *walk = data;

	return walk->fn(item, walk->data);
}

void table_index_foreach(const struct table_index *index, const void *key, size_t n_bytes,
			 bool (*fn)(const struct row *row, void *data), void *data)
{
	const struct bucket *bucket = keyed_set_get(&index->buckets, key, n_bytes);
	struct walk walk = {.fn = fn, .data = data};

	if (!bucket)
		return;
	index->table->store->n_walks++;
	if (bucket->rows)
		keyed_set_foreach(bucket->rows, visit, &walk);
	else
		fn(bucket->only, data);
	index->table->store->n_walks--;
}
