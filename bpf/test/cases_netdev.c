/* SPDX-License-Identifier: Apache-2.0 */
/* From outside to endpoints, and what is not for them. */
#include <stdlib.h>
#include <string.h>

#include "bpf/test/cases.h"

#define IN4 .src = WORLD4, .dst = B4, .protocol = IPPROTO_TCP, .sport = 9, .dport = 80
#define IN6 .src = WORLD6, .dst = B6, .protocol = IPPROTO_TCP, .sport = 9, .dport = 80

static void legacy(struct node_config *config)
{
	config->enable_host_legacy_routing = 1;
}

static void check_identity(struct harness *harness, const char *source, __u32 identity)
{
	struct frame_spec spec = {.src = source,
				  .dst = strchr(source, ':') ? B6 : B4,
				  .protocol = IPPROTO_TCP,
				  .sport = 9,
				  .dport = 80};
	struct ct_key key;
	struct ct_entry entry;

	if (!harness_get_ct(harness, &spec, &key, &entry) ||
	    ct_entry_initiator_identity(&entry) != identity)
		abort();
}

static void check_prefix_identity(struct harness *harness, const struct run *run)
{
	check_identity(harness, WORLD4, 77);
}

static void check_exact_identity(struct harness *harness, const struct run *run)
{
	check_identity(harness, "192.0.2.77", 6);
}

static void check_world_identity4(struct harness *harness, const struct run *run)
{
	check_identity(harness, "9.9.9.9", 9);
}

static void check_world_identity6(struct harness *harness, const struct run *run)
{
	check_identity(harness, WORLD6, 10);
}

static void check_interface_metric(struct harness *harness, const struct run *run)
{
	if (harness_metric(harness, METRIC_REASON_INTERFACE, METRIC_DIR_INGRESS) != 1)
		abort();
}

