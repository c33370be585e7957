/* SPDX-License-Identifier: Apache-2.0 */
/* ICMP errors about masqueraded connections: the packet they carry is translated with them. */
#include "bpf/test/cases.h"
#include "bpf/test/nat_world.h"

#define PORT    50000
#define ROUTER4 "203.0.113.200"
#define ROUTER6 "2001:db8:77::1"

#define OUT4(protocol_)     .src = A4, .dst = WORLD4, .protocol = protocol_, .sport = 1000, .dport = 80
#define OUT6(protocol_)     .src = A6, .dst = WORLD6, .protocol = protocol_, .sport = 1000, .dport = 80
#define OUTSIDE4(protocol_) OUT4(protocol_), .src = NODE4, .sport = PORT
#define OUTSIDE6(protocol_) OUT6(protocol_), .src = NODE6, .sport = PORT
#define BACK4(protocol_)    .src = WORLD4, .protocol = protocol_, .sport = 80
#define BACK6(protocol_)    .src = WORLD6, .protocol = protocol_, .sport = 80
#define ECHO4               .src = A4, .dst = WORLD4, .protocol = IPPROTO_ICMP, .type = 8, .sport = 1000
#define ECHO6               .src = A6, .dst = WORLD6, .protocol = IPPROTO_ICMPV6, .type = 128, .sport = 1000

/* What left the endpoint, as it knows it, and as the outside saw it; and what came back. */
static const struct frame_spec tcp4 = {OUT4(IPPROTO_TCP), .n_payload = 40};
static const struct frame_spec tcp4_outside = {OUTSIDE4(IPPROTO_TCP), .n_payload = 40};
static const struct frame_spec udp4 = {OUT4(IPPROTO_UDP), .n_payload = 40};
static const struct frame_spec udp4_outside = {OUTSIDE4(IPPROTO_UDP), .n_payload = 40};
static const struct frame_spec bare4 = {OUT4(IPPROTO_UDP), .no_udp_checksum = true};
static const struct frame_spec bare4_outside = {OUTSIDE4(IPPROTO_UDP), .no_udp_checksum = true};
static const struct frame_spec tcp6 = {OUT6(IPPROTO_TCP), .n_payload = 40};
static const struct frame_spec tcp6_outside = {OUTSIDE6(IPPROTO_TCP), .n_payload = 40};
static const struct frame_spec udp6 = {OUT6(IPPROTO_UDP), .n_payload = 40};
static const struct frame_spec udp6_outside = {OUTSIDE6(IPPROTO_UDP), .n_payload = 40};
static const struct frame_spec echo4 = {ECHO4};
static const struct frame_spec echo4_outside = {ECHO4, .src = NODE4, .sport = PORT};
static const struct frame_spec echo6 = {ECHO6};
static const struct frame_spec echo6_outside = {ECHO6, .src = NODE6, .sport = PORT};
static const struct frame_spec back4 = {BACK4(IPPROTO_UDP), .dst = A4, .dport = 1000};
static const struct frame_spec back4_outside = {BACK4(IPPROTO_UDP), .dst = NODE4, .dport = PORT};
static const struct frame_spec back6 = {BACK6(IPPROTO_UDP), .dst = A6, .dport = 1000};
static const struct frame_spec back6_outside = {BACK6(IPPROTO_UDP), .dst = NODE6, .dport = PORT};
static const struct frame_spec foreign4 = {OUT4(IPPROTO_UDP), .src = NODE4, .sport = PORT + 1};
static const struct frame_spec unknown4 = {BACK4(IPPROTO_UDP), .dst = A4, .dport = 999};
static const struct frame_spec timestamp4 = {
	.src = NODE4, .dst = WORLD4, .protocol = IPPROTO_ICMP, .type = 13};

static void connections(struct harness *harness)
{
	const struct frame_spec *const specs[] = {&tcp4, &udp4, &tcp6, &udp6, &echo4, &echo6};

	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++)
		nat_world_put(harness, specs[i], PORT);
}

/* From a router outside to the endpoint. n: bytes of the embedded packet; 0: all. */
#define IN4(type_, outside, inside, n)                                     \
	{                                                                  \
		.program = FROM_NETDEV,                                    \
		.in = {.src = ROUTER4,                                     \
		       .dst = NODE4,                                       \
		       .protocol = IPPROTO_ICMP,                           \
		       .type = type_,                                      \
		       .inner = &outside,                                  \
		       .n_inner = n},                                      \
		.verdict = TC_ACT_REDIRECT, .state = 1 + EVENT_CT_RELATED, \
		.out = {.src = ROUTER4,                                    \
			.dst = A4,                                         \
			TO_A,                                              \
			.ttl = 63,                                         \
			.protocol = IPPROTO_ICMP,                          \
			.type = type_,                                     \
			.inner = &inside,                                  \
			.n_inner = n }                                     \
	}
#define IN6(type_, outside, inside, n)                                     \
	{                                                                  \
		.program = FROM_NETDEV,                                    \
		.in = {.src = ROUTER6,                                     \
		       .dst = NODE6,                                       \
		       .protocol = IPPROTO_ICMPV6,                         \
		       .type = type_,                                      \
		       .dport = 1400,                                      \
		       .inner = &outside,                                  \
		       .n_inner = n},                                      \
		.verdict = TC_ACT_REDIRECT, .state = 1 + EVENT_CT_RELATED, \
		.out = {.src = ROUTER6,                                    \
			.dst = A6,                                         \
			TO_A,                                              \
			.ttl = 63,                                         \
			.protocol = IPPROTO_ICMPV6,                        \
			.type = type_,                                     \
			.dport = 1400,                                     \
			.inner = &inside,                                  \
			.n_inner = n }                                     \
	}

