/* SPDX-License-Identifier: Apache-2.0 */
/* What is set for one endpoint alone: source check, drop events, trace events, accounting. */
#include "bpf/test/cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define TCP4   .src = A4, .dst = B4, .protocol = IPPROTO_TCP, .sport = 1000, .dport = 80
#define TCP6   .src = A6, .dst = B6, .protocol = IPPROTO_TCP, .sport = 1000, .dport = 80
#define SPOOF4 .src = WORLD4, .dst = B4, .protocol = IPPROTO_UDP, .sport = 7, .dport = 53
#define SPOOF6 .src = WORLD6, .dst = B6, .protocol = IPPROTO_UDP, .sport = 7, .dport = 53

static void set_entry(int fd, const void *key, __u16 flags)
{
	struct endpoint_info info;

	assert_int_equal(bpf_map_lookup_elem(fd, key, &info), 0);
	info.flags |= flags;
	assert_int_equal(bpf_map_update_elem(fd, key, &info, BPF_EXIST), 0);
}

static void set_flags(struct harness *harness, __u32 ifindex, const char *addr4, const char *addr6,
		      __u16 flags)
{
	struct endpoint_device_key device = {ifindex};
	struct addr addrs[] = {harness_addr(addr4), harness_addr(addr6)};

	set_entry(bpf_map__fd(harness->skel->maps.cilium_lxc_device), &device, flags);
	for (size_t i = 0; i < 2; i++)
		set_entry(bpf_map__fd(harness->skel->maps.cilium_lxc), &addrs[i], flags);
}

static void set_a(struct harness *harness, __u16 flags)
{
	set_flags(harness, IFINDEX_A, A4, A6, flags);
}

static void set_b(struct harness *harness, __u16 flags)
{
	set_flags(harness, IFINDEX_B, B4, B6, flags);
}

static void set_runtime(struct harness *harness, bool drops, enum trace_events traces)
{
	int fd = bpf_map__fd(harness->skel->maps.cilium_runtime_config);
	struct runtime_config runtime;
	__u32 zero = 0;

	assert_int_equal(bpf_map_lookup_elem(fd, &zero, &runtime), 0);
	runtime.drop_events = drops;
	runtime.trace_events = traces;
	assert_int_equal(bpf_map_update_elem(fd, &zero, &runtime, BPF_EXIST), 0);
}

static void count(struct harness *harness, __u64 n_packets)
{
	const struct frame_spec spec = {TCP4};
	struct ct_key key;
	struct ct_entry entry;

	assert_true(harness_get_ct(harness, &spec, &key, &entry));
	assert_int_equal(entry.packets, n_packets);
}

static void counted_one(struct harness *harness, const struct run *run)
{
	count(harness, 1);
}

static void counted_none(struct harness *harness, const struct run *run)
{
	count(harness, 0);
}

static void check_off(struct harness *harness)
{
	set_a(harness, ENDPOINT_F_SKIP_SIP_CHECK);
}

static void check_on(struct harness *harness)
{
	set_a(harness, ENDPOINT_F_SIP_CHECK);
}

static void a_silent(struct harness *harness)
{
	set_a(harness, ENDPOINT_F_NO_DROP_EVENTS);
}

static void b_silent(struct harness *harness)
{
	set_b(harness, ENDPOINT_F_NO_DROP_EVENTS);
}

static void only_a_reports(struct harness *harness)
{
	set_runtime(harness, false, TRACE_EVENTS_OFF);
	set_a(harness, ENDPOINT_F_DROP_EVENTS);
}

static void nobody_reports(struct harness *harness)
{
	set_runtime(harness, false, TRACE_EVENTS_OFF);
}

static void a_untraced(struct harness *harness)
{
	set_a(harness, ENDPOINT_F_NO_TRACE);
}

static void both_untraced(struct harness *harness)
{
	set_a(harness, ENDPOINT_F_NO_TRACE);
	set_b(harness, ENDPOINT_F_NO_TRACE);
}

