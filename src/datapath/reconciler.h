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
#include "src/model/lb.h"
#include "src/store/tables.h"

struct reconciler_status {
	const char *name; /* "policy", "map-entries", "services", "attachments", "routes" */
	unsigned int n_wanted;
	unsigned int n_applied;
	unsigned int n_failing;
	uint64_t n_repaired; /* since start: what somebody else had changed */
};

struct reconciler_failure {
	const char *reconciler;
	const char *object; /* "cilium_lxc 10.0.0.5" */
	const char *hint;   /* what makes it fit, "the map is full: raise …"; NULL: see the errno */
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

/* A rule set finds no room in the maps of policy, or has found it after all. */
struct reconciler_room_note {
	bool fits;
	int error;         /* positive errno, where it does not */
	const char *rules; /* "rules of endpoints 5, 7 (NetworkPolicy/default/a), 12 peers" */
};

typedef void (*reconciler_room_observer)(const struct reconciler_room_note *note, void *data);

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
/* Who is told, when it happens and once a rule set; NULL: nobody. */
void reconcilers_set_room_observer(struct reconcilers *reconcilers,
				   reconciler_room_observer observer, void *data);
/*
 * True when no object of the endpoint is failing. Its policy does not count: where there is no room for it the
 * endpoint has the one before, or is denied everything, as reconcilers_policy_get() tells.
 */
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

/* ---- policy ---- */

/*
 * A number, not 0, that no version of this node ever had, and no other will: connections remember versions.
 * 0 or −errno.
 */
typedef int (*policy_take_version)(uint32_t *ret_version, void *data);
/*
 * Lets wait() run in another thread; reconcilers_end_policy_wait() is called with its result, back in the
 * loop, unless the reconcilers have been freed.
 */
typedef void (*policy_wait)(int (*wait)(struct datapath *dp), struct datapath *dp, void *data);

/* Before reconcilers_adopt(). */
void reconcilers_set_version_source(struct reconcilers *reconcilers, policy_take_version take,
				    void *data);
/* Without, waiting is done in reconcilers_retry(). */
void reconcilers_set_policy_waiter(struct reconcilers *reconcilers, policy_wait wait, void *data);
/* err: 0 or −errno. */
void reconcilers_end_policy_wait(struct reconcilers *reconcilers, int err);
/* enable-endpoint-lockdown-on-policy-overflow */
void reconcilers_set_policy_lockdown(struct reconcilers *reconcilers, bool lockdown);

/* The policy of an endpoint: what the plan wants, and what the kernel has. */
struct reconciler_policy {
	uint32_t version; /* in the kernel; 0: none, everything is denied */
	uint32_t flags;   /* POLICY_F_*, in the kernel */
	/* Revisions of the rule set and of all policies; realized ones are 0 for what an older agent left. */
	uint64_t wanted_rule_set_revision;
	uint64_t wanted_policy_revision;
	uint64_t realized_rule_set_revision;
	uint64_t realized_policy_revision;
	bool is_applied;  /* the kernel has what the plan wants, with all peers */
	int error;        /* positive errno: why not; 0: is_applied */
	int64_t since_ns; /* CLOCK_REALTIME: since when not; 0: is_applied */
};

/* False where neither plan nor kernel has a policy for the endpoint. */
bool reconcilers_policy_get(const struct reconcilers *reconcilers, uint16_t endpoint_id,
			    struct reconciler_policy *ret_policy);

struct reconciler_policy_statistics {
	unsigned int n_versions; /* in force, or about to be */
	unsigned int n_retired;  /* replaced, not deleted yet */
	unsigned int n_classes;
	uint32_t n_peers, max_peers; /* entries of cilium_policy_peer: there are, there can be */
	uint32_t n_class_entries, max_class_entries; /* of cilium_policy_class */
	/* Entries that a new version leaves free for peers that appear under one in force. */
	uint32_t reserved_peers, reserved_class_entries;
	unsigned int n_unfit;       /* rule sets that do not fit */
	unsigned int n_incomplete;  /* versions in force that some peer found no room in */
	unsigned int n_locked_down; /* endpoints with a policy in the plan and version 0 */
	uint64_t n_overflows;       /* since start: times that a rule set began not to fit */
	uint64_t n_flips;           /* since start: elements written */
	/* From the first change that led there to the flip; of what did not fit until it did. */
	const struct histogram *implementation_delays;
};

struct reconciler_policy_statistics
reconcilers_policy_statistics(const struct reconcilers *reconcilers);

/* ---- services ---- */

/*
 * Before reconcilers_adopt(). size: positions of a table, a prime number; 0, as without this: no service is given a
 * table. seed: as for maglev_fill().
 */
void reconcilers_set_maglev(struct reconcilers *reconcilers, uint32_t size, uint32_t seed);

/* A back end whose entry has been deleted: what still goes to it is lost. */
struct lb_backend_gone {
	struct addr addr;
	uint16_t port; /* host byte order */
	uint8_t protocol;
	uint32_t id; /* that it had */
};

typedef void (*reconciler_backend_observer)(const struct lb_backend_gone *gone, void *data);

/* One; NULL: none. It is called in the middle of a run: it only takes note. */
void reconcilers_set_backend_observer(struct reconcilers *reconcilers,
				      reconciler_backend_observer fn, void *data);

/* A service of the plan, with its numbers in the kernel. Borrowed for the call. */
struct reconciler_service {
	const struct lb_service *row;
	uint32_t number; /* 0: it has none yet */
	const uint32_t
		*frontend_ids; /* of row->frontends; 0: the kernel has it not, or it is another's */
	const uint32_t *backend_ids; /* of row->backends; 0: the kernel has it not */
	bool is_applied;             /* the kernel has all of it */
	int error;                   /* positive errno: why not; 0: is_applied */
};

void reconcilers_foreach_service(const struct reconcilers *reconcilers,
				 void (*fn)(const struct reconciler_service *service, void *data),
				 void *data);
/*
 * fn is called with the service whose front end has the id; a wildcard is no service's. False where there is none.
 * It goes through all front ends.
 */
bool reconcilers_service_by_frontend_id(const struct reconcilers *reconcilers, uint32_t id,
					void (*fn)(const struct reconciler_service *service,
						   void *data),
					void *data);

struct reconciler_service_statistics {
	unsigned int n_services; /* that have something in the kernel */
	unsigned int n_frontends;
	unsigned int n_backends;
	unsigned int n_tables;  /* Maglev's */
	unsigned int n_failing; /* services of the plan that the kernel has not as they should be */
	uint64_t n_overflows;   /* since start: times that a service began not to fit */
	/* Of the maps that this reconciler fills; of others 0. */
	uint32_t n_entries[PLAN_MAP__MAX];
	uint32_t max_entries[PLAN_MAP__MAX];
	/* From the first change that led there to the last write; of what did not fit until it did. */
	const struct histogram *implementation_delays;
};

struct reconciler_service_statistics
reconcilers_service_statistics(const struct reconcilers *reconcilers);
