// SPDX-License-Identifier: Apache-2.0
/* All objects of one endpoint anew, and what the kernel had instead. */
#include "src/datapath/reconciler_private.h"

struct reapplication {
	const struct reconcile *reconcile;
	uint16_t endpoint_id;
	GPtrArray *rows;     /* of the plan */
	GHashTable *present; /* rows whose object the kernel has in some form */
	GHashTable *right;   /* rows whose object it has as wanted */
};

static bool collect_row(const struct row *row, void *data)
{
	struct reapplication *reapplication = data;

	if (reapplication->reconcile->kind->endpoint_id(row) == reapplication->endpoint_id)
		g_ptr_array_add(reapplication->rows, row_ref(row));
	return true;
}

static bool compare_actual(const struct row *actual, void *data)
{
	struct reapplication *reapplication = data;
	const struct reconcile *reconcile = reapplication->reconcile;
	const struct row *wanted;
	struct row_key key;

	reconcile->kind->key(actual, &key);
	wanted = table_get(reconcile->table, key.data, key.n_bytes);
	if (!wanted || reconcile->kind->endpoint_id(wanted) != reapplication->endpoint_id)
		return true;
	g_hash_table_add(reapplication->present, (void *)wanted);
	if (reconcile->kind->matches(wanted, actual))
		g_hash_table_add(reapplication->right, (void *)wanted);
	return true;
}

static void unref_row(void *row)
{
	row_unref(row);
}

int reconcile_reapply_endpoint(struct reconcile *reconcile, uint16_t endpoint_id,
			       void (*fn)(const struct reconciler_difference *difference,
					  void *data),
			       void *data)
{
	g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func(unref_row);
	g_autoptr(GHashTable) present = g_hash_table_new(NULL, NULL);
	g_autoptr(GHashTable) right = g_hash_table_new(NULL, NULL);
	struct reapplication reapplication = {reconcile, endpoint_id, rows, present, right};
	int err;

	table_foreach (reconcile->table, collect_row, &reapplication)
		;
	err = reconcile->kind->foreach(reconcile->datapath, compare_actual, &reapplication);
	if (err)
		return err;
	for (unsigned int i = 0; i < rows->len; i++) {
		const struct row *wanted = rows->pdata[i];
		g_autofree char *object = reconcile->kind->describe(wanted);
		struct reconciler_difference difference = {
			.object = object,
			.is_missing = !g_hash_table_contains(present, wanted),
			.error = reconcile_apply_again(reconcile, wanted),
		};

		if (difference.error || !g_hash_table_contains(right, wanted))
			fn(&difference, data);
	}
	return (int)rows->len;
}
