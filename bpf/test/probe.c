/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf/test/probe.h"

#include <stdlib.h>

#include "packet_probe.skel.h"

struct packet_probe_bpf *probe_load(const struct node_config *config)
{
	const struct device_info device = {
		.mtu = 1500, .addr4 = harness_addr(NODE4), .addr6 = harness_addr(NODE6)};
	struct packet_probe_bpf *skel = packet_probe_bpf__open();
	__u32 ifindex = IFINDEX_NODE;

	if (!skel)
		abort();
	*(struct node_config *)&skel->rodata->node_config = *config;
	if (packet_probe_bpf__load(skel) ||
	    bpf_map_update_elem(bpf_map__fd(skel->maps.cilium_devices), &ifindex, &device, BPF_ANY))
		abort();
	return skel;
}

struct probe_run probe_run(struct packet_probe_bpf *skel, enum probe_program program,
			   const struct frame *frame, __u32 gso_size)
{
	const struct bpf_program *const programs[PROBE_PROGRAM__MAX] = {
		[PROBE_REJECT] = skel->progs.probe_reject,
		[PROBE_DSR_FORWARD] = skel->progs.probe_dsr_forward,
		[PROBE_DSR_FIND] = skel->progs.probe_dsr_find,
	};
	struct __sk_buff skb = {.ifindex = IFINDEX_NODE, .gso_size = gso_size};
	struct probe_run run = {};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame->data, .data_size_in = frame->n_bytes,
		    .data_out = run.out.data, .data_size_out = sizeof(run.out.data), .ctx_in = &skb,
		    .ctx_size_in = sizeof(skb), .repeat = 1);

	if (bpf_prog_test_run_opts(bpf_program__fd(programs[program]), &opts))
		abort();
	run.result = skel->bss->probe.result;
	run.out.n_bytes = opts.data_size_out;
	return run;
}
