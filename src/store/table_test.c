// SPDX-License-Identifier: Apache-2.0
#include "src/store/table.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

/* A row with a one-byte key, a number, and what it is indexed by. */
struct item {
	struct row row;
	uint8_t key;
	uint8_t value;
};

static unsigned int n_items;

static void item_fini(struct row *row)
{
	n_items--;
}

static bool item_equal(const struct row *a, const struct row *b)
{
	return ((const struct item *)a)->value == ((const struct item *)b)->value;
}

static const struct row_class item_class = {
	.name = "item",
	.size = sizeof(struct item),
	.fini = item_fini,
	.equal = item_equal,
};

static void item_key(const void *row, struct row_key *ret_key)
{
	*ret_key = (struct row_key){.data = &((const struct item *)row)->key, .n_bytes = 1};
}

static const struct table_class items_class = {.name = "items", .key = item_key};

static struct row *new_item(uint8_t key, uint8_t value)
{
	struct item *item = (struct item *)row_new(&item_class);

	item->key = key;
	item->value = value;
	n_items++;
	return &item->row;
}

static int value_of(const struct table *table, uint8_t key)
{
	const struct item *item = (const struct item *)table_get(table, &key, 1);

	return item ? item->value : -1;
}

static void put(struct store *store, struct table *table, uint8_t key, uint8_t value)
{
	struct txn *txn = txn_new(store);

	txn_put(txn, table, new_item(key, value));
	txn_commit(txn);
}

/* Index: the value's two halves, and nothing for 0. */
static void halves_of(const struct row *row,
		      void (*add)(const void *key, size_t n_bytes, void *data), void *data)
{
	uint8_t value = ((const struct item *)row)->value;
	uint8_t halves[] = {value >> 4, value & 15};

	if (!value)
		return;
	add(&halves[0], 1, data);
	add(&halves[1], 1, data);
}

static bool count_row(const struct row *row, void *data)
{
	++*(unsigned int *)data;
	return true;
}

static bool count_one(const struct row *row, void *data)
{
	++*(unsigned int *)data;
	return false;
}

/* A watch that copies one table into another, and counts. */
struct copier {
	struct store *store;
	struct table *from, *to;
	unsigned int n_runs, n_keys;
	GString *trail; /* name of each run, shared by several */
	char name;
};

static void copier_run(struct watch *watch, void *data)
{
	struct copier *copier = data;
	struct txn *txn = txn_new(copier->store);
	struct table *table;
	struct row_key key;

	copier->n_runs++;
	if (copier->trail)
		g_string_append_c(copier->trail, copier->name);
	while (watch_pop(watch, &table, &key)) {
		const struct item *item = (const struct item *)table_get(table, key.data, 1);

		assert_ptr_equal(table, copier->from);
		copier->n_keys++;
		if (item)
			txn_put(txn, copier->to, new_item(item->key, item->value));
		else
			txn_remove(txn, copier->to, key.data, 1);
	}
	txn_commit(txn);
}

static void transactions_are_whole(void **state)
{
	struct store *store = store_new();
	struct table *table = table_new(store, &items_class);
	struct txn *txn = txn_new(store);
	uint8_t key = 1;

	txn_put(txn, table, new_item(1, 10));
	txn_put(txn, table, new_item(2, 20));
	txn_put(txn, table, new_item(1, 11));
	txn_put(txn, table, new_item(3, 30));
	key = 3;
	txn_remove(txn, table, &key, 1);
	assert_int_equal(table_n_rows(table), 0);
	txn_commit(txn);
	assert_int_equal(store_revision(store), 1);
	assert_int_equal(table_n_rows(table), 2);
	assert_int_equal(value_of(table, 1), 11);
	assert_int_equal(value_of(table, 2), 20);
	assert_int_equal(value_of(table, 3), -1);
	key = 1;
	assert_int_equal(table_get(table, &key, 1)->revision, 1);

	txn = txn_new(store);
	txn_put(txn, table, new_item(9, 9));
	txn_abort(txn);
	txn_abort(NULL);
	assert_int_equal(value_of(table, 9), -1);
	assert_int_equal(store_revision(store), 1);
	store_free(store);
	assert_int_equal(n_items, 0);
}

static void equal_rows_wake_nobody(void **state)
{
	struct store *store = store_new();
	struct copier copier = {.store = store,
				.from = table_new(store, &items_class),
				.to = table_new(store, &items_class)};
	struct watch *watch = watch_new(store, "copier", copier_run, &copier);
	uint8_t absent = 77;
	struct txn *txn;

	watch_add(watch, copier.from);
	put(store, copier.from, 1, 10);
	store_settle(store);
	assert_int_equal(copier.n_runs, 1);
	put(store, copier.from, 1, 10);
	txn = txn_new(store);
	txn_remove(txn, copier.from, &absent, 1);
	txn_commit(txn);
	store_settle(store);
	assert_int_equal(copier.n_runs, 1);
	assert_int_equal(store_revision(store), 2);
	put(store, copier.from, 1, 11);
	store_settle(store);
	assert_int_equal(copier.n_runs, 2);
	store_free(store);
	assert_int_equal(n_items, 0);
}

