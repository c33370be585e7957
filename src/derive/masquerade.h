/* SPDX-License-Identifier: Apache-2.0 */
/* Destinations that see the endpoints' own addresses: cilium_ipmasq. */
#pragma once

#include "src/derive/node.h"

/*
 * Adds rows of plan_map_entries: the configured prefixes, else the pod CIDRs, of each family, and
 * what the file of ip-masq-agent adds.
 */
void masquerade_derive(const struct node_view *view, GPtrArray *wanted);
