// SPDX-License-Identifier: Apache-2.0
/* The kernel read as a whole: adopting what is there at the start, and putting right what somebody changed. */
#include "src/datapath/reconciler_private.h"

#include "src/base/log.h"

static void clear_rows(struct keyed_set *rows, keyed_set_key key)
{
	keyed_set_foreach(rows, reconcile_unref_item, NULL);
	keyed_set_fini(rows);
	keyed_set_init(rows, key);
}

/* What a reading of the kernel has found. */
struct reading {
	struct reconcile *reconcile;
	GHashTable *in_force;    /* rows of the plan that the kernel has as they are */
	struct keyed_set others; /* rows that stand for the other objects of the kernel */
	unsigned int n_repaired;
};

static bool read_object(const struct row *actual, void *data)
{
	struct reading *reading = data;
	const struct row *wanted;
	struct row_key key;

	reading->reconcile->kind->key(actual, &key);
	wanted = reconcile_get_wanted(reading->reconcile, &key);
	if (wanted && reading->reconcile->kind->matches(wanted, actual))
		g_hash_table_add(reading->in_force, (void *)wanted);
	else
		reconcile_set_put(&reading->others, actual);
	return true;
}

static int reading_init(struct reading *reading, struct reconcile *reconcile)
{
	*reading = (struct reading){
		.reconcile = reconcile,
		.in_force = g_hash_table_new(NULL, NULL),
	};
	keyed_set_init(&reading->others, reconcile->kind->key);
	return reconcile->kind->foreach(reconcile->datapath, read_object, reading);
}

static void reading_fini(struct reading *reading)
{
	g_hash_table_unref(reading->in_force);
	keyed_set_foreach(&reading->others, reconcile_unref_item, NULL);
	keyed_set_fini(&reading->others);
}

static bool believe_other(void *item, void *data)
{
	struct reconcile *reconcile = data;
	struct row_key key;

	reconcile->kind->key(item, &key);
	if (reconcile_get_wanted(reconcile, &key) || reconcile_set_get(&reconcile->applied, &key))
		reconcile_set_put(&reconcile->applied, item);
	else
		reconcile_set_put(&reconcile->orphans, item);
	return true;
}

/* All is as it was known to be: with many objects looking each up again would be half the work. */
static bool reading_is_no_news(const struct reading *reading)
{
	const struct reconcile *reconcile = reading->reconcile;
	unsigned int n_wanted = table_n_rows(reconcile->table);

	return !reading->others.n && !reconcile->failing.n && reconcile->applied.n == n_wanted &&
	       g_hash_table_size(reading->in_force) == n_wanted;
}

/* From now on the reading is what is known of the kernel. */
static void reading_believe(struct reading *reading)
{
	struct reconcile *reconcile = reading->reconcile;
	GHashTableIter iter;
	void *wanted;

	if (reading_is_no_news(reading)) {
		clear_rows(&reconcile->orphans, reconcile->kind->key);
		return;
	}
	g_hash_table_iter_init(&iter, reading->in_force);
	while (g_hash_table_iter_next(&iter, &wanted, NULL)) {
		struct row_key key;

		reconcile->kind->key(wanted, &key);
		reconcile_set_put(&reconcile->applied, wanted);
		reconcile_note_success(reconcile, &key);
	}
	clear_rows(&reconcile->orphans, reconcile->kind->key);
	keyed_set_foreach(&reading->others, believe_other, reconcile);
}

int reconcile_adopt(struct reconcile *reconcile)
{
	struct reading reading;
	int err = reading_init(&reading, reconcile);

	if (!err)
		reading_believe(&reading);
	reading_fini(&reading);
	return err;
}

static void note_repair(struct reading *reading, const struct row *row, const char *message)
{
	const struct reconcile_kind *kind = reading->reconcile->kind;
	g_autofree char *object = NULL;

	reconcile_tell(reading->reconcile, RECONCILER_REPAIRED, row, 0);
	if (reading->n_repaired++ >= RECONCILE_LOG_MAX)
		return;
	object = kind->describe(row);
	log_warning("datapath", message, "reconciler=%s object=%s", kind->name, object);
}

/* Tells the objects that somebody has changed or added since they were last known to be right. */
static bool compare_other(void *item, void *data)
{
	struct reading *reading = data;
	struct reconcile *reconcile = reading->reconcile;
	const struct row *wanted;
	const struct row *believed;
	struct row_key key;

	reconcile->kind->key(item, &key);
	wanted = reconcile_get_wanted(reconcile, &key);
	believed = reconcile_set_get(&reconcile->applied, &key);
	if (wanted && believed && reconcile->kind->matches(wanted, believed))
		note_repair(reading, wanted, "An object was changed from outside: repairing it");
	else if (!wanted && !believed && reconcile->deletion_allowed &&
		 !reconcile_set_get(&reconcile->orphans, &key))
		note_repair(reading, item, "An object was added from outside: removing it");
	return true;
}

static bool apply_other(void *item, void *data)
{
	struct reconcile *reconcile = data;
	struct row_key key;

	reconcile->kind->key(item, &key);
	if (reconcile_get_wanted(reconcile, &key))
		reconcile_key(reconcile, &key);
	return true;
}

/* Of the objects that should be there and are not. What is failing is tried in its own time. */
static bool apply_missing(const struct row *wanted, void *data)
{
	struct reading *reading = data;
	struct reconcile *reconcile = reading->reconcile;
	struct row_key key;

	if (g_hash_table_contains(reading->in_force, wanted))
		return true;
	reconcile->kind->key(wanted, &key);
	if (reconcile_set_get(&reading->others, &key) ||
	    keyed_set_get(&reconcile->failing, key.data, key.n_bytes))
		return true;
	if (reconcile_set_get(&reconcile->applied, &key)) {
		note_repair(reading, wanted, "An object was removed from outside: repairing it");
		reconcile_set_remove(&reconcile->applied, &key);
	}
	reconcile_key(reconcile, &key);
	return true;
}

int reconcile_resync(struct reconcile *reconcile, unsigned int *ret_n_repaired)
{
	struct reading reading;
	int err = reading_init(&reading, reconcile);

	if (!err) {
		keyed_set_foreach(&reading.others, compare_other, &reading);
		table_foreach (reconcile->table, apply_missing, &reading)
			;
		reading_believe(&reading);
		keyed_set_foreach(&reading.others, apply_other, reconcile);
		if (reconcile->deletion_allowed)
			reconcile_allow_deletion(reconcile);
		reconcile->n_repaired += reading.n_repaired;
		*ret_n_repaired = reading.n_repaired;
	}
	reading_fini(&reading);
	return err;
}
