/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the host's stack to endpoints: cil_from_host, and cil_to_container where that is attached.
 */
#include <stdlib.h>

#include "bpf/test/cases.h"

#define FROM_NODE4 .src = HOST4, .dst = B4, .protocol = IPPROTO_TCP, .sport = 9, .dport = 80
#define FROM_NODE6 .src = HOST6, .dst = B6, .protocol = IPPROTO_TCP, .sport = 9, .dport = 80

static const uint8_t arp[] = {0, 1, 8, 0, 6, 4, 0, 1};

static void endpoint_routes(struct node_config *config)
{
	config->enable_endpoint_routes = 1;
}

static void legacy(struct node_config *config)
{
	config->enable_host_legacy_routing = 1;
}

/* The connection of the packet from the node exists, and has no generation on the node's side. */
static void check_node_connection(struct harness *harness, const struct run *run)
{
	struct ct_key key;
	struct ct_entry entry;

	if (!harness_get_ct(harness, &(struct frame_spec){FROM_NODE4}, &key, &entry) ||
	    ct_entry_initiator_identity(&entry) != 1 || entry.generation[0] != 0 ||
	    entry.generation[1] != 200)
		abort();
}

static void check_no_connection(struct harness *harness, const struct run *run)
{
	struct ct_key key;
	struct ct_entry entry;

	if (harness_get_ct(harness, &(struct frame_spec){FROM_NODE4}, &key, &entry))
		abort();
}

/* What pod a sent through the stack is accounted once. */
static void check_counted_once(struct harness *harness, const struct run *run)
{
	struct ct_key key;
	struct ct_entry entry;
	struct frame_spec spec = {.src = A4, .dst = B4, .protocol = IPPROTO_UDP, .sport = 7};

	if (!harness_get_ct(harness, &spec, &key, &entry) || entry.packets != 1)
		abort();
}

