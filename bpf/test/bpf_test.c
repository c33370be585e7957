/* SPDX-License-Identifier: Apache-2.0 */
/* Runs every case of cases.h, loading the programs anew where the configuration differs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "bpf/test/cases.h"
#include "bpf/test/events.h"
#include "bpf/test/fuzz.h"
#include "bpf/test/nat_fill.h"

#define TEST_SKIPPED 77 /* meson's number for it */

static struct harness harness;
static struct node_config loaded;

static void load(void (*configure)(struct node_config *config))
{
	struct node_config config = harness_config();

	if (configure)
		configure(&config);
	if (harness.skel && !memcmp(&config, &loaded, sizeof(config)))
		return;
	if (harness.skel)
		harness_unload(&harness);
	harness_load(&harness, &config);
	loaded = config;
}

/* Every packet is reported, once. */
static void report_all(void)
{
	struct runtime_config runtime = {.drop_events = 1,
					 .trace_events = 1,
					 .trace_aggregation = TRACE_AGGREGATION_LOW,
					 .wakeup_bytes = 1 << 16};
	__u32 zero = 0;

	bpf_map_update_elem(bpf_map__fd(harness.skel->maps.cilium_runtime_config), &zero, &runtime,
			    BPF_ANY);
}

static __u32 usual_ifindex(enum test_program program)
{
	switch (program) {
	case FROM_CONTAINER:
		return IFINDEX_A;
	case TO_CONTAINER:
		return IFINDEX_B;
	case FROM_HOST:
		return IFINDEX_HOST;
	default:
		return IFINDEX_NODE;
	}
}

static bool is_ingress(enum test_program program)
{
	return program != FROM_CONTAINER && program != TO_NETDEV;
}

static bool is_silent(__u32 reason)
{
	return reason == DROP_IGMP_HANDLED || reason == DROP_MULTICAST_HANDLED;
}

/* All packets that the programs of endpoints counted. */
static __u64 n_counted(void)
{
	__u32 reason;

	return harness_metric(&harness, METRIC_REASON_FORWARDED, METRIC_DIR_INGRESS) +
	       harness_metric(&harness, METRIC_REASON_FORWARDED, METRIC_DIR_EGRESS) +
	       harness_n_drops(&harness, &reason);
}

/* The counters know the place that the event names. */
static void check_site(const struct event *event)
{
	const struct drop_site site = {
		.reason = event->subtype,
		.dir = event->direction,
		.line = event->line,
		.file = event->file,
	};

	assert_true(harness_n_drops_at(&harness, &site) > 0);
}

static void check_drop(const struct step *step, __u64 n_before)
{
	struct event event;
	enum metric_dir dir = is_ingress(step->program) ? METRIC_DIR_INGRESS : METRIC_DIR_EGRESS;

	assert_int_equal(harness_metric(&harness, step->drop, dir), n_before + 1);
	if (is_silent(step->drop) || step->no_event) {
		assert_false(harness_take_event(&harness, &event));
		return;
	}
	assert_true(harness_take_event(&harness, &event));
	assert_int_equal(event.type, EVENT_DROP);
	assert_int_equal(event.subtype, step->drop);
	assert_int_equal(event.direction, dir);
	assert_int_not_equal(event.line, 0);
	assert_int_not_equal(event.file, 0);
	check_site(&event);
	assert_false(harness_take_event(&harness, &event));
}

static void check_frame(const struct step *step, const struct frame *in, const struct run *run)
{
	struct frame expected = *in;

	if (step->n_out < 0)
		return;
	if (step->out.src || step->out.raw)
		frame_build(&expected, &step->out);
	assert_int_equal(run->out.n_bytes, expected.n_bytes);
	assert_memory_equal(run->out.data, expected.data, expected.n_bytes);
}

static void check_trace(const struct step *step)
{
	struct event event;

	if (step->no_event)
		assert_false(harness_take_event(&harness, &event));
	if (!step->state && !step->point)
		return;
	assert_true(harness_take_event(&harness, &event));
	assert_int_equal(event.type, EVENT_TRACE);
	if (step->state)
		assert_int_equal(event.ct_state, step->state - 1);
	if (step->point)
		assert_int_equal(event.subtype, step->point - 1);
	assert_false(harness_take_event(&harness, &event));
}

static void check_ct(const struct step *step)
{
	struct ct_key key;
	struct ct_entry entry;
	__u32 ticks;

	if (!step->ct_ticks)
		return;
	assert_true(harness_get_ct(&harness, &step->in, &key, &entry));
	ticks = entry.expires - entry.last_report;
	/* The case may take longer than a tick, not longer than a few. */
	assert_in_range(ticks, step->ct_ticks, step->ct_ticks + 5);
	assert_int_equal(entry.flags & ~CT_F_INITIATOR_1, step->ct_flags);
}

