/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The three maps of abi/policy.h, as this agent keeps them: what the files policy_*.c share.
 *
 * The engine of reconcile.h is about objects that each are right or wrong alone. Here a whole version is
 * written before one store puts it in force, many endpoints at a time, and what is replaced goes only when no
 * program can be using it: so this is an engine of its own, with the same surface.
 *
 *	rule set ──► version ──► peers ──► classes		each refers to the next
 *	endpoint ──► version
 *
 * What this believes to be in the kernel is here as it is there, entry by entry. The order of writes is such
 * that whatever is referred to is complete, so that the agent may be killed between any two.
 */
#pragma once

#include "src/datapath/policy_maps.h"
#include "src/datapath/reconciler_private.h"
#include "src/model/rule_set.h"

/* Entries of a batch, and of a step of deletion: some milliseconds of a loop that others wait for. */
#define POLICY_BATCH 4096

/* A class that is not for all ports the same, in cilium_policy_class. Classes with equal entries are one. */
struct kernel_class {
	uint32_t number;     /* never 0 */
	unsigned int n_refs; /* peers, of versions that are not retired */
	uint64_t idle_since; /* struct policy_grace, when n_refs became 0 */
	bool queued;         /* in the queue of those that had none at some time */
	bool dying;          /* entries of it may be missing: nothing refers to it any more */
	unsigned int n_entries;
	struct rule_class_entry *entries; /* owned; sorted as those of struct rule_class */
};

/* An entry of cilium_policy_peer. */
struct version_peer {
	uint32_t identity;
	struct policy_peer value;
};

struct version {
	uint32_t number;
	/* One of the rule set that it is current of, one of each endpoint in whose element it is. */
	unsigned int n_refs;
	bool unseen;          /* no element has ever named it: no program knows it */
	bool claimed;         /* it is, or was, current: else it was adopted, and is nobody's yet */
	uint64_t revision;    /* of the rule set; of an adopted one 0 */
	uint32_t flags;       /* POLICY_F_OPEN_*, POLICY_F_INCOMPLETE */
	unsigned int n_unfit; /* peers that the plan has and for which there is no room */
	uint64_t retired_since;               /* struct policy_grace, when n_refs became 0 */
	GArray *peers[POLICY_DIRECTION__MAX]; /* struct version_peer, by identity */
};

/* Something that fails and is tried again. */
struct policy_failing {
	int error; /* positive errno; 0: does not fail */
	unsigned int n_tries;
	int64_t since_ns; /* CLOCK_BOOTTIME */
	int64_t next_ns;  /* CLOCK_MONOTONIC */
};

/* A rule set of the plan, or one that endpoints still have. */
struct policy_set {
	uint32_t number;
	const struct rule_set *row; /* as it was last seen, with a reference; NULL: not yet */
	bool wanted;                /* it is in the plan */
	bool dirty;                 /* in the list of a run */
	struct version *current;    /* a reference; NULL: none has fitted yet */
	bool is_of_row; /* current is what row says, if not for all peers; else what it said before */
	uint64_t known_revision;  /* of the store: identities up to it were there when that began */
	uint32_t weighed_version; /* of lets_strangers_in; 0: nobody asked */
	bool lets_strangers_in;
	bool is_closed;      /* to whom has no entry in what endpoints have instead */
	GPtrArray *subjects; /* struct policy_subject that the plan gives it; borrowed */
	struct policy_failing failing;
	int64_t changed_ns; /* CLOCK_MONOTONIC: since when current is not what the plan wants; 0: it is */
};

/* An endpoint, by the plan or by its element in the kernel. */
struct policy_subject {
	uint16_t id;
	const struct endpoint_policy *row; /* a reference; NULL: adopted, or gone from the plan */
	struct policy_set *set;            /* NULL where row is */
	struct version *version;           /* that of element; a reference; NULL: 0 */
	struct policy_endpoint element;    /* what the kernel has */
	/* Of what is in force; 0: nothing that this run has put there. */
	uint64_t rule_set_revision;
	uint64_t policy_revision;
};

/*
 * When no program can be using any more what none can find any more. A wait is the datapath's
 * wait_programs(); what was given up when n_begun was n is free when n_ended is above n.
 */
struct policy_grace {
	uint64_t n_begun;
	uint64_t n_ended;
	bool waiting;
	int64_t next_ns; /* CLOCK_MONOTONIC: after a wait that failed */
};

