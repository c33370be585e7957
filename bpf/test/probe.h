/* SPDX-License-Identifier: Apache-2.0 */
/* Single stages of the programs, by bpf/test/packet_probe.bpf.c. */
#pragma once

#include "bpf/test/harness.h"

enum probe_program {
	PROBE_REJECT,
	PROBE_DSR_FORWARD,
	PROBE_DSR_FIND,
	PROBE_PROGRAM__MAX,
};

struct probe_run {
	__s32 result; /* what the stage returned */
	struct frame out;
};

struct packet_probe_bpf;

/* Loads them, with the configuration of the harness. */
struct packet_probe_bpf *probe_load(const struct node_config *config);
struct probe_run probe_run(struct packet_probe_bpf *skel, enum probe_program program,
			   const struct frame *frame, __u32 gso_size);
