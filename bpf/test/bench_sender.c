/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf/test/bench_sender.h"

#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bpf/test/harness.h"
#include "bench_xdp.skel.h"

#define BATCH 64

void sender_fail(const char *what)
{
	perror(what);
	exit(1);
}

void sender_init(struct sender *sender, const char *device)
{
	*sender = (struct sender){.ifindex = if_nametoindex(device)};
	sender->skel = bench_xdp_bpf__open_and_load();
	if (!sender->skel || bpf_xdp_attach((int)sender->ifindex,
					    bpf_program__fd(sender->skel->progs.bench_xdp_receive),
					    XDP_FLAGS_DRV_MODE, NULL))
		sender_fail("attaching to the sender's device");
}

void sender_free(struct sender *sender)
{
	if (bpf_xdp_detach((int)sender->ifindex, XDP_FLAGS_DRV_MODE, NULL))
		sender_fail("detaching from the sender's device");
	bench_xdp_bpf__destroy(sender->skel);
}

void sender_set_frame(struct sender *sender, const struct frame_spec *spec)
{
	struct bench_xdp_bpf *skel = sender->skel;

	frame_build(&sender->frame, spec);
	memcpy(skel->bss->bench_frame, sender->frame.data, sizeof(skel->bss->bench_frame));
	skel->bss->bench_flow_mask = SENDER_FLOWS - 1;
	skel->bss->bench_sport_off = 14 + (strchr(spec->src, ':') ? 40 : 20);
}

void sender_send(const struct sender *sender, int n)
{
	struct xdp_md md = {.data_end = sender->frame.n_bytes, .ingress_ifindex = sender->ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = sender->frame.data,
		    .data_size_in = sender->frame.n_bytes, .ctx_in = &md, .ctx_size_in = sizeof(md),
		    .repeat = n, .batch_size = BATCH, .flags = BPF_F_TEST_XDP_LIVE_FRAMES);

	if (bpf_prog_test_run_opts(bpf_program__fd(sender->skel->progs.bench_xdp_send), &opts))
		sender_fail("sending live frames");
}

void sender_open_flows(const struct sender *sender)
{
	sender_send(sender, SENDER_FLOWS * 8);
}

unsigned long long sender_n_received(const struct sender *sender)
{
	int n_cpus = libbpf_num_possible_cpus();
	__u64 values[CPUS_MAX], n = 0;
	__u32 zero = 0;

	if (n_cpus < 0 || n_cpus > CPUS_MAX ||
	    bpf_map_lookup_elem(bpf_map__fd(sender->skel->maps.bench_received), &zero, values))
		sender_fail("reading the count");
	for (int i = 0; i < n_cpus; i++)
		n += values[i];
	return n;
}

double sender_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}