struct policy_maps {
	struct datapath *datapath;
	struct store *store;
	const struct table *rule_sets;
	const struct table *endpoint_policies;
	const struct table *identities;
	struct controller *controller; /* NULL: nobody asked */
	int64_t (*now_ns)(void);       /* CLOCK_MONOTONIC; tests have their own */
	policy_take_version take_version;
	void *take_version_data;
	policy_wait wait; /* NULL: in the caller's time */
	void *wait_data;
	bool lockdown;
	bool deletion_allowed;
	GHashTable *sets;     /* number to struct policy_set */
	GHashTable *subjects; /* id to struct policy_subject */
	GHashTable *versions; /* number to struct version, retired ones too */
	GQueue retired;       /* struct version, the first retired first */
	GHashTable *classes;  /* number to struct kernel_class */
	GHashTable *contents; /* the same by their entries, without those that die */
	GQueue idle;          /* struct kernel_class that had no reference at some time */
	GHashTable *known;    /* of this run: struct rule_class to struct kernel_class */
	uint32_t last_class;
	uint32_t n_peers; /* entries in the kernel */
	uint32_t n_class_entries;
	struct policy_grace grace;
	struct policy_failing reclaiming; /* deleting what is retired */
	GPtrArray *dirty;                 /* struct policy_set of this run */
	uint64_t seen_revision;           /* of the store, at the end of the last run */
	uint64_t n_overflows;
	uint64_t n_flips;
	uint64_t n_repaired;
	struct histogram delays;
	reconciler_observer observer;
	void *observer_data;
	reconciler_room_observer room_observer;
	void *room_observer_data;
	reconciler_write_fn on_write;
	void *on_write_data;
};

/* ---- policy_class.c ---- */

void policy_class_init(struct policy_maps *maps);
void policy_class_fini(struct policy_maps *maps);

/* What a peer of the class has in the kernel. False where the class is not there. */
bool policy_class_find(struct policy_maps *maps, const struct rule_class *class,
		       struct policy_peer *ret_peer);
/* What a peer in the kernel says, with a reference. */
const struct rule_class *policy_class_content(const struct policy_maps *maps,
					      const struct policy_peer *peer);
/*
 * Makes it be there, complete. 0, −ENOSPC or −errno. reserve: entries that must stay free. A class that
 * nothing refers to by the end of the run goes again in time.
 */
NODISCARD int policy_class_make(struct policy_maps *maps, const struct rule_class *class,
				uint32_t reserve);
/* A peer of a version refers to the class of that number, or no longer. 0 is none. */
void policy_class_ref(struct policy_maps *maps, uint32_t number);
void policy_class_unref(struct policy_maps *maps, uint32_t number);
/* As it was found in the kernel. take_entries: struct rule_class_entry, in no order. */
void policy_class_adopt(struct policy_maps *maps, uint32_t number, GArray *take_entries);
/* Once all are adopted and the peers refer to them: those that something refers to come first. */
void policy_class_index(struct policy_maps *maps);
/* Deletes entries of classes whose time has come, at most *n_left. 0 or −errno. */
NODISCARD int policy_class_reclaim(struct policy_maps *maps, uint32_t *n_left);
struct policy_class_key policy_class_key(uint32_t number, const struct rule_class_entry *entry);
/* NULL where the class has no such entry, or there is no such class. */
const struct rule_class_entry *policy_class_entry(const struct policy_maps *maps,
						  const struct policy_class_key *key);

/* ---- policy_version.c ---- */

struct version *policy_version_new(struct policy_maps *maps, uint32_t number);
struct version *policy_version_ref(struct version *version);
/* Without references it is retired. Takes NULL. */
void policy_version_unref(struct policy_maps *maps, struct version *version);
void policy_version_free(struct policy_maps *maps, struct version *version);
/* NULL where it has none. */
const struct version_peer *policy_version_peer(const struct version *version,
					       enum policy_direction direction, uint32_t identity);
uint32_t policy_version_n_peers(const struct version *version);
/* Whether a peer of it refers to the class. */
bool policy_version_has_class(const struct version *version, uint32_t class);
/* Entries that a version of the rule set has. */
uint32_t policy_set_n_peers(const struct rule_set *set);
/* POLICY_F_OPEN_* */
uint32_t policy_set_flags(const struct rule_set *set);

/* A peer of a rule set, and where. */
struct policy_change {
	enum policy_direction direction;
	uint32_t identity;
	const struct rule_class *class; /* of the rule set; NULL where it has not got the peer */
};

enum policy_relation {
	POLICY_SAME,
	POLICY_OTHER_PEERS, /* some have come, some have gone, the others are the same */
	POLICY_OTHER,
};

/*
 * What is to be done for the version to be the rule set. ret_added, ret_removed: struct policy_change, with
 * POLICY_OTHER_PEERS.
 */
enum policy_relation policy_version_compare(struct policy_maps *maps, const struct version *version,
					    const struct rule_set *set, GArray *ret_added,
					    GArray *ret_removed);
/*
 * Writes the rule set under a number that was never used. 0 with a reference in *ret_version; or −errno,
 * and nothing of it is left.
 */
