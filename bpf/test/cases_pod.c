/* SPDX-License-Identifier: Apache-2.0 */
/* What an endpoint sends: to its neighbour, the node, the world; and who it says it is. */
#include "bpf/test/cases.h"

#define TCP4 .src = A4, .dst = B4, .protocol = IPPROTO_TCP, .sport = 1000, .dport = 80
#define TCP6 .src = A6, .dst = B6, .protocol = IPPROTO_TCP, .sport = 1000, .dport = 80
#define UDP4 .src = A4, .dst = B4, .protocol = IPPROTO_UDP, .sport = 1000, .dport = 53
#define UDP6 .src = A6, .dst = B6, .protocol = IPPROTO_UDP, .sport = 1000, .dport = 53

static void legacy(struct node_config *config)
{
	config->enable_host_legacy_routing = 1;
}

static void unverified(struct node_config *config)
{
	config->enable_source_ip_verification = 0;
}

static void only_ipv4(struct node_config *config)
{
	config->enable_ipv6 = 0;
}

static void only_ipv6(struct node_config *config)
{
	config->enable_ipv4 = 0;
}

static void no_sctp(struct node_config *config)
{
	config->enable_sctp = 0;
}

/* Pod a may send from whatever address. */
static void exempt(struct harness *harness)
{
	struct endpoint_device_key key = {IFINDEX_A};
	int fd = bpf_map__fd(harness->skel->maps.cilium_lxc_device);
	struct endpoint_info info;

	bpf_map_lookup_elem(fd, &key, &info);
	info.flags |= ENDPOINT_F_SKIP_SIP_CHECK;
	bpf_map_update_elem(fd, &key, &info, BPF_ANY);
}

