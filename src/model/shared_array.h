/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays that many rows have alike: equal ones are one array while some row holds it. */
#pragma once

#include <stdbool.h>
#include <glib.h>

/* One for each kind of array. What the elements own is freed by the array's clear function. */
struct shared_arrays {
	unsigned int (*hash)(const GArray *array);
	bool (*equal)(const GArray *a, const GArray *b);
	GHashTable *entries; /* made when the first is shared */
};

/* Puts the shared one in the place of *array, which may be NULL. It must not change any more. */
void shared_arrays_share(struct shared_arrays *arrays, GArray **array);
/* Frees the array where no other row holds it; also one that was never shared. */
void shared_arrays_release(struct shared_arrays *arrays, GArray *array);
