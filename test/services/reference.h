/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Services as the documentation of Kubernetes and of the annotations tells them, slow and plain: who answers at an
 * address and a port, and which back ends. Shares nothing with lb*.c.
 */
#pragma once

#include <glib.h>
#include "test/services/world.h"

/*
 * "nobody"; "wildcard" (port 0: whether other ports of the address are refused); else who, as what, with whom behind.
 * g_free.
 */
char *lb_reference_answer(const struct lb_world *world, const struct addr *addr, uint16_t port,
			  uint8_t protocol, bool external);
/* All addresses that may mean something in the world: struct addr. */
GArray *lb_reference_addrs(void);
