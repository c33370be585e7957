/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel, as the reconcilers see it: one interface, implemented by the real one (real.c) and by one
 * in memory for tests and golden cases (fake.c). Calls are synchronous; each returns 0 or −errno.
 */
#pragma once

#include <stdbool.h>
#include "abi/config.h"
#include "abi/policy.h"
#include "src/base/error.h"
#include "src/base/histogram.h"
#include "src/model/plan.h"
#include "src/sys/kernel_features.h"

/* rtm_protocol of every route that is ours. No number of rtnetlink.h or of iproute2's rt_protos. */
#define DATAPATH_ROUTE_PROTOCOL 67

enum datapath_xdp {
	DATAPATH_XDP_OFF, /* not at all */
	DATAPATH_XDP_NATIVE,
	DATAPATH_XDP_BEST_EFFORT, /* native; on devices whose driver cannot, not at all */
	DATAPATH_XDP_GENERIC,
};

/*
 * All times here are in seconds, those of node and runtime too; load and set_runtime turn them into
 * the ticks that the programs count in.
 */
struct datapath_config {
	/* host_ifindex, ct_tick_shift, host_netns_cookie and has_set_retval are filled in by load. */
	struct node_config node;
	struct runtime_config runtime;
	uint32_t max_entries[PLAN_MAP__MAX]; /* 0: as declared */
	/* Set to false by load where the kernel has no tcx. */
	bool enable_tcx;     /* for the node's devices and cilium_host */
	bool enable_pod_tcx; /* for endpoints' devices */
	/* Filled in by load. */
	struct kernel_features kernel;
	int memlock_error;   /* positive errno: RLIMIT_MEMLOCK counts, and could not be raised */
	uint32_t jiffies_hz; /* what the programs' clock counts a second */
	struct addr router4; /* of cilium_host, the endpoints' gateway; zero: the family is off */
	struct addr router6;
	uint32_t mtu; /* of endpoints and cilium_host */
	/* node_port_min..node_port_max are no ports that the kernel gives to whoever wants any. */
	bool reserve_node_ports;
	/*
	 * Where programs on sockets are attached: a directory of the cgroup 2 hierarchy, which is mounted
	 * there if it is not; NULL or "": where the hierarchy is found. Borrowed until free().
	 */
	const char *cgroup_root;
	/* Filled in by load: programs on sockets meet those of this container alone. */
	bool cgroup_is_container;
	enum datapath_xdp xdp; /* how programs of PLAN_HOOK_XDP are attached */
};

struct datapath;

/* How far a sweep has come. */
struct map_cursor {
	bool started;
	uint8_t position[64]; /* the kernel's business */
};

enum datapath_map_op {
	DATAPATH_MAP_LOOKUP,
	DATAPATH_MAP_UPDATE,
	DATAPATH_MAP_DELETE,
	DATAPATH_MAP_DUMP, /* some hundred entries, or all */
	DATAPATH_MAP_OP__MAX,
};

/* What the agent has done with maps since its start. That a key is not there is no failure. */
struct datapath_map_statistics {
	uint64_t n_done[DATAPATH_MAP_OP__MAX];
	uint64_t n_failed[DATAPATH_MAP_OP__MAX];
	uint32_t max_entries; /* of a ring: its bytes */
	/* Now, by a sample, in maps that the programs fill; in others when last read; −1: not yet. */
	int64_t n_entries;
};

struct datapath_statistics {
	struct datapath_map_statistics maps[PLAN_MAP__MAX];
	struct histogram done_times[DATAPATH_MAP_OP__MAX];
	struct histogram failed_times[DATAPATH_MAP_OP__MAX];
};

struct datapath_ops {
	/*
	 * Makes what everything else stands on: bpffs, cilium_host and cilium_net, sysctls, maps (pinned
	 * ones are adopted; one whose layout or size changed is made anew and its entries carried over),
	 * programs. What is attached goes on running its old program until attach() replaces it.
	 */
	int (*load)(struct datapath *dp, struct datapath_config *config, GError **error);
	/*
	 * Right before the first attachment is replaced: carries over what the old programs wrote since
	 * load into maps that it made anew, so that little is missing while both sets run.
	 */
	int (*load_catch_up)(struct datapath *dp, GError **error);
	/*
	 * Once the attachments have been compared for the first time: carries over what the old programs
	 * wrote meanwhile into maps that load made anew, and lets the pins name the new maps. Until then
	 * a crash leaves the old state as it was.
	 */
	int (*load_finish)(struct datapath *dp, GError **error);
	/* Again: what load ensures, where somebody changed it. *ret_repaired: what was, for the log. */
	int (*ensure)(struct datapath *dp, GString *ret_repaired, GError **error);
	/* The addresses of cilium_host become these, and ensure() keeps them. */
	int (*set_router)(struct datapath *dp, const struct addr *router4,
			  const struct addr *router6, GError **error);
	int (*set_runtime)(struct datapath *dp, const struct runtime_config *runtime);

