/* SPDX-License-Identifier: Apache-2.0 */
/* A CiliumCIDRGroup: prefixes under one name. */
#pragma once

#include "src/model/addr.h"
#include "src/model/object.h"

struct cidr_group {
	struct row row;
	struct object_meta meta;
	GArray *cidrs; /* struct cidr, sorted, none twice */
};

extern const struct row_class cidr_group_class;
