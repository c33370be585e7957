/* SPDX-License-Identifier: Apache-2.0 */
#include "src/model/masquerade_range.h"

static bool masquerade_range_equal(const struct row *row_a, const struct row *row_b)
{
	return cidr_equal(&((const struct masquerade_range *)row_a)->cidr,
			  &((const struct masquerade_range *)row_b)->cidr);
}

const struct row_class masquerade_range_class = {
	.name = "masquerade range",
	.size = sizeof(struct masquerade_range),
	.equal = masquerade_range_equal,
};
