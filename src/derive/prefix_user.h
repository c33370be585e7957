/* SPDX-License-Identifier: Apache-2.0 */
/* Who uses which prefixes: policies, and what their rules name (CIDR groups, services), and the API server. */
#pragma once

#include "src/model/addr.h"
#include "src/store/tables.h"

/* What the use of a prefix says of it. */
struct prefix_use {
	const char *group; /* interned: it is in the CIDR group; NULL: in none */
	bool is_api_server;
};

/* A use of the prefix came (added) or went. A user that stays is not told of. */
typedef void (*prefix_use_fn)(const struct cidr *cidr, const struct prefix_use *use, bool added,
			      void *data);

struct prefix_users;

/* Before the first row is put. slices: slice_index_new(), borrowed. */
struct prefix_users *prefix_users_new(const struct tables *tables, const struct table_index *slices,
				      prefix_use_fn fn, void *data);
/* Tells of nothing. Takes NULL. */
void prefix_users_free(struct prefix_users *users);
/*
 * The row of the key has changed: of policies, active_policies, cidr_groups, active_cidr_groups, services,
 * endpoint_slices.
 */
void prefix_users_note(struct prefix_users *users, const struct table *table,
		       const struct row_key *key);
/* Reads again what was noted, and what that concerns. */
void prefix_users_update(struct prefix_users *users);
/* addrs: struct addr. */
void prefix_users_set_api_server(struct prefix_users *users, const GArray *addrs);
/*
 * struct cidr: what the row of policies or cidr_groups says. Borrowed; NULL: there is none, or none that
 * anybody uses.
 */
const GArray *prefix_users_get(const struct prefix_users *users, const struct table *table,
			       const char *key);
