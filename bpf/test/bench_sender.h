/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For benchmarks of what forwards packets: sends at one device, as live frames of BPF_PROG_TEST_RUN, and counts what
 * comes in there. What fails ends the program.
 */
#pragma once

#include "bpf/test/frame.h"

#define SENDER_FLOWS 1024 /* source ports, from SENDER_PORT on; a power of two */
#define SENDER_PORT  1024

struct sender {
	struct bench_xdp_bpf *skel;
	unsigned int ifindex;
	struct frame frame;
};

void sender_fail(const char *what) __attribute__((noreturn));
/* Takes the device; sender_free() gives it back. */
void sender_init(struct sender *sender, const char *device);
void sender_free(struct sender *sender);
/* What to send from now on; no shorter than what bench_xdp_send writes anew. */
void sender_set_frame(struct sender *sender, const struct frame_spec *spec);
void sender_send(const struct sender *sender, int n);
/* Each flow several times, so that its connection is there. */
void sender_open_flows(const struct sender *sender);
unsigned long long sender_n_received(const struct sender *sender);
double sender_seconds(void);