static const struct test_case cases[] = {
	{"errors from outside, IPv4", .set_up = connections,
	 .steps = {IN4(3, tcp4_outside, tcp4, 0), IN4(11, udp4_outside, udp4, 0),
		   IN4(3, bare4_outside, bare4, 0), IN4(3, echo4_outside, echo4, 0)}},
	{"errors from outside with as little as may be, IPv4", .set_up = connections,
	 .steps = {IN4(3, tcp4_outside, tcp4, 28), IN4(3, udp4_outside, udp4, 28),
		   IN4(3, echo4_outside, echo4, 28)}},
	{"errors from outside, IPv6", .set_up = connections,
	 .steps = {IN6(1, tcp6_outside, tcp6, 0), IN6(2, udp6_outside, udp6, 0),
		   IN6(3, echo6_outside, echo6, 0)}},
	{"errors from outside with as little as may be, IPv6", .set_up = connections,
	 .steps = {IN6(2, tcp6_outside, tcp6, 48), IN6(2, udp6_outside, udp6, 48)}},
	{"errors that are the host's own", .set_up = connections,
	 .steps = {{.program = FROM_NETDEV,
		    .in = {.src = ROUTER4,
			   .dst = NODE4,
			   .protocol = IPPROTO_ICMP,
			   .type = 3,
			   .inner = &foreign4},
		    .verdict = TC_ACT_UNSPEC},
		   {.program = FROM_NETDEV,
		    .in = {.src = ROUTER4,
			   .dst = NODE4,
			   .protocol = IPPROTO_ICMP,
			   .type = 3,
			   .inner = &timestamp4},
		    .verdict = TC_ACT_UNSPEC}}},
	{"errors of an endpoint", .set_up = connections,
	 .steps = {{.program = TO_NETDEV,
		    .in = {.src = A4,
			   .dst = WORLD4,
			   .protocol = IPPROTO_ICMP,
			   .type = 3,
			   .code = 3,
			   .inner = &back4},
		    .out = {.src = NODE4,
			    .dst = WORLD4,
			    .protocol = IPPROTO_ICMP,
			    .type = 3,
			    .code = 3,
			    .inner = &back4_outside}},
		   {.program = TO_NETDEV,
		    .in = {.src = A6,
			   .dst = WORLD6,
			   .protocol = IPPROTO_ICMPV6,
			   .type = 1,
			   .code = 4,
			   .inner = &back6},
		    .out = {.src = NODE6,
			    .dst = WORLD6,
			    .protocol = IPPROTO_ICMPV6,
			    .type = 1,
			    .code = 4,
			    .inner = &back6_outside}}}},
	{"errors of the host in an endpoint's place", .set_up = connections,
	 .steps = {{.program = TO_NETDEV,
		    .in = {.src = NODE4,
			   .dst = WORLD4,
			   .protocol = IPPROTO_ICMP,
			   .type = 11,
			   .inner = &back4},
		    .out = {.src = NODE4,
			    .dst = WORLD4,
			    .protocol = IPPROTO_ICMP,
			    .type = 11,
			    .inner = &back4_outside}},
		   {.program = TO_NETDEV,
		    .in = {.src = NODE4,
			   .dst = WORLD4,
			   .protocol = IPPROTO_ICMP,
			   .type = 3,
			   .inner = &unknown4},
		    .verdict = TC_ACT_UNSPEC}}},
	{"errors about what nobody knows stay inside", .set_up = connections,
	 .steps = {{.program = TO_NETDEV,
		    .in = {.src = A4,
			   .dst = WORLD4,
			   .protocol = IPPROTO_ICMP,
			   .type = 3,
			   .inner = &unknown4},
		    .drop = DROP_UNSUPPORTED_PROTOCOL_FOR_NAT_MASQUERADE},
		   {.program = TO_NETDEV,
		    .in = {.src = A4,
			   .dst = "100.64.0.1",
			   .protocol = IPPROTO_ICMP,
			   .type = 3,
			   .inner = &unknown4},
		    .verdict = TC_ACT_UNSPEC}}},
	{"errors of an endpoint about another's connection stay inside", .set_up = connections,
	 .steps = {{.program = TO_NETDEV,
		    .in = {.src = B4,
			   .dst = WORLD4,
			   .protocol = IPPROTO_ICMP,
			   .type = 3,
			   .inner = &back4},
		    .drop = DROP_UNSUPPORTED_PROTOCOL_FOR_NAT_MASQUERADE},
		   {.program = TO_NETDEV,
		    .in = {.src = B6,
			   .dst = WORLD6,
			   .protocol = IPPROTO_ICMPV6,
			   .type = 1,
			   .inner = &back6},
		    .drop = DROP_UNSUPPORTED_PROTOCOL_FOR_NAT_MASQUERADE}}},
	{"an error goes to whoever sent what it is about", .set_up = connections,
	 .steps = {{.program = FROM_NETDEV,
		    .in = {.src = ROUTER4,
			   .dst = HOST4,
			   .protocol = IPPROTO_ICMP,
			   .type = 3,
			   .inner = &udp4_outside}},
		   {.in = {.src = A4,
			   .dst = B4,
			   .protocol = IPPROTO_ICMP,
			   .type = 3,
			   .inner = &back4},
		    .verdict = TC_ACT_REDIRECT,
		    .n_out = -1,
		    .state = 1 + EVENT_CT_NEW}}},
};

const struct case_group nat_error_cases = CASES(cases);
