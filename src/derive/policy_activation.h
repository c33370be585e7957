/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which policies and CIDR groups are in force. What a rule excepts from a prefix is part of it until the
 * kernel knows the exception under an identity of its own, and a prefix of a group has none at first. So a
 * row becomes active, and only then rules are made of it, when the reconcilers have written all of its
 * prefixes. Until then the version before stays active, or none is. On the other way identities go last,
 * when the ipcache in the kernel names them no more.
 *
 * Services and nodes need none of this: their addresses hold no others, and nothing is subtracted from them.
 *
 *	policies, cidr_groups, plan_map_entries ─► active_policies, active_cidr_groups, source_problems;
 *	                                           identities that nobody has any more
 */
#pragma once

#include "src/derive/derive.h"
#include "src/model/plan.h"
#include "src/model/source_problem.h"

struct policy_activation;

/* The functions, each of which may be NULL, get data. */
struct policy_activation_parts {
	struct store *store;
	struct tables *tables;
	struct derive *derive;
	/* True while the kernel has the entry of the map otherwise than the plan wants. NULL: never. */
	bool (*is_failing)(enum plan_map map, const void *key, size_t n_bytes, void *data);
	/* Of a policy or group that waits, once; for the log. */
	void (*on_waiting)(const struct source_problem *problem, void *data);
	void *data;
};

/* The parts are copied. After derive_new(). */
struct policy_activation *policy_activation_new(const struct policy_activation_parts *parts);
void policy_activation_free(struct policy_activation *activation); /* takes NULL */
/*
 * At the agent's start, when the policies' source is synced and before the reconcilers see anything:
 * everything is active at once, so that no endpoint is open for lack of its policies. Identities that the
 * table has from before stay until policy_activation_allow_release().
 */
void policy_activation_begin(struct policy_activation *activation);
/* From now on by a watch, which is to be the last: after reconcilers_new(). */
void policy_activation_watch(struct policy_activation *activation);
/* What is not wanted has been deleted from the kernel: identities may go now. */
void policy_activation_allow_release(struct policy_activation *activation);
/* Looks again at what waits for the kernel; after reconcilers_retry(). store_settle() follows. */
void policy_activation_retry(struct policy_activation *activation);
/* Policies and groups that are not in force as they are now. */
unsigned int policy_activation_n_waiting(const struct policy_activation *activation);
