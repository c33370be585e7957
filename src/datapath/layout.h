/* SPDX-License-Identifier: Apache-2.0 */
/* What the object of the programs has, by name: its programs, its maps and what is in them. */
#pragma once

#include <stddef.h>
#include "src/model/plan.h"

enum map_filler {
	MAP_FILLED_BY_PROGRAMS, /* or by load */
	MAP_FILLED_BY_ENTRIES,  /* the plan's map entries */
	MAP_FILLED_BY_POLICY,   /* the plan's rule sets and endpoint policies */
	MAP_FILLED_BY_LB,       /* the plan's services */
};

struct map_layout {
	const char *name;
	size_t n_key_bytes; /* 0: a ring, which has no keys */
	size_t n_value_bytes;
	enum map_filler filler;
};

const struct map_layout *map_layout_get(enum plan_map map);
/* NULL where no map of ours has the name. */
const struct map_layout *map_layout_find(const char *name);
/* As in "cil_from_host"; PLAN_PROGRAM__MAX stands for one that is not of the loaded set. */
const char *program_name(enum plan_program program);