static const struct test_case cases[] = {
	{"node to pod", .steps = {{.program = FROM_HOST,
				   .in = {FROM_NODE4, .tcp_flags = TCP_SYN},
				   .verdict = TC_ACT_REDIRECT,
				   .out = {FROM_NODE4, TO_B, .tcp_flags = TCP_SYN},
				   .state = 1 + EVENT_CT_NEW,
				   .point = 1 + TRACE_TO_ENDPOINT,
				   .check = check_node_connection},
				  {.in = {.src = B4,
					  .dst = HOST4,
					  .protocol = IPPROTO_TCP,
					  .sport = 80,
					  .dport = 9,
					  .tcp_flags = TCP_SYN | TCP_ACK},
				   .ifindex = IFINDEX_B,
				   .verdict = TC_ACT_UNSPEC,
				   .state = 1 + EVENT_CT_REPLY,
				   .point = 1 + TRACE_TO_HOST},
				  {.program = FROM_HOST,
				   .in = {FROM_NODE6, .tcp_flags = TCP_SYN},
				   .verdict = TC_ACT_REDIRECT,
				   .out = {FROM_NODE6, TO_B, .tcp_flags = TCP_SYN},
				   .state = 1 + EVENT_CT_NEW}}},
	{"the last hop was the stack's",
	 .steps = {{.program = FROM_HOST,
		    .in = {FROM_NODE4, .ttl = 1, .tcp_flags = TCP_SYN},
		    .verdict = TC_ACT_REDIRECT,
		    .out = {FROM_NODE4, TO_B, .ttl = 1, .tcp_flags = TCP_SYN}}}},
	{"what came through the stack is answered through it",
	 .steps = {{.program = FROM_HOST,
		    .in = {FROM_NODE4, .src = WORLD4, .tcp_flags = TCP_SYN},
		    .verdict = TC_ACT_REDIRECT,
		    .n_out = -1,
		    .state = 1 + EVENT_CT_NEW},
		   {.in = {.src = B4,
			   .dst = WORLD4,
			   .protocol = IPPROTO_TCP,
			   .sport = 80,
			   .dport = 9,
			   .tcp_flags = TCP_SYN | TCP_ACK},
		    .ifindex = IFINDEX_B,
		    .verdict = TC_ACT_UNSPEC,
		    .state = 1 + EVENT_CT_REPLY,
		    .point = 1 + TRACE_TO_STACK}}},
	{"nobody has the address",
	 .steps = {{.program = FROM_HOST,
		    .in = {.src = HOST4, .dst = "10.0.0.99", .protocol = IPPROTO_UDP},
		    .drop = DROP_STALE_OR_UNROUTABLE_IP},
		   {.program = FROM_HOST,
		    .in = {.src = HOST6, .dst = "fd00::99", .protocol = IPPROTO_UDP},
		    .drop = DROP_STALE_OR_UNROUTABLE_IP}}},
	{"malformed for a pod", .steps = {{.program = FROM_HOST,
					   .in = {FROM_NODE4, .n_cut = 1},
					   .drop = DROP_INVALID_PACKET_DROPPED}}},
	{"the host's own business on cilium_host",
	 .steps = {{.program = FROM_HOST,
		    .in = {.raw = arp, .n_raw = 8, .ethertype = 0x0806},
		    .verdict = TC_ACT_UNSPEC},
		   {.program = FROM_HOST,
		    .in = {.src = HOST4, .dst = NODE4, .protocol = IPPROTO_UDP},
		    .verdict = TC_ACT_UNSPEC},
		   {.program = FROM_HOST,
		    .in = {.src = HOST4,
			   .dst = "224.0.0.22",
			   .protocol = IPPROTO_IGMP,
			   .n_payload = 8},
		    .verdict = TC_ACT_UNSPEC},
		   {.program = FROM_HOST,
		    .in = {.src = HOST6, .dst = "ff02::1", .protocol = IPPROTO_UDP},
		    .verdict = TC_ACT_UNSPEC}}},
	{"a fragment from the stack",
	 .steps = {{.program = FROM_HOST,
		    .in = {.src = HOST4,
			   .dst = B4,
			   .protocol = IPPROTO_UDP,
			   .fragment_off = 80,
			   .n_payload = 20},
		    .drop = DROP_FIRST_LOGICAL_DATAGRAM_FRAGMENT_NOT_FOUND}}},
	{"where cil_to_container follows, it tracks", .configure = endpoint_routes,
	 .steps = {{.program = FROM_HOST,
		    .in = {FROM_NODE4, .tcp_flags = TCP_SYN},
		    .verdict = TC_ACT_REDIRECT,
		    .out = {FROM_NODE4, TO_B, .tcp_flags = TCP_SYN},
		    .check = check_no_connection},
		   {.program = TO_CONTAINER,
		    .in = {FROM_NODE4, TO_B, .tcp_flags = TCP_SYN},
		    .verdict = TC_ACT_UNSPEC,
		    .state = 1 + EVENT_CT_NEW,
		    .point = 1 + TRACE_TO_ENDPOINT,
		    .check = check_node_connection}}},
	{"legacy routing: what a pod sent is counted once", .configure = legacy,
	 .steps = {{.in = {.src = A4, .dst = B4, .protocol = IPPROTO_UDP, .sport = 7},
		    .verdict = TC_ACT_UNSPEC,
		    .state = 1 + EVENT_CT_NEW},
		   {.program = TO_CONTAINER,
		    .in = {.src = A4, .dst = B4, .protocol = IPPROTO_UDP, .sport = 7, .ttl = 63},
		    .verdict = TC_ACT_UNSPEC,
		    .state = 1 + EVENT_CT_ESTABLISHED,
		    .check = check_counted_once}}},
	{"to a pod, by its device", .configure = endpoint_routes,
	 .steps = {{.program = TO_CONTAINER,
		    .in = {.raw = arp, .n_raw = 8, .ethertype = 0x0806},
		    .verdict = TC_ACT_UNSPEC},
		   {.program = TO_CONTAINER,
		    .in = {.src = HOST4, .dst = A4, .protocol = IPPROTO_UDP},
		    .drop = DROP_STALE_OR_UNROUTABLE_IP},
		   {.program = TO_CONTAINER,
		    .in = {.src = HOST4, .dst = "10.0.0.99", .protocol = IPPROTO_UDP},
		    .drop = DROP_STALE_OR_UNROUTABLE_IP},
		   {.program = TO_CONTAINER,
		    .in = {.src = HOST6, .dst = "ff02::1", .protocol = IPPROTO_UDP},
		    .verdict = TC_ACT_UNSPEC},
		   {.program = TO_CONTAINER,
		    .in = {FROM_NODE6, .n_cut = 1},
		    .drop = DROP_INVALID_PACKET_DROPPED}}},
};

const struct case_group host_cases = CASES(cases);
