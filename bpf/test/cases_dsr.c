/* SPDX-License-Identifier: Apache-2.0 */
/* What tc makes of packets for back ends of other nodes that answer by themselves. */
#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/ip6.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bpf/test/cases.h"
#include "bpf/test/dsr_frames.h"
#include "bpf/test/probe.h"
#include "packet_probe.skel.h"

#define ANSWERED 1

#define TCP4 VIP_TCP4, .tcp_flags = TCP_SYN
#define TCP6 VIP_TCP6, .tcp_flags = TCP_SYN
#define UDP4 TCP4, .protocol = IPPROTO_UDP
#define UDP6 TCP6, .protocol = IPPROTO_UDP

static struct probe_run forward_frame(const struct node_config *config, const struct frame *frame,
				      const char *backend)
{
	struct packet_probe_bpf *skel = probe_load(config);
	struct probe_run run;

	skel->bss->probe.addr = harness_addr(backend);
	skel->bss->probe.port = htons(8080);
	run = probe_run(skel, PROBE_DSR_FORWARD, frame, 0);
	packet_probe_bpf__destroy(skel);
	return run;
}

static struct probe_run forward(const struct node_config *config, const struct frame_spec *spec)
{
	struct frame frame;

	frame_build(&frame, spec);
	return forward_frame(config, &frame, strchr(spec->dst, ':') ? BACKEND6 : BACKEND4);
}

static void expect(const struct node_config *config, const struct frame_spec *spec,
		   const struct frame_spec *expected)
{
	struct probe_run run = forward(config, spec);
	struct frame frame;

	frame_build(&frame, expected);
	assert_int_equal(run.result,
			 expected->protocol == IPPROTO_ICMP || expected->protocol == IPPROTO_ICMPV6
				 ? ANSWERED
				 : 0);
	assert_int_equal(run.out.n_bytes, frame.n_bytes);
	assert_memory_equal(run.out.data, frame.data, frame.n_bytes);
}

static void options(struct harness *harness)
{
	const struct node_config *config = &harness->config;
	const struct frame_spec tcp4 = {TCP4}, tcp6 = {TCP6};
	const struct frame_spec ack4 = {TCP4, .tcp_flags = TCP_ACK, .n_payload = 5};
	const struct frame_spec ack6 = {TCP6, .tcp_flags = TCP_ACK, .n_payload = 5};
	const struct frame_spec udp4 = {UDP4, .n_payload = 9}, udp6 = {UDP6, .n_payload = 9};
	const struct frame_spec none4 = {UDP4, .no_udp_checksum = true};

	expect(config, &tcp4, &(struct frame_spec){TCP4, SENT4, OPTION4});
	expect(config, &tcp6, &(struct frame_spec){TCP6, SENT6, OPTION6});
	expect(config, &ack4,
	       &(struct frame_spec){TCP4, SENT4, .tcp_flags = TCP_ACK, .n_payload = 5});
	expect(config, &ack6,
	       &(struct frame_spec){TCP6, SENT6, .tcp_flags = TCP_ACK, .n_payload = 5});
	expect(config, &udp4, &(struct frame_spec){UDP4, SENT4, OPTION4, .n_payload = 9});
	expect(config, &udp6, &(struct frame_spec){UDP6, SENT6, OPTION6, .n_payload = 9});
	expect(config, &none4, &(struct frame_spec){UDP4, SENT4, OPTION4, .no_udp_checksum = true});
}

