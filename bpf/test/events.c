/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf/test/events.h"

#include <linux/pkt_cls.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#define N_DROPS 10000 /* more than the ring holds */

#define EXPECT(actual, expected)                                                                \
	do {                                                                                    \
		unsigned long long actual_ = (actual), expected_ = (expected);                  \
		if (actual_ != expected_) {                                                     \
			fprintf(stderr, "%s:%d: %s: got %llu, want %llu\n", __FILE__, __LINE__, \
				#actual, actual_, expected_);                                   \
			abort();                                                                \
		}                                                                               \
	} while (0)

static void set_runtime(struct harness *harness, const struct runtime_config *runtime)
{
	__u32 zero = 0;

	bpf_map_update_elem(bpf_map__fd(harness->skel->maps.cilium_runtime_config), &zero, runtime,
			    BPF_ANY);
}

static unsigned int take_all(struct harness *harness)
{
	unsigned int n_events = 0;
	struct event event;

	while (harness_take_event(harness, &event))
		n_events++;
	return n_events;
}

/* Sends from pod a and returns how many events that made. */
static unsigned int send_tcp(struct harness *harness, __u8 tcp_flags)
{
	struct frame_spec spec = {.src = A4,
				  .dst = B4,
				  .protocol = IPPROTO_TCP,
				  .sport = 1000,
				  .dport = 80,
				  .tcp_flags = tcp_flags};
	struct frame frame;

	frame_build(&frame, &spec);
	harness_run(harness, FROM_CONTAINER, &frame, IFINDEX_A, 0, 0);
	return take_all(harness);
}

/* As if the connection had last been reported and touched long ago. */
static void let_time_pass(struct harness *harness)
{
	struct frame_spec spec = {
		.src = A4, .dst = B4, .protocol = IPPROTO_TCP, .sport = 1000, .dport = 80};
	struct ct_key key;
	struct ct_entry entry;

	if (!harness_get_ct(harness, &spec, &key, &entry))
		abort();
	entry.expires -= 10;
	entry.last_report -= 10;
	harness_put_ct(harness, &key, &entry);
}

static void check_aggregation(struct harness *harness)
{
	struct runtime_config runtime = {.trace_events = 1,
					 .trace_aggregation = TRACE_AGGREGATION_MEDIUM,
					 .trace_tcp_flags = TCP_SYN | TCP_FIN | TCP_RST,
					 .trace_interval = 1000,
					 .wakeup_bytes = 1 << 16};

	harness_reset(harness);
	set_runtime(harness, &runtime);
	EXPECT(send_tcp(harness, TCP_SYN), 1);
	/* New, but not among the flags to report. */
	EXPECT(send_tcp(harness, TCP_ACK), 0);
	let_time_pass(harness);
	EXPECT(send_tcp(harness, TCP_ACK), 0);
	runtime.trace_interval = 5;
	set_runtime(harness, &runtime);
	let_time_pass(harness);
	EXPECT(send_tcp(harness, TCP_ACK), 1);
	EXPECT(send_tcp(harness, TCP_FIN | TCP_ACK), 1);
	EXPECT(send_tcp(harness, TCP_FIN | TCP_ACK), 0);
	runtime.trace_aggregation = TRACE_AGGREGATION_LOW;
	set_runtime(harness, &runtime);
	EXPECT(send_tcp(harness, TCP_ACK), 1);
	/* Where it came from, and where it went. */
	runtime.trace_aggregation = TRACE_AGGREGATION_NONE;
	set_runtime(harness, &runtime);
	EXPECT(send_tcp(harness, TCP_ACK), 2);
	runtime.trace_events = 0;
	set_runtime(harness, &runtime);
	EXPECT(send_tcp(harness, TCP_SYN), 0);
}

static void check_drops(struct harness *harness, bool drop_events)
{
	struct runtime_config runtime = {.drop_events = drop_events, .wakeup_bytes = 1 << 20};
	struct frame_spec spec = {.src = "1.2.3.4", .dst = B4, .protocol = IPPROTO_UDP};
	unsigned int n_events;
	struct frame frame;

	harness_reset(harness);
	set_runtime(harness, &runtime);
	frame_build(&frame, &spec);
	for (int i = 0; i < N_DROPS; i++)
		harness_run(harness, FROM_CONTAINER, &frame, IFINDEX_A, 0, 0);
	n_events = take_all(harness);
	EXPECT(harness_metric(harness, DROP_INVALID_SOURCE_IP, METRIC_DIR_EGRESS), N_DROPS);
	if (!drop_events) {
		EXPECT(n_events, 0);
		return;
	}
	EXPECT(n_events < N_DROPS, true);
	EXPECT(n_events + harness_metric(harness, METRIC_REASON_EVENT_LOST, METRIC_DIR_UNKNOWN),
	       N_DROPS);
}

/* Where no more places fit, the reason still counts each packet once. */
static void check_full_sites(struct harness *harness)
{
	static const struct metric none[CPUS_MAX];
	struct frame_spec spec = {.src = "1.2.3.4", .dst = B4, .protocol = IPPROTO_UDP};
	int fd = bpf_map__fd(harness->skel->maps.cilium_drop_sites);
	__u32 index = DROP_INVALID_SOURCE_IP * METRIC_DIR__MAX + METRIC_DIR_EGRESS;
	struct metric counted[CPUS_MAX] = {};
	struct frame frame;

	harness_reset(harness);
	for (__u32 i = 0; i < DROP_SITES_MAX; i++) {
		const struct drop_site site = {.reason = 255, .line = i, .file = 255};

		EXPECT(-bpf_map_update_elem(fd, &site, none, BPF_NOEXIST), 0);
	}
	frame_build(&frame, &spec);
	EXPECT(harness_run(harness, FROM_CONTAINER, &frame, IFINDEX_A, 0, 0).verdict, TC_ACT_SHOT);
	EXPECT(harness_metric(harness, DROP_INVALID_SOURCE_IP, METRIC_DIR_EGRESS), 1);
	EXPECT(-bpf_map_lookup_elem(bpf_map__fd(harness->skel->maps.cilium_metrics), &index,
				    counted),
	       0);
	for (int i = 1; i < CPUS_MAX; i++) {
		counted[0].packets += counted[i].packets;
		counted[0].bytes += counted[i].bytes;
	}
	EXPECT(counted[0].packets, 1);
	EXPECT(counted[0].bytes, frame.n_bytes);
}

void events_run(struct harness *harness)
{
	check_full_sites(harness);
	check_aggregation(harness);
	check_drops(harness, true);
	check_drops(harness, false);
}
