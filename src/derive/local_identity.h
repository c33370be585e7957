/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Identities that mean something on this node alone: of prefixes that policies use, and of other nodes.
 * Users count: an identity is there from its first user until release, which is some time after its last,
 * so that the kernel knows it for as long as any address has it. Numbers go round their range: one comes
 * again when all others have been handed out.
 */
#pragma once

#include "src/model/addr.h"
#include "src/model/identity.h"
#include "src/store/tables.h"

struct local_identities;

/* Those that the table has before the first call of take are kept, without a user. */
struct local_identities *local_identities_new(const struct tables *tables);
void local_identities_free(struct local_identities *identities); /* takes NULL */
/* New numbers of the scope are looked for above this one first. */
void local_identities_set_last(struct local_identities *identities, enum identity_scope scope,
			       uint32_t number);
/*
 * The number of the labels, with one more user; a new one is put into txn. 0: every number of the scope
 * is in use.
 */
uint32_t local_identities_take(struct local_identities *identities, enum identity_scope scope,
			       const struct label_set *labels, struct txn *txn);
/* One user less: cidr had it. 0 as number: nothing. */
void local_identities_drop(struct local_identities *identities, uint32_t number,
			   const struct cidr *cidr);
/*
 * Removes those without a user, where is_named says of none of the prefixes that had it that the kernel
 * may still call it so. True when any was removed.
 */
bool local_identities_release(struct local_identities *identities, struct txn *txn,
			      bool (*is_named)(const struct cidr *cidr, void *data), void *data);