/* Behind ours, and as many as there is room for. */
static void other_options(struct harness *harness)
{
	uint8_t all[40];
	struct frame frame;
	struct frame_spec spec = {TCP4, .n_options = 8}, expected = {TCP4, SENT4, .n_options = 10};
	struct probe_run run;

	memset(all, 1, sizeof(all));
	memcpy(all, dsr_option4, sizeof(dsr_option4));
	expected.options = all;
	expect(&harness->config, &spec, &expected);
	spec.n_options = 9;
	run = forward(&harness->config, &spec);
	assert_int_equal(-run.result & 0xff, DROP_UNSUPPORTED_PROTOCOL_FOR_DSR_ENCAP);
	/* Options for each hop, whose number is that of no extension in a description. */
	frame_build(&frame, &(struct frame_spec){TCP6, .extension = IPPROTO_DSTOPTS});
	frame.data[ETH_HLEN + offsetof(struct ip6_hdr, ip6_nxt)] = IPPROTO_HOPOPTS;
	run = forward_frame(&harness->config, &frame, BACKEND6);
	assert_int_equal(-run.result & 0xff, DROP_UNSUPPORTED_PROTOCOL_FOR_DSR_ENCAP);
}

#define TOO_BIG4(mtu)                                                                   \
	.src_mac = MAC_A_NODE, .dst_mac = MAC_A, .src = VIP4, .dst = WORLD4,            \
	.protocol = IPPROTO_ICMP, .type = 3, .code = 4, .dport = (mtu), .n_inner = 548, \
	.tos = 0xc0, .dont_fragment = true
#define TOO_BIG6(mtu)                                                        \
	.src_mac = MAC_A_NODE, .dst_mac = MAC_A, .src = VIP6, .dst = WORLD6, \
	.protocol = IPPROTO_ICMPV6, .type = 2, .dport = (mtu), .n_inner = 1232

static void option_too_big(struct harness *harness)
{
	const struct node_config *config = &harness->config;
	struct frame_spec spec = {UDP4, .n_payload = 1500 - 8 - 28};

	expect(config, &spec, &(struct frame_spec){UDP4, SENT4, OPTION4, .n_payload = 1464});
	spec.n_payload++;
	expect(config, &spec, &(struct frame_spec){TOO_BIG4(1492), .inner = &spec});
	spec = (struct frame_spec){UDP6, .n_payload = 1500 - 24 - 48};
	expect(config, &spec, &(struct frame_spec){UDP6, SENT6, OPTION6, .n_payload = 1428});
	spec.n_payload++;
	expect(config, &spec, &(struct frame_spec){TOO_BIG6(1476), .inner = &spec});
}

static struct node_config ipip_config(struct harness *harness)
{
	struct node_config config = harness->config;

	config.dsr_dispatch = DSR_DISPATCH_IPIP;
	return config;
}

static void expect_ipip(const struct node_config *config, struct frame_spec inner,
			const char *source)
{
	bool ipv6 = strchr(inner.dst, ':');
	struct frame_spec sent = inner;
	struct frame_spec outer = {
		.src = source,
		.dst = ipv6 ? BACKEND6 : BACKEND4,
		.protocol = ipv6 ? IPPROTO_IPV6 : IPPROTO_IPIP,
		.dont_fragment = true,
		.tos = inner.tos,
		.inner = &sent,
	};

	sent.ttl = 63;
	expect(config, &inner, &outer);
}

static void encapsulation(struct harness *harness)
{
	struct node_config config = ipip_config(harness);
	const struct frame_spec specs[] = {
		{TCP4, .tos = 0x12},
		{TCP6},
		{UDP4, .n_payload = 3},
		{UDP6, .n_payload = 3},
		{TCP4, .tcp_flags = TCP_ACK, .n_options = 2},
		{TCP6, .extension = IPPROTO_DSTOPTS},
	};

	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++)
		expect_ipip(&config, specs[i], strchr(specs[i].dst, ':') ? NODE6 : NODE4);
}

