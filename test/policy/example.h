/* SPDX-License-Identifier: Apache-2.0 */
/* Examples whose answers somebody has written down; and packets, which both ends' rules must let pass. */
#pragma once

#include "test/policy/world.h"

/*
 * A YAML file; each document a world with a name, and "expect": "FROM > TO PROTOCOL [PORT]" to allow or
 * deny. Both the reference and the plan must say so. Prints what they do not. Returns their number.
 */
unsigned int example_check(const char *path);
/* What the reference says of a packet that opens something. from, to: parties. */
bool example_passes(struct world *world, const char *from, const char *to, uint8_t protocol,
		    uint16_t port);
