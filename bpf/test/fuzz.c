/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf/test/fuzz.h"

#include <linux/pkt_cls.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_FRAMES        200000
#define FRAME_BYTES_MIN 54 /* BPF_PROG_TEST_RUN wants the IP header whole */

static const struct frame_spec inner4 = {
	.src = B4, .dst = A4, .protocol = IPPROTO_UDP, .sport = 53, .dport = 1000, .n_payload = 8};
static const struct frame_spec inner6 = {
	.src = B6, .dst = A6, .protocol = IPPROTO_UDP, .sport = 53, .dport = 1000, .n_payload = 8};

#define A_TO_B4 .src = A4, .dst = B4
#define A_TO_B6 .src = A6, .dst = B6
#define OUT4    .src = A4, .dst = WORLD4
#define IN4     .src = WORLD4, .dst = NODE4
#define IN6     .src = WORLD6, .dst = B6

static const struct frame_spec seeds[] = {
	{A_TO_B4, .protocol = IPPROTO_TCP, .sport = 1, .dport = 2, .tcp_flags = TCP_SYN},
	{A_TO_B6, .protocol = IPPROTO_TCP, .sport = 1, .dport = 2, .tcp_flags = TCP_ACK},
	{A_TO_B4, .protocol = IPPROTO_UDP, .sport = 1, .n_options = 4, .n_payload = 20},
	{A_TO_B6, .protocol = IPPROTO_UDP, .extension = IPPROTO_DSTOPTS, .n_extensions = 3},
	{A_TO_B6, .protocol = IPPROTO_UDP, .more_fragments = true, .n_payload = 24},
	{A_TO_B4, .protocol = IPPROTO_ICMP, .type = 3, .inner = &inner4},
	{A_TO_B6, .protocol = IPPROTO_ICMPV6, .type = 1, .inner = &inner6},
	{A_TO_B6, .protocol = IPPROTO_ICMPV6, .type = 135, .ttl = 255, .n_payload = 24},
	{A_TO_B4, .protocol = IPPROTO_SCTP, .sport = 1, .dport = 2},
	{OUT4, .protocol = IPPROTO_TCP, .sport = 1, .dport = 2, .tcp_flags = TCP_SYN},
	{OUT4, .protocol = IPPROTO_UDP, .fragment_off = 24, .n_payload = 24},
	{IN4, .protocol = IPPROTO_UDP, .sport = 2, .dport = 40000},
	{IN4, .protocol = IPPROTO_ICMP, .type = 11, .inner = &inner4},
	{IN6, .protocol = IPPROTO_TCP, .sport = 2, .dport = 40000, .tcp_flags = TCP_RST},
};

static void mutate(struct frame *frame)
{
	int n_changes = random() % 5;

	for (int i = 0; i < n_changes; i++)
		frame->data[12 + random() % (frame->n_bytes - 12)] = random();
	if (random() % 8 == 0 && frame->n_bytes > FRAME_BYTES_MIN)
		frame->n_bytes =
			FRAME_BYTES_MIN + random() % (frame->n_bytes - FRAME_BYTES_MIN + 1);
}

static __u64 n_judged(struct harness *harness)
{
	__u32 reason;

	return harness_metric(harness, METRIC_REASON_FORWARDED, METRIC_DIR_INGRESS) +
	       harness_metric(harness, METRIC_REASON_FORWARDED, METRIC_DIR_EGRESS) +
	       harness_n_drops(harness, &reason);
}

static void check(const struct frame *in, const struct run *run, enum test_program program)
{
	bool valid = run->verdict == TC_ACT_UNSPEC || run->verdict == TC_ACT_SHOT ||
		     run->verdict == TC_ACT_REDIRECT;

	/* Only an advertisement is of another length than its solicitation. */
	if (valid && (run->verdict != TC_ACT_UNSPEC || run->out.n_bytes == in->n_bytes))
		return;
	fprintf(stderr, "program %d: verdict %d, %zu to %zu bytes:", program, run->verdict,
		in->n_bytes, run->out.n_bytes);
	for (size_t i = 0; i < in->n_bytes; i++)
		fprintf(stderr, " %02x", in->data[i]);
	fprintf(stderr, "\n");
	abort();
}

void fuzz_run(struct harness *harness)
{
	static const __u32 devices[PROGRAM__MAX] = {
		[FROM_CONTAINER] = IFINDEX_A, [TO_CONTAINER] = IFINDEX_B,
		[FROM_HOST] = IFINDEX_HOST,   [FROM_NETDEV] = IFINDEX_NODE,
		[TO_NETDEV] = IFINDEX_NODE,
	};
	__u64 n_from_container = 0;

	harness_reset(harness);
	/* Reproducible. */
	srandom(1);
	for (int i = 0; i < N_FRAMES; i++) {
		enum test_program program = i % PROGRAM__MAX;
		struct frame frame;
		struct run run;

		frame_build(&frame, &seeds[random() % (sizeof(seeds) / sizeof(seeds[0]))]);
		mutate(&frame);
		run = harness_run(harness, program, &frame, devices[program], 0, 0);
		check(&frame, &run, program);
		n_from_container += program == FROM_CONTAINER;
	}
	/* Whatever an endpoint sends is counted as forwarded or dropped. */
	if (n_judged(harness) < n_from_container)
		abort();
}
