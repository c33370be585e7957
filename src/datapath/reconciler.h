/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One reconciler per kind of kernel object. Each compares a plan table with the kernel and changes only
 * what differs: after a change of the plan the changed keys, and from time to time, or when somebody
 * else touched the kernel, everything. Deletions of what was adopted wait until all sources are synced.
 *
 * An object that cannot be applied is tried again with growing intervals; cilium status prints it.
 */
#pragma once

#include "src/base/controller.h"
#include "src/datapath/datapath.h"
#include "src/store/tables.h"

struct reconciler_status {
	const char *name; /* "map-entries", "attachments", "routes" */
	unsigned int n_wanted;
	unsigned int n_applied;
	unsigned int n_failing;
	uint64_t n_repaired; /* since start: what somebody else had changed */
};

struct reconciler_failure {
	const char *reconciler;
	const char *object;   /* "cilium_lxc 10.0.0.5" */
	uint16_t endpoint_id; /* 0: the node's */
	int error;            /* positive errno */
	int64_t since_ns;     /* CLOCK_REALTIME */
	unsigned int n_tries;
};

enum reconciler_event {
	RECONCILER_FAILED,   /* for the first time, or with another errno than before */
	RECONCILER_APPLIED,  /* what had failed */
	RECONCILER_REPAIRED, /* about to be: somebody else had changed or removed it */
};

/* Something happened to an object of an endpoint. */
struct reconciler_note {
	enum reconciler_event event;
	uint16_t endpoint_id;
	int error;          /* positive errno; of RECONCILER_FAILED */
	const char *object; /* "cilium_lxc 10.0.0.5" */
};

typedef void (*reconciler_observer)(const struct reconciler_note *note, void *data);

/* An object of an endpoint that the kernel did not have as it should be. */
struct reconciler_difference {
	const char *object;
	bool is_missing; /* else it was another */
	int error;       /* positive errno: it still is not; 0: it is now */
};

struct reconcilers;

/* Makes watches on the plan tables: the last that the agent makes, so that they run last. */
struct reconcilers *reconcilers_new(struct store *store, struct tables *tables,
				    struct datapath *datapath);
/*
 * A controller a kind, "reconcile-<kind>", and "load-finish". interval_ns: how often the caller calls
 * reconcilers_resync().
 */
void reconcilers_set_controllers(struct reconcilers *reconcilers, struct controllers *controllers,
				 int64_t interval_ns);
void reconcilers_free(struct reconcilers *reconcilers);
/*
 * Reads what is in the kernel, once after load. 0 or −errno. The first store_settle() behind it should
 * find in the plan everything that is known from before: what was attached by an older agent is
 * replaced then, and load_finish follows.
 */
NODISCARD int reconcilers_adopt(struct reconcilers *reconcilers, GError **error);
/* From now on what no plan wants is deleted: every source has said that it is synced. */
void reconcilers_allow_deletion(struct reconcilers *reconcilers);
/* Compares everything with the kernel and repairs it. Returns the number of objects repaired. */
unsigned int reconcilers_resync(struct reconcilers *reconcilers);
/*
 * The same for attachments and routes alone: what goes with a device, and what the kernel tells of. It
 * costs a system call an object, where the maps of a large cluster cost tens of milliseconds.
 */
unsigned int reconcilers_resync_devices(struct reconcilers *reconcilers);
/*
 * Tries failing objects whose time has come; not before the first store_settle(). Returns ns until the
 * next, or −1.
 */
int64_t reconcilers_retry(struct reconcilers *reconcilers);
/*
 * Reads the kernel and applies every object of the endpoint anew, whether or not it differs: fn is told of
 * those that did, or that cannot be applied. The number of objects, or −errno where the kernel could not
 * be read.
 */
NODISCARD int
reconcilers_reapply_endpoint(struct reconcilers *reconcilers, uint16_t endpoint_id,
			     void (*fn)(const struct reconciler_difference *difference, void *data),
			     void *data);
/* Who is told what happens to objects of endpoints; NULL: nobody. */
void reconcilers_set_observer(struct reconcilers *reconcilers, reconciler_observer observer,
			      void *data);
/* True when no object of the endpoint is failing. */
bool reconcilers_endpoint_applied(const struct reconcilers *reconcilers, uint16_t endpoint_id);
void reconcilers_foreach_status(const struct reconcilers *reconcilers,
				void (*fn)(const struct reconciler_status *status, void *data),
				void *data);
void reconcilers_foreach_failure(const struct reconcilers *reconcilers,
				 void (*fn)(const struct reconciler_failure *failure, void *data),
				 void *data);

/* An entry of a BPF map: what the plan wants, or what could not be removed yet. */
struct reconciler_entry {
	const struct plan_map_entry *entry;
	bool wanted;
	int error; /* positive errno of the last try; 0: the kernel has it so */
};

void reconcilers_foreach_entry(const struct reconcilers *reconcilers,
			       void (*fn)(const struct reconciler_entry *entry, void *data),
			       void *data);
/* That the kernel has the entry of a map otherwise than the plan wants: the last write of it failed. */
bool reconcilers_entry_is_failing(const struct reconcilers *reconcilers, enum plan_map map,
				  const void *key, size_t n_bytes);

/* A write to a BPF map: wanted is false where it was removed. */
typedef void (*reconciler_write_fn)(const struct reconciler_entry *write, void *data);

/* fn is told of each write to a map from now on. One; NULL: none. */
void reconcilers_set_write_observer(struct reconcilers *reconcilers, reconciler_write_fn fn,
				    void *data);
