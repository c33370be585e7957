/* SPDX-License-Identifier: Apache-2.0 */
/* Where the numbers of rules come from, for whoever explains a verdict. */
#pragma once

#include "src/model/policy.h"
#include "src/store/table.h"

struct policy_origins;

/* With the rules that no policy says. */
struct policy_origins *policy_origins_new(void);
void policy_origins_free(struct policy_origins *origins); /* takes NULL */
/* The policy is borrowed until it is removed. */
void policy_origins_add(struct policy_origins *origins, const struct policy *policy);
void policy_origins_remove(struct policy_origins *origins, const struct policy *policy);
/* Puts what has changed since the last flush into the table rule_origins. */
void policy_origins_flush(struct policy_origins *origins, struct txn *txn, struct table *table);
