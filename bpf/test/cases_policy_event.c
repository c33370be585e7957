/* SPDX-License-Identifier: Apache-2.0 */
/* Which judgements are reported, and what the reports say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bpf/test/cases.h"
#include "bpf/test/policy_world.h"

#define PORT 443
#define OPEN (POLICY_F_OPEN_INGRESS | POLICY_F_OPEN_EGRESS)

static const struct policy_leaf allow_a = {
	.rule = 41, .verdict = POLICY_VERDICT_ALLOW, .match = POLICY_MATCH_L3_ONLY};
static const struct policy_leaf allow_b = {
	.rule = 42, .verdict = POLICY_VERDICT_ALLOW, .match = POLICY_MATCH_L4_ONLY};
static const struct policy_leaf proxy = {
	.rule = 43, .verdict = POLICY_VERDICT_NEEDS_PROXY, .match = POLICY_MATCH_L3_L4};

static void check_verdict(const struct event *event, enum event_action action,
			  const struct policy_leaf *leaf, __u32 endpoint)
{
	bool ingress = endpoint == ENDPOINT_B;

	assert_int_equal(event->type, EVENT_POLICY_VERDICT);
	assert_int_equal(event->subtype, action);
	assert_int_equal(event->direction, ingress ? METRIC_DIR_INGRESS : METRIC_DIR_EGRESS);
	assert_int_equal(event->rule, leaf->rule);
	assert_int_equal(event->match, leaf->match);
	assert_int_equal(event->rule_set, ingress ? 8 : 7);
	assert_int_equal(event->policy_endpoint, endpoint);
	assert_int_equal(event->drop_reason,
			 action == EVENT_ACTION_ALLOW ? 0 : policy_reason_of(leaf->verdict));
	assert_int_equal(event->src_endpoint, ENDPOINT_A);
	assert_int_equal(event->dst_endpoint, ENDPOINT_B);
	assert_int_equal(event->src_identity, IDENTITY_A);
	assert_int_equal(event->dst_identity, IDENTITY_B);
	assert_int_equal(event->ct_state, EVENT_CT_NEW);
	assert_true(event->cap_len > 0);
}

static void put_rules(struct harness *harness, struct policy_leaf of_b, __u32 flags_b)
{
	harness_put_policy(harness, ENDPOINT_A, 7, 0);
	harness_put_policy(harness, ENDPOINT_B, 8, flags_b);
	policy_put_all(harness, 7, POLICY_EGRESS, IDENTITY_B, allow_a);
	policy_put_all(harness, 8, POLICY_INGRESS, IDENTITY_A, of_b);
}

static struct policy_outcome send_first(struct harness *harness, bool ipv6)
{
	const struct policy_sent sent = policy_first(SCENE_A_TO_B, KIND_TCP, ipv6, PORT);

	return policy_send(harness, &sent);
}

/* New connections: one verdict for each end. Packets of a known one: none. */
static void allowed(struct harness *harness)
{
	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		struct policy_outcome outcome;

		put_rules(harness, allow_b, 0);
		policy_set_verdict_events(harness, VERDICT_EVENTS_ON);
		outcome = send_first(harness, ipv6);
		assert_false(outcome.dropped);
		assert_int_equal(outcome.n_events, 2);
		check_verdict(&outcome.events[0], EVENT_ACTION_ALLOW, &allow_a, ENDPOINT_A);
		check_verdict(&outcome.events[1], EVENT_ACTION_ALLOW, &allow_b, ENDPOINT_B);
		assert_int_equal(outcome.events[0].flags & EVENT_F_IPV6, ipv6 ? EVENT_F_IPV6 : 0);
		assert_int_equal(send_first(harness, ipv6).n_events, 0);
		/* Judged again, and allowed again: no news. */
		harness_put_policy(harness, ENDPOINT_A, 9, OPEN);
		assert_int_equal(send_first(harness, ipv6).n_events, 0);
	}
}

static void refused(struct harness *harness)
{
	struct policy_outcome outcome;

	put_rules(harness, proxy, 0);
	policy_set_verdict_events(harness, VERDICT_EVENTS_ON);
	outcome = send_first(harness, false);
	assert_true(outcome.dropped);
	assert_int_equal(outcome.n_events, 3);
	check_verdict(&outcome.events[0], EVENT_ACTION_ALLOW, &allow_a, ENDPOINT_A);
	check_verdict(&outcome.events[1], EVENT_ACTION_DENY, &proxy, ENDPOINT_B);
	assert_int_equal(outcome.events[2].type, EVENT_DROP);
	assert_int_equal(outcome.events[2].line, outcome.events[1].line);
	assert_int_equal(outcome.events[2].rule, proxy.rule);
}