static const struct test_case cases[] = {
	{"pod to pod, TCP over IPv4",
	 .steps = {{.in = {TCP4, .tcp_flags = TCP_SYN},
		    .verdict = TC_ACT_REDIRECT,
		    .out = {TCP4, TO_B, .tcp_flags = TCP_SYN, .ttl = 63},
		    .point = 1 + TRACE_TO_ENDPOINT,
		    .state = 1 + EVENT_CT_NEW}}},
	{"pod to pod, TCP over IPv6",
	 .steps = {{.in = {TCP6, .tcp_flags = TCP_SYN},
		    .verdict = TC_ACT_REDIRECT,
		    .out = {TCP6, TO_B, .tcp_flags = TCP_SYN, .ttl = 63},
		    .point = 1 + TRACE_TO_ENDPOINT,
		    .state = 1 + EVENT_CT_NEW}}},
	{"pod to pod, UDP over IPv4", .steps = {{.in = {UDP4, .n_payload = 33},
						 .verdict = TC_ACT_REDIRECT,
						 .out = {UDP4, TO_B, .n_payload = 33, .ttl = 63}}}},
	{"pod to pod, UDP over IPv6", .steps = {{.in = {UDP6, .n_payload = 33},
						 .verdict = TC_ACT_REDIRECT,
						 .out = {UDP6, TO_B, .n_payload = 33, .ttl = 63}}}},
	{"pod to pod, SCTP",
	 .steps = {{.in = {.src = A4, .dst = B4, .protocol = IPPROTO_SCTP, .sport = 1, .dport = 2},
		    .verdict = TC_ACT_REDIRECT,
		    .out = {.src = A4,
			    .dst = B4,
			    TO_B,
			    .protocol = IPPROTO_SCTP,
			    .sport = 1,
			    .dport = 2,
			    .ttl = 63}},
		   {.in = {.src = A6, .dst = B6, .protocol = IPPROTO_SCTP, .sport = 1, .dport = 2},
		    .verdict = TC_ACT_REDIRECT,
		    .out = {.src = A6,
			    .dst = B6,
			    TO_B,
			    .protocol = IPPROTO_SCTP,
			    .sport = 1,
			    .dport = 2,
			    .ttl = 63}}}},
	{"SCTP where it is off", .configure = no_sctp,
	 .steps = {{.in = {.src = A4, .dst = B4, .protocol = IPPROTO_SCTP, .sport = 1, .dport = 2},
		    .drop = DROP_CT_UNKNOWN_L4_PROTOCOL}}},
	{"pod to itself",
	 .steps = {{.in = {.src = A4, .dst = A4, .protocol = IPPROTO_UDP, .sport = 5, .dport = 4},
		    .verdict = TC_ACT_REDIRECT,
		    .out = {.src = A4,
			    .dst = A4,
			    TO_A,
			    .protocol = IPPROTO_UDP,
			    .sport = 5,
			    .dport = 4,
			    .ttl = 63}},
		   {.in = {.src = A4, .dst = A4, .protocol = IPPROTO_UDP, .sport = 4, .dport = 5},
		    .verdict = TC_ACT_REDIRECT,
		    .n_out = -1,
		    .state = 1 + EVENT_CT_REPLY}}},
	{"IPv4 options", .steps = {{.in = {UDP4, .n_options = 10},
				    .verdict = TC_ACT_REDIRECT,
				    .out = {UDP4, TO_B, .n_options = 10, .ttl = 63}}}},
	{"IPv6 extension headers",
	 .steps = {{.in = {UDP6, .extension = IPPROTO_DSTOPTS},
		    .verdict = TC_ACT_REDIRECT,
		    .out = {UDP6, TO_B, .extension = IPPROTO_DSTOPTS, .ttl = 63}},
		   {.in = {UDP6, .extension = IPPROTO_HOPOPTS, .n_extensions = 7},
		    .verdict = TC_ACT_REDIRECT,
		    .out = {UDP6, TO_B, .extension = IPPROTO_HOPOPTS, .n_extensions = 7,
			    .ttl = 63}}}},
	{"padding behind the packet", .steps = {{.in = {UDP4, .n_padding = 18},
						 .verdict = TC_ACT_REDIRECT,
						 .out = {UDP4, TO_B, .n_padding = 18, .ttl = 63}}}},
	{"no hop left: the stack answers",
	 .steps = {{.in = {UDP4, .ttl = 1}, .verdict = TC_ACT_UNSPEC, .point = 1 + TRACE_TO_STACK},
		   {.in = {UDP6, .ttl = 1},
		    .verdict = TC_ACT_UNSPEC,
		    .point = 1 + TRACE_TO_STACK}}},
	{"the last hop but one", .steps = {{.in = {UDP4, .ttl = 2},
					    .verdict = TC_ACT_REDIRECT,
					    .out = {UDP4, TO_B, .ttl = 1}},
					   {.in = {UDP6, .ttl = 2},
					    .verdict = TC_ACT_REDIRECT,
					    .out = {UDP6, TO_B, .ttl = 1}}}},
	{"to the node",
	 .steps =
		 {{.in = {.src = A4, .dst = NODE4, .protocol = IPPROTO_UDP, .sport = 5, .dport = 6},
		   .verdict = TC_ACT_UNSPEC,
		   .point = 1 + TRACE_TO_HOST},
		  {.in = {.src = A6, .dst = HOST6, .protocol = IPPROTO_UDP, .sport = 5, .dport = 6},
		   .verdict = TC_ACT_UNSPEC,
		   .point = 1 + TRACE_TO_HOST},
		  {.in = {.src = A4, .dst = "192.0.2.78", .protocol = IPPROTO_UDP, .sport = 5},
		   .verdict = TC_ACT_UNSPEC,
		   .point = 1 + TRACE_TO_HOST}}},
	{"to the world, past the stack",
	 .steps = {{.in = {.src = A4, .dst = WORLD4, .protocol = IPPROTO_UDP, .sport = 5},
		    .verdict = TC_ACT_REDIRECT,
		    .point = 1 + TRACE_TO_NETWORK,
		    .out = {.src = A4,
			    .dst = WORLD4,
			    .protocol = IPPROTO_UDP,
			    .sport = 5,
			    .ttl = 63}},
		   {.in = {.src = A6, .dst = WORLD6, .protocol = IPPROTO_UDP, .sport = 5},
		    .verdict = TC_ACT_REDIRECT,
		    .point = 1 + TRACE_TO_NETWORK,
		    .out = {.src = A6,
			    .dst = WORLD6,
			    .protocol = IPPROTO_UDP,
			    .sport = 5,
			    .ttl = 63}}}},
	{"to the world, no hop left",
	 .steps = {{.in = {.src = A4, .dst = WORLD4, .protocol = IPPROTO_UDP, .ttl = 1},
		    .verdict = TC_ACT_UNSPEC,
		    .point = 1 + TRACE_TO_STACK}}},
	{"too big for the route: the stack answers or splits",
	 .steps = {{.in = {.src = A4, .dst = WORLD4, .protocol = IPPROTO_UDP, .n_payload = 1600},
		    .verdict = TC_ACT_UNSPEC,
		    .point = 1 + TRACE_TO_STACK},
		   {.in = {.src = A6, .dst = WORLD6, .protocol = IPPROTO_UDP, .n_payload = 1600},
		    .verdict = TC_ACT_UNSPEC,
		    .point = 1 + TRACE_TO_STACK},
		   {.in = {.src = A4,
			   .dst = "198.18.0.7",
			   .protocol = IPPROTO_UDP,
			   .n_payload = 1100},
		    .verdict = TC_ACT_UNSPEC,
		    .point = 1 + TRACE_TO_STACK}}},
	{"segments are measured, not the whole", .steps = {{.in = {.src = A4,
								   .dst = WORLD4,
								   .protocol = IPPROTO_TCP,
								   .sport = 5,
								   .tcp_flags = TCP_ACK,
								   .n_payload = 3000},
							    .gso_size = 1400,
							    .verdict = TC_ACT_REDIRECT,
							    .n_out = -1},
							   {.in = {.src = A4,
								   .dst = WORLD4,
								   .protocol = IPPROTO_TCP,
								   .sport = 5,
								   .tcp_flags = TCP_ACK,
								   .n_payload = 3000},
							    .gso_size = 1480,
							    .verdict = TC_ACT_UNSPEC,
							    .point = 1 + TRACE_TO_STACK}}},
	{"no route: the stack answers",
	 .steps = {{.in = {.src = A4, .dst = "203.0.113.5", .protocol = IPPROTO_UDP, .sport = 5},
		    .verdict = TC_ACT_UNSPEC,
		    .point = 1 + TRACE_TO_STACK}}},
	{"groups, broadcasts and the link are for the stack",
	 .steps = {{.in = {.src = A4, .dst = "255.255.255.255", .protocol = IPPROTO_UDP},
		    .verdict = TC_ACT_UNSPEC,
		    .point = 1 + TRACE_TO_STACK},
		   {.in = {.src = A6, .dst = "ff02::fb", .protocol = IPPROTO_UDP},
		    .verdict = TC_ACT_UNSPEC,
		    .point = 1 + TRACE_TO_STACK},
		   {.in = {.src = A6, .dst = "fe80::1", .protocol = IPPROTO_UDP},
		    .verdict = TC_ACT_UNSPEC,
		    .point = 1 + TRACE_TO_STACK},
		   {.in = {.src = A4, .dst = "224.0.0.251", .protocol = IPPROTO_UDP, .sport = 5},
		    .verdict = TC_ACT_UNSPEC,
		    .point = 1 + TRACE_TO_STACK}}},
	{"an address of the pod CIDR that nobody has",
	 .steps = {{.in = {.src = A4, .dst = "10.0.0.99", .protocol = IPPROTO_UDP, .sport = 5},
		    .drop = DROP_STALE_OR_UNROUTABLE_IP},
		   {.in = {.src = A6, .dst = "fd00::99", .protocol = IPPROTO_UDP, .sport = 5},
		    .drop = DROP_STALE_OR_UNROUTABLE_IP}}},
	{"an address that is another's",
	 .steps = {{.in = {UDP4}, .ifindex = IFINDEX_B, .drop = DROP_INVALID_SOURCE_IP},
		   {.in = {UDP6}, .ifindex = IFINDEX_B, .drop = DROP_INVALID_SOURCE_IP},
		   {.in = {.src = NODE4, .dst = B4, .protocol = IPPROTO_UDP},
		    .drop = DROP_INVALID_SOURCE_IP},
		   {.in = {.src = "fe80::1", .dst = B6, .protocol = IPPROTO_UDP},
		    .drop = DROP_INVALID_SOURCE_IP},
		   {.in = {.src = "1.2.3.4", .dst = B4, .protocol = IPPROTO_UDP},
		    .drop = DROP_INVALID_SOURCE_IP}}},
	{"a device that is no endpoint's",
	 .steps = {{.in = {UDP4}, .ifindex = IFINDEX_NODE, .drop = DROP_INVALID_SOURCE_IP}}},
	{"an endpoint that may forge", .set_up = exempt,
	 .steps = {{.in = {.src = "1.2.3.4", .dst = B4, .protocol = IPPROTO_UDP},
		    .verdict = TC_ACT_REDIRECT,
		    .out = {.src = "1.2.3.4",
			    .dst = B4,
			    TO_B,
			    .protocol = IPPROTO_UDP,
			    .ttl = 63}}}},
	{"verification off", .configure = unverified,
	 .steps = {{.in = {.src = "1.2.3.4", .dst = B4, .protocol = IPPROTO_UDP},
		    .verdict = TC_ACT_REDIRECT,
		    .out = {.src = "1.2.3.4",
			    .dst = B4,
			    TO_B,
			    .protocol = IPPROTO_UDP,
			    .ttl = 63}}}},
	{"legacy routing: the stack forwards", .configure = legacy,
	 .steps = {{.in = {UDP4}, .verdict = TC_ACT_UNSPEC, .point = 1 + TRACE_TO_STACK},
		   {.in = {UDP6}, .verdict = TC_ACT_UNSPEC, .point = 1 + TRACE_TO_STACK},
		   {.in = {.src = A4, .dst = WORLD4, .protocol = IPPROTO_UDP, .sport = 5},
		    .verdict = TC_ACT_UNSPEC,
		    .point = 1 + TRACE_TO_STACK}}},
	{"IPv6 off", .configure = only_ipv4,
	 .steps = {{.in = {UDP6}, .drop = DROP_UNSUPPORTED_L3_PROTOCOL}}},
	{"IPv4 off", .configure = only_ipv6,
	 .steps = {{.in = {UDP4}, .drop = DROP_UNSUPPORTED_L3_PROTOCOL}}},
};

const struct case_group pod_cases = CASES(cases);