static void earlier_watches_come_to_rest_first(void **state)
{
	g_autoptr(GString) trail = g_string_new(NULL);
	struct store *store = store_new();
	struct table *tables[4];
	struct copier copiers[3];

	for (int i = 0; i < 4; i++)
		tables[i] = table_new(store, &items_class);
	/* c feeds b feeds a's table's copy: made in the order c, b, a, run to rest from the front. */
	for (int i = 0; i < 3; i++) {
		copiers[i] = (struct copier){.store = store,
					     .from = tables[2 - i],
					     .to = tables[3 - i],
					     .trail = trail,
					     .name = 'c' - i};
		watch_add(watch_new(store, "copier", copier_run, &copiers[i]), tables[2 - i]);
	}
	put(store, tables[0], 1, 1);
	put(store, tables[1], 2, 2);
	store_settle(store);
	/* b runs for key 2, then c at once; a for key 1, then b before anything else, then c. */
	assert_string_equal(trail->str, "bcabc");
	assert_int_equal(value_of(tables[3], 1), 1);
	assert_int_equal(value_of(tables[3], 2), 2);
	store_free(store);
	assert_int_equal(n_items, 0);
}

static void synced_wakes_watches_once(void **state)
{
	struct store *store = store_new();
	struct copier copier = {.store = store,
				.from = table_new(store, &items_class),
				.to = table_new(store, &items_class)};
	struct watch *watch = watch_new(store, "copier", copier_run, &copier);

	watch_add(watch, copier.from);
	store_settle(store);
	assert_int_equal(copier.n_runs, 0);
	assert_false(table_synced(copier.from));
	table_set_synced(copier.from);
	assert_true(table_synced(copier.from));
	store_settle(store);
	table_set_synced(copier.from);
	store_settle(store);
	assert_int_equal(copier.n_runs, 1);
	assert_int_equal(copier.n_keys, 0);

	/* A watch that comes late learns it too. */
	copier.n_runs = 0;
	watch_add(watch_new(store, "late", copier_run, &copier), copier.from);
	store_settle(store);
	assert_int_equal(copier.n_runs, 1);
	store_free(store);
}

static void pop_keeps_the_order_of_change(void **state)
{
	struct store *store = store_new();
	struct table *first = table_new(store, &items_class);
	struct table *second = table_new(store, &items_class);
	struct watch *watch = watch_new(store, "watch", NULL, NULL);
	static const uint8_t keys[] = {9, 3, 200, 7, 1};
	struct table *table;
	struct row_key key;

	watch_add(watch, second);
	watch_add(watch, first);
	for (size_t i = 0; i < sizeof(keys); i++) {
		put(store, first, keys[i], 1);
		put(store, second, keys[i], 1);
	}
	put(store, first, 9, 2);
	for (size_t i = 0; i < sizeof(keys); i++) {
		assert_true(watch_pop(watch, &table, &key));
		assert_ptr_equal(table, second);
		assert_int_equal(*(const uint8_t *)key.data, keys[i]);
	}
	for (size_t i = 0; i < sizeof(keys); i++) {
		assert_true(watch_pop(watch, &table, &key));
		assert_ptr_equal(table, first);
		assert_int_equal(*(const uint8_t *)key.data, keys[i]);
	}
	assert_false(watch_pop(watch, &table, &key));
	store_free(store);
	assert_int_equal(n_items, 0);
}

static void restless_run(struct watch *watch, void *data)
{
	struct copier *copier = data;
	struct table *table;
	struct row_key key;

	while (watch_pop(watch, &table, &key))
		continue;
	put(copier->store, copier->from, 1, ++copier->n_runs);
}

static void restless_watches_abort(void **state)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		struct store *store = store_new();
		struct table *table = table_new(store, &items_class);
		struct copier copier = {.store = store, .from = table};

		/* Its last words belong to this test, not to the log of the run. */
		signal(SIGABRT, SIG_DFL);
		signal(SIGTRAP, SIG_DFL);
		close(STDERR_FILENO);
		watch_add(watch_new(store, "restless", restless_run, &copier), table);
		put(store, table, 1, 0);
		store_settle(store);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

#define N_KEYS 256

/* The slow and obvious store: an array. */
struct model {
	int values[N_KEYS]; /* −1: no row */
	bool changed[N_KEYS];
	uint64_t revision;
};

static void check_table(const struct table *table, const struct model *model)
{
	unsigned int n_rows = 0, n_seen = 0;

	for (int key = 0; key < N_KEYS; key++) {
		assert_int_equal(value_of(table, key), model->values[key]);
		n_rows += model->values[key] >= 0;
	}
	assert_int_equal(table_n_rows(table), n_rows);
	table_foreach (table, count_row, &n_seen)
		;
	assert_int_equal(n_seen, n_rows);
}

