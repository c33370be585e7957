/* SPDX-License-Identifier: Apache-2.0 */
/* Services in XDP: what is sent on, what goes on to tc as it came, what is dropped. */
#include <linux/if_link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bpf/test/cases.h"
#include "bpf/test/xdp_world.h"

#define TCP4    VIP_TCP4, .tcp_flags = TCP_ACK
#define TCP6    VIP_TCP6, .tcp_flags = TCP_ACK
#define UDP4    TCP4, .protocol = IPPROTO_UDP
#define UDP6    TCP6, .protocol = IPPROTO_UDP
#define SYN     .tcp_flags = TCP_SYN
#define GATEWAY .src_mac = NODE_MAC, .dst_mac = GATEWAY_MAC, .ttl = 63

#define EXTERNAL LB_FRONTEND_F_EXTERNAL
#define DIRECT   (LB_FRONTEND_F_EXTERNAL | LB_FRONTEND_F_DSR)

#define NAT_PORT 40000

static void no_node_port(struct node_config *config)
{
	config->enable_node_port = 0;
}

static void ipip(struct node_config *config)
{
	config->dsr_dispatch = DSR_DISPATCH_IPIP;
}

static void begin(struct harness *harness, __u16 flags)
{
	xdp_world_init();
	xdp_world_put_service(harness, flags, 0);
}

static void expect_frame(const struct run *run, int verdict, const struct frame *frame)
{
	assert_int_equal(run->verdict, verdict);
	assert_int_equal(run->out.n_bytes, frame->n_bytes);
	assert_memory_equal(run->out.data, frame->data, frame->n_bytes);
}

static void expect(struct harness *harness, const struct frame_spec *in, int verdict,
		   const struct frame_spec *out)
{
	__u64 n_forwarded = harness_metric(harness, METRIC_REASON_FORWARDED, METRIC_DIR_EGRESS);
	__u64 n_seen = harness_metric(harness, METRIC_REASON_INTERFACE, METRIC_DIR_INGRESS);
	struct frame frame, expected;
	struct run run;

	frame_build(&frame, in);
	frame_build(&expected, out);
	run = xdp_world_run(harness, &frame, IFINDEX_NODE);
	expect_frame(&run, verdict, &expected);
	/* Who passes it on has not counted it: tc does. */
	assert_int_equal(harness_metric(harness, METRIC_REASON_FORWARDED, METRIC_DIR_EGRESS),
			 n_forwarded + (verdict != XDP_PASS));
	assert_int_equal(harness_metric(harness, METRIC_REASON_INTERFACE, METRIC_DIR_INGRESS),
			 n_seen + (verdict != XDP_PASS));
}

static void expect_sent(struct harness *harness, const struct frame_spec *in,
			const struct frame_spec *out)
{
	expect(harness, in, XDP_TX, out);
}

static void expect_passed(struct harness *harness, const struct frame_spec *in)
{
	expect(harness, in, XDP_PASS, in);
}

static void expect_dropped(struct harness *harness, const struct frame_spec *in, __u32 reason)
{
	__u64 n = harness_metric(harness, reason, METRIC_DIR_INGRESS);
	struct frame frame;
	struct run run;

	frame_build(&frame, in);
	run = xdp_world_run(harness, &frame, IFINDEX_NODE);
	assert_int_equal(run.verdict, XDP_DROP);
	assert_int_equal(harness_metric(harness, reason, METRIC_DIR_INGRESS), n + 1);
}

/* The event says what is dropped, where, why, and on the way to what. */
static void expect_event(struct harness *harness, const struct frame_spec *in, __u32 reason)
{
	struct addr service = harness_addr(in->dst);
	struct event event;
	struct frame frame;
	size_t n_bytes;

	frame_build(&frame, in);
	n_bytes = frame.n_bytes < EVENT_PACKET_BYTES ? frame.n_bytes : EVENT_PACKET_BYTES;
	assert_true(harness_take_event(harness, &event));
	assert_int_equal(event.type, EVENT_DROP);
	assert_int_equal(event.subtype, reason);
	assert_int_equal(event.direction, METRIC_DIR_INGRESS);
	assert_int_equal(event.flags, strchr(in->dst, ':') ? EVENT_F_IPV6 : 0);
	assert_int_equal(event.file, SOURCE_SERVICE_FLOW);
	assert_int_equal(event.ifindex, IFINDEX_NODE);
	assert_int_equal(event.orig_len, frame.n_bytes);
	assert_int_equal(event.cap_len, n_bytes);
	assert_memory_equal(event.packet, frame.data, n_bytes);
	if (reason == DROP_SERVICE_BACKEND_NOT_FOUND) {
		assert_memory_equal(&event.service_addr, &service, sizeof(service));
		assert_int_equal(event.service_port, htons(in->dport));
	}
	assert_false(harness_take_event(harness, &event));
}

