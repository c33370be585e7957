/* SPDX-License-Identifier: Apache-2.0 */
/* What a derivation wants of one table, compared with what it wanted before. */
#pragma once

#include "src/store/table.h"

typedef void (*row_set_key)(const struct row *row, struct row_key *ret_key);

/* The keys of the tables that more than one derivation writes. */
void row_set_key_map_entry(const struct row *row, struct row_key *ret_key);
void row_set_key_attachment(const struct row *row, struct row_key *ret_key);
void row_set_key_route(const struct row *row, struct row_key *ret_key);

/* A GPtrArray of struct row that owns a reference to each. */
GPtrArray *row_set_new(void);

/*
 * Puts wanted, and removes the rows of old (may be NULL) whose keys wanted does not have. Where wanted
 * has a key twice, the first counts. A row that is in the table as it is counts as no change there.
 * Takes nothing.
 */
void row_set_replace(struct txn *txn, struct table *table, row_set_key key, const GPtrArray *old,
		     const GPtrArray *wanted);
