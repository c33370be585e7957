// SPDX-License-Identifier: Apache-2.0
/* What a kind says about its failing objects, to its controller, to the status; and any reconciler about a write. */
#include "src/datapath/reconciler_private.h"

#include "src/datapath/layout.h"

static bool find_oldest(void *item, void *data)
{
	const struct failing *failing = item;
	const struct failing **oldest = data;

	if (!*oldest || failing->since_ns < (*oldest)->since_ns)
		*oldest = failing;
	return true;
}

void reconcile_begin_run(struct reconcile *reconcile)
{
	controller_begin(reconcile->controller);
}

void reconcile_end_run(struct reconcile *reconcile, const GError *cause)
{
	const struct failing *oldest = NULL;
	g_autoptr(GError) error = NULL;
	g_autofree char *object = NULL;

	keyed_set_foreach(&reconcile->failing, find_oldest, &oldest);
	if (cause || !oldest) {
		controller_end(reconcile->controller, cause);
		return;
	}
	object = reconcile->kind->describe(oldest->row);
	if (reconcile->failing.n == 1)
		error_set_errno(&error, oldest->error, "%s", object);
	else
		error_set(&error, oldest->error, "%s: %s; and %zu more", object,
			  g_strerror(oldest->error), reconcile->failing.n - 1);
	controller_end(reconcile->controller, error);
}

struct missing_count {
	const struct reconcile *reconcile;
	unsigned int n;
};

static bool count_missing(void *item, void *data)
{
	const struct failing *failing = item;
	struct missing_count *count = data;

	if (table_get(count->reconcile->table, failing->key.data, failing->key.n_bytes))
		count->n++;
	return true;
}

unsigned int reconcile_n_missing(const struct reconcile *reconcile)
{
	struct missing_count count = {.reconcile = reconcile};

	keyed_set_foreach(&reconcile->failing, count_missing, &count);
	return count.n;
}

void reconcile_tell_write(reconciler_write_fn fn, void *data, enum plan_map map, const void *key,
			  const void *value, int err)
{
	const struct map_layout *layout = map_layout_get(map);
	struct reconciler_entry write = {.wanted = value, .error = -err};
	g_autofree void *none = NULL;
	struct plan_map_entry *entry;

	if (!fn)
		return;
	none = g_malloc0(layout->n_value_bytes);
	entry = plan_map_entry_new(map, key, layout->n_key_bytes, value ? value : none,
				   layout->n_value_bytes, 0);
	write.entry = entry;
	fn(&write, data);
	row_unref(&entry->row);
}
