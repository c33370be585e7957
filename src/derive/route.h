/* SPDX-License-Identifier: Apache-2.0 */
/* How the node's own stack reaches the endpoints. */
#pragma once

#include "src/derive/node.h"

/*
 * Adds rows of plan_routes: the router's address and the pod CIDRs on cilium_host, that address the source. They
 * are on the link and have no gateway: IPv6 refuses an address of the node itself as one.
 */
void route_derive(const struct node_view *view, GPtrArray *wanted);
