/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel, as the reconcilers see it: one interface, implemented by the real one (real.c) and by one
 * in memory for tests and golden cases (fake.c). Calls are synchronous; each returns 0 or −errno.
 */
#pragma once

#include <stdbool.h>
#include "abi/config.h"
#include "src/base/error.h"
#include "src/model/plan.h"

struct datapath_config {
	struct node_config node; /* host_ifindex and ct_tick_shift are filled in by load */
	struct runtime_config runtime;
	uint32_t max_entries[PLAN_MAP__MAX]; /* 0: as declared */
	const char *bpf_root;
	bool enable_tcx;
	/* cilium_host: its addresses are node.router4 and node.router6. */
	uint32_t mtu; /* of endpoints and cilium_host */
};

struct datapath;

struct datapath_ops {
	/*
	 * Makes what everything else stands on: bpffs, cilium_host and cilium_net, sysctls, maps (pinned
	 * ones are adopted; one whose layout or size changed is made anew and its entries carried over),
	 * programs; then replaces the program of each adopted attachment in place.
	 */
	int (*load)(struct datapath *dp, struct datapath_config *config, GError **error);
	/* Again: what load ensures, where somebody changed it. *ret_repaired: what was, for the log. */
	int (*ensure)(struct datapath *dp, GString *ret_repaired, GError **error);
	int (*set_runtime)(struct datapath *dp, const struct runtime_config *runtime);

	int (*map_foreach)(struct datapath *dp, enum plan_map map,
			   bool (*fn)(const void *key, const void *value, void *data), void *data);
	int (*map_update)(struct datapath *dp, enum plan_map map, const void *key,
			  const void *value);
	int (*map_delete)(struct datapath *dp, enum plan_map map, const void *key);

	/* Programs that this agent, or one before it, attached. */
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

	/* Closes descriptors; what is in the kernel stays. */
	void (*free)(struct datapath *dp);
	/* Removes everything from the kernel: cilium cleanup. */
	int (*purge)(struct datapath *dp, GError **error);
};

struct datapath {
	const struct datapath_ops *ops;
};

struct datapath *datapath_real_new(void);
struct datapath *datapath_fake_new(void);
