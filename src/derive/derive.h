/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The brain: watches that turn what is wanted (manifests, endpoints, devices) into what should be in the
 * kernel. No socket, no file, no clock, no kernel. Each watch touches only the rows that a change
 * concerns.
 *
 *	pods, namespaces, endpoints ─► endpoint_states, identities
 *	nodes, devices, endpoints, endpoint_states ─► ipcache
 *	endpoints, endpoint_states, devices, ipcache ─► plan
 */
#pragma once

#include "src/derive/config.h"
#include "src/store/tables.h"

struct derive;

/*
 * Before the first row is put, as it makes indexes. router4 and router6 are the addresses of
 * cilium_host, zero where the family is off. NULL and *error for a bad label pattern. config must live
 * as long.
 */
struct derive *derive_new(struct store *store, struct tables *tables,
			  const struct derive_config *config, GError **error);
/* The addresses of cilium_host; before the first settle. Zero where the family is off. */
void derive_set_router(struct derive *derive, const struct addr *router4, const struct addr *router6);
void derive_free(struct derive *derive); /* takes NULL */
