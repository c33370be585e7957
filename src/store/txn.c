// SPDX-License-Identifier: Apache-2.0
/* Transactions: a list of changes, applied in one go. Nothing that commit does can fail. */
#include "src/store/table_private.h"

#include <string.h>
#include "src/base/clock.h"

struct change {
	struct table *table;
	struct row *row; /* a reference; NULL: remove the key */
	void *key;
	size_t n_key_bytes;
};

struct txn {
	struct store *store;
	GArray *changes; /* struct change */
};

static void change_fini(struct change *change)
{
	row_unref(change->row);
	g_free(change->key);
}

struct txn *txn_new(struct store *store)
{
	struct txn *txn = g_new0(struct txn, 1);

	txn->store = store;
	txn->changes = g_array_new(FALSE, FALSE, sizeof(struct change));
	g_array_set_clear_func(txn->changes, (GDestroyNotify)change_fini);
	return txn;
}

void txn_put(struct txn *txn, struct table *table, struct row *row)
{
	struct change change = {.table = table, .row = row};

	g_assert(table->store == txn->store);
	g_array_append_val(txn->changes, change);
}

void txn_remove(struct txn *txn, struct table *table, const void *key, size_t n_bytes)
{
	struct change change = {
		.table = table,
		.key = g_malloc(n_bytes),
		.n_key_bytes = n_bytes,
	};

	g_assert(table->store == txn->store);
	memcpy(change.key, key, n_bytes);
	g_array_append_val(txn->changes, change);
}

/* Puts new_row in the place of old_row, either of which may be NULL, and tells everybody. */
static void replace_row(struct table *table, struct row *old_row, struct row *new_row)
{
	for (unsigned int i = 0; i < table->indexes->len; i++)
		table_index_update(g_ptr_array_index(table->indexes, i), old_row, new_row);
	for (unsigned int i = 0; i < table->subscriptions->len; i++)
		subscription_mark(g_ptr_array_index(table->subscriptions, i),
				  new_row ? new_row : old_row);
	row_unref(old_row);
}

static bool apply_put(struct table *table, struct row *row, uint64_t revision)
{
	struct row_key key;
	struct row *old_row;

	table->class->key(row, &key);
	old_row = keyed_set_get(&table->rows, key.data, key.n_bytes);
	if (old_row && row_equal(old_row, row))
		return false;
	row->revision = revision;
	keyed_set_put(&table->rows, row_ref(row));
	replace_row(table, old_row, row);
	return true;
}

static bool apply_remove(struct table *table, const void *key, size_t n_bytes)
{
	struct row *old_row = keyed_set_remove(&table->rows, key, n_bytes);

	if (!old_row)
		return false;
	replace_row(table, old_row, NULL);
	return true;
}

void txn_commit(struct txn *txn)
{
	struct store *store = txn->store;
	uint64_t revision = store->revision + 1;
	bool changed = false;

	g_assert(store->n_walks == 0);
	for (unsigned int i = 0; i < txn->changes->len; i++) {
		struct change *change = &g_array_index(txn->changes, struct change, i);

		if (change->row)
			changed |= apply_put(change->table, change->row, revision);
		else
			changed |= apply_remove(change->table, change->key, change->n_key_bytes);
	}
	if (changed)
		store->revision = revision;
	if (changed && !store->changed_ns)
		store->changed_ns = clock_monotonic_ns();
	txn_abort(txn);
}

void txn_abort(struct txn *txn)
{
	if (!txn)
		return;
	g_array_unref(txn->changes);
	g_free(txn);
}
