/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pods of other nodes: the addresses that their manifests' status has get the identity of their labels, so
 * that policies of this node's pods know them. Where no server of the cluster hands out identities, each
 * node numbers them for itself: a number is looked up by address where a packet arrives.
 */
#pragma once

#include "src/derive/identity.h"
#include "src/derive/ipcache.h"
#include "src/derive/policy_named_port.h"

struct remote_pods;

/* With a watch of pods and namespaces. All but tables are borrowed for as long as it lives. */
struct remote_pods *remote_pods_new(struct store *store, struct tables *tables,
				    const struct derive_config *config,
				    struct identity_derivation *identity,
				    struct ipcache_derivation *ipcache,
				    struct policy_named_ports *named_ports);
void remote_pods_free(struct remote_pods *pods); /* takes NULL */