static void only_b_traced(struct harness *harness)
{
	set_runtime(harness, true, TRACE_EVENTS_ASKED);
	set_b(harness, ENDPOINT_F_TRACE);
}

static void none_asks(struct harness *harness)
{
	set_runtime(harness, true, TRACE_EVENTS_ASKED);
}

/* Whoever asks, nobody listens. */
static void nobody_listens(struct harness *harness)
{
	set_runtime(harness, true, TRACE_EVENTS_OFF);
	set_a(harness, ENDPOINT_F_TRACE);
}

static void b_uncounted(struct harness *harness)
{
	set_b(harness, ENDPOINT_F_UNCOUNTED);
}

static void unverified(struct node_config *config)
{
	config->enable_source_ip_verification = 0;
}

#define SENT(spec)    .in = {spec, .tcp_flags = TCP_SYN}, .verdict = TC_ACT_REDIRECT, .n_out = -1
#define SPOOFED(spec) .in = {spec}, .drop = DROP_INVALID_SOURCE_IP
#define TO_WORLD4     .src = A4, .dst = WORLD4, .protocol = IPPROTO_TCP, .sport = 5, .dport = 6
#define TRACED        .point = 1 + TRACE_TO_ENDPOINT

static const struct test_case cases[] = {
	{"no source check for one endpoint", .set_up = check_off,
	 .steps = {{.in = {SPOOF4}, .verdict = TC_ACT_REDIRECT, .n_out = -1},
		   {.in = {SPOOF6}, .verdict = TC_ACT_REDIRECT, .n_out = -1}}},
	{"a source check for one endpoint, where the node has none", .configure = unverified,
	 .set_up = check_on, .steps = {{SPOOFED(SPOOF4)}, {SPOOFED(SPOOF6)}}},
	{"drops of one endpoint are not reported", .set_up = a_silent,
	 .steps = {{SPOOFED(SPOOF4), .no_event = true}, {SPOOFED(SPOOF6), .no_event = true}}},
	{"drops on the way out are not the destination's", .set_up = b_silent,
	 .steps = {{SPOOFED(SPOOF4)}, {SPOOFED(SPOOF6)}}},
	{"drops of one endpoint are reported, where the node's are not", .set_up = only_a_reports,
	 .steps = {{SPOOFED(SPOOF4)}, {SPOOFED(SPOOF6)}}},
	{"drops are not reported, where the node's are not", .set_up = nobody_reports,
	 .steps = {{SPOOFED(SPOOF4), .no_event = true}, {SPOOFED(SPOOF6), .no_event = true}}},
	{"an endpoint that is not traced", .set_up = a_untraced,
	 .steps = {{SENT(TO_WORLD4), .no_event = true},
		   /* The other end is. */
		   {SENT(TCP4), TRACED},
		   {SENT(TCP6), TRACED}}},
	{"neither end is traced", .set_up = both_untraced,
	 .steps = {{SENT(TCP4), .no_event = true}, {SENT(TCP6), .no_event = true}}},
	{"one endpoint is traced, where the node's are not", .set_up = only_b_traced,
	 .steps = {{SENT(TO_WORLD4), .no_event = true},
		   {SENT(TCP4), TRACED},
		   {SENT(TCP6), TRACED}}},
	{"no endpoint asks to be traced", .set_up = none_asks,
	 .steps = {{SENT(TCP4), .no_event = true}, {SENT(TCP6), .no_event = true}}},
	{"an endpoint asks to be traced, and nobody listens", .set_up = nobody_listens,
	 .steps = {{SENT(TCP4), .no_event = true}, {SENT(TCP6), .no_event = true}}},
	{"connections are counted", .steps = {{SENT(TCP4), .check = counted_one}}},
	{"connections of one endpoint are not counted", .set_up = b_uncounted,
	 .steps = {{SENT(TCP4), .check = counted_none}}},
};

const struct case_group options_cases = CASES(cases);
