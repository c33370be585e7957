/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nanoseconds a packet, as BPF_PROG_TEST_RUN measures them: the median of interleaved rounds. Needs
 * root and a quiet machine.
 */
#include <linux/pkt_cls.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "bpf/test/harness.h"
#include "bpf/test/policy_world.h"
#include "bench.skel.h"

#define N_ROUNDS 15
#define N_RUNS   400
/* A run repeats the program on one and the same packet, and each delivery takes a hop off it. */
#define N_REPEATS  250
#define N_OPENINGS 2000

struct bench {
	const char *name;
	int fd;
	struct frame_spec spec;
	int verdict;
	bool opening; /* every packet opens a connection */
	bool judged;  /* … which the rules of both ends allow; else nothing is enforced */
	__u32 ns[N_ROUNDS];
};

static void put_maps(struct bench_bpf *skel, struct harness *harness)
{
	struct endpoint_key keys[] = {{harness_addr(B4)}, {harness_addr(B6)}};

	for (int i = 0; i < 2; i++) {
		struct endpoint_info info;

		bpf_map_lookup_elem(bpf_map__fd(harness->skel->maps.cilium_lxc), &keys[i], &info);
		bpf_map_update_elem(bpf_map__fd(skel->maps.cilium_lxc), &keys[i], &info, BPF_ANY);
	}
}

static __u32 run_once(const struct bench *bench, const struct frame *frame, int n_repeats)
{
	struct __sk_buff skb = {.ifindex = IFINDEX_A};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame->data, .data_size_in = frame->n_bytes,
		    .ctx_in = &skb, .ctx_size_in = sizeof(skb), .repeat = n_repeats);

	if (bpf_prog_test_run_opts(bench->fd, &opts) || (int)opts.retval != bench->verdict) {
		fprintf(stderr, "%s: verdict %u\n", bench->name, opts.retval);
		exit(1);
	}
	return opts.duration;
}

static __u32 run_established(const struct bench *bench)
{
	struct frame frame;
	__u64 sum = 0;

	frame_build(&frame, &bench->spec);
	for (int i = 0; i < N_RUNS; i++)
		sum += run_once(bench, &frame, N_REPEATS);
	return sum / N_RUNS;
}

/* Every packet opens a connection, so that one run is one packet: the clock's own cost is in it. */
static __u32 run_opening(const struct bench *bench)
{
	struct frame_spec spec = bench->spec;
	static __u16 port;
	__u64 sum = 0;

	for (int i = 0; i < N_OPENINGS; i++) {
		struct frame frame;

		spec.sport = ++port;
		frame_build(&frame, &spec);
		sum += run_once(bench, &frame, 1);
	}
	return sum / N_OPENINGS;
}

/* Both ends say it by the longest port prefix of a class; three lengths are in use. */
static void put_rules(struct harness *harness)
{
	const struct policy_leaf allow = {.rule = 1, .verdict = POLICY_VERDICT_ALLOW};
	const struct policy_peer peer = {.class = 1, .prefix_lens = 1 << 16 | 1 << 8 | 1};

	policy_put_peer(harness, VERSION_OPEN, POLICY_EGRESS, IDENTITY_B, &peer);
	policy_put_peer(harness, VERSION_OPEN, POLICY_INGRESS, IDENTITY_A, &peer);
	policy_put_leaf(harness, 1, IPPROTO_TCP, 16, 2, allow);
	policy_put_leaf(harness, 1, IPPROTO_TCP, 8, 0x100, allow);
	policy_put_leaf(harness, 1, IPPROTO_TCP, 0, 0, allow);
}

static void enforce(struct harness *harness, bool is_enforced)
{
	__u32 flags = is_enforced ? 0 : POLICY_F_OPEN_INGRESS | POLICY_F_OPEN_EGRESS;

	harness_put_policy(harness, ENDPOINT_A, VERSION_OPEN, flags);
	harness_put_policy(harness, ENDPOINT_B, VERSION_OPEN, flags);
}

static int compare(const void *a, const void *b)
{
	return *(const __u32 *)a < *(const __u32 *)b ? -1 : *(const __u32 *)a > *(const __u32 *)b;
}

static void measure(struct harness *harness, struct bench *benches, size_t n_benches)
{
	for (int round = 0; round < N_ROUNDS; round++) {
		for (size_t i = 0; i < n_benches; i++) {
			enforce(harness, benches[i].judged);
			benches[i].ns[round] = benches[i].opening ? run_opening(&benches[i])
								  : run_established(&benches[i]);
		}
	}
	for (size_t i = 0; i < n_benches; i++) {
		qsort(benches[i].ns, N_ROUNDS, sizeof(benches[i].ns[0]), compare);
		printf("%-40s %5u ns  (%u to %u)\n", benches[i].name, benches[i].ns[N_ROUNDS / 2],
		       benches[i].ns[0], benches[i].ns[N_ROUNDS - 1]);
	}
}

#define TCP4 .src = A4, .dst = B4, .protocol = IPPROTO_TCP, .ttl = 255, .sport = 1, .dport = 2
#define TCP6 .src = A6, .dst = B6, .protocol = IPPROTO_TCP, .ttl = 255, .sport = 1, .dport = 2

int main(void)
{
	struct node_config config = harness_config();
	struct harness harness;
	struct bench_bpf *skel;
	int parse, reference, whole;

	harness_init();
	config.enable_ct_accounting = 0;
	harness_load(&harness, &config);
	skel = bench_bpf__open();
	if (!skel)
		return 1;
	*(struct node_config *)&skel->rodata->node_config = config;
	if (bench_bpf__load(skel))
		return 1;
	put_maps(skel, &harness);
	parse = bpf_program__fd(skel->progs.bench_parse);
	reference = bpf_program__fd(skel->progs.bench_reference);
	whole = harness_program_fd(&harness, FROM_CONTAINER);

	struct bench benches[] = {
		{"parse, IPv4", parse, {TCP4, .tcp_flags = TCP_ACK}},
		{"parse, IPv6", parse, {TCP6, .tcp_flags = TCP_ACK}},
		{"and connection and endpoint, IPv4", reference, {TCP4, .tcp_flags = TCP_ACK}},
		{"and connection and endpoint, IPv6", reference, {TCP6, .tcp_flags = TCP_ACK}},
		{"pod to pod, established, IPv4",
		 whole,
		 {TCP4, .tcp_flags = TCP_ACK},
		 TC_ACT_REDIRECT},
		{"pod to pod, established, IPv6",
		 whole,
		 {TCP6, .tcp_flags = TCP_ACK},
		 TC_ACT_REDIRECT},
		{"pod to pod, opening, IPv4",
		 whole,
		 {TCP4, .tcp_flags = TCP_SYN},
		 TC_ACT_REDIRECT,
		 true},
		{"pod to pod, opening, IPv6",
		 whole,
		 {TCP6, .tcp_flags = TCP_SYN},
		 TC_ACT_REDIRECT,
		 true},
		{"pod to pod, opening, judged, IPv4",
		 whole,
		 {TCP4, .tcp_flags = TCP_SYN},
		 TC_ACT_REDIRECT,
		 true,
		 true},
		{"pod to pod, opening, judged, IPv6",
		 whole,
		 {TCP6, .tcp_flags = TCP_SYN},
		 TC_ACT_REDIRECT,
		 true,
		 true},
	};

	put_rules(&harness);
	measure(&harness, benches, sizeof(benches) / sizeof(benches[0]));
	bench_bpf__destroy(skel);
	harness_unload(&harness);
	return 0;
}
