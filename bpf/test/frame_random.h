/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames at random: every header kind that a sender can emit, well-formed and not. From random(), so that
 * srandom() makes a series that can be had again.
 */
#pragma once

#include "bpf/test/frame.h"

enum frame_place {
	FRAME_PLACE_SELF, /* the pod that sends */
	FRAME_PLACE_POD,  /* another pod of the node */
	FRAME_PLACE_NODE,
	FRAME_PLACE_ROUTER,
	FRAME_PLACE_WORLD,
	FRAME_PLACE_NOBODY, /* in the range of the pods */
	FRAME_PLACE__MAX,
};

/* Who is where, as text; every family has each place. */
struct frame_world {
	const char *ipv4[FRAME_PLACE__MAX];
	const char *ipv6[FRAME_PLACE__MAX];
	const char *src_mac, *dst_mac; /* NULL: as in frame_spec */
};

void frame_random(struct frame *frame, const struct frame_world *world);
