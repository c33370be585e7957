/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of immutable rows, the only shared state of the agent. One thread owns them.
 *
 * Changes are made in a transaction and become visible together when it is committed. Whoever
 * derives something from a table has a watch: a set of the keys that changed since it last looked.
 * A watch is level-triggered: it says what to look at again, never what happened. store_settle()
 * runs the watches until none has work; a watch runs only when none that was made before it has
 * work. So what is made last (the kernel's reconcilers) sees a state in which everything before it
 * has come to rest.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "src/base/row.h"

struct store;
struct table;
struct txn;
struct watch;

struct table_class {
	const char *name; /* plural, as in "endpoints" */
	/* The key of a row: bytes inside the row that live as long as it. */
	void (*key)(const void *row, struct row_key *ret_key);
};

struct store *store_new(void);
void store_free(struct store *store);
/* The number of the last commit; 0 before the first. */
uint64_t store_revision(const struct store *store);
/*
 * CLOCK_MONOTONIC of the first commit since store_settle() last ended: when began what the watches are at
 * work on. 0: there was none.
 */
int64_t store_changed_ns(const struct store *store);
/*
 * Runs watches until none has work. A watch may commit transactions; it must not call this. Watches
 * that keep each other awake for ever are a bug of ours: it aborts and names them.
 */
void store_settle(struct store *store);

/* The table belongs to the store. */
struct table *table_new(struct store *store, const struct table_class *class);
const char *table_name(const struct table *table);
unsigned int table_n_rows(const struct table *table);
/* Borrowed; NULL where there is none. Valid until the next commit, longer with row_ref(). */
const struct row *table_get(const struct table *table, const void *key, size_t n_bytes);
/* Calls fn with each row, in no order; fn returns false to stop. No commit inside. */
void table_foreach (const struct table *table, bool (*fn)(const struct row *row, void *data),
		    void *data);

/*
 * A source says when it has delivered everything it had at its start. Once said, it stays so. Every
 * watch of the table runs at the next store_settle(), perhaps without a changed key: what waited
 * for the source asks table_synced() again.
 */
void table_set_synced(struct table *table);
bool table_synced(const struct table *table);

/*
 * A secondary index. keys_of calls add for each index key of the row (0, 1 or many).
 * An index is made before the first row is put.
 */
struct table_index;
struct table_index *table_index_new(
	struct table *table,
	void (*keys_of)(const struct row *row,
			void (*add)(const void *key, size_t n_bytes, void *data), void *data));
/* Calls fn with each row under the key, in no order. No commit inside. */
void table_index_foreach(const struct table_index *index, const void *key, size_t n_bytes,
			 bool (*fn)(const struct row *row, void *data), void *data);

struct txn *txn_new(struct store *store);
/*
 * Takes the caller's reference to row. Replaces the row of the same key; a later put or remove of
 * that key wins. A row equal to the one that is there (row_equal) changes nothing and wakes nobody.
 */
void txn_put(struct txn *txn, struct table *table, struct row *row);
void txn_remove(struct txn *txn, struct table *table, const void *key, size_t n_bytes);
/*
 * Applies all changes under one new revision, marks watches, frees the transaction. Where nothing
 * changes, there is no new revision.
 */
void txn_commit(struct txn *txn);
/* Drops an uncommitted transaction. Takes NULL. */
void txn_abort(struct txn *txn);

/*
 * run is called by store_settle() while the watch has changed keys, and once after a table became
 * synced; it pops them all. name is a static string.
 */
struct watch *watch_new(struct store *store, const char *name,
			void (*run)(struct watch *watch, void *data), void *data);
/*
 * From now on the watch sees the table; every row that is there counts as changed. A table is added
 * to a watch once.
 */
void watch_add(struct watch *watch, struct table *table);
/*
 * Takes one changed key out of the set; false when it is empty. Tables come in the order of
 * watch_add, the keys of a table in the order in which they first changed. The key is valid until
 * the next watch_pop of the same watch. The row may be gone: look it up.
 */
bool watch_pop(struct watch *watch, struct table **ret_table, struct row_key *ret_key);
