/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random frames into every program: BPF_FUZZ_FRAMES of them (200,000), from the seed BPF_FUZZ_SEED (1).
 * Aborts where a program misbehaves, and says with which frame.
 */
#pragma once

#include "bpf/test/harness.h"

void fuzz_run(struct harness *harness);

/* What a program made of a frame; NULL: nothing is wrong with it, else what is. */
const char *fuzz_check_frame(enum test_program program, const struct frame *in,
			     const struct run *run);
/* What a frame says of its ends; ports are in host byte order. */
struct fuzz_flow {
	struct addr src, dst;
	__u8 protocol;
	__u8 type; /* ICMP */
	__u16 sport, dport;
	bool is_link_local; /* neighbour discovery or group membership */
};

/* False for what is not IP, or has no L4 header here: other fragments, for one. */
bool fuzz_parse_frame(const struct frame *frame, struct fuzz_flow *ret_flow);

/*
 * The same with services in the maps, which random frames are to, and whose back ends come and go. Both
 * ends of a frame may be another then.
 */
void fuzz_run_services(struct harness *harness);
extern bool fuzz_has_services;
void fuzz_put_services(struct harness *harness);
void fuzz_change_services(struct harness *harness);
/* The frame was refused, and has become the answer to its sender. */
bool fuzz_is_unreachable(const struct frame *in, const struct frame *out);

/* Gives both pods random rule sets, and what became of a frame under them; NULL: what should. */
void fuzz_put_policy(struct harness *harness);
const char *fuzz_check_policy(struct harness *harness, enum test_program program,
			      const struct run *run);
/* What is wrong with what the programs have put into maps and events, or NULL. Takes the events. */
const char *fuzz_check_maps(struct harness *harness);
/* Drops since the reset; all were for a reason that drop_help.def has, else −1. */
long long fuzz_count_drops(struct harness *harness);