struct run step_run(const struct step *step)
{
	__u32 ifindex = step->ifindex ? step->ifindex : usual_ifindex(step->program);
	enum metric_dir dir = is_ingress(step->program) ? METRIC_DIR_INGRESS : METRIC_DIR_EGRESS;
	__u64 n_before = n_counted(), n_drops = harness_metric(&harness, step->drop, dir);
	struct event event;
	struct frame in;
	struct run run;

	while (harness_take_event(&harness, &event))
		;
	frame_build(&in, &step->in);
	run = harness_run(&harness, step->program, &in, ifindex, step->mark, step->gso_size);
	if (step->drop) {
		assert_int_equal(run.verdict, TC_ACT_SHOT);
		check_drop(step, n_drops);
	} else {
		assert_int_equal(run.verdict, step->verdict ? step->verdict : TC_ACT_UNSPEC);
		check_frame(step, &in, &run);
		check_trace(step);
		check_ct(step);
	}
	/* Exactly one counter for every packet that an endpoint sends. */
	if (step->program == FROM_CONTAINER)
		assert_int_equal(n_counted(), n_before + 1);
	if (step->check)
		step->check(&harness, &run);
	return run;
}

static void run_case(void **state)
{
	const struct test_case *test = *state;

	load(test->configure);
	harness_reset(&harness);
	report_all();
	if (test->set_up)
		test->set_up(&harness);
	for (int i = 0; i < STEPS_MAX; i++) {
		const struct step *step = &test->steps[i];

		if (!step->in.src && !step->in.raw)
			break;
		/* What cmocka prints of a failure does not say which step it was. */
		if (getenv("BPF_TEST_STEPS"))
			fprintf(stderr, "%s: step %d\n", test->name, i);
		step_run(step);
	}
}

static void run_scenario(void **state)
{
	const struct scenario *scenario = *state;

	load(scenario->configure);
	harness_reset(&harness);
	scenario->run(&harness);
}

static size_t add_scenarios(struct CMUnitTest *tests)
{
	static const struct scenario_group *const groups[] = {
		&policy_scenarios,        &policy_live_scenarios,
		&policy_event_scenarios,  &policy_host_scenarios,
		&explain_scenarios,       &reject_scenarios,
		&dsr_scenarios,           &service_scenarios,
		&service_error_scenarios, &service_choice_scenarios,
		&service_keep_scenarios,  &xdp_scenarios,
		&service_told_scenarios,  &xdp_alike_scenarios,
	};
	size_t n_tests = 0;

	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		for (size_t j = 0; j < groups[i]->n_scenarios; j++)
			tests[n_tests++] = (struct CMUnitTest){
				.name = groups[i]->scenarios[j].name,
				.test_func = run_scenario,
				.initial_state = (void *)&groups[i]->scenarios[j],
			};
	return n_tests;
}

static void run_events(void **state)
{
	load(NULL);
	events_run(&harness);
}

static void run_fuzz(void **state)
{
	load(NULL);
	fuzz_run(&harness);
}

static void run_fuzz_services(void **state)
{
	load(NULL);
	fuzz_run_services(&harness);
}

static void run_nat_fill(void **state)
{
	load(NULL);
	nat_fill_run(&harness);
}

int main(void)
{
	const struct case_group *const groups[] =
		{
			&pod_cases,       &malformed_cases,  &conntrack_cases,
			&neighbour_cases, &fragment_cases,   &host_cases,
			&netdev_cases,    &nat_change_cases, /* before those whose sockets stay */
			&nat_cases,       &nat_error_cases,  &queued_cases,
			&options_cases,
		};
	struct CMUnitTest tests[512] = {};
	size_t n_tests = 0;

	if (geteuid() != 0) {
		fprintf(stderr, "needs root\n");
		return TEST_SKIPPED;
	}
	harness_init();
	/* One of them, by its name; * and ? match. */
	if (getenv("BPF_TEST_FILTER"))
		cmocka_set_test_filter(getenv("BPF_TEST_FILTER"));
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		for (size_t j = 0; j < groups[i]->n_cases; j++) {
			assert_true(n_tests < 500);
			tests[n_tests++] = (struct CMUnitTest){
				.name = groups[i]->cases[j].name,
				.test_func = run_case,
				.initial_state = (void *)&groups[i]->cases[j],
			};
		}
	}
	n_tests += add_scenarios(tests + n_tests);
	tests[n_tests++] =
		(struct CMUnitTest){.name = "which packets are reported", .test_func = run_events};
	tests[n_tests++] = (struct CMUnitTest){.name = "random frames", .test_func = run_fuzz};
	tests[n_tests++] = (struct CMUnitTest){.name = "random frames to services",
					       .test_func = run_fuzz_services};
	tests[n_tests++] = (struct CMUnitTest){.name = "masquerade ports fill 99 % of their range",
					       .test_func = run_nat_fill};
	return _cmocka_run_group_tests("bpf", tests, n_tests, NULL, NULL);
}
