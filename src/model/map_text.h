/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys and values of the maps that the plan fills, as text: one form for each, in logs, in the answers
 * of the API and on the command line.
 */
#pragma once

#include "src/base/error.h"
#include "src/model/plan.h"

/*
 * "10.0.0.5:0" (cilium_lxc, as Cilium has it), "10.0.0.5/32", "fd00::/8", "7" (an ifindex). map is one that
 * the plan fills. Free with g_free.
 */
char *map_key_format(enum plan_map map, const void *key);
/* "id=7     sec_id=256 …", "identity=256 encryptkey=0 …". Free with g_free. */
char *map_value_format(enum plan_map map, const void *value);

/* An IPv4 prefix counts from ADDR_V4_PREFIX_BITS. Free with g_free. */
char *map_prefix_format(const struct addr *addr, uint32_t prefix_len);
