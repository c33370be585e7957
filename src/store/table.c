// SPDX-License-Identifier: Apache-2.0
#include "src/store/table.h"

#include "src/store/table_private.h"

/* Runs of watches in one settling: far above what any real chain of derivations takes. */
#define MAX_RUNS 10000

struct store *store_new(void)
{
	struct store *store = g_new0(struct store, 1);

	store->tables = g_ptr_array_new_with_free_func((GDestroyNotify)table_free);
	store->watches = g_ptr_array_new_with_free_func((GDestroyNotify)watch_free);
	return store;
}

void store_free(struct store *store)
{
	if (!store)
		return;
	g_ptr_array_unref(store->watches);
	g_ptr_array_unref(store->tables);
	g_free(store);
}

uint64_t store_revision(const struct store *store)
{
	return store->revision;
}

int64_t store_changed_ns(const struct store *store)
{
	return store->changed_ns;
}

static struct watch *first_with_work(const struct store *store)
{
	for (unsigned int i = 0; i < store->watches->len; i++) {
		struct watch *watch = g_ptr_array_index(store->watches, i);

		if (watch_has_work(watch))
			return watch;
	}
	return NULL;
}

void store_settle(struct store *store)
{
	const char *previous = "none";
	unsigned int n_runs = 0;
	struct watch *watch;

	g_assert(!store->settling);
	store->settling = true;
	while ((watch = first_with_work(store))) {
		if (++n_runs > MAX_RUNS)
			g_error("store: watches do not come to rest: %s after %s", watch->name,
				previous);
		watch->synced = false;
		watch->run(watch, watch->data);
		previous = watch->name;
	}
	store->settling = false;
	store->changed_ns = 0;
}

struct table *table_new(struct store *store, const struct table_class *class)
{
	struct table *table = g_new0(struct table, 1);

	table->store = store;
	table->class = class;
	keyed_set_init(&table->rows, (keyed_set_key) class->key);
	table->indexes = g_ptr_array_new_with_free_func((GDestroyNotify)table_index_free);
	table->subscriptions = g_ptr_array_new();
	g_ptr_array_add(store->tables, table);
	return table;
}

static bool unref_row(void *item, void *data)
{
	row_unref(item);
	return true;
}

void table_free(struct table *table)
{
	g_ptr_array_unref(table->indexes);
	g_ptr_array_unref(table->subscriptions);
	keyed_set_foreach(&table->rows, unref_row, NULL);
	keyed_set_fini(&table->rows);
	g_free(table);
}

const char *table_name(const struct table *table)
{
	return table->class->name;
}

unsigned int table_n_rows(const struct table *table)
{
	return table->rows.n;
}

const struct row *table_get(const struct table *table, const void *key, size_t n_bytes)
{
	return keyed_set_get(&table->rows, key, n_bytes);
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

void table_foreach (const struct table *table, bool (*fn)(const struct row *row, void *data),
		    void *data)
{
	struct walk walk = {.fn = fn, .data = data};

	table->store->n_walks++;
	keyed_set_foreach(&table->rows, visit, &walk);
	table->store->n_walks--;
}

void table_set_synced(struct table *table)
{
	if (table->synced)
		return;
	table->synced = true;
	for (unsigned int i = 0; i < table->subscriptions->len; i++) {
		struct subscription *subscription = g_ptr_array_index(table->subscriptions, i);

		subscription->watch->synced = true;
	}
}

bool table_synced(const struct table *table)
{
	return table->synced;
}
