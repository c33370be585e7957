/* SPDX-License-Identifier: Apache-2.0 */
/* What masquerading keeps, for cases to look at and to prepare. */
#pragma once

#include "bpf/test/harness.h"

/*
 * The connection of the packet leaves as NODE4 or NODE6 with this port, and has done so for long.
 */
void nat_world_put(struct harness *harness, const struct frame_spec *spec, __u16 port);
/* Port by which the connection of the packet leaves; 0: it is not masqueraded. */
__u16 nat_world_port(struct harness *harness, const struct frame_spec *spec);
/* Forgets the way back of the connection; true when there was one. */
bool nat_world_forget(struct harness *harness, const struct frame_spec *spec, __u16 port);
void nat_world_forget_ct(struct harness *harness, const struct frame_spec *spec);
/* Gives the way back to somebody else. */
void nat_world_give_away(struct harness *harness, const struct frame_spec *spec, __u16 port,
			 const char *owner);
