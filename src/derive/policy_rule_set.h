/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rule sets, and who shares them: endpoints that the same specs select, with the same ports where a spec
 * names ports, have one. A rule set keeps its number as long as an endpoint has it, also where a policy
 * changes that selects these endpoints before and after.
 */
#pragma once

#include "src/derive/policy_rules.h"
#include "src/derive/policy_subject.h"
#include "src/store/table.h"

struct policy_rule_sets;
struct policy_rule_set;

struct policy_rule_sets *policy_rule_sets_new(const struct derive_config *config,
					      struct policy_selectors *selectors,
					      const struct policy_named_ports *named_ports);
void policy_rule_sets_free(struct policy_rule_sets *sets); /* takes NULL */

struct policy_rule_set_key {
	const struct policy_subject *subject; /* the specs that select the endpoint */
	const GArray *ports;                  /* struct pod_port, of the endpoint; may be NULL */
};

/*
 * The rule set of an endpoint, with one more user. Where the specs are others than before, though of the
 * same policies, they take the place of those, which are looked at no more from the next flush on.
 */
struct policy_rule_set *policy_rule_set_ref(struct policy_rule_sets *sets,
					    const struct policy_rule_set_key *key);
void policy_rule_set_unref(struct policy_rule_set *set); /* takes NULL */
uint32_t policy_rule_set_get_number(const struct policy_rule_set *set);

/*
 * The selector gained or lost the identity; replaced: which is another by now. For each identity all at
 * once, before the next flush.
 */
void policy_rule_sets_touch(struct policy_rule_sets *sets, const struct policy_selector *selector,
			    uint32_t identity);
/* The identity means somebody else: what it changes is a new revision. */
void policy_rule_sets_mark_replaced(struct policy_rule_sets *sets, uint32_t identity);
/* Ports of peers may be others. */
void policy_rule_sets_check_ports(struct policy_rule_sets *sets);
/* The configuration is another. */
void policy_rule_sets_mark_stale(struct policy_rule_sets *sets);
/* Puts what has changed into the table rule_sets, and removes what nobody uses. */
void policy_rule_sets_flush(struct policy_rule_sets *sets, struct txn *txn, struct table *table);
