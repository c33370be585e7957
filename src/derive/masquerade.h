/* SPDX-License-Identifier: Apache-2.0 */
/* Destinations that see the endpoints' own addresses: cilium_ipmasq. */
#pragma once

#include "src/derive/node.h"

/*
 * Adds rows of plan_map_entries: the configured prefixes, else the pod CIDRs, of each family, and
 * what the file of ip-masq-agent adds.
 */
void masquerade_derive(const struct node_view *view, GPtrArray *wanted);
/* The same for one address of an endpoint that is of none of the pod CIDRs any more. */
void masquerade_derive_addr(const struct derive_config *config, const struct addr *addr,
			    uint16_t endpoint_id, GPtrArray *wanted);