/* ---- direct server return ---- */

static void direct_options(struct harness *harness)
{
	begin(harness, DIRECT);
	expect_sent(harness, &(struct frame_spec){TCP4, SYN},
		    &(struct frame_spec){TCP4, SYN, SENT4, OPTION4, GATEWAY});
	expect_sent(harness, &(struct frame_spec){TCP6, SYN},
		    &(struct frame_spec){TCP6, SYN, SENT6, OPTION6, GATEWAY});
	expect_sent(harness, &(struct frame_spec){TCP4, .n_payload = 7},
		    &(struct frame_spec){TCP4, SENT4, GATEWAY, .n_payload = 7});
	expect_sent(harness, &(struct frame_spec){TCP6, .n_payload = 7},
		    &(struct frame_spec){TCP6, SENT6, GATEWAY, .n_payload = 7});
	for (__u16 n = 0; n < 20; n++) {
		expect_sent(harness, &(struct frame_spec){UDP4, .sport = 900 + n, .n_payload = n},
			    &(struct frame_spec){UDP4, .sport = 900 + n, SENT4, OPTION4, GATEWAY,
						 .n_payload = n});
		expect_sent(harness, &(struct frame_spec){UDP6, .sport = 900 + n, .n_payload = n},
			    &(struct frame_spec){UDP6, .sport = 900 + n, SENT6, OPTION6, GATEWAY,
						 .n_payload = n});
	}
	expect_sent(harness, &(struct frame_spec){UDP4, .no_udp_checksum = true},
		    &(struct frame_spec){UDP4, SENT4, OPTION4, GATEWAY, .no_udp_checksum = true});
}

static void expect_ipip(struct harness *harness, struct frame_spec inner)
{
	bool ipv6 = strchr(inner.dst, ':');
	struct frame_spec in = inner;
	const struct frame_spec outer = {
		GATEWAY,
		.src = ipv6 ? NODE6 : NODE4,
		.dst = ipv6 ? BACKEND6 : BACKEND4,
		.protocol = ipv6 ? IPPROTO_IPV6 : IPPROTO_IPIP,
		.dont_fragment = true,
		.tos = inner.tos,
		.inner = &inner,
	};

	inner.ttl = 63;
	expect_sent(harness, &in, &outer);
}

static void direct_ipip(struct harness *harness)
{
	begin(harness, DIRECT);
	expect_ipip(harness, (struct frame_spec){TCP4, SYN, .tos = 0x12});
	expect_ipip(harness, (struct frame_spec){TCP6, SYN});
	expect_ipip(harness, (struct frame_spec){TCP4, .n_payload = 100});
	expect_ipip(harness, (struct frame_spec){TCP6, .n_payload = 100});
	expect_ipip(harness, (struct frame_spec){UDP4, .n_payload = 3});
	expect_ipip(harness, (struct frame_spec){UDP6, .n_payload = 3});
}

static void direct_ipip_mtu(struct harness *harness)
{
	begin(harness, DIRECT);
	expect_ipip(harness, (struct frame_spec){UDP4, .n_payload = 1500 - 20 - 28});
	expect_ipip(harness, (struct frame_spec){UDP6, .n_payload = 1500 - 40 - 48});
	expect_passed(harness, &(struct frame_spec){UDP4, .n_payload = 1500 - 20 - 27});
	expect_passed(harness, &(struct frame_spec){UDP6, .n_payload = 1500 - 40 - 47});
}

static void direct_options_mtu(struct harness *harness)
{
	begin(harness, DIRECT);
	expect_sent(harness, &(struct frame_spec){UDP4, .n_payload = 1500 - 8 - 28},
		    &(struct frame_spec){UDP4, SENT4, OPTION4, GATEWAY, .n_payload = 1464});
	expect_passed(harness, &(struct frame_spec){UDP4, .n_payload = 1465});
	expect_passed(harness, &(struct frame_spec){UDP6, .n_payload = 1429});
}

/* Each client keeps its back end while that exists; else a TCP connection ends. */
static void direct_keeps_backend(struct harness *harness)
{
	begin(harness, DIRECT);
	expect_sent(harness, &(struct frame_spec){TCP4, SYN},
		    &(struct frame_spec){TCP4, SYN, SENT4, OPTION4, GATEWAY});
	xdp_world_remove_backends(harness);
	expect_dropped(harness, &(struct frame_spec){TCP4}, DROP_SERVICE_BACKEND_NOT_FOUND);
	/* To be answered, and by tc. */
	expect_passed(harness, &(struct frame_spec){TCP4, SYN});
}

