/* SPDX-License-Identifier: Apache-2.0 */
/* Services in the shape of Cilium's API: one for each front end, under the front end's number. */
#pragma once

#include <jansson.h>
#include "src/model/lb.h"

struct agent;

/*
 * All, by number; id: only the one of this number, 0: all. What the kernel has not taken has the number 0 and is
 * the last.
 */
json_t *services_to_json(const struct agent *agent, uint32_t id);
/* LRPSpec of each local redirect, by namespace and name. */
json_t *local_redirects_to_json(const struct agent *agent);
