/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What policies say of endpoints:
 *
 *	active_policies, active_cidr_groups, services ─► rules with what their selectors mean  (policy_compile)
 *	identities ─► which identities each selector means                              (policy_selector)
 *	endpoint_states, nodes ─► which specs select each endpoint                      (policy_subject)
 *	specs, ports of pods ─► rule_sets: rules in their order, peers, classes         (policy_rule_set,
 *	                                                                policy_rules, policy_class)
 *	endpoint_states, endpoints ─► endpoint_policies: the rule set of each endpoint
 *	active_policies ─► rule_origins                                                 (policy_origin)
 *
 * Nothing happens before policies, and what they refer to, are known. A change costs what it concerns: an
 * identity its peers' entries, a policy the rule sets of the endpoints that it selects, or did.
 */
#pragma once

#include "src/derive/config.h"
#include "src/store/tables.h"

struct policy_derivation;

/* Before the first row is put, as it makes indexes. config is borrowed. */
struct policy_derivation *policy_derivation_new(struct store *store, struct tables *tables,
						const struct derive_config *config);
/* The configuration has changed: everything is derived anew, before it returns. */
void policy_derivation_reconfigure(struct policy_derivation *derivation);
void policy_derivation_free(struct policy_derivation *derivation); /* takes NULL */
