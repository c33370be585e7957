/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which identity the addresses of nodes have: this node's, those of the others, and the rest of the world.
 * Other nodes are one identity, remote-node, and those with an address of the API server another; with node
 * labels, or prefixes that match nodes, they have identities of their own. This node is always the host;
 * what more is known of it are labels of that identity.
 */
#pragma once

#include "src/derive/api_server.h"
#include "src/derive/ipcache.h"
#include "src/derive/local_identity.h"
#include "src/derive/node.h"

struct node_identity;

/* All but config are borrowed for as long as it lives. NULL and *error for a bad pattern of node-labels. */
struct node_identity *node_identity_new(const struct tables *tables,
					const struct derive_config *config,
					const struct api_server *api_server,
					struct local_identities *local, GError **error);
void node_identity_free(struct node_identity *identity); /* takes NULL */
/*
 * Rows of the ipcache (struct ipcache_entry), strongest first: the node's own addresses, those of other
 * nodes, the rest of the world. New identities, and the labels of the host, go into txn.
 */
void node_identity_derive(struct node_identity *identity, const struct node_view *view,
			  struct txn *txn, GPtrArray *wanted);
