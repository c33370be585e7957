// SPDX-License-Identifier: Apache-2.0
#include "src/base/row.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct sample {
	struct row row;
	int number;
	int *n_finished;
	char tail[];
};

static void sample_fini(struct row *row)
{
	++*((struct sample *)row)->n_finished;
}

static bool sample_equal(const struct row *a, const struct row *b)
{
	return ((const struct sample *)a)->number == ((const struct sample *)b)->number;
}

static const struct row_class sample_class = {
	.name = "sample",
	.size = sizeof(struct sample),
	.fini = sample_fini,
	.equal = sample_equal,
};
static const struct row_class incomparable_class = {.name = "x", .size = sizeof(struct row)};

static void last_unref_finishes(void **state)
{
	int n_finished = 0;
	struct sample *sample = (struct sample *)row_new_sized(&sample_class, 100);

	sample->n_finished = &n_finished;
	assert_int_equal(sample->tail[99], 0);
	assert_ptr_equal(row_ref(&sample->row), sample);
	row_unref(&sample->row);
	assert_int_equal(n_finished, 0);
	row_unref(&sample->row);
	assert_int_equal(n_finished, 1);
	row_unref(NULL);
}

static void equality_is_the_class_s(void **state)
{
	int n_finished = 0;
	struct sample *a = (struct sample *)row_new(&sample_class);
	struct sample *b = (struct sample *)row_new(&sample_class);
	struct row *other = row_new(&incomparable_class);
	struct row *other2 = row_new(&incomparable_class);

	a->n_finished = b->n_finished = &n_finished;
	assert_true(row_equal(&a->row, &b->row));
	b->number = 1;
	assert_false(row_equal(&a->row, &b->row));
	assert_false(row_equal(&a->row, other));
	assert_true(row_equal(other, other));
	assert_false(row_equal(other, other2));
	row_unref(&a->row);
	row_unref(&b->row);
	row_unref(other);
	row_unref(other2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(last_unref_finishes),
		cmocka_unit_test(equality_is_the_class_s),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
