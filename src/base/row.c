// SPDX-License-Identifier: Apache-2.0
#include "src/base/row.h"

struct row *row_new(const struct row_class *class)
{
	return row_new_sized(class, 0);
}

struct row *row_new_sized(const struct row_class *class, size_t n_extra_bytes)
{
	struct row *row = g_malloc0(class->size + n_extra_bytes);

	row->class = class;
	row->n_refs = 1;
	return row;
}

/* The count is the one thing about a row that changes: everybody else sees it const. */
struct row *row_ref(const struct row *row)
{
	struct row *mutable = (struct row *)row;

	g_assert(mutable->n_refs > 0);
	mutable->n_refs++;
	return mutable;
}

void row_unref(const struct row *row)
{
	struct row *mutable = (struct row *)row;

	if (!mutable)
		return;
	g_assert(mutable->n_refs > 0);
	if (--mutable->n_refs > 0)
		return;
	if (mutable->class->fini)
		mutable->class->fini(mutable);
	g_free(mutable);
}

bool row_equal(const struct row *a, const struct row *b)
{
	if (a == b)
		return true;
	return a->class == b->class && a->class->equal && a->class->equal(a, b);
}
