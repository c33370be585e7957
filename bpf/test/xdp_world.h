/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Services of clients outside with back ends outside, for cases of XDP. All addresses outside are by the
 * gateway behind device 130, whose neighbour entry is complete, but
 *
 *	203.0.114.0/24 fd14::/64      behind device 120, the same
 *	203.0.115.0/24 fd15::/64      by another gateway, of which no neighbour entry is complete
 */
#pragma once

#include "abi/lb.h"
#include "bpf/test/dsr_frames.h"
#include "bpf/test/harness.h"

#define GATEWAY_MAC "02:00:00:00:fe:01"
#define NODE_MAC    "02:00:00:00:fe:02" /* of device 130 */

#define XDP_WORLD_SERVICE 7
#define XDP_WORLD_BACKEND 70 /* … 4 and 6 behind it: of IPv4 and IPv6 */

/* Once in the namespace of the harness. */
void xdp_world_init(void);

/*
 * Port 80 of both VIPs, TCP and UDP, with one back end each, port 8080. flags: LB_FRONTEND_F_*; backend_flags:
 * LB_BACKEND_F_LOCAL or 0.
 */
void xdp_world_put_service(struct harness *harness, __u16 flags, __u8 backend_flags);
/* The same with another back end's address. */
void xdp_world_move_backend(struct harness *harness, const char *backend4, const char *backend6);
/* Takes the back ends away. */
void xdp_world_remove_backends(struct harness *harness);

/*
 * The connection of the packet, which goes to a VIP, is under way by SNAT: it leaves with this port of the
 * node's address.
 */
void xdp_world_put_connection(struct harness *harness, const struct frame_spec *spec, __u16 port);

/* As harness_run(), at the XDP hook of a device. */
struct run xdp_world_run(struct harness *harness, const struct frame *frame, __u32 ifindex);
