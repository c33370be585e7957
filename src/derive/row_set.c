/* SPDX-License-Identifier: Apache-2.0 */
#include "src/derive/row_set.h"

#include <string.h>
#include "src/model/plan.h"

void row_set_key_map_entry(const struct row *row, struct row_key *ret_key)
{
	const struct plan_map_entry *entry = (const struct plan_map_entry *)row;

	*ret_key = (struct row_key){entry->data, 1 + (size_t)entry->n_key_bytes};
}

void row_set_key_attachment(const struct row *row, struct row_key *ret_key)
{
	const struct plan_attachment *attachment = (const struct plan_attachment *)row;

	*ret_key = (struct row_key){&attachment->key, sizeof(attachment->key)};
}

void row_set_key_route(const struct row *row, struct row_key *ret_key)
{
	const struct plan_route *route = (const struct plan_route *)row;

	*ret_key = (struct row_key){&route->destination, CIDR_KEY_BYTES};
}

static unsigned int key_hash(const void *data)
{
	const struct row_key *key = data;
	const uint8_t *bytes = key->data;
	unsigned int hash = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < key->n_bytes; i++)
		hash = (hash ^ bytes[i]) * 16777619u;
	return hash;
}

static int key_equal(const void *data_a, const void *data_b)
{
	const struct row_key *a = data_a, *b = data_b;

	return a->n_bytes == b->n_bytes && memcmp(a->data, b->data, a->n_bytes) == 0;
}

static void unref_row(void *row)
{
	row_unref(row);
}

GPtrArray *row_set_new(void)
{
	return g_ptr_array_new_with_free_func(unref_row);
}

void row_set_replace(struct txn *txn, struct table *table, row_set_key key_of, const GPtrArray *old,
		     const GPtrArray *wanted)
{
	g_autoptr(GHashTable) keys = g_hash_table_new_full(key_hash, key_equal, g_free, NULL);

	for (unsigned int i = 0; i < wanted->len; i++) {
		struct row *row = wanted->pdata[i];
		struct row_key *key = g_new(struct row_key, 1);

		key_of(row, key);
		if (g_hash_table_contains(keys, key)) {
			g_free(key);
			continue;
		}
		g_hash_table_add(keys, key);
		txn_put(txn, table, row_ref(row));
	}
	for (unsigned int i = 0; old && i < old->len; i++) {
		struct row_key key;

		key_of(old->pdata[i], &key);
		if (!g_hash_table_contains(keys, &key))
			txn_remove(txn, table, key.data, key.n_bytes);
	}
}
