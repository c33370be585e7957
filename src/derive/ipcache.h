/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which identity every address has, and where it lives: the table ipcache, and the maps of that name.
 *
 * Who knows something of a prefix puts it into his layer. The table has what the strongest layer says of a
 * prefix, and what a weaker one says comes back when that goes. Single addresses of pods and nodes are in
 * the map of addresses, which the programs ask first; what policies say of a prefix, be it one address, is
 * in the map of prefixes, and there also while it is hidden: so that an address whose pod goes is at once
 * what the policies say, and never for a moment the world.
 */
#pragma once

#include "abi/ipcache.h"
#include "src/model/ipcache_entry.h"
#include "src/store/tables.h"

/* The weakest first. */
enum ipcache_layer {
	IPCACHE_LAYER_PREFIX,   /* prefixes that policies use; never a whole family */
	IPCACHE_LAYER_NODE,     /* this node, the others, the rest of the world */
	IPCACHE_LAYER_POD,      /* pods of other nodes */
	IPCACHE_LAYER_ENDPOINT, /* pods of this node */
	IPCACHE_LAYER__MAX,
};

struct ipcache_derivation;

/* With a watch of the rows of endpoints, which comes after the one on identities. */
struct ipcache_derivation *ipcache_derivation_new(struct store *store, struct tables *tables);
void ipcache_derivation_free(struct ipcache_derivation *derivation); /* takes NULL */

/* In the layer at once, in the tables by ipcache_flush(). Takes the caller's reference. */
void ipcache_put(struct ipcache_derivation *derivation, enum ipcache_layer layer,
		 struct ipcache_entry *take_entry);
void ipcache_remove(struct ipcache_derivation *derivation, enum ipcache_layer layer,
		    const struct cidr *cidr);
/* The layer has these rows (struct ipcache_entry) and no others; of one prefix the first counts. */
void ipcache_replace(struct ipcache_derivation *derivation, enum ipcache_layer layer,
		     const GPtrArray *wanted);
/*
 * Puts what has changed into txn, in an order in which each address is what it was until it is what it is
 * to be: first what comes, the longest prefix first, then what goes, the longest last.
 */
void ipcache_flush(struct ipcache_derivation *derivation, struct txn *txn);
/* Borrowed; NULL: the layer says nothing of it. */
const struct ipcache_entry *ipcache_get(const struct ipcache_derivation *derivation,
					enum ipcache_layer layer, const struct cidr *cidr);

/* Of the prefix of a policy in the map of prefixes. */
struct ipcache_prefix_key ipcache_prefix_map_key(const struct cidr *cidr);
