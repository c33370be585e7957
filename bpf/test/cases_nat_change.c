/* SPDX-License-Identifier: Apache-2.0 */
/* Masquerading while the world around a connection changes. */
#include <arpa/inet.h>
#include <stdlib.h>

#include "bpf/test/cases.h"
#include "bpf/test/nat_world.h"

#define PORT            50000
#define LOST4           "192.0.2.200" /* was the node's address */
#define LOST6           "2001:db8::200"
#define OUT4(protocol_) .src = A4, .dst = WORLD4, .protocol = protocol_, .sport = 1000, .dport = 80
#define OUT6(protocol_) .src = A6, .dst = WORLD6, .protocol = protocol_, .sport = 1000, .dport = 80
#define KEPT4           .src = A4, .dst = WORLD4, .protocol = IPPROTO_UDP, .sport = 40000, .dport = 80
#define KEPT6           .src = A6, .dst = WORLD6, .protocol = IPPROTO_UDP, .sport = 40000, .dport = 80
#define BACK4           .src = WORLD4, .dst = NODE4, .protocol = IPPROTO_UDP, .sport = 80
#define BACK6           .src = WORLD6, .dst = NODE6, .protocol = IPPROTO_UDP, .sport = 80

static const struct frame_spec tcp4 = {OUT4(IPPROTO_TCP), .tcp_flags = TCP_ACK};
static const struct frame_spec udp6 = {OUT6(IPPROTO_UDP)};
static const struct frame_spec kept4 = {KEPT4};
static const struct frame_spec kept6 = {KEPT6};

static void legacy(struct node_config *config)
{
	config->enable_host_legacy_routing = 1;
}

static void way_back_evicted(struct harness *harness)
{
	nat_world_put(harness, &tcp4, PORT);
	nat_world_put(harness, &udp6, PORT);
	if (!nat_world_forget(harness, &tcp4, PORT) || !nat_world_forget(harness, &udp6, PORT))
		abort();
}

static void rename_nat_addr(struct harness *harness, const struct frame_spec *spec,
			    const char *addr)
{
	struct ct_key key;
	struct ct_entry entry;

	nat_world_put(harness, spec, 40000);
	if (!harness_get_ct(harness, spec, &key, &entry))
		abort();
	entry.nat_addr = harness_addr(addr);
	harness_put_ct(harness, &key, &entry);
}

/* The connections have an address that was the node's when they were opened. */
static void address_lost(struct harness *harness)
{
	rename_nat_addr(harness, &kept4, LOST4);
	rename_nat_addr(harness, &kept6, LOST6);
}

/* Theirs is not the device's, but still the node's: they came by another device. */
static void address_of_another_device(struct harness *harness)
{
	rename_nat_addr(harness, &kept4, HOST4);
	rename_nat_addr(harness, &kept6, HOST6);
}

static void set_device(struct harness *harness, const char *ipv4, const char *ipv6)
{
	struct device_info info = {.mtu = 1500};
	__u32 ifindex = IFINDEX_NODE;

	if (ipv4)
		info.masquerade4 = harness_addr(ipv4);
	if (ipv6)
		info.masquerade6 = harness_addr(ipv6);
	bpf_map_update_elem(bpf_map__fd(harness->skel->maps.cilium_devices), &ifindex, &info,
			    BPF_ANY);
}

static void no_address_yet(struct harness *harness)
{
	set_device(harness, NULL, NULL);
}

static void address_comes(struct harness *harness, const struct run *run)
{
	set_device(harness, NODE4, NODE6);
}

static void connection_expired(struct harness *harness)
{
	nat_world_put(harness, &kept4, PORT);
	nat_world_put(harness, &kept6, PORT);
	nat_world_forget_ct(harness, &kept4);
	nat_world_forget_ct(harness, &kept6);
}

/* The port's connection is gone, and another CPU is about to take the port. */
static void claimed(struct harness *harness)
{
	struct nat_key key = {
		.peer = harness_addr(WORLD4),
		.addr = harness_addr(NODE4),
		.peer_port = htons(80),
		.port = htons(40000),
		.protocol = IPPROTO_UDP,
	};
	__u32 claim = 1;

	nat_world_put(harness, &kept4, 40000);
	nat_world_forget_ct(harness, &kept4);
	bpf_map_update_elem(bpf_map__fd(harness->skel->maps.nat_claims), &key, &claim, BPF_ANY);
}

static void unclaim(struct harness *harness)
{
	struct nat_key key;
	int fd = bpf_map__fd(harness->skel->maps.nat_claims);

	while (!bpf_map_get_next_key(fd, NULL, &key))
		bpf_map_delete_elem(fd, &key);
}

/* Moved off the port, whose entry is still there for the other CPU. */
static void check_left_to_the_other(struct harness *harness, const struct run *run)
{
	__u16 port = nat_world_port(harness, &(struct frame_spec){KEPT4, .src = B4});

	unclaim(harness);
	if (!port || port == 40000 || !nat_world_forget(harness, &kept4, 40000))
		abort();
}

