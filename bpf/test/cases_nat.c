/* SPDX-License-Identifier: Apache-2.0 */
/* Masquerading, out and back. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf/test/cases.h"
#include "bpf/test/nat_world.h"

/* From a port outside the range, which leaves as PORT; and from one that may be kept. */
#define PORT            50000
#define OUT4(protocol_) .src = A4, .dst = WORLD4, .protocol = protocol_, .sport = 1000, .dport = 80
#define OUT6(protocol_) .src = A6, .dst = WORLD6, .protocol = protocol_, .sport = 1000, .dport = 80
#define KEPT4(protocol_) \
	.src = A4, .dst = WORLD4, .protocol = protocol_, .sport = 40000, .dport = 80
#define KEPT6(protocol_) \
	.src = A6, .dst = WORLD6, .protocol = protocol_, .sport = 40000, .dport = 80
#define BACK4(protocol_) .src = WORLD4, .dst = NODE4, .protocol = protocol_, .sport = 80
#define BACK6(protocol_) .src = WORLD6, .dst = NODE6, .protocol = protocol_, .sport = 80
#define PING4            .src = A4, .dst = WORLD4, .protocol = IPPROTO_ICMP, .type = 8, .sport = 1000
#define PING6            .src = A6, .dst = WORLD6, .protocol = IPPROTO_ICMPV6, .type = 128, .sport = 1000

static const struct frame_spec masqueraded[] = {
	{OUT4(IPPROTO_TCP)},
	{OUT4(IPPROTO_UDP)},
	{OUT6(IPPROTO_TCP)},
	{OUT6(IPPROTO_UDP)},
	{PING4},
	{PING6},
};

static void connections(struct harness *harness)
{
	for (size_t i = 0; i < sizeof(masqueraded) / sizeof(masqueraded[0]); i++)
		nat_world_put(harness, &masqueraded[i], PORT);
}

static void one_port(struct node_config *config)
{
	config->nat_port_min = config->nat_port_max = PORT;
}

static void masquerading_off(struct node_config *config)
{
	config->enable_masquerade4 = 0;
	config->enable_masquerade6 = 0;
}

static void device_without_addresses(struct harness *harness)
{
	struct device_info info = {};
	__u32 ifindex = IFINDEX_NODE;

	bpf_map_update_elem(bpf_map__fd(harness->skel->maps.cilium_devices), &ifindex, &info,
			    BPF_ANY);
}

static void no_device(struct harness *harness)
{
	__u32 ifindex = IFINDEX_NODE;

	bpf_map_delete_elem(bpf_map__fd(harness->skel->maps.cilium_devices), &ifindex);
}

static void check_mark(struct harness *harness, const struct run *run)
{
	if ((run->mark & MARK_MAGIC_MASK) != MARK_MAGIC_SNAT_DONE)
		abort();
}

/* The packet left by some port of the range, which is registered and also in the frame. */
static void check_moved(struct harness *harness, const struct frame_spec *spec,
			const struct run *run)
{
	__u16 port = nat_world_port(harness, spec);
	size_t l4_off = 14 + (strchr(spec->src, ':') ? 40 : 20);
	__u16 in_frame = run->out.data[l4_off] << 8 | run->out.data[l4_off + 1];

	if (port < 32768 || port == spec->sport || in_frame != port)
		abort();
}

static void check_moved4(struct harness *harness, const struct run *run)
{
	check_moved(harness, &(struct frame_spec){OUT4(IPPROTO_TCP)}, run);
}

static void check_moved6(struct harness *harness, const struct run *run)
{
	check_moved(harness, &(struct frame_spec){OUT6(IPPROTO_UDP)}, run);
}

static void check_second(struct harness *harness, const struct run *run)
{
	check_moved(harness, &(struct frame_spec){KEPT4(IPPROTO_TCP), .src = B4}, run);
}

static void check_kept_moved(struct harness *harness, const struct run *run)
{
	check_moved(harness, &(struct frame_spec){KEPT4(IPPROTO_TCP)}, run);
}

static void check_udp_moved(struct harness *harness, const struct run *run)
{
	check_moved(harness, &(struct frame_spec){KEPT4(IPPROTO_UDP)}, run);
}

