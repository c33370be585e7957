/* SPDX-License-Identifier: Apache-2.0 */
/* XDP programs on a device, by BPF links (Linux 5.9). */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "src/base/error.h"

enum xdp_mode {
	XDP_MODE_NONE,
	XDP_MODE_NATIVE,  /* run by the driver, before there is a buffer */
	XDP_MODE_GENERIC, /* by the kernel, on any device */
	XDP_MODE__MAX,
};

/*
 * A new link; mode is not XDP_MODE_NONE. Owned descriptor, or −errno: −EOPNOTSUPP where the driver cannot,
 * −EBUSY where another's program is.
 */
NODISCARD int xdp_link_new(uint32_t ifindex, enum xdp_mode mode, int program_fd);

struct xdp_link_info {
	uint32_t ifindex; /* 0: the device is gone, or somebody has detached the link */
	uint32_t program_id;
};

/* 0; −EINVAL where the descriptor is not that of a link of XDP. */
NODISCARD int xdp_link_get(int link_fd, struct xdp_link_info *ret_info);
/* How the device runs a program, whosever. 0 or −errno. */
NODISCARD int xdp_mode_get(uint32_t ifindex, enum xdp_mode *ret_mode);
