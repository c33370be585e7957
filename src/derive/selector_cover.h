/* SPDX-License-Identifier: Apache-2.0 */
/* Whether one selector, or rule, says all that another says: as far as the objects alone show it. */
#pragma once

#include "src/model/policy.h"

/* True where whoever narrow selects, wide selects too. False where that is so and does not show. */
bool selector_covers(const struct selector *wide, const struct selector *narrow);
/* The same of rules: of their peers and ports. */
bool selector_covers_rule(const struct policy_rule *wide, const struct policy_rule *narrow);
