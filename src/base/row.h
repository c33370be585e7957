/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A row: an immutable, reference-counted value. Every noun of src/model that a table holds begins
 * with a struct row. A row is built by its owner, put into a table, and never changed again: a
 * change is a new row under the same key. Whoever keeps a row over a return to the loop takes a
 * reference.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <glib.h>

struct row;

struct row_class {
	const char *name;              /* as in "endpoint": used in messages */
	size_t size;                   /* of the whole structure */
	void (*fini)(struct row *row); /* frees what the row owns, not the row; may be NULL */
	/*
	 * True when b says what a says, so that putting b in its place would wake everybody for
	 * nothing. NULL: no two rows are equal.
	 */
	bool (*equal)(const struct row *a, const struct row *b);
};

struct row {
	const struct row_class *class;
	unsigned int n_refs;
	uint64_t revision; /* set by the table when the row is committed; 0 before */
};

/* A zeroed row with one reference, owned by the caller. Never NULL. */
struct row *row_new(const struct row_class *class);
/* As row_new, with n_extra_bytes behind the structure, for rows that end in a flexible array. */
struct row *row_new_sized(const struct row_class *class, size_t n_extra_bytes);
struct row *row_ref(const struct row *row);
void row_unref(const struct row *row); /* takes NULL */
/* False where the classes differ. */
bool row_equal(const struct row *a, const struct row *b);

/* A borrowed run of bytes: the key of a row. */
struct row_key {
	const void *data;
	size_t n_bytes;
};