static void check_index(const struct table_index *index, const struct model *model)
{
	for (uint8_t half = 0; half < 16; half++) {
		unsigned int n_expected = 0, n_found = 0, n_first = 0;

		for (int key = 0; key < N_KEYS; key++) {
			int value = model->values[key];

			n_expected += value > 0 && (value >> 4 == half || (value & 15) == half);
		}
		table_index_foreach(index, &half, 1, count_row, &n_found);
		assert_int_equal(n_found, n_expected);
		table_index_foreach(index, &half, 1, count_one, &n_first);
		assert_int_equal(n_first, n_expected ? 1 : 0);
	}
}

static void check_watch(struct watch *watch, struct model *model)
{
	bool popped[N_KEYS] = {};
	struct table *table;
	struct row_key key;

	while (watch_pop(watch, &table, &key)) {
		uint8_t number = *(const uint8_t *)key.data;

		assert_false(popped[number]);
		popped[number] = true;
	}
	assert_memory_equal(popped, model->changed, sizeof(popped));
	memset(model->changed, 0, sizeof(model->changed));
}

/* A transaction of random changes, to the store and to the array. */
static void change_both(GRand *random, struct store *store, struct table *table,
			struct model *model)
{
	struct txn *txn = txn_new(store);
	struct model next = *model;
	/* Few keys now and then, so that tables also shrink to nothing. */
	int n_keys = g_rand_boolean(random) ? 8 : N_KEYS;
	int n_changes = g_rand_int_range(random, 0, 40);
	bool mostly_remove = g_rand_int_range(random, 0, 3) == 0;
	bool any = false;

	for (int i = 0; i < n_changes; i++) {
		uint8_t key = g_rand_int_range(random, 0, n_keys);
		int value = g_rand_int_range(random, 0, mostly_remove ? 1 : 4) * 17 + key % 3;

		if (g_rand_int_range(random, 0, 10) < (mostly_remove ? 9 : 3)) {
			txn_remove(txn, table, &key, 1);
			value = -1;
		} else {
			txn_put(txn, table, new_item(key, value));
		}
		if (next.values[key] != value)
			any = next.changed[key] = true;
		next.values[key] = value;
	}
	if (g_rand_int_range(random, 0, 8) == 0) {
		txn_abort(txn);
		return;
	}
	txn_commit(txn);
	next.revision += any;
	*model = next;
}

static void random_changes_as_the_array_says(void **state)
{
	g_autoptr(GRand) random = g_rand_new_with_seed(5);
	struct store *store = store_new();
	struct table *table = table_new(store, &items_class);
	struct table_index *index = table_index_new(table, halves_of);
	struct watch *watch = watch_new(store, "watch", NULL, NULL);
	struct model model = {};

	memset(model.values, 0xff, sizeof(model.values));
	watch_add(watch, table);
	for (int round = 0; round < 3000; round++) {
		change_both(random, store, table, &model);
		check_table(table, &model);
		check_index(index, &model);
		assert_int_equal(store_revision(store), model.revision);
		if (g_rand_boolean(random))
			check_watch(watch, &model);
	}
	store_free(store);
	assert_int_equal(n_items, 0);
}

static void rows_outlive_their_table(void **state)
{
	struct store *store = store_new();
	struct table *table = table_new(store, &items_class);
	struct row *row;
	uint8_t key = 1;

	put(store, table, 1, 10);
	row = row_ref(table_get(table, &key, 1));
	put(store, table, 1, 11);
	store_free(store);
	assert_int_equal(((struct item *)row)->value, 10);
	row_unref(row);
	assert_int_equal(n_items, 0);
}

static void look_when_changed(struct watch *watch, void *data)
{
	struct table *table;
	struct row_key key;

	while (watch_pop(watch, &table, &key))
		assert_true(store_changed_ns(data) > 0);
}

static void knows_since_when_it_is_at_work(void **state)
{
	struct store *store = store_new();
	struct table *table = table_new(store, &items_class);
	struct watch *watch = watch_new(store, "look", look_when_changed, store);
	int64_t first_ns;

	watch_add(watch, table);
	assert_int_equal(store_changed_ns(store), 0);
	for (uint8_t value = 1; value <= 3; value++) {
		struct txn *txn = txn_new(store);

		txn_put(txn, table, new_item(1, value));
		txn_commit(txn);
		if (value == 1)
			first_ns = store_changed_ns(store);
		assert_int_equal(store_changed_ns(store), first_ns);
	}
	store_settle(store);
	assert_int_equal(store_changed_ns(store), 0);
	store_free(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(transactions_are_whole),
		cmocka_unit_test(knows_since_when_it_is_at_work),
		cmocka_unit_test(equal_rows_wake_nobody),
		cmocka_unit_test(earlier_watches_come_to_rest_first),
		cmocka_unit_test(synced_wakes_watches_once),
		cmocka_unit_test(pop_keeps_the_order_of_change),
		cmocka_unit_test(restless_watches_abort),
		cmocka_unit_test(random_changes_as_the_array_says),
		cmocka_unit_test(rows_outlive_their_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
