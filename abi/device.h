/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* cilium_devices: the node's external devices, by ifindex. */
#pragma once

#include "abi/types.h"

#define DEVICE_F_L3  0x01 /* frames carry no link-layer header */
#define DEVICE_F_XDP 0x02 /* XDP programs may hand frames to it */

struct device_info {
	struct addr masquerade4; /* source address of masqueraded packets; all zero: none */
	struct addr masquerade6;
	__u32 mtu;
	__u32 flags;       /* DEVICE_F_* */
	struct addr addr4; /* of the device: under it go packets to services on; zero: none */
	struct addr addr6;
};
ABI_ASSERT_SIZE(struct device_info, 72);
