/* SPDX-License-Identifier: Apache-2.0 */
/* The states of connections, as tables: packet, direction, what the entry then says. */
#include <stdlib.h>

#include "bpf/test/cases.h"

#define AB4 .src = A4, .dst = B4, .protocol = IPPROTO_TCP, .sport = 1000, .dport = 80
#define BA4 .src = B4, .dst = A4, .protocol = IPPROTO_TCP, .sport = 80, .dport = 1000
#define AB6 .src = A6, .dst = B6, .protocol = IPPROTO_TCP, .sport = 1000, .dport = 80
#define BA6 .src = B6, .dst = A6, .protocol = IPPROTO_TCP, .sport = 80, .dport = 1000

#define NEW         .state = 1 + EVENT_CT_NEW
#define ESTABLISHED .state = 1 + EVENT_CT_ESTABLISHED
#define REPLY       .state = 1 + EVENT_CT_REPLY
#define RELATED     .state = 1 + EVENT_CT_RELATED
#define REOPENED    .state = 1 + EVENT_CT_REOPENED

/* A step that is delivered; what it looks like is the matter of cases_pod.c. */
#define FROM_A(packet, flags_, ...) \
	{.in = {packet, .tcp_flags = flags_}, .verdict = TC_ACT_REDIRECT, .n_out = -1, __VA_ARGS__}
#define FROM_B(packet, flags_, ...)           \
	{.in = {packet, .tcp_flags = flags_}, \
	 .ifindex = IFINDEX_B,                \
	 .verdict = TC_ACT_REDIRECT,          \
	 .n_out = -1,                         \
	 __VA_ARGS__}

#define SEEN_BOTH (CT_F_SEEN_REPLY | CT_F_SEEN_NON_SYN)

/* Changes the entry of the packet of AB4 or AB6. */
static void change_ct(struct harness *harness, void (*change)(struct ct_entry *entry))
{
	static const struct frame_spec specs[] = {{AB4}, {AB6}};

	for (int i = 0; i < 2; i++) {
		struct ct_key key;
		struct ct_entry entry;

		if (!harness_get_ct(harness, &specs[i], &key, &entry))
			continue;
		change(&entry);
		harness_put_ct(harness, &key, &entry);
	}
}

static void expire(struct ct_entry *entry)
{
	entry->expires = 1;
}

static void age(struct ct_entry *entry)
{
	/* So that the next packet is seen to prolong. */
	entry->expires -= 7;
}

static void expire_ct(struct harness *harness, const struct run *run)
{
	change_ct(harness, expire);
}

static void age_ct(struct harness *harness, const struct run *run)
{
	change_ct(harness, age);
}

static void replace_endpoint(struct harness *harness, const char *ipv4, __u32 generation)
{
	struct endpoint_key key = {harness_addr(ipv4)};
	int fd = bpf_map__fd(harness->skel->maps.cilium_lxc);
	struct endpoint_info info;

	bpf_map_lookup_elem(fd, &key, &info);
	info.generation = generation;
	bpf_map_update_elem(fd, &key, &info, BPF_ANY);
}

static void replace_a(struct harness *harness, const struct run *run)
{
	replace_endpoint(harness, A4, 101);
}

static void replace_b(struct harness *harness, const struct run *run)
{
	replace_endpoint(harness, B4, 201);
}

static void no_accounting(struct node_config *config)
{
	config->enable_ct_accounting = 0;
}

static void check_packets(struct harness *harness, const struct frame_spec *spec, __u64 n_packets,
			  __u64 n_bytes)
{
	struct ct_key key;
	struct ct_entry entry;

	if (!harness_get_ct(harness, spec, &key, &entry) || entry.packets != n_packets ||
	    entry.bytes != n_bytes)
		abort();
}

static void accounted(struct harness *harness, const struct run *run)
{
	check_packets(harness, &(struct frame_spec){AB4}, 2, 2 * run->out.n_bytes);
}

static void not_accounted(struct harness *harness, const struct run *run)
{
	check_packets(harness, &(struct frame_spec){AB4}, 0, 0);
}

static void check_opening(struct harness *harness, const struct run *run)
{
	struct ct_key key;
	struct ct_entry entry;

	if (!harness_get_ct(harness, &(struct frame_spec){AB4}, &key, &entry) ||
	    entry.flags & CT_F_INITIATOR_1 || entry.generation[0] != 100 ||
	    entry.generation[1] != 200 || ct_entry_initiator_identity(&entry) != IDENTITY_A)
		abort();
}