/* ---- SNAT ---- */

#define OUT4 .src = NODE4, .sport = NAT_PORT, SENT4, GATEWAY
#define OUT6 .src = NODE6, .sport = NAT_PORT, SENT6, GATEWAY
#define ANSWER4                                                                                   \
	.src = BACKEND4, .dst = NODE4, .protocol = IPPROTO_TCP, .sport = 8080, .dport = NAT_PORT, \
	.tcp_flags = TCP_ACK
#define ANSWER6                                                                                   \
	.src = BACKEND6, .dst = NODE6, .protocol = IPPROTO_TCP, .sport = 8080, .dport = NAT_PORT, \
	.tcp_flags = TCP_ACK
#define BACK4 .src = VIP4, .sport = 80, .dst = WORLD4, .dport = 1234, GATEWAY
#define BACK6 .src = VIP6, .sport = 80, .dst = WORLD6, .dport = 1234, GATEWAY

static void snat(struct harness *harness)
{
	begin(harness, EXTERNAL);
	xdp_world_put_connection(harness, &(struct frame_spec){TCP4}, NAT_PORT);
	xdp_world_put_connection(harness, &(struct frame_spec){TCP6}, NAT_PORT);
	xdp_world_put_connection(harness, &(struct frame_spec){UDP4}, NAT_PORT);
	xdp_world_put_connection(harness, &(struct frame_spec){UDP6}, NAT_PORT);
	/* Chooses the back end, and tc searches a port. */
	expect_passed(harness, &(struct frame_spec){TCP4, SYN});
	expect_passed(harness, &(struct frame_spec){TCP6, SYN});
	expect_sent(harness, &(struct frame_spec){TCP4, .n_payload = 5},
		    &(struct frame_spec){TCP4, OUT4, .n_payload = 5});
	expect_sent(harness, &(struct frame_spec){TCP6, .n_payload = 5},
		    &(struct frame_spec){TCP6, OUT6, .n_payload = 5});
	expect_sent(harness, &(struct frame_spec){UDP4, .n_payload = 5},
		    &(struct frame_spec){UDP4, OUT4, .n_payload = 5});
	expect_sent(harness, &(struct frame_spec){UDP6, .n_payload = 5},
		    &(struct frame_spec){UDP6, OUT6, .n_payload = 5});
	expect_sent(harness, &(struct frame_spec){ANSWER4, .n_payload = 9},
		    &(struct frame_spec){ANSWER4, BACK4, .n_payload = 9});
	expect_sent(harness, &(struct frame_spec){ANSWER6, .n_payload = 9},
		    &(struct frame_spec){ANSWER6, BACK6, .n_payload = 9});
	expect_sent(harness, &(struct frame_spec){ANSWER4, .protocol = IPPROTO_UDP, .n_payload = 9},
		    &(struct frame_spec){ANSWER4, .protocol = IPPROTO_UDP, BACK4, .n_payload = 9});
	expect_sent(harness, &(struct frame_spec){ANSWER6, .protocol = IPPROTO_UDP, .n_payload = 9},
		    &(struct frame_spec){ANSWER6, .protocol = IPPROTO_UDP, BACK6, .n_payload = 9});
}

/* What is not known whole is known to tc, or becomes it there. */
static void snat_unknown(struct harness *harness)
{
	struct frame_spec spec = {UDP4};
	struct ct_key key;
	struct ct_entry entry;

	begin(harness, EXTERNAL);
	expect_passed(harness, &spec);
	xdp_world_put_connection(harness, &spec, NAT_PORT);
	expect_sent(harness, &spec, &(struct frame_spec){UDP4, OUT4});
	/* Another port of the node, another peer. */
	expect_passed(harness, &(struct frame_spec){ANSWER4, .dport = NAT_PORT + 1});
	expect_passed(harness,
		      &(struct frame_spec){ANSWER4, .protocol = IPPROTO_UDP, .sport = 8081});
	/* The connection is no service's, and so an endpoint's or the host's own. */
	spec = (struct frame_spec){UDP4, SENT4};
	assert_true(harness_get_ct(harness, &spec, &key, &entry));
	entry.flags &= ~CT_F_SERVICE;
	harness_put_ct(harness, &key, &entry);
	expect_passed(harness, &(struct frame_spec){UDP4});
	expect_passed(harness, &(struct frame_spec){ANSWER4, .protocol = IPPROTO_UDP});
	/* It has ended. */
	entry.flags |= CT_F_SERVICE;
	entry.expires = 1;
	harness_put_ct(harness, &key, &entry);
	expect_passed(harness, &(struct frame_spec){UDP4});
	expect_passed(harness, &(struct frame_spec){ANSWER4, .protocol = IPPROTO_UDP});
}

