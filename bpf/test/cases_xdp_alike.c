/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same question to XDP and to tc: random packets, each on maps made anew for either. What XDP sends on
 * is, from the IP header on, what tc sends on; what it drops tc drops for the same reason; what it leaves
 * to tc is as it came.
 */
#include <arpa/inet.h>
#include <linux/if_link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bpf/test/cases.h"
#include "bpf/test/xdp_world.h"

#define N_PACKETS 800
#define L3_OFF    14
#define NAT_PORT  40000

static unsigned int seed = 1;

static unsigned int draw(unsigned int n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % n;
}

static void ipip(struct node_config *config)
{
	config->dsr_dispatch = DSR_DISPATCH_IPIP;
}

struct question {
	struct frame_spec spec;
	__u16 flags;   /* of the front ends */
	bool is_known; /* the connection is under way by SNAT */
	bool is_answer;
	bool has_backends;
};

static void draw_question(struct question *question)
{
	static const __u8 flags[] = {TCP_SYN, TCP_ACK, TCP_ACK | TCP_FIN, TCP_RST,
				     TCP_SYN | TCP_ACK};
	static const __u16 front_ends[] = {
		LB_FRONTEND_F_EXTERNAL, LB_FRONTEND_F_EXTERNAL | LB_FRONTEND_F_DSR,
		LB_FRONTEND_F_DSR, LB_FRONTEND_F_EXTERNAL | LB_FRONTEND_F_SOURCE_RANGES};
	bool ipv6 = draw(2), udp = draw(2);

	*question = (struct question){
		.flags = front_ends[draw(8) ? draw(2) : draw(4)],
		.is_known = draw(3),
		.is_answer = !draw(3),
		.has_backends = draw(10),
		.spec = {.src = ipv6 ? WORLD6 : WORLD4,
			 .dst = ipv6 ? VIP6 : VIP4,
			 .protocol = udp ? IPPROTO_UDP : IPPROTO_TCP,
			 .sport = 1024 + draw(60000),
			 .dport = draw(20) ? 80 : 81,
			 .tcp_flags = udp ? 0 : flags[draw(5)],
			 .ttl = draw(20) ? 2 + draw(250) : 1,
			 .tos = ipv6 ? 0 : draw(256),
			 .dont_fragment = draw(2),
			 .n_payload = draw(10) ? draw(200) : 1350 + draw(130),
			 .no_udp_checksum = udp && !ipv6 && !draw(4),
			 .n_padding = draw(4) ? 0 : draw(20)},
	};
}

/* Everything is as before the packet. */
static void make_world(struct harness *harness, const struct question *question)
{
	harness_reset(harness);
	xdp_world_put_service(harness, question->flags, 0);
	if (!question->has_backends)
		xdp_world_remove_backends(harness);
	if (question->is_known)
		xdp_world_put_connection(harness, &question->spec, NAT_PORT);
}

static void build(struct frame *frame, const struct question *question)
{
	struct frame_spec spec = question->spec;
	bool ipv6 = strchr(spec.src, ':');

	if (question->is_answer) {
		spec.src = ipv6 ? BACKEND6 : BACKEND4;
		spec.dst = ipv6 ? NODE6 : NODE4;
		spec.sport = 8080;
		spec.dport = NAT_PORT;
	}
	frame_build(frame, &spec);
}

/* Both programs of tc, as a packet passes them that is sent on; the verdict is the first's. */
static struct run run_tc(struct harness *harness, const struct frame *frame)
{
	struct run in = harness_run(harness, FROM_NETDEV, frame, IFINDEX_NODE, 0, 0);
	struct run out;

	if (in.verdict != TC_ACT_REDIRECT)
		return in;
	out = harness_run(harness, TO_NETDEV, &in.out, IFINDEX_NODE, in.mark, 0);
	out.verdict = out.verdict == TC_ACT_UNSPEC ? TC_ACT_REDIRECT : out.verdict;
	return out;
}

static __u32 drop_of(struct harness *harness)
{
	__u32 reason = 0;

	harness_n_drops(harness, &reason);
	return reason;
}

static void compare(struct harness *harness, const struct question *question, __u32 *n_sent)
{
	struct frame frame;
	struct run xdp, tc;
	__u32 reason;

	build(&frame, question);
	make_world(harness, question);
	xdp = xdp_world_run(harness, &frame, IFINDEX_NODE);
	reason = drop_of(harness);
	if (xdp.verdict == XDP_PASS) {
		assert_int_equal(xdp.out.n_bytes, frame.n_bytes);
		assert_memory_equal(xdp.out.data, frame.data, frame.n_bytes);
		assert_int_equal(reason, 0);
		return;
	}
	make_world(harness, question);
	tc = run_tc(harness, &frame);
	if (xdp.verdict == XDP_DROP) {
		assert_int_equal(tc.verdict, TC_ACT_SHOT);
		assert_int_equal(drop_of(harness), reason);
		return;
	}
	assert_int_equal(xdp.verdict, XDP_TX);
	assert_int_equal(tc.verdict, TC_ACT_REDIRECT);
	assert_int_equal(xdp.out.n_bytes, tc.out.n_bytes);
	assert_memory_equal(xdp.out.data + L3_OFF, tc.out.data + L3_OFF, tc.out.n_bytes - L3_OFF);
	++*n_sent;
}

static void alike(struct harness *harness)
{
	struct question question;
	__u32 n_sent = 0;

	xdp_world_init();
	if (getenv("XDP_SEED"))
		seed = atoi(getenv("XDP_SEED"));
	for (int i = 0; i < N_PACKETS; i++) {
		unsigned int seed_before = seed;

		draw_question(&question);
		if (getenv("XDP_SEEDS"))
			fprintf(stderr, "XDP_SEED=%u\n", seed_before);
		compare(harness, &question, &n_sent);
	}
	/* The question was asked at all. */
	assert_true(n_sent > N_PACKETS / 4);
}

static const struct scenario scenarios[] = {
	{"XDP and tc alike, options", NULL, alike},
	{"XDP and tc alike, IPIP", ipip, alike},
};

const struct scenario_group xdp_alike_scenarios = SCENARIOS(scenarios);
