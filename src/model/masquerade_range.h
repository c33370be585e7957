/* SPDX-License-Identifier: Apache-2.0 */
/* A prefix that endpoints talk to with their own addresses. Key: struct cidr, 17 bytes. */
#pragma once

#include "src/base/row.h"
#include "src/model/addr.h"

struct masquerade_range {
	struct row row;
	struct cidr cidr;
};

extern const struct row_class masquerade_range_class;
