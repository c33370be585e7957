/* SPDX-License-Identifier: Apache-2.0 */
/* Who an address is, and where an endpoint is, from the pinned maps: with or without an agent. */
#pragma once

#include <stdint.h>
#include "src/base/error.h"
#include "src/model/addr.h"

/* Prints who has the address: identity, labels, endpoint or node. What cannot be known it says too. */
void ping_target_print(const struct addr *addr);

/* The network namespace of a local endpoint: an owned descriptor, or −errno. */
NODISCARD int ping_target_open_netns(uint16_t endpoint_id, GError **error);