/* A host's connection was moved, and what comes back is the host's again. */
static void check_host_moved(struct harness *harness, const struct run *run)
{
	struct frame_spec spec = {KEPT4(IPPROTO_TCP), .src = NODE4};
	struct frame_spec back = {BACK4(IPPROTO_TCP), .tcp_flags = TCP_SYN | TCP_ACK};
	struct frame_spec expected = {BACK4(IPPROTO_TCP), .dport = 40000,
				      .tcp_flags = TCP_SYN | TCP_ACK};
	struct frame in, out;
	struct run answer;

	check_moved(harness, &spec, run);
	back.dport = nat_world_port(harness, &spec);
	frame_build(&in, &back);
	frame_build(&out, &expected);
	answer = harness_run(harness, FROM_NETDEV, &in, IFINDEX_NODE, 0, 0);
	if (answer.verdict != TC_ACT_UNSPEC || answer.out.n_bytes != out.n_bytes ||
	    memcmp(answer.out.data, out.data, out.n_bytes))
		abort();
}

static void forget_way_back(struct harness *harness, const struct run *run)
{
	if (!nat_world_forget(harness, &(struct frame_spec){OUT4(IPPROTO_TCP)}, PORT))
		abort();
}

static void give_way_back_away(struct harness *harness, const struct run *run)
{
	struct frame_spec spec = {OUT4(IPPROTO_TCP)};
	struct frame_spec other = {OUT4(IPPROTO_TCP), .src = B4};

	nat_world_put(harness, &other, PORT);
	nat_world_give_away(harness, &spec, PORT, B4);
}

static void forget_connection(struct harness *harness, const struct run *run)
{
	nat_world_forget_ct(harness, &(struct frame_spec){OUT4(IPPROTO_TCP)});
}

static void replace_a(struct harness *harness)
{
	struct endpoint_key key = {harness_addr(A4)};
	int fd = bpf_map__fd(harness->skel->maps.cilium_lxc);
	struct endpoint_info info;

	connections(harness);
	bpf_map_lookup_elem(fd, &key, &info);
	info.generation = 101;
	bpf_map_update_elem(fd, &key, &info, BPF_ANY);
}

static void remove_a(struct harness *harness)
{
	struct endpoint_key key = {harness_addr(A4)};

	connections(harness);
	bpf_map_delete_elem(bpf_map__fd(harness->skel->maps.cilium_lxc), &key);
}

/* A port whose connection has expired. */
static void dead_owner(struct harness *harness)
{
	struct frame_spec spec = {KEPT4(IPPROTO_TCP)};

	nat_world_put(harness, &spec, 40000);
	nat_world_forget_ct(harness, &spec);
}

static void listening_socket(struct harness *harness)
{
	static int fds[2] = {-1, -1};
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(40000)};

	if (fds[0] >= 0)
		return;
	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	fds[1] = socket(AF_INET, SOCK_DGRAM, 0);
	if (bind(fds[0], (struct sockaddr *)&sin, sizeof(sin)) || listen(fds[0], 1) ||
	    bind(fds[1], (struct sockaddr *)&sin, sizeof(sin)))
		abort();
}

#define ROUND_TRIP(out_, as_, back_, in_)                                                  \
	{                                                                                  \
		{.program = TO_NETDEV, .in = {out_}, .out = {as_}, .check = check_mark},   \
		{                                                                          \
			.program = FROM_NETDEV, .in = {back_}, .verdict = TC_ACT_REDIRECT, \
			.out = {in_, TO_A, .ttl = 63}, .state = 1 + EVENT_CT_REPLY         \
		}                                                                          \
	}
#define UNCHANGED(...) {.program = TO_NETDEV, .in = {__VA_ARGS__}, .verdict = TC_ACT_UNSPEC}
#define ARGS(...)      __VA_ARGS__

