/* SPDX-License-Identifier: Apache-2.0 */
/* Of src/model/map_text.h, the maps of abi/lb.h that the agent fills. */
#pragma once

#include "src/model/plan.h"

char *map_key_format_lb(enum plan_map map, const void *key);
char *map_value_format_lb(enum plan_map map, const void *value);
