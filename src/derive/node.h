/* SPDX-License-Identifier: Apache-2.0 */
/*
 * This node, put together from manifests, devices and configuration: what the derivations that are not
 * about one endpoint look at. A view borrows rows and is used up before the next commit.
 */
#pragma once

#include "src/derive/config.h"
#include "src/model/device.h"
#include "src/model/node.h"
#include "src/store/tables.h"

#define NODE_HOST_DEVICE "cilium_host"

struct node_view {
	const struct tables *tables;
	const struct derive_config *config;
	struct addr router4; /* addresses of cilium_host; zero: the family is off */
	struct addr router6;
	const struct device *host_device; /* cilium_host; NULL: not there yet */
	GPtrArray *devices;  /* const struct device *: those that lead out of the node */
	GArray *local_addrs; /* struct addr: what the node itself answers to */
	GArray *pod_cidrs4;  /* struct cidr */
	GArray *pod_cidrs6;
};

struct node_view *node_view_new(const struct tables *tables, const struct derive_config *config,
				const struct addr *router4, const struct addr *router6);
void node_view_free(struct node_view *view);

/* kind: "Node" or "CiliumNode". Borrowed; NULL where there is none. */
const struct node *node_find(const struct tables *tables, const char *kind, const char *name);
/* "eth0" matches "eth0" and "eth+". patterns may be NULL. */
bool node_device_matches(const char *const *patterns, const char *name);
/* True for a device that can have a part in a view: no endpoint's, not the loopback. */
bool node_device_counts(const struct device *device);
/* True for those that the agent makes for itself: cilium_host and its peer. */
bool node_device_is_ours(const struct device *device);