static const struct test_case cases[] = {
	{"TCP under another port, IPv4", .set_up = connections,
	 .steps = ROUND_TRIP(
		 ARGS(OUT4(IPPROTO_TCP), .tcp_flags = TCP_ACK, .n_payload = 11),
		 ARGS(OUT4(IPPROTO_TCP), .src = NODE4, .sport = PORT, .tcp_flags = TCP_ACK,
		      .n_payload = 11),
		 ARGS(BACK4(IPPROTO_TCP), .dport = PORT, .tcp_flags = TCP_ACK),
		 ARGS(BACK4(IPPROTO_TCP), .dst = A4, .dport = 1000, .tcp_flags = TCP_ACK))},
	{"TCP under another port, IPv6", .set_up = connections,
	 .steps = ROUND_TRIP(
		 ARGS(OUT6(IPPROTO_TCP), .tcp_flags = TCP_ACK, .n_payload = 11),
		 ARGS(OUT6(IPPROTO_TCP), .src = NODE6, .sport = PORT, .tcp_flags = TCP_ACK,
		      .n_payload = 11),
		 ARGS(BACK6(IPPROTO_TCP), .dport = PORT, .tcp_flags = TCP_ACK),
		 ARGS(BACK6(IPPROTO_TCP), .dst = A6, .dport = 1000, .tcp_flags = TCP_ACK))},
	{"UDP under another port, IPv4", .set_up = connections,
	 .steps = ROUND_TRIP(ARGS(OUT4(IPPROTO_UDP), .n_payload = 7),
			     ARGS(OUT4(IPPROTO_UDP), .src = NODE4, .sport = PORT, .n_payload = 7),
			     ARGS(BACK4(IPPROTO_UDP), .dport = PORT),
			     ARGS(BACK4(IPPROTO_UDP), .dst = A4, .dport = 1000))},
	{"UDP under another port, IPv6", .set_up = connections,
	 .steps = ROUND_TRIP(ARGS(OUT6(IPPROTO_UDP), .n_payload = 7),
			     ARGS(OUT6(IPPROTO_UDP), .src = NODE6, .sport = PORT, .n_payload = 7),
			     ARGS(BACK6(IPPROTO_UDP), .dport = PORT),
			     ARGS(BACK6(IPPROTO_UDP), .dst = A6, .dport = 1000))},
	{"UDP without a checksum keeps none", .set_up = connections,
	 .steps = ROUND_TRIP(
		 ARGS(OUT4(IPPROTO_UDP), .no_udp_checksum = true),
		 ARGS(OUT4(IPPROTO_UDP), .src = NODE4, .sport = PORT, .no_udp_checksum = true),
		 ARGS(BACK4(IPPROTO_UDP), .dport = PORT, .no_udp_checksum = true),
		 ARGS(BACK4(IPPROTO_UDP), .dst = A4, .dport = 1000, .no_udp_checksum = true))},
	{"ping under another identifier, IPv4", .set_up = connections,
	 .steps = ROUND_TRIP(
		 ARGS(PING4, .n_payload = 5),
		 ARGS(PING4, .src = NODE4, .sport = PORT, .n_payload = 5),
		 ARGS(.src = WORLD4, .dst = NODE4, .protocol = IPPROTO_ICMP, .sport = PORT),
		 ARGS(.src = WORLD4, .dst = A4, .protocol = IPPROTO_ICMP, .sport = 1000))},
	{"ping under another identifier, IPv6", .set_up = connections,
	 .steps = ROUND_TRIP(ARGS(PING6, .n_payload = 5),
			     ARGS(PING6, .src = NODE6, .sport = PORT, .n_payload = 5),
			     ARGS(.src = WORLD6, .dst = NODE6, .protocol = IPPROTO_ICMPV6,
				  .type = 129, .sport = PORT),
			     ARGS(.src = WORLD6, .dst = A6, .protocol = IPPROTO_ICMPV6, .type = 129,
				  .sport = 1000))},
	{"IPv4 options and IPv6 extension headers", .set_up = connections,
	 .steps = {{.program = TO_NETDEV,
		    .in = {OUT4(IPPROTO_UDP), .n_options = 3},
		    .out = {OUT4(IPPROTO_UDP), .src = NODE4, .sport = PORT, .n_options = 3}},
		   {.program = TO_NETDEV,
		    .in = {OUT6(IPPROTO_UDP), .extension = IPPROTO_HOPOPTS},
		    .out = {OUT6(IPPROTO_UDP), .src = NODE6, .sport = PORT,
			    .extension = IPPROTO_HOPOPTS}}}},
	{"fragments, IPv4", .set_up = connections,
	 .steps = {{.program = TO_NETDEV,
		    .in = {OUT4(IPPROTO_UDP), .more_fragments = true, .n_payload = 32},
		    .out = {OUT4(IPPROTO_UDP), .src = NODE4, .sport = PORT, .more_fragments = true,
			    .n_payload = 32}},
		   {.program = TO_NETDEV,
		    .in = {OUT4(IPPROTO_UDP), .fragment_off = 40, .n_payload = 9},
		    .out = {OUT4(IPPROTO_UDP), .src = NODE4, .fragment_off = 40, .n_payload = 9}},
		   {.program = FROM_NETDEV,
		    .in = {BACK4(IPPROTO_UDP), .dport = PORT, .more_fragments = true,
			   .n_payload = 32},
		    .verdict = TC_ACT_REDIRECT,
		    .out = {BACK4(IPPROTO_UDP), TO_A, .ttl = 63, .dst = A4, .dport = 1000,
			    .more_fragments = true, .n_payload = 32}},
		   {.program = FROM_NETDEV,
		    .in = {BACK4(IPPROTO_UDP), .fragment_off = 40, .n_payload = 9},
		    .verdict = TC_ACT_REDIRECT,
		    .out = {BACK4(IPPROTO_UDP), TO_A, .ttl = 63, .dst = A4, .fragment_off = 40,
			    .n_payload = 9}}}},
	{"fragments, IPv6", .set_up = connections,
	 .steps = {{.program = TO_NETDEV,
		    .in = {OUT6(IPPROTO_UDP), .more_fragments = true, .n_payload = 32},
		    .out = {OUT6(IPPROTO_UDP), .src = NODE6, .sport = PORT, .more_fragments = true,
			    .n_payload = 32}},
		   {.program = TO_NETDEV,
		    .in = {OUT6(IPPROTO_UDP), .fragment_off = 40, .n_payload = 9},
		    .out = {OUT6(IPPROTO_UDP), .src = NODE6, .fragment_off = 40, .n_payload = 9}}}},
	{"a port of the range is kept",
	 .steps = {{.program = TO_NETDEV,
		    .in = {KEPT4(IPPROTO_TCP), .tcp_flags = TCP_SYN},
		    .out = {KEPT4(IPPROTO_TCP), .src = NODE4, .tcp_flags = TCP_SYN}},
		   {.program = TO_NETDEV,
		    .in = {KEPT6(IPPROTO_UDP)},
		    .out = {KEPT6(IPPROTO_UDP), .src = NODE6}},
		   {.program = TO_NETDEV, .in = {PING4}, .out = {PING4, .src = NODE4}},
		   {.program = TO_NETDEV, .in = {PING6}, .out = {PING6, .src = NODE6}}}},
	{"a port outside it is not", .steps = {{.program = TO_NETDEV,
						.in = {OUT4(IPPROTO_TCP), .tcp_flags = TCP_SYN},
						.n_out = -1,
						.check = check_moved4},
					       {.program = TO_NETDEV,
						.in = {OUT6(IPPROTO_UDP)},
						.n_out = -1,
						.check = check_moved6}}},
	{"two endpoints, one port, one peer",
	 .steps = {{.program = TO_NETDEV,
		    .in = {KEPT4(IPPROTO_TCP), .tcp_flags = TCP_SYN},
		    .out = {KEPT4(IPPROTO_TCP), .src = NODE4, .tcp_flags = TCP_SYN}},
		   {.program = TO_NETDEV,
		    .in = {KEPT4(IPPROTO_TCP), .src = B4, .tcp_flags = TCP_SYN},
		    .n_out = -1,
		    .check = check_second}}},
	{"two endpoints, one port, two peers",
	 .steps = {{.program = TO_NETDEV,
		    .in = {KEPT4(IPPROTO_TCP), .tcp_flags = TCP_SYN},
		    .out = {KEPT4(IPPROTO_TCP), .src = NODE4, .tcp_flags = TCP_SYN}},
		   {.program = TO_NETDEV,
		    .in = {KEPT4(IPPROTO_TCP), .src = B4, .dport = 81, .tcp_flags = TCP_SYN},
		    .out = {KEPT4(IPPROTO_TCP), .src = NODE4, .dport = 81, .tcp_flags = TCP_SYN}}}},
	{"the port of a connection that is gone is taken over", .set_up = dead_owner,
	 .steps = {{.program = TO_NETDEV,
		    .in = {KEPT4(IPPROTO_TCP), .src = B4, .tcp_flags = TCP_SYN},
		    .out = {KEPT4(IPPROTO_TCP), .src = NODE4, .tcp_flags = TCP_SYN}}}},
	{"the host keeps its ports",
	 .steps = {UNCHANGED(KEPT4(IPPROTO_TCP), .src = NODE4, .dport = 82),
		   UNCHANGED(OUT6(IPPROTO_UDP), .src = NODE6),
		   UNCHANGED(OUT4(IPPROTO_GRE), .src = NODE4, .n_payload = 8)}},
	{"… and with SCTP fails where it cannot",
	 .steps = {{.program = TO_NETDEV,
		    .in = {KEPT4(IPPROTO_SCTP)},
		    .out = {KEPT4(IPPROTO_SCTP), .src = NODE4}},
		   {.program = TO_NETDEV,
		    .in = {KEPT4(IPPROTO_SCTP), .src = NODE4},
		    .drop = DROP_UNSUPPORTED_PROTOCOL_FOR_NAT_MASQUERADE}}},
	{"a connection of the host is moved off an endpoint's port",
	 .steps = {{.program = TO_NETDEV,
		    .in = {KEPT4(IPPROTO_TCP), .tcp_flags = TCP_SYN},
		    .n_out = -1},
		   {.program = TO_NETDEV,
		    .in = {KEPT4(IPPROTO_TCP), .src = NODE4, .tcp_flags = TCP_SYN},
		    .n_out = -1,
		    .check = check_host_moved},
		   {.program = TO_NETDEV,
		    .in = {KEPT4(IPPROTO_TCP), .src = NODE4, .tcp_flags = TCP_ACK},
		    .n_out = -1,
		    .check = check_host_moved}}},
	{"a ping of the host is registered, so that no endpoint gets its answer",
	 .steps = {UNCHANGED(PING4, .src = NODE4),
		   {.program = TO_NETDEV, .in = {PING4}, .n_out = -1, .verdict = TC_ACT_UNSPEC},
		   {.program = FROM_NETDEV,
		    .in = {.src = WORLD4, .dst = NODE4, .protocol = IPPROTO_ICMP, .sport = 1000},
		    .verdict = TC_ACT_UNSPEC}}},
	{"not masqueraded",
	 .steps = {UNCHANGED(OUT4(IPPROTO_UDP), .dst = "100.64.1.1"),
		   UNCHANGED(OUT6(IPPROTO_UDP), .dst = "fd77::7"),
		   UNCHANGED(OUT4(IPPROTO_UDP), .dst = "192.0.2.77"),
		   /* Nor is a second packet of theirs, which finds the decision. */
		   UNCHANGED(OUT4(IPPROTO_UDP), .dst = "100.64.1.1"),
		   UNCHANGED(OUT4(IPPROTO_UDP), .src = "9.9.9.9"),
		   {.program = TO_NETDEV,
		    .mark = MARK_MAGIC_SNAT_DONE,
		    .in = {OUT4(IPPROTO_UDP)},
		    .verdict = TC_ACT_UNSPEC}}},
	{"masquerading off", .configure = masquerading_off,
	 .steps = {UNCHANGED(OUT4(IPPROTO_UDP)), UNCHANGED(OUT6(IPPROTO_UDP))}},
	{"a device without an address", .set_up = device_without_addresses,
	 .steps = {UNCHANGED(OUT4(IPPROTO_UDP)), UNCHANGED(OUT6(IPPROTO_UDP))}},
	{"a device that is not ours", .set_up = no_device, .steps = {UNCHANGED(OUT4(IPPROTO_UDP))}},
	{"the way back was evicted", .set_up = connections,
	 .steps = {{.program = TO_NETDEV,
		    .in = {OUT4(IPPROTO_TCP), .tcp_flags = TCP_ACK},
		    .n_out = -1,
		    .check = forget_way_back},
		   {.program = TO_NETDEV,
		    .in = {OUT4(IPPROTO_TCP), .tcp_flags = TCP_ACK},
		    .n_out = -1,
		    .check = check_moved4}}},
	{"the way back was given to another", .set_up = connections,
	 .steps = {{.program = TO_NETDEV,
		    .in = {OUT4(IPPROTO_TCP), .tcp_flags = TCP_ACK},
		    .n_out = -1,
		    .check = give_way_back_away},
		   {.program = TO_NETDEV,
		    .in = {OUT4(IPPROTO_TCP), .tcp_flags = TCP_ACK},
		    .n_out = -1,
		    .check = check_moved4}}},
	{"the connection was evicted, its way back was not", .set_up = connections,
	 .steps = {{.program = TO_NETDEV,
		    .in = {OUT4(IPPROTO_TCP), .tcp_flags = TCP_ACK},
		    .n_out = -1,
		    .check = forget_connection},
		   {.program = FROM_NETDEV,
		    .in = {BACK4(IPPROTO_TCP), .dport = PORT, .tcp_flags = TCP_ACK},
		    .verdict = TC_ACT_REDIRECT,
		    .n_out = -1,
		    .state = 1 + EVENT_CT_REPLY},
		   {.program = TO_NETDEV,
		    .in = {OUT4(IPPROTO_TCP), .tcp_flags = TCP_ACK},
		    .out = {OUT4(IPPROTO_TCP), .src = NODE4, .sport = PORT,
			    .tcp_flags = TCP_ACK}}}},
	{"an answer to an endpoint that was replaced", .set_up = replace_a,
	 .steps = {{.program = FROM_NETDEV,
		    .in = {BACK4(IPPROTO_TCP), .dport = PORT, .tcp_flags = TCP_ACK},
		    .drop = DROP_STALE_OR_UNROUTABLE_IP}}},
	{"an answer to an endpoint that is gone", .set_up = remove_a,
	 .steps = {{.program = FROM_NETDEV,
		    .in = {BACK4(IPPROTO_TCP), .dport = PORT, .tcp_flags = TCP_ACK},
		    .drop = DROP_STALE_OR_UNROUTABLE_IP}}},
	{"what nobody asked for is the host's", .set_up = connections,
	 .steps = {{.program = FROM_NETDEV,
		    .in = {BACK4(IPPROTO_TCP), .dport = PORT + 1, .tcp_flags = TCP_ACK},
		    .verdict = TC_ACT_UNSPEC},
		   {.program = FROM_NETDEV,
		    .in = {.src = WORLD4,
			   .dst = NODE4,
			   .protocol = IPPROTO_ICMP,
			   .type = 8,
			   .sport = PORT},
		    .verdict = TC_ACT_UNSPEC}}},
	{"the ports have run out", .configure = one_port,
	 .steps = {{.program = TO_NETDEV,
		    .in = {OUT4(IPPROTO_UDP)},
		    .out = {OUT4(IPPROTO_UDP), .src = NODE4, .sport = PORT}},
		   {.program = TO_NETDEV,
		    .in = {OUT4(IPPROTO_UDP), .src = B4},
		    .drop = DROP_NO_MAPPING_FOR_NAT_MASQUERADE},
		   /* Another peer has all of them. */
		   {.program = TO_NETDEV,
		    .in = {OUT4(IPPROTO_UDP), .src = B4, .dport = 81},
		    .out = {OUT4(IPPROTO_UDP), .src = NODE4, .sport = PORT, .dport = 81}}}},
	{"SCTP keeps its port or fails",
	 .steps = {{.program = TO_NETDEV,
		    .in = {OUT4(IPPROTO_SCTP)},
		    .out = {OUT4(IPPROTO_SCTP), .src = NODE4}},
		   {.program = TO_NETDEV,
		    .in = {OUT4(IPPROTO_SCTP), .src = B4},
		    .drop = DROP_UNSUPPORTED_PROTOCOL_FOR_NAT_MASQUERADE}}},
	{"what has no port cannot be masqueraded",
	 .steps = {{.program = TO_NETDEV,
		    .in = {.src = A4, .dst = WORLD4, .protocol = IPPROTO_ICMP, .type = 13},
		    .drop = DROP_UNSUPPORTED_PROTOCOL_FOR_NAT_MASQUERADE}}},
	/* Last, because the sockets stay open. */
	{"the port of a socket of the host is not taken", .set_up = listening_socket,
	 .steps = {{.program = TO_NETDEV,
		    .in = {KEPT4(IPPROTO_TCP), .tcp_flags = TCP_SYN},
		    .n_out = -1,
		    .check = check_kept_moved},
		   {.program = TO_NETDEV,
		    .in = {KEPT4(IPPROTO_UDP)},
		    .n_out = -1,
		    .check = check_udp_moved}}},
};

const struct case_group nat_cases = CASES(cases);