/* Audit: reported, and let go; not where there are no rules to audit. */
static void audited(struct harness *harness)
{
	struct policy_outcome outcome;

	put_rules(harness, proxy, POLICY_F_AUDIT);
	policy_set_verdict_events(harness, VERDICT_EVENTS_ON);
	outcome = send_first(harness, false);
	assert_false(outcome.dropped);
	assert_int_equal(outcome.n_events, 2);
	check_verdict(&outcome.events[1], EVENT_ACTION_AUDIT, &proxy, ENDPOINT_B);
	assert_int_equal(send_first(harness, false).n_events, 0);
	assert_int_equal(
		harness_metric(harness, policy_reason_of(proxy.verdict), METRIC_DIR_INGRESS), 0);
	/* What it allows is no finding. */
	put_rules(harness, allow_b, POLICY_F_AUDIT);
	outcome = send_first(harness, true);
	assert_int_equal(outcome.n_events, 2);
	check_verdict(&outcome.events[1], EVENT_ACTION_ALLOW, &allow_b, ENDPOINT_B);
}

static void open_endpoint(struct harness *harness)
{
	const struct policy_leaf any = {.rule = POLICY_RULE_ALLOW_ANY, .match = POLICY_MATCH_ALL};
	struct policy_outcome outcome;

	put_rules(harness, allow_b, POLICY_F_OPEN_INGRESS);
	policy_set_verdict_events(harness, VERDICT_EVENTS_ON);
	outcome = send_first(harness, false);
	assert_int_equal(outcome.n_events, 2);
	check_verdict(&outcome.events[1], EVENT_ACTION_ALLOW, &any, ENDPOINT_B);
}

static void set_flags(struct harness *harness, const char *text, __u16 flags)
{
	int fd = bpf_map__fd(harness->skel->maps.cilium_lxc);
	struct endpoint_key key = {harness_addr(text)};
	struct endpoint_info info;

	bpf_map_lookup_elem(fd, &key, &info);
	info.flags = flags;
	bpf_map_update_elem(fd, &key, &info, BPF_ANY);
}

/* Who listens, and what an endpoint says for itself. */
static void wanted(struct harness *harness)
{
	static const struct {
		enum verdict_events events;
		__u16 flags_b;
		unsigned int n_verdicts; /* with that of a, which says nothing */
	} rows[] = {
		{VERDICT_EVENTS_OFF, 0, 0},
		{VERDICT_EVENTS_OFF, ENDPOINT_F_VERDICTS, 0},
		{VERDICT_EVENTS_ON, 0, 2},
		{VERDICT_EVENTS_ON, ENDPOINT_F_NO_VERDICTS, 1},
		{VERDICT_EVENTS_ASKED, 0, 0},
		{VERDICT_EVENTS_ASKED, ENDPOINT_F_VERDICTS, 1},
		{VERDICT_EVENTS_ASKED, ENDPOINT_F_NO_VERDICTS, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		harness_reset(harness);
		put_rules(harness, allow_b, 0);
		set_flags(harness, B4, rows[i].flags_b);
		policy_set_verdict_events(harness, rows[i].events);
		assert_int_equal(send_first(harness, false).n_events, rows[i].n_verdicts);
	}
}

/* A drop is reported as the endpoint wants it whose rules refused, wherever the packet was. */
static void drops_of_the_judge(struct harness *harness)
{
	put_rules(harness, proxy, 0);
	set_flags(harness, B4, ENDPOINT_F_NO_DROP_EVENTS);
	assert_int_equal(send_first(harness, false).n_events, 0);
	set_flags(harness, B4, 0);
	set_flags(harness, A4, ENDPOINT_F_NO_DROP_EVENTS);
	assert_int_equal(send_first(harness, false).n_events, 1);
}

/* A packet that is dropped for something else carries no rule, though it was judged. */
static void other_drops(struct harness *harness)
{
	struct policy_sent sent = policy_first(SCENE_A_TO_WORLD, KIND_UDP, false, PORT);
	struct policy_outcome outcome;

	sent.spec.dst = "10.0.0.99";
	harness_put_policy(harness, ENDPOINT_A, 7, OPEN);
	outcome = policy_send(harness, &sent);
	assert_true(outcome.dropped);
	assert_int_equal(outcome.events[0].subtype, DROP_STALE_OR_UNROUTABLE_IP);
	assert_int_equal(outcome.events[0].rule, 0);
	assert_int_equal(outcome.events[0].rule_set, 0);
	assert_int_equal(outcome.events[0].policy_endpoint, 0);
}

/* Programs that a packet passes one after the other judge it once. */
static void legacy_routing(struct node_config *config)
{
	config->enable_host_legacy_routing = 1;
}

static void endpoint_routes(struct node_config *config)
{
	config->enable_endpoint_routes = 1;
}

static void judged_once(struct harness *harness)
{
	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		struct policy_sent sent = policy_first(SCENE_A_TO_B, KIND_TCP, ipv6, PORT);

		put_rules(harness, allow_b, 0);
		policy_set_verdict_events(harness, VERDICT_EVENTS_ON);
		assert_int_equal(policy_send(harness, &sent).n_events, 2);
		sent.program = TO_CONTAINER;
		sent.ifindex = IFINDEX_B;
		assert_int_equal(policy_send(harness, &sent).n_events, 0);
	}
}

