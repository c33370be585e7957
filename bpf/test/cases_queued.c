/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endpoints on whose device somebody has put a queue, or filters on what they send. Which device a
 * packet is sent to, and on which side of it, test/net sees: here both are a redirect.
 */
#include <stdlib.h>

#include "bpf/test/cases.h"

#define A_TO_B4 .src = A4, .dst = B4, .protocol = IPPROTO_TCP, .sport = 1000, .dport = 80
#define A_TO_B6 .src = A6, .dst = B6, .protocol = IPPROTO_TCP, .sport = 1000, .dport = 80
#define B_TO_A4 .src = B4, .dst = A4, .protocol = IPPROTO_TCP, .sport = 80, .dport = 1000
#define B_TO_A6 .src = B6, .dst = A6, .protocol = IPPROTO_TCP, .sport = 80, .dport = 1000

static void add_flag(int map_fd, const void *key, __u16 flag)
{
	struct endpoint_info info;

	if (bpf_map_lookup_elem(map_fd, key, &info))
		abort();
	info.flags |= flag;
	if (bpf_map_update_elem(map_fd, key, &info, BPF_ANY))
		abort();
}

static void flag_endpoint(struct harness *harness, const char *addr4, const char *addr6, __u16 flag)
{
	int fd = bpf_map__fd(harness->skel->maps.cilium_lxc);
	struct addr keys[] = {harness_addr(addr4), harness_addr(addr6)};

	for (int i = 0; i < 2; i++)
		add_flag(fd, &keys[i], flag);
}

static void queue_b(struct harness *harness)
{
	flag_endpoint(harness, B4, B6, ENDPOINT_F_QUEUED);
}

static void filter_a(struct harness *harness)
{
	flag_endpoint(harness, A4, A6, ENDPOINT_F_VIA_STACK);
}

static const struct test_case cases[] = {
	{"into a queue, as into the endpoint", .set_up = queue_b,
	 .steps = {{.in = {A_TO_B4, .tcp_flags = TCP_SYN},
		    .verdict = TC_ACT_REDIRECT,
		    .out = {A_TO_B4, TO_B, .tcp_flags = TCP_SYN, .ttl = 63},
		    .state = 1 + EVENT_CT_NEW,
		    .point = 1 + TRACE_TO_ENDPOINT},
		   {.in = {A_TO_B6, .tcp_flags = TCP_SYN},
		    .verdict = TC_ACT_REDIRECT,
		    .out = {A_TO_B6, TO_B, .tcp_flags = TCP_SYN, .ttl = 63},
		    .state = 1 + EVENT_CT_NEW,
		    .point = 1 + TRACE_TO_ENDPOINT},
		   {.in = {B_TO_A4, .tcp_flags = TCP_SYN | TCP_ACK},
		    .ifindex = IFINDEX_B,
		    .verdict = TC_ACT_REDIRECT,
		    .n_out = -1,
		    .state = 1 + EVENT_CT_REPLY},
		   {.in = {A_TO_B4, .ttl = 1, .tcp_flags = TCP_ACK}, .point = 1 + TRACE_TO_STACK}}},
	{"what filters may take goes to the stack, checked and tracked", .set_up = filter_a,
	 .steps = {{.in = {A_TO_B4, .tcp_flags = TCP_SYN},
		    .state = 1 + EVENT_CT_NEW,
		    .point = 1 + TRACE_TO_STACK},
		   {.in = {A_TO_B6, .tcp_flags = TCP_SYN},
		    .state = 1 + EVENT_CT_NEW,
		    .point = 1 + TRACE_TO_STACK},
		   {.in = {.src = A4, .dst = WORLD4, .protocol = IPPROTO_UDP, .sport = 5},
		    .point = 1 + TRACE_TO_STACK},
		   {.in = {.src = A6, .dst = WORLD6, .protocol = IPPROTO_UDP, .sport = 5},
		    .point = 1 + TRACE_TO_STACK},
		   {.in = {A_TO_B4}, .ifindex = IFINDEX_B, .drop = DROP_INVALID_SOURCE_IP}}},
	/* The host's connection tracking, where somebody uses it, sees both directions or none. */
	{"and so does what comes back", .set_up = filter_a,
	 .steps = {{.in = {B_TO_A4, .tcp_flags = TCP_SYN},
		    .ifindex = IFINDEX_B,
		    .state = 1 + EVENT_CT_NEW,
		    .point = 1 + TRACE_TO_STACK},
		   {.in = {B_TO_A6, .tcp_flags = TCP_SYN},
		    .ifindex = IFINDEX_B,
		    .state = 1 + EVENT_CT_NEW,
		    .point = 1 + TRACE_TO_STACK},
		   {.in = {A_TO_B4, .tcp_flags = TCP_SYN | TCP_ACK},
		    .state = 1 + EVENT_CT_REPLY,
		    .point = 1 + TRACE_TO_STACK},
		   {.program = FROM_NETDEV,
		    .in = {.src = WORLD4, .dst = A4, .protocol = IPPROTO_UDP, .dport = 5}},
		   {.program = FROM_NETDEV,
		    .in = {.src = WORLD6, .dst = A6, .protocol = IPPROTO_UDP, .dport = 5}},
		   {.program = FROM_HOST,
		    .in = {.src = WORLD4, .dst = A4, .protocol = IPPROTO_UDP, .dport = 5},
		    .verdict = TC_ACT_REDIRECT,
		    .n_out = -1,
		    .state = 1 + EVENT_CT_NEW}}},
};

const struct case_group queued_cases = CASES(cases);