static const struct test_case cases[] = {
	{"world to pod", .steps = {{.program = FROM_NETDEV,
				    .in = {IN4, .tcp_flags = TCP_SYN},
				    .verdict = TC_ACT_REDIRECT,
				    .out = {IN4, TO_B, .tcp_flags = TCP_SYN, .ttl = 63},
				    .state = 1 + EVENT_CT_NEW,
				    .point = 1 + TRACE_TO_ENDPOINT,
				    .check = check_interface_metric},
				   {.in = {.src = B4,
					   .dst = WORLD4,
					   .protocol = IPPROTO_TCP,
					   .sport = 80,
					   .dport = 9,
					   .tcp_flags = TCP_SYN | TCP_ACK},
				    .ifindex = IFINDEX_B,
				    .verdict = TC_ACT_REDIRECT,
				    .n_out = -1,
				    .state = 1 + EVENT_CT_REPLY},
				   {.program = TO_NETDEV,
				    .in = {.src = B4,
					   .dst = WORLD4,
					   .protocol = IPPROTO_TCP,
					   .sport = 80,
					   .dport = 9,
					   .tcp_flags = TCP_SYN | TCP_ACK},
				    .verdict = TC_ACT_UNSPEC},
				   {.program = FROM_NETDEV,
				    .in = {IN6, .tcp_flags = TCP_SYN},
				    .verdict = TC_ACT_REDIRECT,
				    .out = {IN6, TO_B, .tcp_flags = TCP_SYN, .ttl = 63}}}},
	{"who the world is", .steps = {{.program = FROM_NETDEV,
					.in = {IN4, .tcp_flags = TCP_SYN},
					.verdict = TC_ACT_REDIRECT,
					.n_out = -1,
					.check = check_prefix_identity},
				       {.program = FROM_NETDEV,
					.in = {IN4, .src = "192.0.2.77", .tcp_flags = TCP_SYN},
					.verdict = TC_ACT_REDIRECT,
					.n_out = -1,
					.check = check_exact_identity},
				       {.program = FROM_NETDEV,
					.in = {IN4, .src = "9.9.9.9", .tcp_flags = TCP_SYN},
					.verdict = TC_ACT_REDIRECT,
					.n_out = -1,
					.check = check_world_identity4},
				       {.program = FROM_NETDEV,
					.in = {IN6, .tcp_flags = TCP_SYN},
					.verdict = TC_ACT_REDIRECT,
					.n_out = -1,
					.check = check_world_identity6}}},
	{"addresses of the node do not come from outside",
	 .steps = {{.program = FROM_NETDEV, .in = {IN4, .src = A4}, .drop = DROP_INVALID_SOURCE_IP},
		   {.program = FROM_NETDEV, .in = {IN6, .src = A6}, .drop = DROP_INVALID_SOURCE_IP},
		   {.program = FROM_NETDEV,
		    .in = {IN4, .src = HOST4},
		    .drop = DROP_INVALID_SOURCE_IP}}},
	{"what the stack would not forward is left to it",
	 .steps = {{.program = FROM_NETDEV, .in = {IN6, .src = "fe80::7"}},
		   {.program = FROM_NETDEV, .in = {IN6, .src = "ff02::1"}},
		   {.program = FROM_NETDEV, .in = {IN4, .src = "0.0.0.0"}},
		   {.program = FROM_NETDEV, .in = {IN4, .src = "224.0.0.9"}},
		   {.program = FROM_NETDEV, .in = {IN4, .src = "255.255.255.255"}}}},
	{"malformed for a pod",
	 .steps = {{.program = FROM_NETDEV,
		    .in = {IN4, .protocol = IPPROTO_GRE, .n_payload = 8},
		    .drop = DROP_CT_UNKNOWN_L4_PROTOCOL},
		   {.program = FROM_NETDEV,
		    .in = {.src = WORLD4,
			   .dst = B4,
			   .protocol = IPPROTO_UDP,
			   .fragment_off = 80,
			   .n_payload = 20},
		    .drop = DROP_FIRST_LOGICAL_DATAGRAM_FRAGMENT_NOT_FOUND}}},
	{"not for pods, so not ours",
	 .steps = {{.program = FROM_NETDEV,
		    .in = {IN4, .ethertype = 0x88cc},
		    .verdict = TC_ACT_UNSPEC},
		   {.program = FROM_NETDEV,
		    .in = {IN4, .ethertype = 0x8100},
		    .verdict = TC_ACT_UNSPEC},
		   {.program = FROM_NETDEV, .in = {IN4, .n_cut = 5}, .verdict = TC_ACT_UNSPEC},
		   {.program = FROM_NETDEV, .in = {IN4, .dst = NODE4}, .verdict = TC_ACT_UNSPEC},
		   {.program = FROM_NETDEV, .in = {IN6, .dst = NODE6}, .verdict = TC_ACT_UNSPEC},
		   {.program = FROM_NETDEV,
		    .in = {IN4, .dst = NODE4, .protocol = IPPROTO_GRE, .n_payload = 8},
		    .verdict = TC_ACT_UNSPEC},
		   {.program = FROM_NETDEV,
		    .in = {IN4, .dst = "10.0.0.99"},
		    .verdict = TC_ACT_UNSPEC},
		   {.program = FROM_NETDEV,
		    .in = {IN4, .dst = "7.7.7.7"},
		    .verdict = TC_ACT_UNSPEC}}},
	{"no hop left: the stack answers",
	 .steps = {{.program = FROM_NETDEV, .in = {IN4, .ttl = 1}, .verdict = TC_ACT_UNSPEC},
		   {.program = FROM_NETDEV, .in = {IN6, .ttl = 1}, .verdict = TC_ACT_UNSPEC}}},
	{"legacy routing: the stack forwards", .configure = legacy,
	 .steps = {{.program = FROM_NETDEV, .in = {IN4}, .verdict = TC_ACT_UNSPEC},
		   {.program = FROM_NETDEV,
		    .in = {IN4, .src = A4},
		    .drop = DROP_INVALID_SOURCE_IP}}},
};

const struct case_group netdev_cases = CASES(cases);