/* What comes from outside goes by the stack: cil_to_container judges, and nobody before. */
static void judged_at_the_end(struct harness *harness)
{
	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		struct policy_sent sent = policy_first(SCENE_WORLD_TO_B, KIND_TCP, ipv6, PORT);
		struct policy_sent host = policy_first(SCENE_HOST_TO_B, KIND_TCP, ipv6, PORT);

		policy_set_verdict_events(harness, VERDICT_EVENTS_ON);
		harness_put_policy(harness, ENDPOINT_B, 8, 0);
		if (harness->config.enable_host_legacy_routing) {
			assert_false(policy_send(harness, &sent).dropped);
			assert_false(policy_send(harness, &host).dropped);
		}
		sent.program = host.program = TO_CONTAINER;
		sent.ifindex = host.ifindex = IFINDEX_B;
		assert_true(policy_send(harness, &sent).dropped);
		assert_true(policy_send(harness, &host).dropped);
		assert_int_equal(harness_metric(harness, DROP_POLICY_DENIED, METRIC_DIR_INGRESS),
				 2 * (ipv6 + 1));
	}
}

/* The stack gave it another destination on the way out: a connection that nobody has seen. */
static void changed_by_the_stack(struct harness *harness)
{
	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		struct policy_sent sent = policy_first(SCENE_A_TO_WORLD, KIND_TCP, ipv6, PORT);
		__u32 world = ipv6 ? IDENTITY_WORLD6 : IDENTITY_WORLD4;

		sent.program = TO_NETDEV;
		sent.ifindex = IFINDEX_NODE;
		harness_put_policy(harness, ENDPOINT_A, 7, 0);
		assert_true(policy_send(harness, &sent).dropped);
		policy_put_all(harness, 7, POLICY_EGRESS, world, allow_a);
		assert_false(policy_send(harness, &sent).dropped);
		/* Nobody but this program sees it: it judges again. */
		sent.spec.tcp_flags = TCP_ACK;
		harness_put_policy(harness, ENDPOINT_A, 9, 0);
		assert_true(policy_send(harness, &sent).dropped);
		policy_put_all(harness, 9, POLICY_EGRESS, world, allow_a);
		assert_false(policy_send(harness, &sent).dropped);
	}
}

static const struct scenario scenarios[] = {
	{"verdicts: allowed", NULL, allowed},
	{"verdicts: refused", NULL, refused},
	{"verdicts: audited", NULL, audited},
	{"verdicts: nothing is enforced", NULL, open_endpoint},
	{"verdicts: who wants them", NULL, wanted},
	{"verdicts: drops are the judge's", NULL, drops_of_the_judge},
	{"verdicts: other drops have no rule", NULL, other_drops},
	{"verdicts: once, legacy routing", legacy_routing, judged_once},
	{"verdicts: once, endpoint routes", endpoint_routes, judged_once},
	{"verdicts: at the end, legacy routing", legacy_routing, judged_at_the_end},
	{"verdicts: at the end, endpoint routes", endpoint_routes, judged_at_the_end},
	{"verdicts: another destination by the stack", NULL, changed_by_the_stack},
};

const struct scenario_group policy_event_scenarios = SCENARIOS(scenarios);
