/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the programs with BPF_PROG_TEST_RUN in a network namespace of its own, where these live:
 *
 *	pod a   10.0.0.10 fd00::10   device 110, endpoint 10, identity 1010, generation 100
 *	pod b   10.0.0.20 fd00::20   device 120, endpoint 20, identity 1020, generation 200
 *	node    192.0.2.1 2001:db8::1 on device 130; 10.0.0.1 fd00::1 on cilium_host, device 140
 *	world   198.51.100.9 2001:db8:9::9, by a gateway behind device 130
 */
#pragma once

#include <linux/types.h>
#include <linux/bpf.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "abi/config.h"
#include "abi/conntrack.h"
#include "abi/device.h"
#include "abi/drop.h"
#include "abi/endpoint.h"
#include "abi/event.h"
#include "abi/explain.h"
#include "abi/fragment.h"
#include "abi/ipcache.h"
#include "abi/metrics.h"
#include "abi/nat.h"
#include "abi/policy.h"
#include "bpf/test/frame.h"
#include "datapath.skel.h"

#define CPUS_MAX 1024 /* of the machine that runs the tests */

#define IFINDEX_A    110
#define IFINDEX_B    120
#define IFINDEX_NODE 130
#define IFINDEX_HOST 140

#define A4     "10.0.0.10"
#define A6     "fd00::10"
#define B4     "10.0.0.20"
#define B6     "fd00::20"
#define NODE4  "192.0.2.1"
#define NODE6  "2001:db8::1"
#define HOST4  "10.0.0.1"
#define HOST6  "fd00::1"
#define WORLD4 "198.51.100.9"
#define WORLD6 "2001:db8:9::9"

/* What stands for a pod that reaches itself through a service. */
#define LOOPBACK4 "169.254.42.1"
#define LOOPBACK6 "fd00:a94f:2a01::1"

#define MAC_A      "02:00:00:00:01:01" /* inside pod a; what frame_spec sends from by default */
#define MAC_A_NODE "02:00:00:00:01:00" /* the host's side; what it sends to */
#define MAC_B      "02:00:00:00:02:01"
#define MAC_B_NODE "02:00:00:00:02:00"

#define ENDPOINT_A 10
#define ENDPOINT_B 20

#define IDENTITY_A 1010
#define IDENTITY_B 1020

/* Of both pods and the host after a reset: everything is allowed. */
#define VERSION_OPEN 1

enum test_program {
	FROM_CONTAINER,
	TO_CONTAINER,
	FROM_HOST,
	FROM_NETDEV,
	TO_NETDEV,
	PROGRAM__MAX,
	/* Not attached to anything: only asked. */
	EXPLAIN_CONTAINER = PROGRAM__MAX,
	EXPLAIN_HOST,
	EXPLAIN_NETDEV,
	EXPLAIN_TO_NETDEV,
	PROGRAM_ALL__MAX,
};

struct harness {
	struct datapath_bpf *skel;
	struct node_config config;
	struct ring_buffer *ring; /* of events; NULL before anybody has looked */
};

struct run {
	int verdict;
	struct frame out;
	__u32 mark;
};

/* Enters a namespace with the devices above. Once per process, as root. */
void harness_init(void);
/* The configuration that cases start from: everything on, BPF host routing. */
struct node_config harness_config(void);
/* Loads the programs; small maps. */
void harness_load(struct harness *harness, const struct node_config *config);
void harness_unload(struct harness *harness);
/* Empties what the programs fill, and sets what the agent would have put into the rest. */
void harness_reset(struct harness *harness);

/*
 * Fills the memory of the packet before with what no packet leaves there, so that a program that reads what it has
 * not set goes wrong each time. harness_run() does this itself.
 */
void harness_soil(struct harness *harness);
/* mark and gso_size: 0 mostly. */
struct run harness_run(struct harness *harness, enum test_program program,
		       const struct frame *frame, __u32 ifindex, __u32 mark, __u32 gso_size);
int harness_program_fd(struct harness *harness, enum test_program program);

/* Puts a version of a rule set in force. flags: POLICY_F_*. */
void harness_put_policy(struct harness *harness, __u32 endpoint, __u32 version, __u32 flags);

struct addr harness_addr(const char *text);
__u64 harness_metric(struct harness *harness, __u32 reason, enum metric_dir dir);
/* Drops that were decided there; the site must have been counted. */
__u64 harness_n_drops_at(struct harness *harness, const struct drop_site *site);
/* All drops since the reset, and the reason of the last. */
__u64 harness_n_drops(struct harness *harness, __u32 *ret_reason);
/* Takes one event out of the ring; false when there is none. */
bool harness_take_event(struct harness *harness, struct event *ret_event);

/* Connection between two ends as seen on the wire; false when there is none. */
bool harness_get_ct(struct harness *harness, const struct frame_spec *spec, struct ct_key *ret_key,
		    struct ct_entry *ret_entry);
void harness_put_ct(struct harness *harness, const struct ct_key *key,
		    const struct ct_entry *entry);
