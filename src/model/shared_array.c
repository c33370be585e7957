// SPDX-License-Identifier: Apache-2.0
#include "src/model/shared_array.h"

/* Keys of the table are the entries themselves, which it borrows. */
struct entry {
	const struct shared_arrays *arrays;
	GArray *array;
	unsigned int n_rows;
};

static unsigned int entry_hash(const void *pointer)
{
	const struct entry *entry = pointer;

	return entry->arrays->hash(entry->array);
}

static gboolean entry_equal(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return x->arrays->equal(x->array, y->array);
}

static struct entry *find(const struct shared_arrays *arrays, GArray *array)
{
	struct entry wanted = {.arrays = arrays, .array = array};

	return arrays->entries ? g_hash_table_lookup(arrays->entries, &wanted) : NULL;
}

void shared_arrays_share(struct shared_arrays *arrays, GArray **array)
{
	struct entry *entry;

	if (!*array)
		return;
	if (!arrays->entries)
		arrays->entries = g_hash_table_new(entry_hash, entry_equal);
	entry = find(arrays, *array);
	if (entry) {
		g_array_unref(*array);
		*array = entry->array;
	} else {
		entry = g_new0(struct entry, 1);
		entry->arrays = arrays;
		entry->array = *array;
		g_hash_table_add(arrays->entries, entry);
	}
	entry->n_rows++;
}

void shared_arrays_release(struct shared_arrays *arrays, GArray *array)
{
	struct entry *entry = find(arrays, array);

	if (entry && entry->array == array) {
		if (--entry->n_rows > 0)
			return;
		g_hash_table_remove(arrays->entries, entry);
		g_free(entry);
	}
	g_array_unref(array);
}
