/* SPDX-License-Identifier: Apache-2.0 */
/* The errors that the programs make of packets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bpf/test/cases.h"
#include "bpf/test/probe.h"
#include "packet_probe.skel.h"

/* As bpf/lib/reject.h, which is no header for user space. */
enum reject_why {
	REJECT_NO_PORT,
	REJECT_TOO_BIG,
};

#define VIP4 "192.0.2.80"
#define VIP6 "2001:db8::80"

#define TO_VIP4                                                                          \
	.src = WORLD4, .dst = VIP4, .protocol = IPPROTO_TCP, .sport = 1234, .dport = 80, \
	.tcp_flags = TCP_SYN
#define TO_VIP6                                                                          \
	.src = WORLD6, .dst = VIP6, .protocol = IPPROTO_TCP, .sport = 1234, .dport = 80, \
	.tcp_flags = TCP_SYN
/* Turned round; the frames come with MAC_A as source and MAC_A_NODE as destination. */
#define BACK .src_mac = MAC_A_NODE, .dst_mac = MAC_A
#define ERROR4                                                                              \
	BACK, .src = VIP4, .dst = WORLD4, .protocol = IPPROTO_ICMP, .type = 3, .tos = 0xc0, \
		.dont_fragment = true
#define ERROR6 BACK, .src = VIP6, .dst = WORLD6, .protocol = IPPROTO_ICMPV6

static struct probe_run reject(struct harness *harness, const struct frame_spec *spec, __u32 why,
			       __u32 mtu, __u32 gso_size)
{
	struct packet_probe_bpf *skel = probe_load(&harness->config);
	struct probe_run run;
	struct frame in;

	skel->bss->probe.why = why;
	skel->bss->probe.mtu = mtu;
	frame_build(&in, spec);
	run = probe_run(skel, PROBE_REJECT, &in, gso_size);
	packet_probe_bpf__destroy(skel);
	return run;
}

static void check(const struct probe_run *run, const struct frame_spec *expected)
{
	struct frame frame;

	frame_build(&frame, expected);
	assert_int_equal(run->result, 0);
	assert_int_equal(run->out.n_bytes, frame.n_bytes);
	assert_memory_equal(run->out.data, frame.data, frame.n_bytes);
}

static void expect(struct harness *harness, const struct frame_spec *spec,
		   const struct frame_spec *expected)
{
	struct probe_run run = reject(harness, spec, REJECT_NO_PORT, 0, 0);

	check(&run, expected);
}

static void expect_none(struct harness *harness, const struct frame_spec *spec)
{
	struct probe_run run = reject(harness, spec, REJECT_NO_PORT, 0, 0);
	struct frame in;

	frame_build(&in, spec);
	assert_int_equal(-run.result & 0xff, DROP_SERVICE_BACKEND_NOT_FOUND);
	assert_int_equal(run.out.n_bytes, in.n_bytes);
	assert_memory_equal(run.out.data, in.data, in.n_bytes);
}

static void port_unreachable(struct harness *harness)
{
	const struct frame_spec tcp4 = {TO_VIP4}, tcp6 = {TO_VIP6};
	const struct frame_spec udp4 = {TO_VIP4, .protocol = IPPROTO_UDP, .n_payload = 33};
	const struct frame_spec udp6 = {TO_VIP6, .protocol = IPPROTO_UDP, .n_payload = 33};
	const struct frame_spec options = {TO_VIP4, .n_options = 3};
	const struct frame_spec extension = {TO_VIP6, .extension = IPPROTO_DSTOPTS};
	const struct frame_spec first = {TO_VIP4, .protocol = IPPROTO_UDP, .n_payload = 64,
					 .more_fragments = true, .fragment_id = 5};

	expect(harness, &tcp4, &(struct frame_spec){ERROR4, .code = 3, .inner = &tcp4});
	expect(harness, &tcp6, &(struct frame_spec){ERROR6, .type = 1, .code = 4, .inner = &tcp6});
	expect(harness, &udp4, &(struct frame_spec){ERROR4, .code = 3, .inner = &udp4});
	expect(harness, &udp6, &(struct frame_spec){ERROR6, .type = 1, .code = 4, .inner = &udp6});
	expect(harness, &options, &(struct frame_spec){ERROR4, .code = 3, .inner = &options});
	expect(harness, &extension,
	       &(struct frame_spec){ERROR6, .type = 1, .code = 4, .inner = &extension});
	expect(harness, &first, &(struct frame_spec){ERROR4, .code = 3, .inner = &first});
}

