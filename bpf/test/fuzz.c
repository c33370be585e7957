/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf/test/fuzz.h"

#include <linux/pkt_cls.h>
#include <net/ethernet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/test/frame_random.h"
#include "bpf/test/service_world.h"

#define N_FRAMES 200000
#define N_BATCH  20000 /* between two looks at the maps */
#define NOBODY4  "10.0.0.99"
#define NOBODY6  "fd00::99"

#define WORLD(self4, pod4, router4, world4, self6, pod6, router6, world6) \
	{                                                                 \
		.ipv4 = {self4, pod4, NODE4, router4, world4, NOBODY4},   \
		.ipv6 = {self6, pod6, NODE6, router6, world6, NOBODY6},   \
	}

/* Who sends where a program stands, and on which device. */
struct scene {
	__u32 ifindex;
	struct frame_world world;
};

static const struct scene scenes_of_old[PROGRAM__MAX] = {
	[FROM_CONTAINER] = {IFINDEX_A, WORLD(A4, B4, HOST4, WORLD4, A6, B6, HOST6, WORLD6)},
	[TO_CONTAINER] = {IFINDEX_B, WORLD(A4, B4, HOST4, WORLD4, A6, B6, HOST6, WORLD6)},
	[FROM_HOST] = {IFINDEX_HOST, WORLD(HOST4, B4, A4, WORLD4, HOST6, B6, A6, WORLD6)},
	[FROM_NETDEV] = {IFINDEX_NODE, WORLD(WORLD4, B4, HOST4, A4, WORLD6, B6, HOST6, A6)},
	[TO_NETDEV] = {IFINDEX_NODE, WORLD(A4, B4, HOST4, WORLD4, A6, B6, HOST6, WORLD6)},
};

/* In place of the router a cluster address, in place of nobody a stand-in. */
#define SERVICE_WORLD(self4, pod4, world4, self6, pod6, world6)                \
	{                                                                      \
		.ipv4 = {self4, pod4, NODE4, "10.96.0.10", world4, LOOPBACK4}, \
		.ipv6 = {self6, pod6, NODE6, "fd96::10", world6, LOOPBACK6},   \
	}
#define REMOTE4 "10.0.9.30"
#define REMOTE6 "fd09::30"

static const struct scene scenes_of_services[PROGRAM__MAX] = {
	[FROM_CONTAINER] = {IFINDEX_A, SERVICE_WORLD(A4, B4, REMOTE4, A6, B6, REMOTE6)},
	[TO_CONTAINER] = {IFINDEX_B, SERVICE_WORLD(A4, B4, WORLD4, A6, B6, WORLD6)},
	[FROM_HOST] = {IFINDEX_HOST, SERVICE_WORLD(HOST4, B4, A4, HOST6, B6, A6)},
	[FROM_NETDEV] = {IFINDEX_NODE, SERVICE_WORLD(WORLD4, B4, REMOTE4, WORLD6, B6, REMOTE6)},
	[TO_NETDEV] = {IFINDEX_NODE, SERVICE_WORLD(WORLD4, B4, REMOTE4, WORLD6, B6, REMOTE6)},
};

static const struct scene *scenes = scenes_of_old;

/* Of the packets that these see, each is counted once. */
static bool counts_all(enum test_program program)
{
	return program == FROM_CONTAINER || program == TO_CONTAINER || program == FROM_HOST;
}

static void fail(const char *what, enum test_program program, const struct frame *in,
		 const struct run *run)
{
	fprintf(stderr, "program %d: %s: verdict %d\nin ", program, what, run->verdict);
	for (size_t i = 0; i < in->n_bytes; i++)
		fprintf(stderr, " %02x", in->data[i]);
	fprintf(stderr, "\nout");
	for (size_t i = 0; i < run->out.n_bytes; i++)
		fprintf(stderr, " %02x", run->out.data[i]);
	fprintf(stderr, "\n");
	abort();
}

/* BPF_PROG_TEST_RUN wants the Ethernet header, one byte more, and of IP the header whole. */
static void lengthen(struct frame *frame)
{
	unsigned int ethertype = frame->data[12] << 8 | frame->data[13];
	size_t least = ethertype == ETHERTYPE_IP     ? ETH_HLEN + 20
		       : ethertype == ETHERTYPE_IPV6 ? ETH_HLEN + 40
						     : ETH_HLEN + 1;

	if (frame->n_bytes < least)
		frame->n_bytes = least;
}

/* What the programs counted of one batch, and what is true. */
struct tally {
	long long n_shot;
	long long n_counted; /* of programs that count all: what went on */
};