/* Both directions keep both entries alive, and what ends the connection is seen. */
static void snat_touches(struct harness *harness)
{
	struct frame_spec spec = {TCP4, SENT4};
	struct ct_key key;
	struct ct_entry entry;

	begin(harness, EXTERNAL);
	expect_passed(harness, &(struct frame_spec){TCP4, SYN});
	xdp_world_put_connection(harness, &(struct frame_spec){TCP4}, NAT_PORT);
	expect_sent(harness, &(struct frame_spec){TCP4, .tcp_flags = TCP_ACK | TCP_FIN},
		    &(struct frame_spec){TCP4, OUT4, .tcp_flags = TCP_ACK | TCP_FIN});
	assert_true(harness_get_ct(harness, &spec, &key, &entry));
	assert_int_equal(entry.tx_flags, TCP_ACK | TCP_FIN);
	assert_int_equal(entry.rx_flags, 0);
	assert_int_equal(entry.packets, 1);
	expect_sent(harness, &(struct frame_spec){ANSWER4, .tcp_flags = TCP_RST},
		    &(struct frame_spec){ANSWER4, BACK4, .tcp_flags = TCP_RST});
	assert_true(harness_get_ct(harness, &spec, &key, &entry));
	assert_int_equal(entry.rx_flags, TCP_RST);
	assert_int_equal(entry.packets, 2);
	spec = (struct frame_spec){TCP4};
	harness_get_ct(harness, &spec, &key, &entry);
	key.kind = CT_KIND_SERVICE;
	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(harness->skel->maps.cilium_ct_tcp_global),
					     &key, &entry),
			 0);
	assert_int_equal(entry.tx_flags, TCP_SYN | TCP_ACK | TCP_FIN);
	assert_int_equal(entry.rx_flags, TCP_RST);
}

/* ---- what is for tc ---- */

static void left_to_tc(struct harness *harness)
{
	const struct frame_spec inner = {.src = VIP4, .dst = WORLD4, .protocol = IPPROTO_UDP};
	const struct frame_spec specs[] = {
		{TCP4, .n_options = 2},
		{TCP6, .extension = IPPROTO_DSTOPTS},
		{UDP4, .n_payload = 64, .more_fragments = true, .fragment_id = 5},
		{UDP4, .n_payload = 64, .fragment_off = 64, .fragment_id = 5},
		{UDP6, .n_payload = 64, .more_fragments = true, .fragment_id = 5},
		{TCP4, .protocol = IPPROTO_ICMP, .type = 8},
		{TCP4, .protocol = IPPROTO_ICMP, .type = 3, .inner = &inner},
		{TCP4, .protocol = IPPROTO_SCTP},
		{TCP4, .ttl = 1},
		{TCP6, .ttl = 1},
		{TCP4, .dport = 81},
		{TCP4, .dst = NODE4},
		{TCP4, .dst = "7.7.7.7"},
		{TCP4, .ethertype = 0x8100},
		{TCP4, .ethertype = 0x0806},
		{TCP4, .n_cut = 5},
		{TCP6, .n_cut = 30},
		{TCP4, .n_cut = 40},
		{TCP4, .dst_mac = "ff:ff:ff:ff:ff:ff"},
		{TCP4, .dst_mac = "01:00:5e:00:00:01"},
		{TCP4, .src = "224.0.0.9"},
		{TCP6, .src = "fe80::9"},
	};

	begin(harness, DIRECT);
	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++)
		expect_passed(harness, &specs[i]);
	xdp_world_put_service(harness, DIRECT, LB_BACKEND_F_LOCAL);
	expect_passed(harness, &(struct frame_spec){TCP4, SYN});
	expect_passed(harness, &(struct frame_spec){UDP6});
	/* Padding of the link is none of the packet's, and goes along. */
	xdp_world_put_service(harness, DIRECT, 0);
	expect_sent(harness, &(struct frame_spec){UDP4, .n_padding = 6},
		    &(struct frame_spec){UDP4, SENT4, OPTION4, GATEWAY, .n_padding = 6});
}

