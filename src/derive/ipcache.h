/* SPDX-License-Identifier: Apache-2.0 */
/* Which identity every address has, and where it lives: the table ipcache, and the maps of that name. */
#pragma once

#include "src/derive/node.h"

/*
 * Rows of the table ipcache that are the node's, strongest first: its own addresses (host), those of
 * other nodes (remote-node), the rest of the world.
 */
void ipcache_derive_node(const struct node_view *view, GPtrArray *wanted);

struct ipcache_derivation;

/* The rows of endpoints, and the map entries of all rows. After the watch on identities. */
struct ipcache_derivation *ipcache_derivation_new(struct store *store, struct tables *tables);
void ipcache_derivation_free(struct ipcache_derivation *derivation); /* takes NULL */
