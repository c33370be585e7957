/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A case is a value: packets, one after the other, each with what must become of it. After every
 * step the runner compares the verdict, the whole frame, the counters and the event; see
 * bpf_test.c.
 */
#pragma once

#include <linux/pkt_cls.h>
#include <netinet/in.h>

#include "bpf/test/harness.h"

#define STEPS_MAX 10

/*
 * Of a step that expects a connection: that many ticks to live from the opening of the connection
 * on.
 */
#define CT_SYN_TICKS 60
#define CT_TCP_TICKS 8000
#define CT_FIN_TICKS 10
#define CT_ANY_TICKS 60

struct step {
	enum test_program program;
	__u32 ifindex; /* 0: the program's usual one */
	__u32 mark;
	__u32 gso_size;
	struct frame_spec in;
	int verdict;           /* 0: TC_ACT_UNSPEC, as no program ends what others do behind it */
	__u32 drop;            /* DROP_*: then the verdict is TC_ACT_SHOT */
	struct frame_spec out; /* nothing: the frame is unchanged */
	int n_out;             /* −1: do not look at the frame */
	__u8 state;            /* 1 + enum event_ct_state of the trace event; 0: do not look */
	__u8 point;            /* 1 + enum trace_point */
	bool no_event;         /* neither a drop nor a trace is reported */
	__u32 ct_ticks;        /* 0: do not look */
	__u16 ct_flags;        /* with ct_ticks */
	void (*check)(struct harness *harness, const struct run *run);
};

/* Runs it and compares; aborts the test where something differs. */
struct run step_run(const struct step *step);

struct test_case {
	const char *name;
	void (*configure)(struct node_config *config);
	void (*set_up)(struct harness *harness);
	struct step steps[STEPS_MAX]; /* ends with one without source address and raw bytes */
};

struct case_group {
	const char *name;
	const struct test_case *cases;
	size_t n_cases;
};

extern const struct case_group pod_cases, malformed_cases, conntrack_cases, neighbour_cases,
	fragment_cases, host_cases, netdev_cases, nat_cases, nat_error_cases, queued_cases,
	nat_change_cases, options_cases;

/* What is easier said by a function: on maps that were just reset. */
struct scenario {
	const char *name;
	void (*configure)(struct node_config *config);
	void (*run)(struct harness *harness);
};

struct scenario_group {
	const struct scenario *scenarios;
	size_t n_scenarios;
};

extern const struct scenario_group service_scenarios, service_error_scenarios,
	service_choice_scenarios, service_keep_scenarios, service_told_scenarios;
extern const struct scenario_group policy_scenarios, policy_live_scenarios, policy_event_scenarios,
	policy_host_scenarios, explain_scenarios, reject_scenarios, dsr_scenarios, xdp_scenarios,
	xdp_alike_scenarios;

#define SCENARIOS(scenarios_) {scenarios_, sizeof(scenarios_) / sizeof(scenarios_[0])}

/* What a delivery to pod b does to the link layer. */
#define TO_B .dst_mac = MAC_B, .src_mac = MAC_B_NODE
#define TO_A .dst_mac = MAC_A, .src_mac = MAC_A_NODE

#define CASES(cases_) {#cases_, cases_, sizeof(cases_) / sizeof(cases_[0])}
