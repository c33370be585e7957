/* SPDX-License-Identifier: Apache-2.0 */
/* The sizes of what is in each map, and which maps the plan fills. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "src/model/plan.h"

struct map_layout {
	const char *name;
	size_t n_key_bytes; /* 0: a ring, which has no keys */
	size_t n_value_bytes;
	bool is_planned; /* the plan fills it; else the programs, or load */
};

const struct map_layout *map_layout_get(enum plan_map map);
