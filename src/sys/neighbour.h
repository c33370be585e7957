/* SPDX-License-Identifier: Apache-2.0 */
/* Whom the kernel knows on a link. */
#pragma once

#include "src/sys/netlink.h"

/*
 * The router with the address has the MAC, for as long as the device lives: the kernel asks nobody, and what it knew
 * before it knows no more.
 */
void neighbour_append_router(struct netlink *nl, uint32_t ifindex, const struct addr *addr,
			     const struct mac *mac);
