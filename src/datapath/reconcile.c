// SPDX-License-Identifier: Apache-2.0
#include "src/datapath/reconciler_private.h"

#include <string.h>
#include "src/base/clock.h"
#include "src/base/log.h"

#define RETRY_FIRST_NS (50 * NSEC_PER_MSEC)
#define RETRY_MAX_NS   (30 * NSEC_PER_SEC)

static void failing_key(const void *item, struct row_key *ret_key)
{
	*ret_key = ((const struct failing *)item)->key;
}

void reconcile_init(struct reconcile *reconcile, const struct reconcile_kind *kind,
		    struct datapath *datapath, const struct table *table,
		    GHashTable *n_failing_by_endpoint)
{
	*reconcile = (struct reconcile){
		.kind = kind,
		.datapath = datapath,
		.table = table,
		.now_ns = clock_monotonic_ns,
		.n_failing_by_endpoint = n_failing_by_endpoint,
	};
	keyed_set_init(&reconcile->applied, kind->key);
	keyed_set_init(&reconcile->orphans, kind->key);
	keyed_set_init(&reconcile->failing, failing_key);
}

bool reconcile_unref_item(void *item, void *data)
{
	row_unref(item);
	return true;
}

static void failing_free(struct failing *failing)
{
	row_unref(failing->row);
	g_free(failing);
}

static bool free_failing(void *item, void *data)
{
	failing_free(item);
	return true;
}

void reconcile_fini(struct reconcile *reconcile)
{
	keyed_set_foreach(&reconcile->applied, reconcile_unref_item, NULL);
	keyed_set_foreach(&reconcile->orphans, reconcile_unref_item, NULL);
	keyed_set_foreach(&reconcile->failing, free_failing, NULL);
	keyed_set_fini(&reconcile->applied);
	keyed_set_fini(&reconcile->orphans);
	keyed_set_fini(&reconcile->failing);
}

const struct row *reconcile_set_get(const struct keyed_set *set, const struct row_key *key)
{
	return keyed_set_get(set, key->data, key->n_bytes);
}

void reconcile_set_put(struct keyed_set *set, const struct row *row)
{
	row_unref(keyed_set_put(set, row_ref(row)));
}

void reconcile_set_remove(struct keyed_set *set, const struct row_key *key)
{
	row_unref(keyed_set_remove(set, key->data, key->n_bytes));
}

const struct row *reconcile_get_wanted(const struct reconcile *reconcile, const struct row_key *key)
{
	return table_get(reconcile->table, key->data, key->n_bytes);
}

static void count_failing(struct reconcile *reconcile, uint16_t endpoint_id, int change)
{
	void *key = GUINT_TO_POINTER(endpoint_id);
	int n = GPOINTER_TO_INT(g_hash_table_lookup(reconcile->n_failing_by_endpoint, key)) +
		change;

	if (n)
		g_hash_table_insert(reconcile->n_failing_by_endpoint, key, GINT_TO_POINTER(n));
	else
		g_hash_table_remove(reconcile->n_failing_by_endpoint, key);
}

static struct failing *take_failing(struct reconcile *reconcile, const struct row_key *key)
{
	struct failing *failing = keyed_set_remove(&reconcile->failing, key->data, key->n_bytes);

	if (failing)
		count_failing(reconcile, failing->endpoint_id, -1);
	return failing;
}

int64_t reconcile_retry_ns(unsigned int n_failures)
{
	return MIN(RETRY_FIRST_NS << MIN(n_failures, 10), RETRY_MAX_NS);
}

/* What errno's own text does not say. */
static const char *find_hint(int error)
{
	switch (error) {
	case E2BIG:
	case ENOSPC:
		return "the map is full: fewer endpoints, or ranges, fit on this node";
	case EPERM:
	case EACCES:
		return "the agent lacks a capability, or the kernel forbids it: see its unit or "
		       "pod";
	case ENOMEM:
		return "the kernel has no memory for it; before Linux 5.11 see LimitMEMLOCK=";
	case ENODEV:
	case ENXIO:
		return "the device has gone; it is applied when it is back";
	case EBUSY:
	case EEXIST:
		return "something else is in its place: \"cilium status\" says how to find it";
	default:
		return NULL;
	}
}

void reconcile_tell(const struct reconcile *reconcile, enum reconciler_event event,
		    const struct row *row, int err)
{
	g_autofree char *object = NULL;
	struct reconciler_note note = {
		.event = event,
		.endpoint_id = reconcile->kind->endpoint_id(row),
		.error = err,
	};

	if (!reconcile->observer || !note.endpoint_id)
		return;
	object = reconcile->kind->describe(row);
	note.object = object;
	reconcile->observer(&note, reconcile->observer_data);
}

static void log_failure(const struct reconcile *reconcile, const struct failing *failing)
{
	g_autofree char *object = NULL;

	/* What goes on failing, and what fails like many others, is in the status. */
	if (failing->n_tries > 1 || reconcile->failing.n > RECONCILE_LOG_MAX)
		return;
	if (reconcile->failing.n == RECONCILE_LOG_MAX) {
		log_warning("datapath", "More objects cannot be applied: see cilium status",
			    "reconciler=%s", reconcile->kind->name);
		return;
	}
	object = reconcile->kind->describe(failing->row);
	log_warning("datapath", "Applying an object failed, will try again",
		    "reconciler=%s object=%s error=%s hint=%s", reconcile->kind->name, object,
		    g_strerror(failing->error), find_hint(failing->error));
}