NODISCARD int policy_version_build(struct policy_maps *maps, const struct rule_set *set,
				   struct version **ret_version);
/*
 * Adds peers in place. Those that find no room are counted in the version, which is incomplete where one of
 * them would be allowed what it may not. 0 or −errno, the first cause.
 */
NODISCARD int policy_version_add(struct policy_maps *maps, struct version *version,
				 const struct rule_set *set, const GArray *added);
/* One peer, which the version has not got, as it stands. 0, −ENOSPC or −errno. */
NODISCARD int policy_version_put(struct policy_maps *maps, struct version *version,
				 enum policy_direction direction, uint32_t identity,
				 const struct policy_peer *value);
NODISCARD int policy_version_remove(struct policy_maps *maps, struct version *version,
				    const GArray *removed);

/* ---- policy_stranger.c ---- */

/* Whether a allows something that b does not. */
bool policy_class_allows_more(const struct rule_class *a, const struct rule_class *b);
/*
 * Of a rule set that does not fit: whether version, which an endpoint has instead, would let an identity that has
 * appeared since do what the rule set denies it. Where nothing was enforced before, nothing is.
 */
bool policy_set_lets_strangers_in(struct policy_maps *maps, struct policy_set *set,
				  const struct version *version);

/* ---- policy_reclaim.c ---- */

/* Deletes what is retired and whose time has come, in steps. True where room came. */
bool policy_reclaim(struct policy_maps *maps);
/* Begins the next wait, where there is something to wait for and none is under way. */
void policy_wait_if_needed(struct policy_maps *maps);
/* Ns until it should be called again, or −1. */
int64_t policy_reclaim_next_ns(const struct policy_maps *maps);

/* ---- policy_subject.c ---- */

/* Reads its row of the plan. */
void policy_subject_link(struct policy_maps *maps, uint16_t id);
/* Lets the kernel have the element that the plan and the versions now say; one that is gone is freed. */
void policy_subject_update(struct policy_maps *maps, struct policy_subject *subject);
struct policy_subject *policy_subject_get(const struct policy_maps *maps, uint16_t id);
/* As it was found in the kernel. */
void policy_subject_adopt(struct policy_maps *maps, uint16_t id,
			  const struct policy_endpoint *element);
/* The element is what is in the map, whatever is there now. */
void policy_subject_write(struct policy_maps *maps, const struct policy_subject *subject);
/* Endpoints of an older run that no plan has: 0. */
void policy_subject_forget_orphans(struct policy_maps *maps);
void policy_subject_free_all(struct policy_maps *maps);

/* ---- policy_set.c ---- */

struct policy_set *policy_set_get(struct policy_maps *maps, uint32_t number);
void policy_set_mark(struct policy_maps *maps, struct policy_set *set);
/*
 * Reads its row of the plan, and makes the kernel have a version of it as far as there is room. Peers that go stay.
 * The endpoints get it by policy_set_flip().
 */
void policy_set_apply(struct policy_maps *maps, struct policy_set *set);
void policy_set_flip(struct policy_maps *maps, struct policy_set *set);
/* Identities have come or gone: those of rule sets that do not fit are weighed again. */
void policy_set_weigh_strangers(struct policy_maps *maps, struct policy_set *set);
/* Peers that have gone: once nothing else names their identities. */
void policy_set_remove_peers(struct policy_maps *maps, struct policy_set *set);
/* Frees it, where neither the plan nor an endpoint has it. */
void policy_set_drop(struct policy_maps *maps, struct policy_set *set);
void policy_set_free_all(struct policy_maps *maps);

/* ---- policy_report.c ---- */

void policy_begin_run(struct policy_maps *maps);
void policy_end_run(struct policy_maps *maps, const GError *cause);
/* "the rules of endpoints 5, 7 (NetworkPolicy/default/a): 12 entries"; free with g_free. */
char *policy_set_describe(const struct policy_set *set);
/* The rule set could not be applied as a whole. err: −errno. */
void policy_set_note_failure(struct policy_maps *maps, struct policy_set *set, int err);
void policy_set_note_success(struct policy_maps *maps, struct policy_set *set);
/* What the endpoints have instead lets in whom it should not: so it is closed to all without an entry. */
void policy_set_note_closed(const struct policy_maps *maps, const struct policy_set *set);
/* Another try failed; true where it is the first, or another errno. */
bool policy_failing_note(const struct policy_maps *maps, struct policy_failing *failing, int err);
bool policy_error_is_room(int error);
/* For map events; value may be NULL: removed. */
void policy_tell_write(const struct policy_maps *maps, enum plan_map map, const void *key,
		       const void *value, int err);

/* Entries that versions leave free, so that a peer that appears under one in force finds room. */
static inline uint32_t policy_reserve(uint32_t max_entries)
{
	return max_entries / 16;
}
