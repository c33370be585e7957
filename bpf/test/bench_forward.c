/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many packets a second the machine at the other end of a veth device forwards back to where they came
 * from, whoever does it there:
 *
 *	bench_forward DEVICE MAC SOURCE DESTINATION PORT PACKETS ROUNDS
 *
 * UDP, from 1,024 source ports, as live frames of BPF_PROG_TEST_RUN; prints one rate a round.
 */
#include <linux/if_link.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bpf/test/xdp_world.h"
#include "bench_xdp.skel.h"

#define N_FLOWS 1024 /* a power of two */
#define BATCH   64

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static __u64 n_received(struct bench_xdp_bpf *skel)
{
	int n_cpus = libbpf_num_possible_cpus();
	__u64 values[CPUS_MAX], n = 0;
	__u32 zero = 0;

	if (n_cpus < 0 || n_cpus > CPUS_MAX ||
	    bpf_map_lookup_elem(bpf_map__fd(skel->maps.bench_received), &zero, values))
		fail("reading the count");
	for (int i = 0; i < n_cpus; i++)
		n += values[i];
	return n;
}

static void send_all(struct bench_xdp_bpf *skel, const struct frame *frame, __u32 ifindex, int n)
{
	struct xdp_md md = {.data_end = frame->n_bytes, .ingress_ifindex = ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame->data, .data_size_in = frame->n_bytes,
		    .ctx_in = &md, .ctx_size_in = sizeof(md), .repeat = n, .batch_size = BATCH,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES);

	if (bpf_prog_test_run_opts(bpf_program__fd(skel->progs.bench_xdp_send), &opts))
		fail("sending live frames");
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* Until no more comes back: the other side may be slower than the sender. */
static double measure(struct bench_xdp_bpf *skel, const struct frame *frame, __u32 ifindex, int n)
{
	__u64 begin = n_received(skel), last, now = begin;
	double start = seconds(), end = start;

	send_all(skel, frame, ifindex, n);
	do {
		last = now;
		now = n_received(skel);
		if (now != last)
			end = seconds();
		usleep(2000);
	} while (now != last);
	return (double)(now - begin) / (end - start);
}

int main(int argc, char **argv)
{
	struct bench_xdp_bpf *skel;
	struct frame_spec spec = {.src_mac = "02:00:00:00:00:99",
				  .protocol = IPPROTO_UDP,
				  .sport = 1024,
				  .n_payload = 64};
	struct frame frame;
	__u32 ifindex;

	if (argc != 8)
		return 2;
	spec.dst_mac = argv[2];
	spec.src = argv[3];
	spec.dst = argv[4];
	spec.dport = (__u16)atoi(argv[5]);
	frame_build(&frame, &spec);
	ifindex = if_nametoindex(argv[1]);
	skel = bench_xdp_bpf__open_and_load();
	if (!skel || bpf_xdp_attach((int)ifindex, bpf_program__fd(skel->progs.bench_xdp_receive),
				    XDP_FLAGS_DRV_MODE, NULL))
		fail("attaching to the device");
	memcpy(skel->bss->bench_frame, frame.data, sizeof(skel->bss->bench_frame));
	skel->bss->bench_flow_mask = N_FLOWS - 1;
	skel->bss->bench_sport_off = 14 + (strchr(spec.src, ':') ? 40 : 20);
	send_all(skel, &frame, ifindex, N_FLOWS * 8); /* opens the connections */
	usleep(200000);
	for (int i = 0; i < atoi(argv[7]); i++)
		printf("%.0f\n", measure(skel, &frame, ifindex, atoi(argv[6])));
	return bpf_xdp_detach((int)ifindex, XDP_FLAGS_DRV_MODE, NULL) ? 1 : 0;
}