	int (*map_foreach)(struct datapath *dp, enum plan_map map,
			   bool (*fn)(const void *key, const void *value, void *data), void *data);
	int (*map_update)(struct datapath *dp, enum plan_map map, const void *key,
			  const void *value);
	int (*map_delete)(struct datapath *dp, enum plan_map map, const void *key);
	/*
	 * n entries of a hash, in the order in which they stand in keys and values. The first failure ends
	 * it; *ret_n_done: how many are done, also then. Where one is deleted that is not there, it is done.
	 */
	int (*map_update_batch)(struct datapath *dp, enum plan_map map, const void *keys,
				const void *values, uint32_t n, uint32_t *ret_n_done);
	int (*map_delete_batch)(struct datapath *dp, enum plan_map map, const void *keys,
				uint32_t n, uint32_t *ret_n_done);
	/* How many the map has room for. After load. */
	uint32_t (*map_max_entries)(struct datapath *dp, enum plan_map map);
	/* 0, −ENOENT or −errno. */
	int (*map_get)(struct datapath *dp, enum plan_map map, const void *key, void *ret_value);
	/*
	 * For maps too large to be gone through at once: shows some hundred entries from where *cursor
	 * stands (zeroed: the start) and removes those that fn says are dead. 0; −ENOENT at the end.
	 */
	int (*map_sweep)(struct datapath *dp, enum plan_map map, struct map_cursor *cursor,
			 bool (*fn)(const void *key, const void *value, void *data), void *data);

	/* An endpoint's element of cilium_policy_endpoint: one load, one store. After load. */
	struct policy_endpoint (*policy_get)(struct datapath *dp, uint16_t endpoint_id);
	void (*policy_set)(struct datapath *dp, uint16_t endpoint_id,
			   const struct policy_endpoint *element);
	/*
	 * Blocks, some ten milliseconds as a rule, until every program that was running at the call has
	 * ended: what none could find any more at the call is used by none after it. After load; also from
	 * another thread.
	 */
	int (*wait_programs)(struct datapath *dp);

	/*
	 * Programs that this agent, or one before it, attached. PLAN_PROGRAM__MAX stands for one that
	 * is not of the loaded set: attach() on its key replaces it without a gap.
	 */
	int (*attachment_foreach)(struct datapath *dp,
				  bool (*fn)(const struct plan_attachment_key *key,
					     enum plan_program program, void *data),
				  void *data);
	int (*attach)(struct datapath *dp, const struct plan_attachment *attachment);
	int (*detach)(struct datapath *dp, const struct plan_attachment_key *key);

	/* Routes with our protocol number. The rows are made for the call; take a reference to keep. */
	int (*route_foreach)(struct datapath *dp,
			     bool (*fn)(const struct plan_route *route, void *data), void *data);
	int (*route_replace)(struct datapath *dp, const struct plan_route *route);
	int (*route_remove)(struct datapath *dp, const struct cidr *destination);

	/* Borrowed; counts on. Reads some hundred entries of each large map. */
	const struct datapath_statistics *(*get_statistics)(struct datapath *dp);
	/* Memory that the kernel accounts the maps and the programs of the loaded set with. */
	int (*get_memory)(struct datapath *dp, uint64_t *ret_map_bytes,
			  uint64_t *ret_program_bytes);

	/* Closes descriptors; what is in the kernel stays. */
	void (*free)(struct datapath *dp);
	/* Removes everything from the kernel: cilium cleanup. Needs no load before. */
	int (*purge)(struct datapath *dp, GError **error);
};

struct datapath {
	const struct datapath_ops *ops;
};

/*
 * bpf_root: where maps, programs and links are pinned. state_dir: where the sysctls that were changed
 * are remembered, for purge. Both are copied.
 */
struct datapath *datapath_real_new(const char *bpf_root, const char *state_dir);
struct datapath *datapath_fake_new(void);
