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
#include "src/derive/policy_named_port.h"
#include "src/derive/prefix.h"
#include "src/store/tables.h"

struct policy_derivation;

/*
 * Before the first row is put, as it makes indexes. All but tables are borrowed; who else adds ports, and prefixes,
 * which may be NULL, has a watch before this one.
 */
struct policy_derivation *policy_derivation_new(struct store *store, struct tables *tables,
						const struct derive_config *config,
						const struct prefix_derivation *prefixes,
						struct policy_named_ports *named_ports,
						const struct table_index *slices);
/* The configuration has changed: everything is derived anew, before it returns. */
void policy_derivation_reconfigure(struct policy_derivation *derivation);
/* Other prefixes are closed than before: prefix_derivation_is_closed(). */
void policy_derivation_recompile(struct policy_derivation *derivation);
/* 1 at the start; it grows with each policy that comes, changes or goes. */
uint64_t policy_derivation_get_revision(const struct policy_derivation *derivation);
/*
 * Calls fn with each peer selector of the policies in force, once for each rule that uses it, in the order
 * of the policies. SELECTOR_LABELS or SELECTOR_CIDR: groups and services are resolved. identities:
 * uint32_t, ascending; NULL where no endpoint of this node asks.
 */
void policy_derivation_foreach_selector(const struct policy_derivation *derivation,
					void (*fn)(const struct selector *selector,
						   const GArray *identities,
						   const struct policy_spec *spec, void *data),
					void *data);
void policy_derivation_free(struct policy_derivation *derivation); /* takes NULL */
