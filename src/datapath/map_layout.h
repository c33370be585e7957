/* SPDX-License-Identifier: Apache-2.0 */
/* Which maps the plan fills, and the sizes of what is in them. The programs fill the others. */
#pragma once

#include <stddef.h>
#include "src/model/plan.h"

struct map_layout {
	size_t n_key_bytes;
	size_t n_value_bytes;
};

/* NULL for a map that the plan does not fill. */
const struct map_layout *map_layout_get(enum plan_map map);
/* The name of any map. */
const char *map_layout_name(enum plan_map map);