/* The object of the row could not be applied or removed. */
static void note_failure(struct reconcile *reconcile, const struct row *row, int err)
{
	struct row_key key;
	struct failing *failing;
	bool is_news;

	reconcile->kind->key(row, &key);
	failing = take_failing(reconcile, &key);
	if (!failing) {
		failing = g_new0(struct failing, 1);
		failing->since_ns = clock_boottime_ns();
	}
	failing->next_ns = reconcile->now_ns() + reconcile_retry_ns(failing->n_tries);
	failing->n_tries++;
	is_news = failing->error != -err;
	failing->error = -err;
	row_ref(row);
	row_unref(failing->row);
	failing->row = row;
	failing->key = key;
	failing->endpoint_id = reconcile->kind->endpoint_id(row);
	keyed_set_put(&reconcile->failing, failing);
	count_failing(reconcile, failing->endpoint_id, 1);
	log_failure(reconcile, failing);
	if (is_news)
		reconcile_tell(reconcile, RECONCILER_FAILED, row, -err);
}

void reconcile_note_success(struct reconcile *reconcile, const struct row_key *key)
{
	struct failing *failing = take_failing(reconcile, key);

	if (!failing)
		return;
	reconcile_tell(reconcile, RECONCILER_APPLIED, failing->row, 0);
	failing_free(failing);
	if (!reconcile->failing.n)
		log_info("datapath", "All objects are applied again", "reconciler=%s",
			 reconcile->kind->name);
}

static void note_write(const struct reconcile *reconcile, const struct row *row, bool removed,
		       int err)
{
	if (reconcile->on_write)
		reconcile->on_write(row, removed, err, reconcile->on_write_data);
}

static void apply_wanted(struct reconcile *reconcile, const struct row_key *key,
			 const struct row *wanted)
{
	const struct row *orphan = reconcile_set_get(&reconcile->orphans, key);
	const struct row *actual;
	int err = 0;

	if (orphan) {
		reconcile_set_put(&reconcile->applied, orphan);
		reconcile_set_remove(&reconcile->orphans, key);
	}
	actual = reconcile_set_get(&reconcile->applied, key);
	if (!actual || !reconcile->kind->matches(wanted, actual)) {
		err = reconcile->kind->apply(reconcile->datapath, wanted);
		note_write(reconcile, wanted, false, err);
	}
	if (err) {
		note_failure(reconcile, wanted, err);
		return;
	}
	reconcile_set_put(&reconcile->applied, wanted);
	reconcile_note_success(reconcile, key);
}

int reconcile_apply_again(struct reconcile *reconcile, const struct row *wanted)
{
	int err = reconcile->kind->apply(reconcile->datapath, wanted);
	struct row_key key;

	if (err) {
		note_failure(reconcile, wanted, err);
		return -err;
	}
	reconcile->kind->key(wanted, &key);
	reconcile_set_remove(&reconcile->orphans, &key);
	reconcile_set_put(&reconcile->applied, wanted);
	reconcile_note_success(reconcile, &key);
	return 0;
}

static void remove_unwanted(struct reconcile *reconcile, const struct row_key *key)
{
	const struct row *applied = reconcile_set_get(&reconcile->applied, key);
	int err = 0;

	if (applied) {
		err = reconcile->kind->remove(reconcile->datapath, applied);
		note_write(reconcile, applied, true, err);
	}
	if (err) {
		note_failure(reconcile, applied, err);
		return;
	}
	reconcile_note_success(reconcile, key);
	reconcile_set_remove(&reconcile->applied, key);
}

void reconcile_key(struct reconcile *reconcile, const struct row_key *key)
{
	const struct row *wanted = reconcile_get_wanted(reconcile, key);

	if (wanted)
		apply_wanted(reconcile, key, wanted);
	else
		remove_unwanted(reconcile, key);
}

static bool remove_orphan(void *item, void *data)
{
	struct reconcile *reconcile = data;
	struct row_key key;

	reconcile->kind->key(item, &key);
	reconcile_set_put(&reconcile->applied, item);
	reconcile_key(reconcile, &key);
	return true;
}

unsigned int reconcile_allow_deletion(struct reconcile *reconcile)
{
	struct keyed_set orphans = reconcile->orphans;
	unsigned int n_orphans = orphans.n;

	reconcile->deletion_allowed = true;
	keyed_set_init(&reconcile->orphans, reconcile->kind->key);
	keyed_set_foreach(&orphans, remove_orphan, reconcile);
	keyed_set_foreach(&orphans, reconcile_unref_item, NULL);
	keyed_set_fini(&orphans);
	return n_orphans;
}

static void unref_row(void *row)
{
	row_unref(row);
}

struct due {
	int64_t now_ns;
	GPtrArray *rows;
};

static bool collect_due(void *item, void *data)
{
	const struct failing *failing = item;
	struct due *due = data;

	if (failing->next_ns <= due->now_ns)
		g_ptr_array_add(due->rows, row_ref(failing->row));
	return true;
}

static bool find_earliest(void *item, void *data)
{
	int64_t *earliest_ns = data;

	*earliest_ns = MIN(*earliest_ns, ((const struct failing *)item)->next_ns);
	return true;
}

int64_t reconcile_retry(struct reconcile *reconcile)
{
	g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func(unref_row);
	struct due due = {.now_ns = reconcile->now_ns(), .rows = rows};
	int64_t earliest_ns = INT64_MAX;

	keyed_set_foreach(&reconcile->failing, collect_due, &due);
	if (rows->len)
		reconcile_begin_run(reconcile);
	for (guint i = 0; i < rows->len; i++) {
		struct row_key key;

		reconcile->kind->key(rows->pdata[i], &key);
		reconcile_key(reconcile, &key);
	}
	if (rows->len)
		reconcile_end_run(reconcile, NULL);
	keyed_set_foreach(&reconcile->failing, find_earliest, &earliest_ns);
	return earliest_ns == INT64_MAX ? -1 : MAX(earliest_ns - reconcile->now_ns(), 0);
}
