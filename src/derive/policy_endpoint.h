/* SPDX-License-Identifier: Apache-2.0 */
/* The endpoints and the host: the subject, the ports and the rule set of each. */
#pragma once

#include "src/derive/policy_named_port.h"
#include "src/derive/policy_rule_set.h"
#include "src/derive/policy_subject.h"
#include "src/store/tables.h"

struct policy_endpoints;

/* Before the first row is put, as it makes an index. All is borrowed. */
struct policy_endpoints *policy_endpoints_new(const struct tables *tables,
					      const struct derive_config *config,
					      struct policy_subjects *subjects,
					      struct policy_named_ports *ports);
void policy_endpoints_free(struct policy_endpoints *endpoints); /* takes NULL */

/* A row of a table other than those of policies and identities has changed. */
void policy_endpoints_mark(struct policy_endpoints *endpoints, const struct table *table,
			   const struct row_key *key);
void policy_endpoints_mark_all(struct policy_endpoints *endpoints);
/* Looks at the marked ones again. */
void policy_endpoints_collect(struct policy_endpoints *endpoints);
/* Gives those that were looked at, and those whose subject has changed, their rule set. */
void policy_endpoints_choose(struct policy_endpoints *endpoints, struct policy_rule_sets *sets);
/* Puts what is new into the table endpoint_policies. */
void policy_endpoints_flush(struct policy_endpoints *endpoints, uint64_t policy_revision,
			    struct txn *txn);
