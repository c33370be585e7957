/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of struct frame_spec: packets to port 80 of a VIP, and as its back end of another node gets them. */
#pragma once

#include <netinet/in.h>

#include "bpf/test/harness.h"

#define VIP4     "192.0.2.80"
#define VIP6     "2001:db8::80"
#define BACKEND4 "10.244.7.7"
#define BACKEND6 "fd00:7::7"

#define VIP_TCP4 .src = WORLD4, .dst = VIP4, .protocol = IPPROTO_TCP, .sport = 1234, .dport = 80
#define VIP_TCP6 .src = WORLD6, .dst = VIP6, .protocol = IPPROTO_TCP, .sport = 1234, .dport = 80
#define SENT4    .dst = BACKEND4, .dport = 8080
#define SENT6    .dst = BACKEND6, .dport = 8080
#define OPTION4  .n_options = 2, .options = dsr_option4
#define OPTION6  .extension = IPPROTO_DSTOPTS, .options = dsr_option6

/* What says which front end was asked for; IPv6: from the header's length on, as struct frame_spec has it. */
static const uint8_t dsr_option4[] = {0x9a, 8, 0, 80, 192, 0, 2, 80};
static const uint8_t dsr_option6[] = {2, 0x1b, 20, 0, 80, 0, 0, 0x20, 0x01, 0x0d, 0xb8, 0,
				      0, 0,    0,  0, 0,  0, 0, 0,    0,    0,    0x80};
