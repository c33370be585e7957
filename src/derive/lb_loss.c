// SPDX-License-Identifier: Apache-2.0
#include "src/derive/lb_loss.h"

#include <string.h>

struct lb_losses {
	GHashTable *losers; /* struct lb_claim_key to a set of keys of rows */
	GHashTable *by_row; /* key of a row to GArray of struct lb_claim_key */
};

static unsigned int hash_claim(const void *pointer)
{
	const struct lb_claim_key *key = pointer;
	unsigned int hash = key->port * 31U + key->protocol;

	for (unsigned int i = 0; i < G_N_ELEMENTS(key->addr.words); i++)
		hash = hash * 16777619U ^ key->addr.words[i];
	return hash;
}

static gboolean equal_claims(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct lb_claim_key)) == 0;
}

static void free_set(void *set)
{
	g_hash_table_unref(set);
}

static void free_array(void *array)
{
	g_array_unref(array);
}

struct lb_losses *lb_losses_new(void)
{
	struct lb_losses *losses = g_new0(struct lb_losses, 1);

	losses->losers = g_hash_table_new_full(hash_claim, equal_claims, g_free, free_set);
	losses->by_row = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_array);
	return losses;
}

void lb_losses_free(struct lb_losses *losses)
{
	if (!losses)
		return;
	g_hash_table_unref(losses->losers);
	g_hash_table_unref(losses->by_row);
	g_free(losses);
}

static void forget_loss(struct lb_losses *losses, const struct lb_claim_key *key,
			const char *row_key)
{
	GHashTable *losers = g_hash_table_lookup(losses->losers, key);

	if (!losers)
		return;
	g_hash_table_remove(losers, row_key);
	if (!g_hash_table_size(losers))
		g_hash_table_remove(losses->losers, key);
}

static void note_loss(struct lb_losses *losses, const struct lb_claim_key *key, const char *row_key)
{
	GHashTable *losers = g_hash_table_lookup(losses->losers, key);

	if (!losers) {
		losers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
		g_hash_table_insert(losses->losers, g_memdup2(key, sizeof(*key)), losers);
	}
	g_hash_table_add(losers, g_strdup(row_key));
}

void lb_losses_set(struct lb_losses *losses, const char *row_key, GArray *now)
{
	GArray *before = g_hash_table_lookup(losses->by_row, row_key);

	for (unsigned int i = 0; before && i < before->len; i++)
		forget_loss(losses, &g_array_index(before, struct lb_claim_key, i), row_key);
	if (!now || !now->len) {
		if (before)
			g_hash_table_remove(losses->by_row, row_key);
		return;
	}
	for (unsigned int i = 0; i < now->len; i++)
		note_loss(losses, &g_array_index(now, struct lb_claim_key, i), row_key);
	g_hash_table_insert(losses->by_row, g_strdup(row_key), g_array_ref(now));
}

void lb_losses_foreach_of(const struct lb_losses *losses, const struct lb_claim_key *key,
			  void (*fn)(const char *row_key, void *data), void *data)
{
	GHashTable *losers = g_hash_table_lookup(losses->losers, key);
	GHashTableIter iter;
	void *row_key;

	if (!losers)
		return;
	g_hash_table_iter_init(&iter, losers);
	while (g_hash_table_iter_next(&iter, &row_key, NULL))
		fn(row_key, data);
}

void lb_losses_foreach(const struct lb_losses *losses,
		       void (*fn)(const char *row_key, const struct lb_claim_key *key, void *data),
		       void *data)
{
	GHashTableIter iter;
	void *row_key, *keys;

	g_hash_table_iter_init(&iter, losses->by_row);
	while (g_hash_table_iter_next(&iter, &row_key, &keys)) {
		const GArray *lost = keys;

		for (unsigned int i = 0; i < lost->len; i++)
			fn(row_key, &g_array_index(lost, struct lb_claim_key, i), data);
	}
}
