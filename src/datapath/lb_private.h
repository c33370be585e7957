/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The maps of abi/lb.h that are of services, as this agent keeps them: what the files lb_*.c share.
 *
 * A service is many entries, and a reader that comes in between two writes must find a service that works: so
 * this is an engine of its own, like that of policy, with the same surface. Services that change at the
 * same time are worked at together, step by step, so that each step is a few system calls (struct lb_work).
 *
 *	front end ──► service ──► sets ──► slots, tables ──► back ends	each refers to the next
 *
 * What is referred to is written first and deleted last; what this believes to be in the kernel is noted write by
 * write, so that after a failure the rest is a change like any other, forth or back.
 */
#pragma once

#include "src/datapath/lb_maps.h"
#include "src/datapath/reconciler_private.h"

/* Entries of a batch, and bytes of their values. */
#define LB_BATCH       4096
#define LB_BATCH_BYTES (1 << 20)

/* Sets of a service, as LB_SET() has them. */
enum lb_set_kind {
	LB_SET_ALL,
	LB_SET_LOCAL,
	LB_SET__MAX,
};

struct kernel_service;

/* An entry of cilium_lb_services. */
struct kernel_frontend {
	struct lb_frontend_key key;
	struct lb_frontend value;     /* what the kernel has, where it is present */
	struct kernel_service *owner; /* NULL: a wildcard */
	uint32_t n_refs;              /* of a wildcard: services that want it */
	bool present;
};

/* Something that fails and is tried again. */
struct lb_failing {
	int error;         /* positive errno */
	enum plan_map map; /* whose write failed; PLAN_MAP__MAX: none */
	unsigned int n_tries;
	int64_t since_ns;   /* CLOCK_BOOTTIME */
	int64_t next_ns;    /* CLOCK_MONOTONIC */
	int64_t changed_ns; /* CLOCK_MONOTONIC: of the change that is not in force */
};

/* Maglev's table of a set: sums of the chunks that the kernel has. */
struct lb_table {
	uint32_t n_chunks;
	uint64_t inputs; /* a sum of what it was made of; 0: it is not complete */
	uint64_t sums[]; /* 0: it has not got the chunk */
};

/* A service, by the plan or by the kernel. */
struct kernel_service {
	/* Of the plan, as last seen, with a reference; NULL: adopted, or gone from the plan. */
	const struct lb_service *wanted;
	/*
	 * What the kernel has: back ends and source ranges, with a reference. It is the plan's row, or one that was
	 * made of what is there. NULL: nothing.
	 */
	const struct lb_service *row;
	/* Of the back ends of row, then what is in the slots of each set (0: nothing). */
	uint32_t *ids;
	struct kernel_frontend **frontends; /* that name it, or are about to; wildcards too */
	struct lb_table *tables[LB_SET__MAX];
	struct lb_failing *failing; /* NULL: does not */
	uint32_t number;            /* 0: none yet */
	uint32_t n_frontends;
	uint32_t n_slots[LB_SET__MAX];        /* as the set says */
	uint32_t n_slot_entries[LB_SET__MAX]; /* that there are; more for the moment */
	bool adopted;                         /* no plan of this run has had it */
};

/* A back end while its service is worked at. */
struct work_backend {
	struct lb_backend value;              /* what the kernel has, where it is present */
	const struct lb_plan_backend *wanted; /* of the target; NULL: is to go */
	uint32_t id;
	bool present;
};

struct work_range {
	struct cidr range;
	bool present;
	bool wanted;
};

/* A set while its service is worked at. */
struct work_set {
	uint32_t *slots; /* what is in them; 0: nothing */
	uint32_t *next;  /* what is to be in them */
	uint32_t n_slots, n_entries, n_next, n_room;
	bool is_needed; /* some front end of the target names it */
};

/* A service that is being made to be what target says. */
struct lb_work {
	struct lb_maps *maps;
	struct kernel_service *service;
	const struct lb_service *target; /* a reference; NULL: nothing is to be left */
	int error;                       /* positive errno */
	enum plan_map map;               /* whose write failed; PLAN_MAP__MAX: none's */
	unsigned int n_writes;
	bool contested; /* another service has a front end of it */
	bool begun;
	bool turned;   /* front ends are as wanted: from here on the rest is deletion */
	bool switches; /* some front end is closed while ranges change */
	bool may_delete;
	bool held;                     /* something waits for deletion to be allowed */
	struct work_backend *backends; /* by address and port */
	struct work_range *ranges;
	struct kernel_frontend **claimed; /* of target->frontends; NULL: contested */
	uint32_t n_backends, n_ranges;
	struct work_set sets[LB_SET__MAX];
	uint64_t inputs[LB_SET__MAX]; /* of the table that is written; 0: none is */
};

/* Called when the write has been done; whether an entry has come. value: NULL where it was removed. */
typedef bool (*lb_done)(struct lb_work *work, uint32_t index, const void *value);

struct lb_owner {
	struct lb_work *work;
	uint32_t index;
};

