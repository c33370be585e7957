/* SPDX-License-Identifier: Apache-2.0 */
/* Fragments: only the first has ports, and every one must find the same connection. */
#include "bpf/test/cases.h"

#define UDP4                                                                   \
	.src = A4, .dst = B4, .protocol = IPPROTO_UDP, .sport = 7, .dport = 8, \
	.fragment_id = 4711, .n_payload = 64
#define UDP6                                                                   \
	.src = A6, .dst = B6, .protocol = IPPROTO_UDP, .sport = 7, .dport = 8, \
	.fragment_id = 4711, .n_payload = 64
#define PING4                                                                  \
	.src = A4, .dst = B4, .protocol = IPPROTO_ICMP, .type = 8, .sport = 7, \
	.fragment_id = 4711, .n_payload = 64
#define PONG4                                                                  \
	.src = B4, .dst = A4, .protocol = IPPROTO_ICMP, .type = 0, .sport = 7, \
	.fragment_id = 4712, .n_payload = 64
#define FIRST     .more_fragments = true
#define LATER     .fragment_off = 72
#define DELIVERED .verdict = TC_ACT_REDIRECT

static void untracked(struct node_config *config)
{
	config->enable_fragment_tracking = 0;
}

static const struct test_case cases[] = {
	{"fragments, IPv4", .steps = {{.in = {UDP4, FIRST},
				       DELIVERED,
				       .out = {UDP4, FIRST, TO_B, .ttl = 63},
				       .state = 1 + EVENT_CT_NEW},
				      {.in = {UDP4, LATER, FIRST},
				       DELIVERED,
				       .out = {UDP4, LATER, FIRST, TO_B, .ttl = 63},
				       .state = 1 + EVENT_CT_ESTABLISHED},
				      {.in = {UDP4, LATER},
				       DELIVERED,
				       .out = {UDP4, LATER, TO_B, .ttl = 63},
				       .state = 1 + EVENT_CT_ESTABLISHED}}},
	{"fragments, IPv6", .steps = {{.in = {UDP6, FIRST},
				       DELIVERED,
				       .out = {UDP6, FIRST, TO_B, .ttl = 63},
				       .state = 1 + EVENT_CT_NEW},
				      {.in = {UDP6, LATER},
				       DELIVERED,
				       .out = {UDP6, LATER, TO_B, .ttl = 63},
				       .state = 1 + EVENT_CT_ESTABLISHED},
				      {.in = {UDP6, LATER, .extension = IPPROTO_DSTOPTS},
				       DELIVERED,
				       .n_out = -1,
				       .state = 1 + EVENT_CT_ESTABLISHED}}},
	{"fragments of a ping find the right direction",
	 .steps =
		 {{.in = {PING4, FIRST}, DELIVERED, .n_out = -1, .state = 1 + EVENT_CT_NEW},
		  {.in = {PING4, LATER}, DELIVERED, .n_out = -1, .state = 1 + EVENT_CT_ESTABLISHED},
		  {.in = {PONG4, FIRST},
		   .ifindex = IFINDEX_B,
		   DELIVERED,
		   .n_out = -1,
		   .state = 1 + EVENT_CT_REPLY},
		  {.in = {PONG4, LATER},
		   .ifindex = IFINDEX_B,
		   DELIVERED,
		   .n_out = -1,
		   .state = 1 + EVENT_CT_REPLY}}},
	{"a fragment without its first",
	 .steps = {{.in = {UDP4, LATER}, .drop = DROP_FIRST_LOGICAL_DATAGRAM_FRAGMENT_NOT_FOUND},
		   {.in = {UDP6, LATER}, .drop = DROP_FIRST_LOGICAL_DATAGRAM_FRAGMENT_NOT_FOUND},
		   {.in = {UDP4, FIRST}, DELIVERED, .n_out = -1},
		   {.in = {UDP4, LATER, .fragment_id = 1},
		    .drop = DROP_FIRST_LOGICAL_DATAGRAM_FRAGMENT_NOT_FOUND}}},
	{"ports of another's datagram cannot be forged",
	 .steps = {{.in = {UDP4, FIRST}, .ifindex = IFINDEX_B, .drop = DROP_INVALID_SOURCE_IP},
		   {.in = {UDP6, FIRST}, .ifindex = IFINDEX_B, .drop = DROP_INVALID_SOURCE_IP},
		   {.in = {UDP4, LATER}, .drop = DROP_FIRST_LOGICAL_DATAGRAM_FRAGMENT_NOT_FOUND},
		   {.in = {UDP6, LATER}, .drop = DROP_FIRST_LOGICAL_DATAGRAM_FRAGMENT_NOT_FOUND}}},
	{"fragment tracking off", .configure = untracked,
	 .steps = {{.in = {UDP4, FIRST}, .drop = DROP_IP_FRAGMENTATION_NOT_SUPPORTED},
		   {.in = {UDP6, LATER}, .drop = DROP_IP_FRAGMENTATION_NOT_SUPPORTED}}},
};

const struct case_group fragment_cases = CASES(cases);
