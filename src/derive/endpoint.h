/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a local endpoint needs in the kernel: entries of cilium_lxc, programs on its veth, routes. One
 * whose address is of none of the node's pod CIDRs, as these were changed, keeps a route and an exclusion
 * from masquerading of its own until it goes.
 */
#pragma once

#include "src/derive/config.h"
#include "src/store/tables.h"

struct endpoint_derivation;

/* Before the first row is put; after the watch on identities. */
struct endpoint_derivation *endpoint_derivation_new(struct store *store, struct tables *tables,
						    const struct derive_config *config);
void endpoint_derivation_free(struct endpoint_derivation *derivation); /* takes NULL */
/* The source address of routes to endpoints, from now on. */
void endpoint_derivation_set_router(struct endpoint_derivation *derivation,
				    const struct addr *router4, const struct addr *router6);
