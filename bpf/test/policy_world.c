/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf/test/policy_world.h"

#include <arpa/inet.h>
#include <linux/pkt_cls.h>
#include <netinet/in.h>
#include <stdlib.h>

#define OPENER_PORT 40000

/* Both ends of each scene, and where its first packet and the answer are seen. */
static const struct {
	const char *src[2], *dst[2]; /* IPv4, IPv6 */
	enum test_program program, answer_program;
	__u32 ifindex, answer_ifindex;
	int opener, responder; /* as policy_subject() */
	__u32 opener_identity[2], responder_identity[2];
} scenes[SCENE__MAX] = {
	[SCENE_A_TO_B] = {{A4, A6},
			  {B4, B6},
			  FROM_CONTAINER,
			  FROM_CONTAINER,
			  IFINDEX_A,
			  IFINDEX_B,
			  ENDPOINT_A,
			  ENDPOINT_B,
			  {IDENTITY_A, IDENTITY_A},
			  {IDENTITY_B, IDENTITY_B}},
	[SCENE_A_TO_WORLD] = {{A4, A6},
			      {WORLD4, WORLD6},
			      FROM_CONTAINER,
			      FROM_NETDEV,
			      IFINDEX_A,
			      IFINDEX_NODE,
			      ENDPOINT_A,
			      -1,
			      {IDENTITY_A, IDENTITY_A},
			      {IDENTITY_WORLD4, IDENTITY_WORLD6}},
	[SCENE_WORLD_TO_B] = {{WORLD4, WORLD6},
			      {B4, B6},
			      FROM_NETDEV,
			      FROM_CONTAINER,
			      IFINDEX_NODE,
			      IFINDEX_B,
			      -1,
			      ENDPOINT_B,
			      {IDENTITY_WORLD4, IDENTITY_WORLD6},
			      {IDENTITY_B, IDENTITY_B}},
	[SCENE_A_TO_HOST] = {{A4, A6},
			     {HOST4, HOST6},
			     FROM_CONTAINER,
			     FROM_HOST,
			     IFINDEX_A,
			     IFINDEX_HOST,
			     ENDPOINT_A,
			     POLICY_ENDPOINT_HOST,
			     {IDENTITY_A, IDENTITY_A},
			     {IDENTITY_HOST_TEST, IDENTITY_HOST_TEST}},
	[SCENE_HOST_TO_B] = {{HOST4, HOST6},
			     {B4, B6},
			     FROM_HOST,
			     FROM_CONTAINER,
			     IFINDEX_HOST,
			     IFINDEX_B,
			     POLICY_ENDPOINT_HOST,
			     ENDPOINT_B,
			     {IDENTITY_HOST_TEST, IDENTITY_HOST_TEST},
			     {IDENTITY_B, IDENTITY_B}},
	[SCENE_HOST_TO_WORLD] = {{NODE4, NODE6},
				 {WORLD4, WORLD6},
				 TO_NETDEV,
				 FROM_NETDEV,
				 IFINDEX_NODE,
				 IFINDEX_NODE,
				 POLICY_ENDPOINT_HOST,
				 -1,
				 {IDENTITY_HOST_TEST, IDENTITY_HOST_TEST},
				 {IDENTITY_WORLD4, IDENTITY_WORLD6}},
	[SCENE_WORLD_TO_HOST] = {{WORLD4, WORLD6},
				 {NODE4, NODE6},
				 FROM_NETDEV,
				 TO_NETDEV,
				 IFINDEX_NODE,
				 IFINDEX_NODE,
				 -1,
				 POLICY_ENDPOINT_HOST,
				 {IDENTITY_WORLD4, IDENTITY_WORLD6},
				 {IDENTITY_HOST_TEST, IDENTITY_HOST_TEST}},
};

__u8 policy_protocol(enum policy_kind kind, bool ipv6)
{
	static const __u8 protocols[KIND__MAX] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP,
						  IPPROTO_ICMP};

	return kind == KIND_ICMP && ipv6 ? IPPROTO_ICMPV6 : protocols[kind];
}