static void ways(struct harness *harness)
{
	struct frame_spec spec = {UDP4}, expected = {UDP4,
						     OPTION4,
						     .dst = "203.0.114.2",
						     .dport = 8080,
						     .ttl = 63,
						     .src_mac = "02:00:00:00:fe:03",
						     .dst_mac = "02:00:00:00:fe:04"};
	struct device_info device = {.mtu = 1500};
	__u32 ifindex = IFINDEX_B;

	begin(harness, DIRECT);
	xdp_world_move_backend(harness, "203.0.114.2", "fd14::2");
	expect(harness, &spec, XDP_REDIRECT, &expected);
	/* Frames may be handed to no program there. */
	bpf_map_update_elem(bpf_map__fd(harness->skel->maps.cilium_devices), &ifindex, &device, 0);
	expect_passed(harness, &spec);
	bpf_map_delete_elem(bpf_map__fd(harness->skel->maps.cilium_devices), &ifindex);
	expect_passed(harness, &spec);
	/* No neighbour, no route, into the pod CIDR. */
	xdp_world_move_backend(harness, "203.0.115.9", "fd15::9");
	expect_passed(harness, &spec);
	expect_passed(harness, &(struct frame_spec){UDP6});
	xdp_world_move_backend(harness, "203.0.113.9", "fd00::99");
	expect_passed(harness, &spec);
	expect_passed(harness, &(struct frame_spec){UDP6});
}

static void drops(struct harness *harness)
{
	const struct frame_spec tcp4 = {TCP4, SYN}, tcp6 = {TCP6, SYN},
				pod = {TCP4, SYN, .src = B4};
	const struct frame_spec ack = {TCP4};

	begin(harness, LB_FRONTEND_F_DSR);
	expect_dropped(harness, &tcp4, DROP_IS_A_CLUSTERIP);
	expect_event(harness, &tcp4, DROP_IS_A_CLUSTERIP);
	begin(harness, DIRECT | LB_FRONTEND_F_SOURCE_RANGES);
	expect_dropped(harness, &tcp6, DROP_DENIED_BY_LB_SRC_RANGE_CHECK);
	expect_event(harness, &tcp6, DROP_DENIED_BY_LB_SRC_RANGE_CHECK);
	begin(harness, DIRECT);
	expect_dropped(harness, &pod, DROP_INVALID_SOURCE_IP);
	expect_event(harness, &pod, DROP_INVALID_SOURCE_IP);
	expect_sent(harness, &tcp4, &(struct frame_spec){TCP4, SYN, SENT4, OPTION4, GATEWAY});
	xdp_world_remove_backends(harness);
	expect_dropped(harness, &ack, DROP_SERVICE_BACKEND_NOT_FOUND);
	expect_event(harness, &ack, DROP_SERVICE_BACKEND_NOT_FOUND);
}

/* Heads of every length; and none where nobody wants them. */
static void drop_events(struct harness *harness)
{
	static const __u16 payloads[] = {1, 2, 3, 7, 8, 73, 74, 75, 400};
	const struct frame_spec unwanted = {TCP4, SYN};
	struct runtime_config runtime = {.wakeup_bytes = 1 << 16};
	struct event event;
	__u32 zero = 0;

	begin(harness, LB_FRONTEND_F_DSR);
	for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
		const struct frame_spec spec = {TCP4, SYN, .n_payload = payloads[i]};

		expect_dropped(harness, &spec, DROP_IS_A_CLUSTERIP);
		expect_event(harness, &spec, DROP_IS_A_CLUSTERIP);
	}
	bpf_map_update_elem(bpf_map__fd(harness->skel->maps.cilium_runtime_config), &zero, &runtime,
			    BPF_ANY);
	expect_dropped(harness, &unwanted, DROP_IS_A_CLUSTERIP);
	assert_false(harness_take_event(harness, &event));
}

static void off(struct harness *harness)
{
	begin(harness, DIRECT);
	expect_passed(harness, &(struct frame_spec){TCP4, SYN});
}

static const struct scenario scenarios[] = {
	{"XDP: direct return by options", NULL, direct_options},
	{"XDP: options and the MTU", NULL, direct_options_mtu},
	{"XDP: direct return keeps its back end", NULL, direct_keeps_backend},
	{"XDP: SNAT", NULL, snat},
	{"XDP: SNAT of what is not known", NULL, snat_unknown},
	{"XDP: SNAT touches both entries", NULL, snat_touches},
	{"XDP: what is left to tc", NULL, left_to_tc},
	{"XDP: ways out", NULL, ways},
	{"XDP: drops", NULL, drops},
	{"XDP: events of drops", NULL, drop_events},
	{"XDP: direct return by IPIP", ipip, direct_ipip},
	{"XDP: IPIP and the MTU", ipip, direct_ipip_mtu},
	{"XDP: nothing is served", no_node_port, off},
};

const struct scenario_group xdp_scenarios = SCENARIOS(scenarios);
