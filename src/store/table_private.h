/* SPDX-License-Identifier: Apache-2.0 */
/* What table.c, index.c, watch.c and txn.c know of each other. */
#pragma once

#include "src/store/keyed_set.h"
#include "src/store/table.h"

struct store {
	GPtrArray *tables;  /* struct table, owned */
	GPtrArray *watches; /* struct watch, owned, in the order of their making */
	uint64_t revision;
	int64_t changed_ns;   /* CLOCK_MONOTONIC; 0: at rest */
	unsigned int n_walks; /* table_foreach() under way: no commit may change what it walks */
	bool settling;
};

struct table {
	struct store *store;
	const struct table_class *class;
	struct keyed_set rows;    /* holds a reference to each */
	GPtrArray *indexes;       /* struct table_index, owned */
	GPtrArray *subscriptions; /* struct subscription, owned by their watches */
	bool synced;
};

/* The part of a watch that concerns one table. */
struct subscription {
	struct watch *watch;
	struct table *table;
	struct keyed_set pending; /* the rows of order that are not popped, by key */
	GPtrArray *
		order; /* a row that had the key when it first changed, with a reference; NULL: no row */
	unsigned int n_popped; /* rows at the front of order that are popped, and NULL */
};

struct watch {
	const char *name;
	void (*run)(struct watch *watch, void *data);
	void *data;
	GPtrArray *subscriptions; /* struct subscription, owned */
	const struct row *popped; /* keeps the key that watch_pop() handed out */
	bool synced;              /* a table became synced since the last run */
};

void table_free(struct table *table);

void table_index_free(struct table_index *index);
/* Either may be NULL. The new row must be put into the index before the old one is freed. */
void table_index_update(struct table_index *index, const struct row *old_row,
			const struct row *new_row);

void watch_free(struct watch *watch);
bool watch_has_work(const struct watch *watch);
void subscription_mark(struct subscription *subscription, const struct row *row);
