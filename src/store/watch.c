// SPDX-License-Identifier: Apache-2.0
#include "src/store/table_private.h"

struct watch *watch_new(struct store *store, const char *name,
			void (*run)(struct watch *watch, void *data), void *data)
{
	struct watch *watch = g_new0(struct watch, 1);

	watch->name = name;
	watch->run = run;
	watch->data = data;
	watch->subscriptions = g_ptr_array_new();
	g_ptr_array_add(store->watches, watch);
	return watch;
}

static void unref_row(void *row)
{
	row_unref(row);
}

static void subscription_free(struct subscription *subscription)
{
	keyed_set_fini(&subscription->pending);
	g_clear_pointer(&subscription->order, g_ptr_array_unref);
	g_free(subscription);
}

/* Only store_free() frees watches, before it frees the tables that point to them. */
void watch_free(struct watch *watch)
{
	g_ptr_array_foreach(watch->subscriptions, (GFunc)(void (*)(void))subscription_free, NULL);
	g_ptr_array_unref(watch->subscriptions);
	row_unref(watch->popped);
	g_free(watch);
}

static bool mark_row(const struct row *row, void *data)
{
	subscription_mark(data, row);
	return true;
}

void watch_add(struct watch *watch, struct table *table)
{
	struct subscription *subscription = g_new0(struct subscription, 1);

	subscription->watch = watch;
	subscription->table = table;
	keyed_set_init(&subscription->pending, table->rows.key);
	g_ptr_array_add(watch->subscriptions, subscription);
	g_ptr_array_add(table->subscriptions, subscription);
	table_foreach (table, mark_row, subscription)
		;
	watch->synced |= table->synced;
}

/*
 * The set holds rows instead of copies of their keys: a row of a key is at hand, and one reference
 * is smaller than a key. It is never looked at but for its key.
 */
void subscription_mark(struct subscription *subscription, const struct row *row)
{
	struct row_key key;

	subscription->table->class->key(row, &key);
	if (keyed_set_get(&subscription->pending, key.data, key.n_bytes))
		return;
	if (!subscription->order)
		subscription->order = g_ptr_array_new_with_free_func(unref_row);
	keyed_set_put(&subscription->pending, row_ref(row));
	g_ptr_array_add(subscription->order, (void *)row);
}

bool watch_has_work(const struct watch *watch)
{
	if (watch->synced)
		return true;
	for (unsigned int i = 0; i < watch->subscriptions->len; i++) {
		const struct subscription *subscription =
			g_ptr_array_index(watch->subscriptions, i);

		if (subscription->pending.n)
			return true;
	}
	return false;
}

/* The row that has waited longest, with its reference, or NULL. */
static struct row *take_first(struct subscription *subscription)
{
	struct row_key key;
	struct row *row;

	if (!subscription->pending.n)
		return NULL;
	row = g_ptr_array_index(subscription->order, subscription->n_popped);
	g_ptr_array_index(subscription->order, subscription->n_popped) = NULL;
	subscription->n_popped++;
	subscription->table->class->key(row, &key);
	keyed_set_remove(&subscription->pending, key.data, key.n_bytes);
	if (!subscription->pending.n) {
		g_clear_pointer(&subscription->order, g_ptr_array_unref);
		subscription->n_popped = 0;
	}
	return row;
}

bool watch_pop(struct watch *watch, struct table **ret_table, struct row_key *ret_key)
{
	for (unsigned int i = 0; i < watch->subscriptions->len; i++) {
		struct subscription *subscription = g_ptr_array_index(watch->subscriptions, i);
		struct row *row = take_first(subscription);

		if (!row)
			continue;
		row_unref(watch->popped);
		watch->popped = row;
		subscription->table->class->key(row, ret_key);
		*ret_table = subscription->table;
		return true;
	}
	row_unref(watch->popped);
	watch->popped = NULL;
	return false;
}