/* Writes to one map, of many services, in the order in which they were added. */
struct lb_batch {
	enum plan_map map;
	bool removes;
	lb_done done;
	GByteArray *keys;
	GByteArray *values;
	GArray *owners; /* struct lb_owner */
};

/* Where the next number comes from. */
struct lb_numbers {
	uint32_t last_service;
	uint32_t last_backend;
	uint32_t last_frontend;
	bool services_wrapped;
	bool backends_wrapped;
	uint32_t *frontend_ids; /* a bit each: in use */
	GHashTable *wanted_ids; /* ids in use that are too large for it */
};

/* An entry that nothing refers to. */
struct lb_stray {
	enum plan_map map;
	uint8_t key[sizeof(struct lb_frontend_key)];
};

struct lb_maps {
	struct datapath *datapath;
	struct store *store;
	const struct table *table;
	struct controller *controller; /* NULL: nobody asked */
	int64_t (*now_ns)(void);       /* CLOCK_MONOTONIC; tests have their own */
	bool deletion_allowed;
	uint32_t maglev_size; /* 0: no tables */
	uint32_t maglev_seed;
	struct keyed_set services;  /* struct kernel_service that the plan has, by key */
	GHashTable *unwanted;       /* struct kernel_service that it has not */
	struct keyed_set frontends; /* struct kernel_frontend */
	GHashTable *failing;        /* struct kernel_service of either */
	GHashTable *held;           /* those that wait for deletion to be allowed */
	struct lb_numbers numbers;
	uint32_t n_entries[PLAN_MAP__MAX]; /* in the kernel */
	uint32_t n_pledged[PLAN_MAP__MAX]; /* to works that have begun, until they end */
	unsigned int n_tables;
	uint64_t n_deleted;      /* entries, ever: after it something may fit that did not */
	GArray *strays;          /* struct lb_stray, until deletion is allowed */
	unsigned int n_verified; /* maps of the comparison under way; 0: there is none */
	GArray *others;          /* struct lb_stray: what it has found too much */
	struct lb_batch batch;
	uint64_t n_overflows;
	uint64_t n_repaired;
	struct histogram delays;
	reconciler_backend_observer on_gone;
	void *on_gone_data;
	reconciler_write_fn on_write;
	void *on_write_data;
};

/* ---- lb_maps.c ---- */

/* The plan's row of it has changed, or what fails is tried again: works at all of them. */
void lb_maps_apply(struct lb_maps *maps, GPtrArray *services);
struct kernel_service *lb_service_new_unwanted(struct lb_maps *maps, uint32_t number);

/* ---- lb_number.c ---- */

void lb_numbers_init(struct lb_numbers *numbers);
void lb_numbers_fini(struct lb_numbers *numbers);
/* Numbers that the kernel has. */
void lb_number_adopt_service(struct lb_maps *maps, uint32_t number);
void lb_number_adopt_backend(struct lb_maps *maps, uint32_t id);
/* Once all are adopted: what the agent before gave since and took back is not given again. */
void lb_numbers_settle(struct lb_maps *maps);
uint32_t lb_number_take_service(struct lb_maps *maps);
uint32_t lb_number_take_backend(struct lb_maps *maps);
uint32_t lb_number_take_frontend(struct lb_maps *maps);
bool lb_number_has_frontend(const struct lb_maps *maps, uint32_t id);
void lb_number_put_frontend(struct lb_maps *maps, uint32_t id);
void lb_number_use_frontend(struct lb_maps *maps, uint32_t id);

/* ---- lb_frontend.c ---- */

void lb_frontend_key(const void *item, struct row_key *ret_key);
/* Made where it is not there. */
struct kernel_frontend *lb_frontend_get(struct lb_maps *maps, const struct lb_frontend_key *key);
void lb_frontend_free(struct lb_maps *maps, struct kernel_frontend *frontend);
/* The front end of the row under the key; NULL where it has none. */
const struct lb_plan_frontend *lb_frontend_find(const struct lb_service *row,
						const struct lb_frontend_key *key);
struct lb_frontend_key lb_frontend_key_of(const struct lb_service *row, uint32_t i);
/* The service, of no row now, that has become the row by its front ends, or by one and back ends; or NULL. */
struct kernel_service *lb_frontend_find_service(struct lb_maps *maps, const struct lb_service *row,
						bool by_backends);
/* Front ends of the target become the service's, as far as no other wants them. */
void lb_frontend_claim(struct lb_maps *maps, struct lb_work *work);
void lb_service_add_frontend(struct kernel_service *service, struct kernel_frontend *frontend);
void lb_service_remove_frontend(struct kernel_service *service, struct kernel_frontend *frontend);
/* What the kernel is to have, with an id. */
struct lb_frontend lb_frontend_value(struct lb_maps *maps, const struct lb_work *work, uint32_t i);
/* The kernel has it. */
void lb_frontend_set_value(struct lb_maps *maps, struct kernel_frontend *frontend,
			   const struct lb_frontend *value);
/* NULL where there is none. */
struct kernel_frontend *lb_frontend_by_id(const struct lb_maps *maps, uint32_t id);

/* ---- lb_work.c ---- */

