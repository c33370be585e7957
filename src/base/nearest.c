/* SPDX-License-Identifier: Apache-2.0 */
#include "src/base/nearest.h"

#include <string.h>

unsigned int nearest_distance(const char *a, const char *b)
{
	size_t n_a = strnlen(a, NEAREST_WORD_MAX_BYTES), n_b = strnlen(b, NEAREST_WORD_MAX_BYTES);
	unsigned int rows[3][NEAREST_WORD_MAX_BYTES + 1];
	unsigned int *older = rows[0], *old = rows[1], *row = rows[2];

	for (size_t j = 0; j <= n_b; j++)
		old[j] = j;
	for (size_t i = 1; i <= n_a; i++) {
		unsigned int *free_row = older;

		row[0] = i;
		for (size_t j = 1; j <= n_b; j++) {
			row[j] = MIN(old[j - 1] + (a[i - 1] != b[j - 1]),
				     MIN(old[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = MIN(row[j], older[j - 2] + 1);
		}
		older = old;
		old = row;
		row = free_row;
	}
	return old[n_b];
}

void nearest_init(struct nearest *nearest, const char *word)
{
	/* A third of the letters may be wrong: "ls" is not meant to be "ip". */
	*nearest = (struct nearest){.word = word, .distance = strlen(word) / 3 + 1};
	if (nearest->distance > 4)
		nearest->distance = 4;
}

void nearest_offer(struct nearest *nearest, const char *candidate)
{
	bool is_beginning = strlen(nearest->word) > 1 && g_str_has_prefix(candidate, nearest->word);
	unsigned int distance = is_beginning ? 1 : nearest_distance(nearest->word, candidate);

	if (distance < nearest->distance || (distance == nearest->distance && !nearest->best)) {
		nearest->distance = distance;
		nearest->best = candidate;
	}
}
