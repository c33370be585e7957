/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel says of its devices, as rows. */
#pragma once

#include "src/model/device.h"
#include "src/sys/netlink.h"

/* The devices that default routes of the main table go out of: a set of GUINT_TO_POINTER(ifindex). */
NODISCARD int device_read_default_routes(struct netlink *nl, GHashTable **ret_ifindexes,
					 GError **error);
/* All devices: struct device, owned by the array. */
NODISCARD int device_read_all(struct netlink *nl, GHashTable *default_ifindexes,
			      GPtrArray **ret_devices, GError **error);
/* −ENODEV where there is none. */
NODISCARD int device_read_one(struct netlink *nl, uint32_t ifindex, bool default_route,
			      struct device **ret_device, GError **error);
