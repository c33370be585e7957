/* SPDX-License-Identifier: Apache-2.0 */
/* The devices that lead out of the node: what the programs know of them, and the programs on them. */
#pragma once

#include "src/derive/node.h"

/* Adds rows of plan_map_entries: cilium_devices. */
void device_derive_info(const struct node_view *view, GPtrArray *wanted);
/* Adds rows of plan_attachments, that of cilium_host among them. */
void device_derive_attachments(const struct node_view *view, GPtrArray *wanted);