static void check_host_left_it(struct harness *harness, const struct run *run)
{
	__u16 port = nat_world_port(harness, &(struct frame_spec){KEPT4, .src = NODE4});

	unclaim(harness);
	if (!port || port == 40000 || !nat_world_forget(harness, &kept4, 40000))
		abort();
}

static void check_no_claim(struct harness *harness, const struct run *run)
{
	struct nat_key key;

	if (!bpf_map_get_next_key(bpf_map__fd(harness->skel->maps.nat_claims), NULL, &key))
		abort();
}

static void dead_owner(struct harness *harness)
{
	nat_world_put(harness, &kept4, 40000);
	nat_world_forget_ct(harness, &kept4);
}

static const struct test_case cases[] = {
	{"one CPU at a time takes a dead connection's port", .set_up = claimed,
	 .steps = {{.program = TO_NETDEV,
		    .in = {KEPT4, .src = B4},
		    .n_out = -1,
		    .check = check_left_to_the_other}}},
	{"… and so when the host wants it", .set_up = claimed,
	 .steps = {{.program = TO_NETDEV,
		    .in = {KEPT4, .src = NODE4},
		    .n_out = -1,
		    .check = check_host_left_it}}},
	{"and gives up its claim", .set_up = dead_owner,
	 .steps = {{.program = TO_NETDEV,
		    .in = {KEPT4, .src = B4},
		    .out = {KEPT4, .src = NODE4},
		    .check = check_no_claim}}},

	{"the way back was evicted: the connection keeps its port", .set_up = way_back_evicted,
	 .steps = {{.program = TO_NETDEV,
		    .in = {OUT4(IPPROTO_TCP), .tcp_flags = TCP_ACK},
		    .out = {OUT4(IPPROTO_TCP), .src = NODE4, .sport = PORT, .tcp_flags = TCP_ACK}},
		   {.program = TO_NETDEV,
		    .in = {OUT6(IPPROTO_UDP)},
		    .out = {OUT6(IPPROTO_UDP), .src = NODE6, .sport = PORT}}}},
	{"the node has lost the address of a connection", .set_up = address_lost,
	 .steps = {{.program = TO_NETDEV, .in = {KEPT4}, .out = {KEPT4, .src = NODE4}},
		   {.program = TO_NETDEV, .in = {KEPT6}, .out = {KEPT6, .src = NODE6}}}},
	{"the connection has an address of another device", .set_up = address_of_another_device,
	 .steps = {{.program = TO_NETDEV, .in = {KEPT4}, .out = {KEPT4, .src = HOST4}},
		   {.program = TO_NETDEV, .in = {KEPT6}, .out = {KEPT6, .src = HOST6}}}},
	{"the device is given its address later", .set_up = no_address_yet,
	 .steps = {{.program = TO_NETDEV, .in = {KEPT4}},
		   {.program = TO_NETDEV, .in = {KEPT6}, .check = address_comes},
		   {.program = TO_NETDEV, .in = {KEPT4}, .out = {KEPT4, .src = NODE4}},
		   {.program = TO_NETDEV, .in = {KEPT6}, .out = {KEPT6, .src = NODE6}}}},
	{"legacy routing: an answer to an expired connection", .configure = legacy,
	 .set_up = connection_expired,
	 .steps = {{.program = FROM_NETDEV,
		    .in = {BACK4, .dport = PORT},
		    .out = {BACK4, .dst = A4, .dport = 40000}},
		   {.program = FROM_NETDEV,
		    .in = {BACK6, .dport = PORT},
		    .out = {BACK6, .dst = A6, .dport = 40000}},
		   {.program = TO_CONTAINER,
		    .ifindex = IFINDEX_A,
		    .in = {BACK4, .dst = A4, .dport = 40000},
		    .state = 1 + EVENT_CT_REPLY},
		   {.program = TO_NETDEV,
		    .in = {KEPT4},
		    .out = {KEPT4, .src = NODE4, .sport = PORT}},
		   {.program = TO_NETDEV,
		    .in = {KEPT6},
		    .out = {KEPT6, .src = NODE6, .sport = PORT}}}},
	/* The endpoint asked an address of the node, which a rule of the host maps to the world. */
	{"the stack gave a connection its destination, and gets the answers",
	 .steps = {{.in = {KEPT4, .dst = NODE4}, .point = 1 + TRACE_TO_HOST},
		   {.program = TO_NETDEV, .in = {KEPT4}, .out = {KEPT4, .src = NODE4}},
		   {.program = FROM_NETDEV,
		    .in = {BACK4, .dport = 40000},
		    .out = {BACK4, .dst = A4, .dport = 40000}},
		   {.program = TO_NETDEV, .in = {KEPT6}, .out = {KEPT6, .src = NODE6}},
		   {.program = FROM_NETDEV,
		    .in = {BACK6, .dport = 40000},
		    .out = {BACK6, .dst = A6, .dport = 40000}}}},
};

const struct case_group nat_change_cases = CASES(cases);
