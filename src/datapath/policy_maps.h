/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reconciler of rule sets and endpoint policies: cilium_policy_endpoint, cilium_policy_peer and
 * cilium_policy_class. It is one of struct reconcilers, which alone uses this.
 */
#pragma once

#include "src/datapath/reconciler.h"

struct policy_maps;

struct policy_maps *policy_maps_new(struct store *store, struct tables *tables,
				    struct datapath *datapath);
void policy_maps_free(struct policy_maps *maps); /* takes NULL */
/* The watch that adds and changes, to be made before what names an identity; and that which removes peers. */
void policy_maps_watch(struct policy_maps *maps, struct store *store, struct tables *tables);
void policy_maps_watch_removals(struct policy_maps *maps, struct store *store,
				struct tables *tables);

void policy_maps_set_clock(struct policy_maps *maps, int64_t (*now_ns)(void));
void policy_maps_set_controller(struct policy_maps *maps, struct controllers *controllers,
				int64_t interval_ns);
void policy_maps_set_version_source(struct policy_maps *maps, policy_take_version take, void *data);
void policy_maps_set_waiter(struct policy_maps *maps, policy_wait wait, void *data);
void policy_maps_set_lockdown(struct policy_maps *maps, bool lockdown);
void policy_maps_set_observer(struct policy_maps *maps, reconciler_observer observer, void *data);
void policy_maps_set_room_observer(struct policy_maps *maps, reconciler_room_observer observer,
				   void *data);
void policy_maps_set_write_observer(struct policy_maps *maps, reconciler_write_fn fn, void *data);

/* As the functions of struct reconcilers of these names. */
NODISCARD int policy_maps_adopt(struct policy_maps *maps);
void policy_maps_allow_deletion(struct policy_maps *maps);
unsigned int policy_maps_resync(struct policy_maps *maps);
int64_t policy_maps_retry(struct policy_maps *maps);
NODISCARD int
policy_maps_reapply_endpoint(struct policy_maps *maps, uint16_t endpoint_id,
			     void (*fn)(const struct reconciler_difference *difference, void *data),
			     void *data);
void policy_maps_end_wait(struct policy_maps *maps, int err);
struct reconciler_status policy_maps_status(const struct policy_maps *maps);
void policy_maps_foreach_failure(const struct policy_maps *maps,
				 void (*fn)(const struct reconciler_failure *failure, void *data),
				 void *data);
bool policy_maps_get(const struct policy_maps *maps, uint16_t endpoint_id,
		     struct reconciler_policy *ret_policy);
struct reconciler_policy_statistics policy_maps_statistics(const struct policy_maps *maps);
