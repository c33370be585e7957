/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A set of pointers to things that carry their own key: rows, index buckets. Open addressing with
 * 12 bytes a slot, because a table of 50,000 pods has to stay small, and GHashTable's key functions
 * do not know which table they work for.
 */
#pragma once

#include <stdbool.h>
#include "src/base/row.h"

typedef void (*keyed_set_key)(const void *item, struct row_key *ret_key);

struct keyed_set {
	keyed_set_key key;
	void **items;
	uint32_t *hashes; /* of the item in the same slot */
	size_t n_slots;
	size_t n;
};

void keyed_set_init(struct keyed_set *set, keyed_set_key key);
void keyed_set_fini(struct keyed_set *set); /* the items stay the caller's */
/* Borrowed; NULL where there is none. */
void *keyed_set_get(const struct keyed_set *set, const void *key, size_t n_bytes);
/* Puts the item; returns the item of the same key whose place it took, or NULL. */
void *keyed_set_put(struct keyed_set *set, void *item);
/* Returns the item that was removed, or NULL. */
void *keyed_set_remove(struct keyed_set *set, const void *key, size_t n_bytes);
/* Calls fn with each item, in no order, until it returns false. The set must not change meanwhile.
 */
void keyed_set_foreach(const struct keyed_set *set, bool (*fn)(void *item, void *data), void *data);