/* The client fills what is behind the prefix. */
static void outer_source(struct harness *harness)
{
	struct node_config config = ipip_config(harness);
	const struct frame_spec tcp4 = {TCP4}, tcp6 = {TCP6};

	config.dsr_source4 = harness_addr("100.64.0.0");
	config.dsr_source6 = harness_addr("fd64::");
	config.dsr_source4_bits = 96 + 10;
	config.dsr_source6_bits = 40;
	expect_ipip(&config, tcp4, "100.115.100.9"); /* 198.51.100.9: 51 & 0x3f | 64 */
	expect_ipip(&config, tcp6, "fd64:0:9::9");
	config.dsr_source4_bits = config.dsr_source6_bits = 128;
	expect_ipip(&config, tcp4, "100.64.0.0");
	expect_ipip(&config, tcp6, "fd64::");
	config.dsr_source4_bits = 96;
	expect_ipip(&config, tcp4, WORLD4);
}

static void encapsulation_too_big(struct harness *harness)
{
	struct node_config config = ipip_config(harness);
	struct frame_spec spec = {UDP4, .n_payload = 1500 - 20 - 28};

	expect_ipip(&config, spec, NODE4);
	spec.n_payload++;
	expect(&config, &spec, &(struct frame_spec){TOO_BIG4(1480), .inner = &spec});
	spec = (struct frame_spec){UDP6, .n_payload = 1500 - 40 - 48};
	expect_ipip(&config, spec, NODE6);
	spec.n_payload++;
	expect(&config, &spec, &(struct frame_spec){TOO_BIG6(1460), .inner = &spec});
}

static void last_hop(struct harness *harness)
{
	struct node_config config = ipip_config(harness);
	const struct frame_spec spec = {TCP4, .ttl = 1};
	struct probe_run run = forward(&config, &spec);

	assert_int_equal(-run.result & 0xff, DROP_TTL_EXCEEDED);
}

static void expect_found(struct harness *harness, const struct frame_spec *spec, bool is_found)
{
	struct packet_probe_bpf *skel = probe_load(&harness->config);
	struct addr vip = harness_addr(strchr(spec->dst, ':') ? VIP6 : VIP4);
	struct frame in;
	struct probe_run run;

	frame_build(&in, spec);
	run = probe_run(skel, PROBE_DSR_FIND, &in, 0);
	assert_int_equal(run.result, is_found);
	if (is_found) {
		assert_memory_equal(&skel->bss->probe.addr, &vip, sizeof(vip));
		assert_int_equal(skel->bss->probe.port, htons(80));
	}
	packet_probe_bpf__destroy(skel);
}

static void found(struct harness *harness)
{
	uint8_t bytes4[sizeof(dsr_option4)], bytes6[sizeof(dsr_option6)];
	const struct frame_spec found4 = {TCP4, SENT4, OPTION4}, found6 = {UDP6, SENT6, OPTION6};
	const struct frame_spec others[] = {
		{TCP4},
		{TCP6},
		{TCP4, .n_options = 2},
		{TCP6, .extension = IPPROTO_DSTOPTS},
		{TCP6, .extension = IPPROTO_DSTOPTS, .n_extensions = 4},
		{TCP4, .n_options = 2, .options = bytes4},
		{TCP6, .extension = IPPROTO_DSTOPTS, .options = bytes6},
	};

	memcpy(bytes4, dsr_option4, sizeof(dsr_option4));
	memcpy(bytes6, dsr_option6, sizeof(dsr_option6));
	bytes4[1] = 7;
	bytes6[2] = 18;
	expect_found(harness, &found4, true);
	expect_found(harness, &found6, true);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		expect_found(harness, &others[i], false);
}

static const struct scenario scenarios[] = {
	{"DSR: options", .run = options},
	{"DSR: options of others", .run = other_options},
	{"DSR: no room for the option", .run = option_too_big},
	{"DSR: IPIP", .run = encapsulation},
	{"DSR: outer source", .run = outer_source},
	{"DSR: no room for the outer header", .run = encapsulation_too_big},
	{"DSR: no hop left", .run = last_hop},
	{"DSR: what the client asked for", .run = found},
};

const struct scenario_group dsr_scenarios = SCENARIOS(scenarios);
