/* SPDX-License-Identifier: Apache-2.0 */
/* What tests can do to the datapath in memory, which datapath_fake_new() makes. */
#pragma once

#include "src/datapath/datapath.h"

enum fake_op {
	FAKE_OP_LOAD,
	FAKE_OP_LOAD_FINISH,
	FAKE_OP_ENSURE,
	FAKE_OP_SET_ROUTER,
	FAKE_OP_SET_RUNTIME,
	FAKE_OP_MAP_FOREACH,
	FAKE_OP_MAP_UPDATE,
	FAKE_OP_MAP_DELETE,
	FAKE_OP_MAP_UPDATE_BATCH,
	FAKE_OP_MAP_DELETE_BATCH,
	FAKE_OP_WAIT_PROGRAMS,
	FAKE_OP_ATTACHMENT_FOREACH,
	FAKE_OP_ATTACH,
	FAKE_OP_DETACH,
	FAKE_OP_ROUTE_FOREACH,
	FAKE_OP_ROUTE_REPLACE,
	FAKE_OP_ROUTE_REMOVE,
	FAKE_OP_PURGE,
	FAKE_OP__MAX,
};

/* The next call of op fails with err, a positive errno, and does nothing. Further ones queue up. */
void fake_fail_next(struct datapath *dp, enum fake_op op, int err);
/* Calls of op since the start or the last fake_reset_calls(), failed ones too. */
unsigned int fake_n_calls(const struct datapath *dp, enum fake_op op);
void fake_reset_calls(struct datapath *dp);
/*
 * A write is an entry of a map that is put or deleted, in a batch or alone, or an endpoint's element of
 * cilium_policy_endpoint, which cannot fail. The n-th of the others from now, counted from 0, fails with err, a
 * positive errno.
 */
void fake_fail_write(struct datapath *dp, unsigned int n, int err);
/* After n more writes no other is done: all fail, as for an agent that was killed there. */
void fake_die_after(struct datapath *dp, unsigned int n);
/* Another agent: the opposite. */
void fake_revive(struct datapath *dp);
/* Writes since the start or the last fake_reset_calls(). */
unsigned int fake_n_writes(const struct datapath *dp);
/* fn is called after each write that was done; NULL: nothing. */
void fake_set_write_observer(struct datapath *dp, void (*fn)(void *data), void *data);
/* From now on the programs attached are those of an older set. */
void fake_set_outdated(struct datapath *dp);
/* The value in a map; NULL where there is none. */
const void *fake_map_value(const struct datapath *dp, enum plan_map map, const void *key);
unsigned int fake_map_n_entries(const struct datapath *dp, enum plan_map map);
