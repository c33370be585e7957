/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prefixes that policies use get an identity and a row of the ipcache: those of their rules and of the
 * exceptions, of the CIDR groups and the services without selector that the rules name, and the addresses
 * of the API server. As long as any policy uses a prefix, one in force or one that is to be, it is there;
 * equal prefixes are one, whoever uses them.
 *
 * The labels of such an identity say all that a rule can ask: its prefix, the part of the world, and the
 * names of the groups that hold it, be it by a wider prefix.
 */
#pragma once

#include "src/derive/config.h"
#include "src/derive/ipcache.h"
#include "src/derive/local_identity.h"
#include "src/model/policy.h"
#include "src/store/tables.h"

struct prefix_derivation;

/* Before the first row is put. Borrows the others for as long as it lives. */
struct prefix_derivation *prefix_derivation_new(struct store *store, struct tables *tables,
						const struct derive_config *config,
						struct local_identities *local,
						struct ipcache_derivation *ipcache,
						const struct table_index *slices);
void prefix_derivation_free(struct prefix_derivation *derivation); /* takes NULL */
/*
 * addrs: struct addr. Those that are nodes' get no identity of a prefix, which nobody would see: again
 * when the rows of nodes are others.
 */
void prefix_derivation_set_api_server(struct prefix_derivation *derivation, struct txn *txn,
				      const GArray *addrs);
/* Prefixes that found no number look again. */
void prefix_derivation_retry(struct prefix_derivation *derivation);
/* How many have found none; one of them in *ret_cidr. */
unsigned int prefix_derivation_n_without(const struct prefix_derivation *derivation,
					 struct cidr *ret_cidr);

/*
 * Whether an address of the prefix may pass for one of what is around it, as it has no identity, or the kernel is not
 * known to have it. A rule that would be the wider for that is made the narrower (policy_compile).
 */
bool prefix_derivation_is_closed(const struct prefix_derivation *derivation,
				 const struct cidr *cidr);
/* Those of the row, of which is_pending says that the kernel has not got them, are closed. True: one was not. */
bool prefix_derivation_close(struct prefix_derivation *derivation, const struct table *table,
			     const char *key,
			     bool (*is_pending)(const struct cidr *cidr, void *data), void *data);
/* Those that have an identity by now, in the kernel too, are open. True: one was not. */
bool prefix_derivation_open(struct prefix_derivation *derivation,
			    bool (*is_pending)(const struct cidr *cidr, void *data), void *data);

enum prefix_state {
	PREFIX_READY,
	PREFIX_WITHOUT_IDENTITY, /* every number is in use */
	PREFIX_NOT_IN_KERNEL,
};

/*
 * Of all prefixes of a row of policies or cidr_groups, exceptions too, as the watch saw it last: the first
 * that is not ready goes into *ret_cidr. is_pending: the kernel has the prefix otherwise than it is wanted.
 */
enum prefix_state prefix_derivation_check(const struct prefix_derivation *derivation,
					  const struct table *table, const char *key,
					  bool (*is_pending)(const struct cidr *cidr, void *data),
					  void *data, struct cidr *ret_cidr);