static void check_opening_by_b(struct harness *harness, const struct run *run)
{
	struct ct_key key;
	struct ct_entry entry;

	if (!harness_get_ct(harness, &(struct frame_spec){AB4}, &key, &entry) ||
	    !(entry.flags & CT_F_INITIATOR_1) || entry.generation[0] != 100 ||
	    entry.generation[1] != 200 || ct_entry_initiator_identity(&entry) != IDENTITY_B)
		abort();
}

static const struct frame_spec udp_a_b4 = {.src = A4,
					   .dst = B4,
					   .protocol = IPPROTO_UDP,
					   .sport = 7,
					   .dport = 8,
					   .ttl = 63,
					   .n_payload = 20};
static const struct frame_spec udp_a_b6 = {.src = A6,
					   .dst = B6,
					   .protocol = IPPROTO_UDP,
					   .sport = 7,
					   .dport = 8,
					   .ttl = 63,
					   .n_payload = 20};
static const struct frame_spec tcp_a_b4 = {AB4, .tcp_flags = TCP_SYN};
static const struct frame_spec echo_a_b4 = {
	.src = A4, .dst = B4, .protocol = IPPROTO_ICMP, .type = 8, .sport = 77};

static const struct test_case cases[] = {
	{"TCP from SYN to the last ACK, IPv4",
	 .steps = {FROM_A(AB4, TCP_SYN, NEW, .ct_ticks = CT_SYN_TICKS, .check = check_opening),
		   FROM_B(BA4, TCP_SYN | TCP_ACK, REPLY, .ct_ticks = CT_SYN_TICKS,
			  .ct_flags = CT_F_SEEN_REPLY),
		   FROM_A(AB4, TCP_ACK, ESTABLISHED, .ct_ticks = CT_TCP_TICKS,
			  .ct_flags = SEEN_BOTH),
		   FROM_B(BA4, TCP_ACK, REPLY, .ct_ticks = CT_TCP_TICKS, .ct_flags = SEEN_BOTH),
		   FROM_A(AB4, TCP_FIN | TCP_ACK, ESTABLISHED, .ct_ticks = CT_TCP_TICKS,
			  .ct_flags = SEEN_BOTH),
		   FROM_B(BA4, TCP_ACK, REPLY, .ct_ticks = CT_TCP_TICKS, .ct_flags = SEEN_BOTH),
		   FROM_B(BA4, TCP_FIN | TCP_ACK, REPLY, .ct_ticks = CT_FIN_TICKS,
			  .ct_flags = SEEN_BOTH),
		   FROM_A(AB4, TCP_ACK, ESTABLISHED, .ct_ticks = CT_FIN_TICKS,
			  .ct_flags = SEEN_BOTH)}},
	{"TCP from SYN to the last ACK, IPv6",
	 .steps = {FROM_A(AB6, TCP_SYN, NEW, .ct_ticks = CT_SYN_TICKS),
		   FROM_B(BA6, TCP_SYN | TCP_ACK, REPLY, .ct_ticks = CT_SYN_TICKS,
			  .ct_flags = CT_F_SEEN_REPLY),
		   FROM_A(AB6, TCP_ACK, ESTABLISHED, .ct_ticks = CT_TCP_TICKS,
			  .ct_flags = SEEN_BOTH),
		   FROM_A(AB6, TCP_FIN | TCP_ACK, ESTABLISHED, .ct_ticks = CT_TCP_TICKS,
			  .ct_flags = SEEN_BOTH),
		   FROM_B(BA6, TCP_FIN | TCP_ACK, REPLY, .ct_ticks = CT_FIN_TICKS,
			  .ct_flags = SEEN_BOTH)}},
	{"RST closes at once", .steps = {FROM_A(AB4, TCP_SYN, NEW),
					 FROM_B(BA4, TCP_RST | TCP_ACK, REPLY,
						.ct_ticks = CT_FIN_TICKS, .ct_flags = SEEN_BOTH)}},
	{"a SYN again and again stays a SYN",
	 .steps = {FROM_A(AB4, TCP_SYN, NEW, .check = age_ct),
		   FROM_A(AB4, TCP_SYN, ESTABLISHED, .ct_ticks = CT_SYN_TICKS)}},
	{"a SYN opens a closed connection again",
	 .steps = {FROM_A(AB4, TCP_SYN, NEW), FROM_B(BA4, TCP_RST, REPLY),
		   FROM_A(AB4, TCP_SYN, REOPENED, .ct_ticks = CT_SYN_TICKS,
			  .check = check_opening)}},
	{"… from the other side", .steps = {FROM_A(AB4, TCP_SYN, NEW), FROM_B(BA4, TCP_RST, REPLY),
					    FROM_B(BA4, TCP_SYN, REOPENED, .ct_ticks = CT_SYN_TICKS,
						   .check = check_opening_by_b)}},
	{"a SYN in an open connection changes nothing",
	 .steps = {FROM_A(AB4, TCP_SYN, NEW), FROM_A(AB4, TCP_ACK, ESTABLISHED),
		   FROM_A(AB4, TCP_SYN, ESTABLISHED, .ct_ticks = CT_TCP_TICKS,
			  .ct_flags = CT_F_SEEN_NON_SYN)}},
	{"picked up in the middle", .steps = {FROM_A(AB4, TCP_ACK, NEW, .ct_ticks = CT_TCP_TICKS,
						     .ct_flags = CT_F_SEEN_NON_SYN)}},
	{"an answer without a question has its opener on the other side",
	 .steps = {FROM_B(BA4, TCP_SYN | TCP_ACK, REPLY, .check = check_opening),
		   FROM_A(AB4, TCP_ACK, ESTABLISHED)}},
	{"a packet prolongs", .steps = {FROM_A(AB4, TCP_ACK, NEW, .check = age_ct),
					FROM_A(AB4, TCP_ACK, ESTABLISHED, .ct_ticks = CT_TCP_TICKS,
					       .ct_flags = CT_F_SEEN_NON_SYN)}},
	{"an expired connection is new",
	 .steps = {FROM_A(AB4, TCP_ACK, NEW, .check = expire_ct),
		   FROM_B(BA4, TCP_ACK, NEW, .check = check_opening_by_b)}},
	{"another endpoint at the source's address",
	 .steps = {FROM_A(AB4, TCP_ACK, NEW, .check = replace_a), FROM_A(AB4, TCP_ACK, NEW),
		   FROM_A(AB4, TCP_ACK, ESTABLISHED)}},
	{"another endpoint at the destination's address",
	 .steps = {FROM_A(AB4, TCP_ACK, NEW, .check = replace_b), FROM_A(AB4, TCP_ACK, NEW),
		   FROM_B(BA4, TCP_ACK, REPLY)}},
	{"accounting",
	 .steps = {FROM_A(AB4, TCP_SYN), FROM_B(BA4, TCP_SYN | TCP_ACK, .check = accounted)}},
	{"no accounting", .configure = no_accounting,
	 .steps = {FROM_A(AB4, TCP_SYN), FROM_B(BA4, TCP_ACK, .check = not_accounted)}},
	{"UDP",
	 .steps = {{.in = {.src = A4, .dst = B4, .protocol = IPPROTO_UDP, .sport = 7, .dport = 8},
		    .verdict = TC_ACT_REDIRECT,
		    .n_out = -1,
		    NEW,
		    .ct_ticks = CT_ANY_TICKS},
		   {.in = {.src = B4, .dst = A4, .protocol = IPPROTO_UDP, .sport = 8, .dport = 7},
		    .ifindex = IFINDEX_B,
		    .verdict = TC_ACT_REDIRECT,
		    .n_out = -1,
		    REPLY,
		    .ct_ticks = CT_ANY_TICKS,
		    .ct_flags = CT_F_SEEN_REPLY}}},
	{"ping, IPv4",
	 .steps = {{.in = {.src = A4, .dst = B4, .protocol = IPPROTO_ICMP, .type = 8, .sport = 77},
		    .verdict = TC_ACT_REDIRECT,
		    .n_out = -1,
		    NEW,
		    .ct_ticks = CT_ANY_TICKS},
		   {.in = {.src = B4, .dst = A4, .protocol = IPPROTO_ICMP, .type = 0, .sport = 77},
		    .ifindex = IFINDEX_B,
		    .verdict = TC_ACT_REDIRECT,
		    .n_out = -1,
		    REPLY,
		    .ct_ticks = CT_ANY_TICKS,
		    .ct_flags = CT_F_SEEN_REPLY},
		   /* The other asks with the same identifier: not the same conversation. */
		   {.in = {.src = B4, .dst = A4, .protocol = IPPROTO_ICMP, .type = 8, .sport = 77},
		    .ifindex = IFINDEX_B,
		    .verdict = TC_ACT_REDIRECT,
		    .n_out = -1,
		    NEW,
		    .ct_ticks = CT_ANY_TICKS}}},
	{"ping, IPv6", .steps = {{.in = {.src = A6,
					 .dst = B6,
					 .protocol = IPPROTO_ICMPV6,
					 .type = 128,
					 .sport = 77},
				  .verdict = TC_ACT_REDIRECT,
				  .n_out = -1,
				  NEW,
				  .ct_ticks = CT_ANY_TICKS},
				 {.in = {.src = B6,
					 .dst = A6,
					 .protocol = IPPROTO_ICMPV6,
					 .type = 129,
					 .sport = 77},
				  .ifindex = IFINDEX_B,
				  .verdict = TC_ACT_REDIRECT,
				  .n_out = -1,
				  REPLY,
				  .ct_ticks = CT_ANY_TICKS,
				  .ct_flags = CT_F_SEEN_REPLY}}},
	{"other ICMP",
	 .steps = {{.in = {.src = A4, .dst = B4, .protocol = IPPROTO_ICMP, .type = 13},
		    .verdict = TC_ACT_REDIRECT,
		    .n_out = -1,
		    NEW,
		    .ct_ticks = CT_ANY_TICKS},
		   {.in = {.src = A4, .dst = B4, .protocol = IPPROTO_ICMP, .type = 13},
		    .verdict = TC_ACT_REDIRECT,
		    .n_out = -1,
		    ESTABLISHED}}},
	{"ICMP errors belong to their connection",
	 .steps = {{.in = {.src = A4, .dst = B4, .protocol = IPPROTO_UDP, .sport = 7, .dport = 8},
		    .verdict = TC_ACT_REDIRECT,
		    .n_out = -1},
		   {.in = {.src = B4,
			   .dst = A4,
			   .protocol = IPPROTO_ICMP,
			   .type = 3,
			   .code = 3,
			   .inner = &udp_a_b4},
		    .ifindex = IFINDEX_B,
		    .verdict = TC_ACT_REDIRECT,
		    .n_out = -1,
		    RELATED},
		   {.in = {.src = B4,
			   .dst = A4,
			   .protocol = IPPROTO_ICMP,
			   .type = 11,
			   .inner = &udp_a_b4,
			   .n_inner = 28},
		    .ifindex = IFINDEX_B,
		    .verdict = TC_ACT_REDIRECT,
		    .n_out = -1,
		    RELATED},
		   {.in = {.src = B4,
			   .dst = A4,
			   .protocol = IPPROTO_ICMP,
			   .type = 3,
			   .code = 3,
			   .inner = &tcp_a_b4,
			   .n_inner = 28},
		    .ifindex = IFINDEX_B,
		    .verdict = TC_ACT_REDIRECT,
		    .n_out = -1,
		    NEW}}},
	{"ICMPv6 errors belong to their connection",
	 .steps = {{.in = {.src = A6, .dst = B6, .protocol = IPPROTO_UDP, .sport = 7, .dport = 8},
		    .verdict = TC_ACT_REDIRECT,
		    .n_out = -1},
		   {.in = {.src = B6,
			   .dst = A6,
			   .protocol = IPPROTO_ICMPV6,
			   .type = 1,
			   .code = 4,
			   .inner = &udp_a_b6},
		    .ifindex = IFINDEX_B,
		    .verdict = TC_ACT_REDIRECT,
		    .n_out = -1,
		    RELATED},
		   {.in = {.src = B6,
			   .dst = A6,
			   .protocol = IPPROTO_ICMPV6,
			   .type = 2,
			   .inner = &udp_a_b6,
			   .n_inner = 48},
		    .ifindex = IFINDEX_B,
		    .verdict = TC_ACT_REDIRECT,
		    .n_out = -1,
		    RELATED}}},
	{"an error about a ping",
	 .steps = {{.in = {.src = A4, .dst = B4, .protocol = IPPROTO_ICMP, .type = 8, .sport = 77},
		    .verdict = TC_ACT_REDIRECT,
		    .n_out = -1},
		   {.in = {.src = B4,
			   .dst = A4,
			   .protocol = IPPROTO_ICMP,
			   .type = 3,
			   .code = 2,
			   .inner = &echo_a_b4},
		    .ifindex = IFINDEX_B,
		    .verdict = TC_ACT_REDIRECT,
		    .n_out = -1,
		    RELATED}}},
	{"an error whose cause is cut off is no relative",
	 .steps = {{.in = {.src = A4, .dst = B4, .protocol = IPPROTO_UDP, .sport = 7, .dport = 8},
		    .verdict = TC_ACT_REDIRECT,
		    .n_out = -1},
		   {.in = {.src = B4,
			   .dst = A4,
			   .protocol = IPPROTO_ICMP,
			   .type = 3,
			   .code = 3,
			   .inner = &udp_a_b4,
			   .n_inner = 24},
		    .ifindex = IFINDEX_B,
		    .verdict = TC_ACT_REDIRECT,
		    .n_out = -1,
		    NEW}}},
};

const struct case_group conntrack_cases = CASES(cases);