static void run_one(struct harness *harness, struct tally *tally)
{
	static const __u32 marks[] = {0, 0, 0, MARK_MAGIC_SNAT_DONE, MARK_MAGIC_IDENTITY | 7 << 16};
	enum test_program program = random() % PROGRAM__MAX;
	__u32 mark = marks[random() % (sizeof(marks) / sizeof(marks[0]))];
	__u32 gso_size = random() % 16 ? 0 : 1 + random() % 1500;
	struct frame frame;
	struct run run;
	const char *wrong;
	bool is_dropped;

	frame_random(&frame, &scenes[program].world);
	lengthen(&frame);
	run = harness_run(harness, program, &frame, scenes[program].ifindex, mark, gso_size);
	wrong = fuzz_check_frame(program, &frame, &run);
	/* Whose answers these are the frame does not say. */
	if (!wrong && !fuzz_has_services)
		wrong = fuzz_check_policy(harness, program, &run);
	if (wrong)
		fail(wrong, program, &frame, &run);
	is_dropped = run.verdict == TC_ACT_SHOT ||
		     (run.verdict == TC_ACT_REDIRECT && fuzz_is_unreachable(&frame, &run.out));
	tally->n_shot += is_dropped;
	tally->n_counted += counts_all(program) && !is_dropped;
}

static long long n_forwarded(struct harness *harness)
{
	return harness_metric(harness, METRIC_REASON_FORWARDED, METRIC_DIR_INGRESS) +
	       harness_metric(harness, METRIC_REASON_FORWARDED, METRIC_DIR_EGRESS);
}

static void run_batch(struct harness *harness, long n_frames)
{
	struct tally tally = {0};
	const char *wrong;
	long long n_drops;

	for (long i = 0; i < n_frames; i++) {
		if (fuzz_has_services && i % 1000 == 999)
			fuzz_change_services(harness);
		run_one(harness, &tally);
	}
	n_drops = fuzz_count_drops(harness);
	/* cil_from_netdev counts what it hands to an endpoint, and no more. */
	if (n_drops != tally.n_shot || n_forwarded(harness) < tally.n_counted) {
		fprintf(stderr, "%lld dropped, %lld counted; %lld went on, %lld counted\n",
			tally.n_shot, n_drops, tally.n_counted, n_forwarded(harness));
		abort();
	}
	wrong = fuzz_check_maps(harness);
	if (wrong) {
		fprintf(stderr, "maps: %s\n", wrong);
		abort();
	}
}

static void report_all(struct harness *harness)
{
	struct runtime_config runtime = {.drop_events = 1,
					 .trace_events = 1,
					 .trace_aggregation = TRACE_AGGREGATION_NONE,
					 .verdict_events = VERDICT_EVENTS_ON,
					 .wakeup_bytes = 1 << 20};
	__u32 zero = 0;

	bpf_map_update_elem(bpf_map__fd(harness->skel->maps.cilium_runtime_config), &zero, &runtime,
			    BPF_ANY);
}

static long from_environment(const char *name, long otherwise)
{
	const char *text = getenv(name);

	return text ? strtol(text, NULL, 10) : otherwise;
}

void fuzz_run(struct harness *harness)
{
	long n_frames = from_environment("BPF_FUZZ_FRAMES", N_FRAMES);

	srandom(from_environment("BPF_FUZZ_SEED", 1));
	for (long i = 0; i < n_frames; i += N_BATCH) {
		harness_reset(harness);
		report_all(harness);
		/* The first batch has an open policy, as of old: nothing hides behind a refusal. */
		if (i)
			fuzz_put_policy(harness);
		run_batch(harness, n_frames - i < N_BATCH ? n_frames - i : N_BATCH);
	}
	harness_reset(harness);
	printf("%ld frames\n", n_frames);
}

void fuzz_run_services(struct harness *harness)
{
	long n_frames = from_environment("BPF_FUZZ_FRAMES", N_FRAMES);

	srandom(from_environment("BPF_FUZZ_SEED", 1));
	service_world_routes();
	scenes = scenes_of_services;
	fuzz_has_services = true;
	for (long i = 0; i < n_frames; i += N_BATCH) {
		harness_reset(harness);
		report_all(harness);
		fuzz_put_services(harness);
		run_batch(harness, n_frames - i < N_BATCH ? n_frames - i : N_BATCH);
	}
	service_world_clear(harness);
	harness_reset(harness);
	fuzz_has_services = false;
	scenes = scenes_of_old;
	printf("%ld frames\n", n_frames);
}
