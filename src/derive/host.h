/* SPDX-License-Identifier: Apache-2.0 */
/* The node itself in cilium_lxc: its addresses, so that packets to them go to its stack. */
#pragma once

#include "src/derive/node.h"

/* Adds rows of plan_map_entries. */
void host_derive(const struct node_view *view, GPtrArray *wanted);
