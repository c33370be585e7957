/* SPDX-License-Identifier: Apache-2.0 */
/* Rule sets as the agent would write them, and packets that meet them. */
#pragma once

#include "bpf/test/harness.h"

#define IDENTITY_HOST_TEST 1
#define IDENTITY_WORLD4    77 /* of WORLD4: see harness_reset() */
#define IDENTITY_WORLD6    10

/* A packet of each protocol: kinds of the matrix. */
enum policy_kind {
	KIND_TCP,
	KIND_UDP,
	KIND_SCTP,
	KIND_ICMP,
	KIND__MAX,
};

/* Who sends to whom; the program that sees it first. */
enum policy_scene {
	SCENE_A_TO_B,
	SCENE_A_TO_WORLD,
	SCENE_WORLD_TO_B,
	SCENE_A_TO_HOST,
	SCENE_HOST_TO_B,
	SCENE_HOST_TO_WORLD,
	SCENE_WORLD_TO_HOST,
	SCENE__MAX,
};

struct policy_sent {
	enum test_program program;
	__u32 ifindex;
	struct frame_spec spec;
};

/* What became of a packet, and all events that it made. */
struct policy_outcome {
	struct run run;
	bool dropped;
	unsigned int n_events;
	struct event events[8];
};

/* The first packet of a connection to port dport, or of ICMP one of that type. */
struct policy_sent policy_first(enum policy_scene scene, enum policy_kind kind, bool ipv6,
				__u16 dport);
/* Its answer, where the program that sees it stands: from the other end. */
struct policy_sent policy_answer(enum policy_scene scene, const struct policy_sent *first);
struct policy_outcome policy_send(struct harness *harness, const struct policy_sent *sent);

__u8 policy_protocol(enum policy_kind kind, bool ipv6);
/* The end that rules of the direction are of: an endpoint id, 0 the host; −1: somebody outside. */
int policy_subject(enum policy_scene scene, enum policy_direction direction);
/* Whom they are asked about. */
__u32 policy_peer_identity(enum policy_scene scene, enum policy_direction direction, bool ipv6);

/* Puts the head of a class under (version, direction, identity). */
void policy_put_peer(struct harness *harness, __u32 version, enum policy_direction direction,
		     __u32 identity, const struct policy_peer *peer);
/* A class that says the same of everything. */
void policy_put_all(struct harness *harness, __u32 version, enum policy_direction direction,
		    __u32 identity, struct policy_leaf leaf);
void policy_put_leaf(struct harness *harness, __u32 class, __u8 protocol, __u8 prefix_len,
		     __u16 port, struct policy_leaf leaf);
void policy_set_verdict_events(struct harness *harness, enum verdict_events verdict_events);

/* The drop reason of a verdict of the rules; 0: allowed. */
__u32 policy_reason_of(enum policy_verdict verdict);
