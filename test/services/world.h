/* SPDX-License-Identifier: Apache-2.0 */
/* A small world of services, in which everything meets everything: rows that are there, and random ones. */
#pragma once

#include "src/derive/lb.h"
#include "test/policy/random.h"

enum lb_world_kind {
	LB_WORLD_SERVICE,
	LB_WORLD_SLICE,
	LB_WORLD_NODE,
	LB_WORLD_DEVICE,
	LB_WORLD_POD,
	LB_WORLD_ENDPOINT,
	LB_WORLD_REDIRECT,
	LB_WORLD_REQUEST,
	LB_WORLD_HEALTH,
	LB_WORLD__MAX,
};

#define LB_WORLD_N_KEYS 6 /* of each kind, at most */

struct lb_world {
	struct random random;
	struct derive_config config;
	struct row *rows[LB_WORLD__MAX][LB_WORLD_N_KEYS]; /* a reference each; NULL: none */
};

/* Nothing is there; the configuration is random. */
struct lb_world *lb_world_new(uint64_t seed);
void lb_world_free(struct lb_world *world);
/* Makes, changes or removes one row. */
void lb_world_change(struct lb_world *world);

/* The derivation in a store of its own. */
struct lb_world_store {
	struct store *store;
	struct tables tables;
	struct lb_derivation *derivation;
};

struct lb_world_store *lb_world_store_new(const struct lb_world *world);
void lb_world_store_free(struct lb_world_store *store);
/* Makes the store have the rows of the world, in one transaction, and settles. */
void lb_world_store_update(struct lb_world_store *store, const struct lb_world *world);
