/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The brain: watches that turn what is wanted (manifests, endpoints, devices) into what should be in the
 * kernel. No socket, no file, no clock, no kernel. Each watch touches only the rows that a change
 * concerns.
 *
 *	pods, namespaces, endpoints ─► endpoint_states, identities
 *	policies, active_policies, cidr_groups, services, endpoint_slices ─► identities, ipcache
 *	nodes, devices, endpoints, endpoint_states, endpoint_slices ─► identities, ipcache
 *	active_policies, identities, endpoint_states ─► rule_sets, endpoint_policies, rule_origins
 *	services, endpoint_slices, pods, endpoints, nodes, devices, requests, health ─► lb_services
 *	nodes, devices, masquerade_ranges, endpoints, endpoint_states, ipcache ─► plan
 */
#pragma once

#include "src/derive/config.h"
#include "src/derive/lb.h"
#include "src/derive/local_identity.h"
#include "src/derive/policy.h"
#include "src/derive/prefix.h"
#include "src/store/tables.h"

struct derive;

/*
 * Before the first row is put, as it makes indexes. config is borrowed until derive_free(). NULL and
 * *error for a bad label pattern.
 */
struct derive *derive_new(struct store *store, struct tables *tables,
			  const struct derive_config *config, GError **error);
/*
 * The addresses of cilium_host, zero where the family is off. First when they are known: after the
 * manifests have been read, and before endpoints are put; again when the node's pod CIDRs are others.
 */
void derive_set_router(struct derive *derive, const struct addr *router4,
		       const struct addr *router6);
/*
 * New identities of the scope get numbers above this one; before the first settle. 0: above those in the
 * table.
 */
void derive_set_last_identity(struct derive *derive, enum identity_scope scope, uint32_t number);
/* The configuration says something else of policies: of policy_mode or policy_audit. */
void derive_reconfigure(struct derive *derive);
/* For policy_activation.h. Borrowed. */
void derive_recompile_policies(struct derive *derive);
struct local_identities *derive_get_local_identities(struct derive *derive);
struct prefix_derivation *derive_get_prefixes(struct derive *derive);
/* For whoever shows what services and policies mean. Borrowed. */
const struct lb_derivation *derive_get_lb(const struct derive *derive);
const struct policy_derivation *derive_get_policy(const struct derive *derive);
void derive_free(struct derive *derive); /* takes NULL */