/* Every length around what is carried whole, and around the pieces that sums are made of. */
static void lengths(struct harness *harness)
{
	static const __u16 payloads[] = {1,    2,    3,    4,    484,  485,  519,  520,  521, 1000,
					 1183, 1184, 1185, 1186, 1187, 1191, 1192, 1193, 1472};

	for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
		const struct frame_spec udp4 = {TO_VIP4, .protocol = IPPROTO_UDP,
						.n_payload = payloads[i]};
		const struct frame_spec udp6 = {TO_VIP6, .protocol = IPPROTO_UDP,
						.n_payload = payloads[i]};

		expect(harness, &udp4,
		       &(struct frame_spec){ERROR4, .code = 3, .inner = &udp4, .n_inner = 548});
		expect(harness, &udp6,
		       &(struct frame_spec){ERROR6, .type = 1, .code = 4, .inner = &udp6,
					    .n_inner = 1232});
	}
}

/* Padding of the link is not the packet's; what is yet to be cut into segments is one packet here. */
static void frames(struct harness *harness)
{
	const struct frame_spec padded = {TO_VIP4, .n_padding = 6};
	const struct frame_spec plain = {TO_VIP4};
	const struct frame_spec large4 = {TO_VIP4, .n_payload = 3000};
	const struct frame_spec large6 = {TO_VIP6, .n_payload = 3000};
	struct probe_run run;

	expect(harness, &padded, &(struct frame_spec){ERROR4, .code = 3, .inner = &plain});
	run = reject(harness, &large4, REJECT_NO_PORT, 0, 1400);
	check(&run, &(struct frame_spec){ERROR4, .code = 3, .inner = &large4, .n_inner = 548});
	run = reject(harness, &large6, REJECT_NO_PORT, 0, 1400);
	check(&run, &(struct frame_spec){ERROR6, .type = 1, .code = 4, .inner = &large6,
					 .n_inner = 1232});
}

static void too_big(struct harness *harness)
{
	const struct frame_spec udp4 = {TO_VIP4, .protocol = IPPROTO_UDP, .n_payload = 1472};
	const struct frame_spec udp6 = {TO_VIP6, .protocol = IPPROTO_UDP, .n_payload = 1452};
	struct probe_run run = reject(harness, &udp4, REJECT_TOO_BIG, 1492, 0);

	check(&run, &(struct frame_spec){ERROR4, .code = 4, .dport = 1492, .inner = &udp4,
					 .n_inner = 548});
	run = reject(harness, &udp6, REJECT_TOO_BIG, 1476, 0);
	check(&run, &(struct frame_spec){ERROR6, .type = 2, .dport = 1476, .inner = &udp6,
					 .n_inner = 1232});
}

static void never(struct harness *harness)
{
	const struct frame_spec inner4 = {.src = VIP4, .dst = WORLD4, .protocol = IPPROTO_UDP};
	const struct frame_spec inner6 = {.src = VIP6, .dst = WORLD6, .protocol = IPPROTO_UDP};
	const struct frame_spec specs[] = {
		{TO_VIP4, .protocol = IPPROTO_ICMP, .type = 3, .code = 1, .inner = &inner4},
		{TO_VIP6, .protocol = IPPROTO_ICMPV6, .type = 1, .inner = &inner6},
		{TO_VIP4, .fragment_off = 80, .n_payload = 20, .fragment_id = 7},
		{TO_VIP6, .fragment_off = 80, .n_payload = 24, .fragment_id = 7},
		{TO_VIP4, .dst = "224.0.0.9"},
		{TO_VIP4, .dst = "255.255.255.255"},
		{TO_VIP4, .src = "224.0.0.9"},
		{TO_VIP4, .src = "0.0.0.0"},
		{TO_VIP6, .dst = "ff02::1"},
		{TO_VIP6, .src = "ff02::1"},
		{TO_VIP4, .dst_mac = "ff:ff:ff:ff:ff:ff"},
		{TO_VIP6, .dst_mac = "33:33:00:00:00:01"},
	};

	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++)
		expect_none(harness, &specs[i]);
}

static const struct scenario scenarios[] = {
	{"port unreachable", .run = port_unreachable},
	{"an error carries as much as it may", .run = lengths},
	{"padding and segments are no part of an error", .run = frames},
	{"packet too big", .run = too_big},
	{"what no error answers", .run = never},
};

const struct scenario_group reject_scenarios = SCENARIOS(scenarios);
