/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets a second through a real veth pair: live frames of BPF_PROG_TEST_RUN go in at one end, a program in
 * driver mode sends them back at the other, a third counts what comes out. cil_xdp_entry against a bare
 * reflector: the best of many short, interleaved rounds, as others may be at work on the machine. Needs root.
 */
#include <linux/if_link.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bpf/test/xdp_world.h"
#include "bench_xdp.skel.h"

#define N_ROUNDS  7
#define N_PACKETS 60000
#define N_FLOWS   1024 /* a power of two */
#define BATCH     64

struct bench {
	const char *name;
	bool bare;
	__u8 dispatch; /* enum dsr_dispatch */
	__u16 flags;   /* of the front ends */
	struct frame_spec spec;
	double rates[N_ROUNDS];
};

/* The payload makes each frame longer than what the sender writes anew. */
#define CLIENT4 .src = WORLD4, .dst = VIP4, .dport = 80, .n_payload = 64
#define CLIENT6 .src = WORLD6, .dst = VIP6, .dport = 80, .n_payload = 64
#define DIRECT  (LB_FRONTEND_F_EXTERNAL | LB_FRONTEND_F_DSR)

static struct bench benches[] = {
	{"bare XDP_TX", .bare = true, .spec = {CLIENT4, .protocol = IPPROTO_UDP}},
	{"DSR, UDP with an option",
	 0,
	 DSR_DISPATCH_OPTION,
	 DIRECT,
	 {CLIENT4, .protocol = IPPROTO_UDP}},
	{"DSR, UDP with an option, IPv6",
	 0,
	 DSR_DISPATCH_OPTION,
	 DIRECT,
	 {CLIENT6, .protocol = IPPROTO_UDP}},
	{"DSR, TCP under way",
	 0,
	 DSR_DISPATCH_OPTION,
	 DIRECT,
	 {CLIENT4, .protocol = IPPROTO_TCP, .tcp_flags = TCP_ACK}},
	{"DSR, IPIP", 0, DSR_DISPATCH_IPIP, DIRECT, {CLIENT4, .protocol = IPPROTO_UDP}},
	{"DSR, IPIP, IPv6", 0, DSR_DISPATCH_IPIP, DIRECT, {CLIENT6, .protocol = IPPROTO_UDP}},
	{"SNAT, TCP",
	 0,
	 DSR_DISPATCH_OPTION,
	 LB_FRONTEND_F_EXTERNAL,
	 {CLIENT4, .protocol = IPPROTO_TCP, .tcp_flags = TCP_ACK}},
	{"SNAT, TCP, IPv6",
	 0,
	 DSR_DISPATCH_OPTION,
	 LB_FRONTEND_F_EXTERNAL,
	 {CLIENT6, .protocol = IPPROTO_TCP, .tcp_flags = TCP_ACK}},
};

#define N_BENCHES (sizeof(benches) / sizeof(benches[0]))

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static struct node_config config_of(__u8 dispatch)
{
	struct node_config config = harness_config();

	config.enable_node_port = 1;
	config.enable_ct_accounting = 0;
	config.dsr_dispatch = dispatch;
	config.ct_timeout_service_tcp = 8000;
	config.ct_timeout_service_any = 60;
	return config;
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

static void send_all(struct bench_xdp_bpf *skel, const struct frame *frame, __u32 peer, int n)
{
	struct xdp_md md = {.data_end = frame->n_bytes, .ingress_ifindex = peer};
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

static void put_world(struct harness *harness, const struct bench *bench)
{
	harness_reset(harness);
	xdp_world_put_service(harness, bench->flags, 0);
	for (__u16 i = 0; !(bench->flags & LB_FRONTEND_F_DSR) && i < N_FLOWS; i++) {
		struct frame_spec spec = bench->spec;

		spec.sport = 1024 + i;
		xdp_world_put_connection(harness, &spec, 40000 + i);
	}
}

static double measure(struct harness *harness, struct bench_xdp_bpf *skel,
		      const struct bench *bench, __u32 peer)
{
	int program = bpf_program__fd(bench->bare ? skel->progs.bench_xdp_tx
						  : harness->skel->progs.cil_xdp_entry);
	struct frame_spec spec = bench->spec;
	struct frame frame;
	double start, rate;
	__u64 n;

	put_world(harness, bench);
	frame_build(&frame, &spec);
	memcpy(skel->bss->bench_frame, frame.data, sizeof(skel->bss->bench_frame));
	skel->bss->bench_flow_mask = N_FLOWS - 1;
	skel->bss->bench_sport_off = 14 + (strchr(spec.src, ':') ? 40 : 20);
	if (bpf_xdp_attach(IFINDEX_NODE, program, XDP_FLAGS_DRV_MODE, NULL))
		fail("attaching to the node's device");
	send_all(skel, &frame, peer, N_FLOWS * 8); /* opens the entries */
	n = n_received(skel);
	start = seconds();
	send_all(skel, &frame, peer, N_PACKETS);
	rate = (n_received(skel) - n) / (seconds() - start);
	if (bpf_xdp_detach(IFINDEX_NODE, XDP_FLAGS_DRV_MODE, NULL))
		fail("detaching");
	return rate;
}

/* As the harness has it, but for rules: with these the kernel looks for routes another way. */
static void set_up(void)
{
	static const char *const commands[] = {
		"ip link add pod_b index 120 type veth peer name pod_b_peer",
		"ip link add node index 130 type veth peer name node_peer",
		"sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1",
		"ip link set node up",
		"ip link set node_peer up",
		"ip link set pod_b up",
		"ip addr add 192.0.2.1/24 dev node",
		"ip addr add 2001:db8::1/64 dev node nodad",
		"ip route add default via 192.0.2.254",
		"ip -6 route add default via 2001:db8::fe",
	};

	if (unshare(CLONE_NEWNET))
		fail("a network namespace of its own");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (system(commands[i]))
			fail(commands[i]);
}

static int compare(const void *a, const void *b)
{
	return *(const double *)a < *(const double *)b ? -1
						       : *(const double *)a > *(const double *)b;
}

int main(void)
{
	struct bench_xdp_bpf *skel;
	struct harness harness[2] = {}; /* by enum dsr_dispatch */
	double bare;
	__u32 peer;

	set_up();
	xdp_world_init();
	for (__u8 dispatch = 0; dispatch < 2; dispatch++) {
		struct node_config config = config_of(dispatch);

		harness_load(&harness[dispatch], &config);
	}
	skel = bench_xdp_bpf__open_and_load();
	peer = if_nametoindex("node_peer");
	if (!skel || bpf_xdp_attach(peer, bpf_program__fd(skel->progs.bench_xdp_receive),
				    XDP_FLAGS_DRV_MODE, NULL))
		fail("attaching to the sender's device");
	for (int round = 0; round < N_ROUNDS; round++)
		for (size_t i = 0; i < N_BENCHES; i++)
			benches[i].rates[round] =
				measure(&harness[benches[i].dispatch], skel, &benches[i], peer);
	for (size_t i = 0; i < N_BENCHES; i++)
		qsort(benches[i].rates, N_ROUNDS, sizeof(double), compare);
	bare = benches[0].rates[N_ROUNDS - 1];
	for (size_t i = 0; i < N_BENCHES; i++)
		printf("%-32s %8.0f packets/s  %.2f of bare\n", benches[i].name,
		       benches[i].rates[N_ROUNDS - 1], benches[i].rates[N_ROUNDS - 1] / bare);
	return 0;
}
