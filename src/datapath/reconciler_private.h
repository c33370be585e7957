/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine for one kind of object, and what a kind says about itself. An object is a row: that of the
 * plan, or one that stands for what is in the kernel. Both have the same key.
 */
#pragma once

#include "src/datapath/reconciler.h"
#include "src/store/keyed_set.h"

struct reconcile_kind {
	const char *name;
	const char *controller_name;
	keyed_set_key key;
	/* What is in the kernel. The rows are made for the call; whoever keeps one takes a reference. */
	int (*foreach)(struct datapath *dp, bool (*fn)(const struct row *actual, void *data),
		       void *data);
	/* Nothing is to be done where the kernel has actual and the plan wants wanted. */
	bool (*matches)(const struct row *wanted, const struct row *actual);
	int (*apply)(struct datapath *dp, const struct row *row);
	int (*remove)(struct datapath *dp, const struct row *row);
	uint16_t (*endpoint_id)(const struct row *row);
	char *(*describe)(const struct row *row); /* free with g_free */
};

extern const struct reconcile_kind reconcile_map_kind;
extern const struct reconcile_kind reconcile_attachment_kind;
extern const struct reconcile_kind reconcile_route_kind;

/* An object that could not be applied or removed. */
struct failing {
	const struct row *row;
	struct row_key key; /* inside the row */
	uint16_t endpoint_id;
	int error; /* positive errno */
	unsigned int n_tries;
	int64_t since_ns; /* CLOCK_BOOTTIME */
	int64_t next_ns;  /* CLOCK_MONOTONIC: when it is tried again */
};

/* err: 0 or −errno. */
typedef void (*reconcile_observer)(const struct row *row, bool removed, int err, void *data);

struct reconcile {
	const struct reconcile_kind *kind;
	struct datapath *datapath;
	const struct table *table;
	struct controller *controller; /* NULL: nobody asked */
	int64_t (*now_ns)(void);       /* CLOCK_MONOTONIC; tests have their own */
	bool deletion_allowed;
	/* In the kernel as far as is known, and wanted at some time in this run. */
	struct keyed_set applied; /* const struct row * */
	/* In the kernel since before this run; no plan has wanted them yet. */
	struct keyed_set orphans;          /* const struct row * */
	struct keyed_set failing;          /* struct failing * */
	GHashTable *n_failing_by_endpoint; /* endpoint id to count, of all kinds; not owned */
	uint64_t n_repaired;
	reconciler_observer observer; /* NULL: nobody */
	void *observer_data;
	/* Told of each write, and what came of it; NULL: nobody. */
	reconcile_observer on_write;
	void *on_write_data;
};

void reconcile_init(struct reconcile *reconcile, const struct reconcile_kind *kind,
		    struct datapath *datapath, const struct table *table,
		    GHashTable *n_failing_by_endpoint);
void reconcile_fini(struct reconcile *reconcile);

/* Objects named in the log for one cause; of the others their number. */
#define RECONCILE_LOG_MAX 10

/* Until something is tried again that has failed so many times before. */
int64_t reconcile_retry_ns(unsigned int n_failures);

/* Sets of rows: a set has a reference to each. */
const struct row *reconcile_set_get(const struct keyed_set *set, const struct row_key *key);
void reconcile_set_put(struct keyed_set *set, const struct row *row);
void reconcile_set_remove(struct keyed_set *set, const struct row_key *key);
/* For keyed_set_foreach(): gives the references back. */
bool reconcile_unref_item(void *item, void *data);

/* The row of the plan, or NULL. */
const struct row *reconcile_get_wanted(const struct reconcile *reconcile,
				       const struct row_key *key);
/* The kernel has the object as the plan wants it. */
void reconcile_note_success(struct reconcile *reconcile, const struct row_key *key);
/* Tells the observer, where the object is an endpoint's. err: 0 or a positive errno. */
void reconcile_tell(const struct reconcile *reconcile, enum reconciler_event event,
		    const struct row *row, int err);

/* Makes the kernel have what the plan says of the key now. */
void reconcile_key(struct reconcile *reconcile, const struct row_key *key);
/* Reads what is in the kernel and changes nothing. */
NODISCARD int reconcile_adopt(struct reconcile *reconcile);
/* Deletes what no plan has wanted. Returns how many objects. */
unsigned int reconcile_allow_deletion(struct reconcile *reconcile);
/* 0 and the number of objects repaired, or −errno where the kernel could not be read. */
NODISCARD int reconcile_resync(struct reconcile *reconcile, unsigned int *ret_n_repaired);
/* Applies the row of the plan, whatever the kernel has. Returns a positive errno or 0. */
int reconcile_apply_again(struct reconcile *reconcile, const struct row *wanted);
/* As reconcilers_reapply_endpoint(), for one kind. */
NODISCARD int reconcile_reapply_endpoint(struct reconcile *reconcile, uint16_t endpoint_id,
					 void (*fn)(const struct reconciler_difference *difference,
						    void *data),
					 void *data);
/* Tries what is due. Returns ns until the next, or −1. */
int64_t reconcile_retry(struct reconcile *reconcile);
/* A run of the kind's controller: it fails with cause (may be NULL), or while any object is failing. */
void reconcile_begin_run(struct reconcile *reconcile);
void reconcile_end_run(struct reconcile *reconcile, const GError *cause);
/* Failing objects that the plan wants. */
unsigned int reconcile_n_missing(const struct reconcile *reconcile);

/* A write of an entry that no row of the plan is of. fn: NULL: nobody asked. value: NULL: removed. err: 0 or −errno. */
void reconcile_tell_write(reconciler_write_fn fn, void *data, enum plan_map map, const void *key,
			  const void *value, int err);

/* ---- reconciler.c, reconciler_view.c ---- */

enum {
	/* The order in which they run: what a program looks up is there before the program. */
	KIND_MAP_ENTRIES,
	KIND_ATTACHMENTS,
	KIND_ROUTES,
	KIND__MAX,
};

struct policy_maps;
struct lb_maps;

struct reconcilers {
	struct datapath *datapath;
	struct policy_maps *policy; /* before all kinds; what it removes, behind all */
	struct lb_maps *services;   /* behind the map entries, before the programs */
	reconciler_write_fn on_write;
	void *on_write_data;
	struct reconcile kinds[KIND__MAX];
	GHashTable *n_failing_by_endpoint;
	int64_t (*now_ns)(void);
	struct controller *finish_controller;
	bool adopted;
	/* load_finish, once the attachments have been compared. */
	bool finished;
	unsigned int n_finish_tries;
	int finish_error;        /* positive errno */
	int64_t finish_since_ns; /* CLOCK_BOOTTIME */
	int64_t finish_next_ns;
};

/* For tests: the clock that intervals between tries are measured by. */
void reconcilers_set_clock(struct reconcilers *reconcilers, int64_t (*now_ns)(void));