struct policy_sent policy_first(enum policy_scene scene, enum policy_kind kind, bool ipv6,
				__u16 dport)
{
	struct policy_sent sent = {
		.program = scenes[scene].program,
		.ifindex = scenes[scene].ifindex,
		.spec = {.src = scenes[scene].src[ipv6],
			 .dst = scenes[scene].dst[ipv6],
			 .protocol = policy_protocol(kind, ipv6),
			 .sport = OPENER_PORT,
			 .dport = dport},
	};

	if (kind == KIND_TCP)
		sent.spec.tcp_flags = TCP_SYN;
	if (kind == KIND_ICMP) {
		sent.spec.type = dport;
		sent.spec.dport = 0;
	}
	return sent;
}

struct policy_sent policy_answer(enum policy_scene scene, const struct policy_sent *first)
{
	struct policy_sent sent = *first;

	sent.program = scenes[scene].answer_program;
	sent.ifindex = scenes[scene].answer_ifindex;
	sent.spec.src = first->spec.dst;
	sent.spec.dst = first->spec.src;
	sent.spec.sport = first->spec.dport;
	sent.spec.dport = first->spec.sport;
	if (first->spec.tcp_flags)
		sent.spec.tcp_flags = TCP_SYN | TCP_ACK;
	if (first->spec.protocol == IPPROTO_ICMP || first->spec.protocol == IPPROTO_ICMPV6) {
		sent.spec.sport = first->spec.sport;
		sent.spec.dport = 0;
		sent.spec.type = first->spec.protocol == IPPROTO_ICMP ? 0 : 129;
	}
	return sent;
}

struct policy_outcome policy_send(struct harness *harness, const struct policy_sent *sent)
{
	struct policy_outcome outcome = {0};
	struct frame frame;

	while (harness_take_event(harness, &outcome.events[0]))
		;
	frame_build(&frame, &sent->spec);
	outcome.run = harness_run(harness, sent->program, &frame, sent->ifindex, 0, 0);
	outcome.dropped = outcome.run.verdict == TC_ACT_SHOT;
	while (harness_take_event(harness, &outcome.events[outcome.n_events]))
		if (++outcome.n_events == sizeof(outcome.events) / sizeof(outcome.events[0]))
			abort();
	return outcome;
}

int policy_subject(enum policy_scene scene, enum policy_direction direction)
{
	return direction == POLICY_EGRESS ? scenes[scene].opener : scenes[scene].responder;
}

__u32 policy_peer_identity(enum policy_scene scene, enum policy_direction direction, bool ipv6)
{
	return direction == POLICY_EGRESS ? scenes[scene].responder_identity[ipv6]
					  : scenes[scene].opener_identity[ipv6];
}

static void put(struct bpf_map *map, const void *key, const void *value)
{
	if (bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY))
		abort();
}

void policy_put_peer(struct harness *harness, __u32 version, enum policy_direction direction,
		     __u32 identity, const struct policy_peer *peer)
{
	const struct policy_peer_key key = {
		.version = version, .identity = identity, .direction = direction};

	put(harness->skel->maps.cilium_policy_peer, &key, peer);
}

void policy_put_all(struct harness *harness, __u32 version, enum policy_direction direction,
		    __u32 identity, struct policy_leaf leaf)
{
	policy_put_peer(harness, version, direction, identity,
			&(struct policy_peer){.otherwise = leaf});
}

void policy_put_leaf(struct harness *harness, __u32 class, __u8 protocol, __u8 prefix_len,
		     __u16 port, struct policy_leaf leaf)
{
	const struct policy_class_key key = {.class = class,
					     .protocol = protocol,
					     .prefix_len = prefix_len,
					     .port = htons(port)};

	put(harness->skel->maps.cilium_policy_class, &key, &leaf);
}

void policy_set_verdict_events(struct harness *harness, enum verdict_events verdict_events)
{
	const struct runtime_config runtime = {
		.drop_events = 1, .verdict_events = verdict_events, .wakeup_bytes = 1 << 16};
	__u32 zero = 0;

	put(harness->skel->maps.cilium_runtime_config, &zero, &runtime);
}

__u32 policy_reason_of(enum policy_verdict verdict)
{
	static const __u32 reasons[POLICY_VERDICT__MAX] = {
		[POLICY_VERDICT_DEFAULT_DENY] = DROP_POLICY_DENIED,
		[POLICY_VERDICT_DENY] = DROP_POLICY_DENY,
		[POLICY_VERDICT_NEEDS_PROXY] = DROP_PROXY_REDIRECTION_NOT_SUPPORTED_FOR_PROTOCOL,
		[POLICY_VERDICT_NEEDS_AUTH] = DROP_AUTH_REQUIRED,
	};

	return reasons[verdict];
}
