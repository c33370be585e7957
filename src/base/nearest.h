/* SPDX-License-Identifier: Apache-2.0 */
/* Which known word somebody may have meant. Pure. */
#pragma once

#include <stddef.h>
#include <stdbool.h>
#include <glib.h>

/*
 * How many letters must be inserted, removed, changed or swapped with a neighbour to make b of a.
 * Only the first NEAREST_WORD_MAX_BYTES count.
 */
#define NEAREST_WORD_MAX_BYTES 64
unsigned int nearest_distance(const char *a, const char *b);

struct nearest {
	const char *word; /* what was written */
	const char *best; /* NULL: nothing is near enough */
	unsigned int distance;
};

void nearest_init(struct nearest *nearest, const char *word);
/* candidate is kept while nearest is used. */
void nearest_offer(struct nearest *nearest, const char *candidate);
