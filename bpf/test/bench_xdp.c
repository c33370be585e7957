/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets a second through a real veth pair: live frames of BPF_PROG_TEST_RUN go in at one end, a program in
 * driver mode sends them back at the other, a third counts what comes out. cil_xdp_entry against a bare
 * reflector: the best of many short, interleaved rounds, as others may be at work on the machine. Needs root.
 */
#include <linux/if_link.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "bpf/test/bench_sender.h"
#include "bpf/test/xdp_world.h"
#include "bench_xdp.skel.h"

#define N_ROUNDS  7
#define N_PACKETS 60000

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

static void put_world(struct harness *harness, const struct bench *bench)
{
	harness_reset(harness);
	xdp_world_put_service(harness, bench->flags, 0);
	for (__u16 i = 0; !(bench->flags & LB_FRONTEND_F_DSR) && i < SENDER_FLOWS; i++) {
		struct frame_spec spec = bench->spec;

		spec.sport = SENDER_PORT + i;
		xdp_world_put_connection(harness, &spec, 40000 + i);
	}
}

static double measure(struct harness *harness, struct sender *sender, const struct bench *bench)
{
	int program = bpf_program__fd(bench->bare ? sender->skel->progs.bench_xdp_tx
						  : harness->skel->progs.cil_xdp_entry);
	double start, rate;
	__u64 n;

	put_world(harness, bench);
	sender_set_frame(sender, &bench->spec);
	if (bpf_xdp_attach(IFINDEX_NODE, program, XDP_FLAGS_DRV_MODE, NULL))
		sender_fail("attaching to the node's device");
	sender_open_flows(sender);
	n = sender_n_received(sender);
	start = sender_seconds();
	sender_send(sender, N_PACKETS);
	rate = (sender_n_received(sender) - n) / (sender_seconds() - start);
	if (bpf_xdp_detach(IFINDEX_NODE, XDP_FLAGS_DRV_MODE, NULL))
		sender_fail("detaching");
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
		sender_fail("a network namespace of its own");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (system(commands[i]))
			sender_fail(commands[i]);
}

static int compare(const void *a, const void *b)
{
	return *(const double *)a < *(const double *)b ? -1
						       : *(const double *)a > *(const double *)b;
}

int main(void)
{
	struct sender sender;
	struct harness harness[2] = {}; /* by enum dsr_dispatch */
	double bare;

	set_up();
	xdp_world_init();
	for (__u8 dispatch = 0; dispatch < 2; dispatch++) {
		struct node_config config = config_of(dispatch);

		harness_load(&harness[dispatch], &config);
	}
	sender_init(&sender, "node_peer");
	for (int round = 0; round < N_ROUNDS; round++)
		for (size_t i = 0; i < N_BENCHES; i++)
			benches[i].rates[round] =
				measure(&harness[benches[i].dispatch], &sender, &benches[i]);
	for (size_t i = 0; i < N_BENCHES; i++)
		qsort(benches[i].rates, N_ROUNDS, sizeof(double), compare);
	bare = benches[0].rates[N_ROUNDS - 1];
	for (size_t i = 0; i < N_BENCHES; i++)
		printf("%-32s %8.0f packets/s  %.2f of bare\n", benches[i].name,
		       benches[i].rates[N_ROUNDS - 1], benches[i].rates[N_ROUNDS - 1] / bare);
	return 0;
}