/* As things stand now; nothing is claimed or numbered yet. target: NULL or borrowed. */
struct lb_work *lb_work_new(struct lb_maps *maps, struct kernel_service *service,
			    const struct lb_service *target);
/* The service is as the work has left it. */
void lb_work_free(struct lb_maps *maps, struct lb_work *work);
/* Whether there is room in the maps; counts it as taken. */
bool lb_work_fits(struct lb_maps *maps, struct lb_work *work);
struct lb_backend lb_backend_value(const struct lb_service *row, uint32_t i, uint32_t number);
int lb_plan_backend_compare(const struct lb_plan_backend *a, const struct lb_plan_backend *b);
/* Whether a front end is closed to clients outside while ranges change: it goes, or refuses what it let in. */
bool lb_work_closes(const struct lb_work *work, const struct kernel_frontend *frontend);
/* Ids of what the target has in the set; free with g_free. */
uint32_t *lb_work_choosable(const struct lb_work *work, enum lb_set_kind kind, uint32_t *ret_n);
/* A row for what the kernel has of the service. backends, ranges (struct cidr): sorted, no two alike. */
struct lb_service *lb_service_row_new(const struct kernel_service *service,
				      const struct lb_plan_backend *backends, uint32_t n_backends,
				      const GArray *ranges);
/* What is in the slots of a set. */
uint32_t *lb_service_slots(const struct kernel_service *service, enum lb_set_kind kind);

/* ---- lb_apply.c ---- */

/* All steps, of all works at a time. A work that fails takes no further step. */
void lb_apply(struct lb_maps *maps, GPtrArray *works);
/*
 * The same for works whose targets are what was in force before a failure: front ends that came go first, as they
 * would lead to back ends that were never theirs.
 */
void lb_apply_back(struct lb_maps *maps, GPtrArray *works);
struct lb_source_range_key lb_range_key(uint32_t number, const struct cidr *range);

/* ---- lb_slots.c ---- */

/* What is to be in the slots for the set to have all of the ids; as little as possible is moved. */
void lb_slots_plan(struct work_set *set, const uint32_t *ids, uint32_t n);
/* Steps for sets that are needed, or those that are not. */
void lb_slots_apply(struct lb_maps *maps, GPtrArray *works, bool needed);

/* ---- lb_table.c ---- */

/* Chunks that the kernel has not got yet of a table of the set. */
uint32_t lb_table_n_missing(const struct lb_maps *maps, const struct kernel_service *service,
			    enum lb_set_kind kind);
/* Of those works that need tables, what differs. */
void lb_table_write(struct lb_maps *maps, GPtrArray *works);
/* Tables that are not needed, and chunks behind the end. */
void lb_table_remove(struct lb_maps *maps, GPtrArray *works);
/* The kernel has the chunk; NULL: it has not, or another. */
void lb_table_note(struct lb_maps *maps, struct kernel_service *service, enum lb_set_kind kind,
		   uint32_t chunk, const struct lb_maglev_chunk *value);
/* False also where there is no such chunk. */
bool lb_table_has(const struct kernel_service *service, enum lb_set_kind kind, uint32_t chunk,
		  const struct lb_maglev_chunk *value);
uint32_t lb_table_n_chunks(const struct kernel_service *service);
void lb_table_free(struct lb_maps *maps, struct kernel_service *service);

/* ---- lb_adopt.c ---- */

/* What an agent before has left and nothing refers to, unless something does now. */
void lb_remove_strays(struct lb_maps *maps);

/* ---- lb_verify.c ---- */

GHashTable *lb_services_by_number(const struct lb_maps *maps);
/* Whether something of a service is to be under the key of a set or of a slot; of other maps: no. */
bool lb_knows_key(GHashTable *by_number, enum plan_map map, const void *key);

/* ---- lb_batch.c ---- */

void lb_batch_init(struct lb_batch *batch);
void lb_batch_fini(struct lb_batch *batch);
void lb_batch_begin(struct lb_maps *maps, enum plan_map map, bool removes, lb_done done);
/* value: NULL with a removal. Nothing, where the work has failed. */
void lb_batch_add(struct lb_maps *maps, const struct lb_owner *owner, const void *key,
		  const void *value);
void lb_batch_end(struct lb_maps *maps);
/* One entry, of no work. value: NULL removes it. */
int lb_write(struct lb_maps *maps, enum plan_map map, const void *key, const void *value);
/* The number of entries of the map has changed. */
void lb_count(struct lb_maps *maps, enum plan_map map, int change);

/* ---- lb_report.c ---- */

void lb_begin_run(struct lb_maps *maps);
void lb_end_run(struct lb_maps *maps, const GError *cause);
void lb_note_failure(struct lb_maps *maps, const struct lb_work *work);
void lb_note_success(struct lb_maps *maps, const struct lb_work *work);
/* Whether it may be applied when something has been deleted. */
bool lb_error_is_room(int error);
/* For map events; value may be NULL: removed. */
void lb_tell_write(const struct lb_maps *maps, enum plan_map map, const void *key,
		   const void *value, int err);
/* Maps that are filled here. */
extern const enum plan_map lb_filled_maps[];
#define LB_N_FILLED_MAPS 6
