/* SPDX-License-Identifier: Apache-2.0 */
/* What the first packet of a connection meets: each verdict, direction, family and protocol. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bpf/test/cases.h"
#include "bpf/test/policy_world.h"

#define VERSION 7
#define RULE    42
#define PORT    443
#define ANY     (POLICY_F_OPEN_INGRESS | POLICY_F_OPEN_EGRESS)

static const enum policy_scene pod_scenes[] = {SCENE_A_TO_B, SCENE_A_TO_WORLD, SCENE_WORLD_TO_B,
					       SCENE_A_TO_HOST, SCENE_HOST_TO_B};

/* One question of the matrix. */
struct question {
	enum policy_scene scene;
	enum policy_direction direction;
	enum policy_kind kind;
	bool ipv6;
};

static __u16 port_of(const struct question *question)
{
	if (question->kind != KIND_ICMP)
		return PORT;
	return question->ipv6 ? 128 : 8;
}

static struct policy_sent first_of(const struct question *question)
{
	return policy_first(question->scene, question->kind, question->ipv6, port_of(question));
}

static bool has_connection(struct harness *harness, const struct policy_sent *sent)
{
	struct ct_key key;
	struct ct_entry entry;

	return harness_get_ct(harness, &sent->spec, &key, &entry);
}

/* Calls back for each question that rules of a pod answer. */
static void foreach_question(struct harness *harness,
			     void (*ask)(struct harness *harness, const struct question *question))
{
	struct question q;

	for (size_t i = 0; i < sizeof(pod_scenes) / sizeof(pod_scenes[0]); i++) {
		q.scene = pod_scenes[i];
		for (int bits = 0; bits < 4 * KIND__MAX; bits++) {
			q.direction = bits & 1;
			q.ipv6 = bits & 2;
			q.kind = bits >> 2;
			if (policy_subject(q.scene, q.direction) <= 0)
				continue;
			if (getenv("BPF_TEST_STEPS"))
				fprintf(stderr, "scene %d direction %d ipv6 %d kind %d\n", q.scene,
					q.direction, q.ipv6, q.kind);
			harness_reset(harness);
			ask(harness, &q);
		}
	}
}

/* Of the subject of the question; the other direction stays open. */
static void put_version(struct harness *harness, const struct question *question, __u32 version,
			__u32 flags)
{
	flags |= question->direction == POLICY_INGRESS ? POLICY_F_OPEN_EGRESS
						       : POLICY_F_OPEN_INGRESS;
	harness_put_policy(harness, policy_subject(question->scene, question->direction), version,
			   flags);
}

static enum metric_dir dir_of(const struct question *question)
{
	return question->direction == POLICY_INGRESS ? METRIC_DIR_INGRESS : METRIC_DIR_EGRESS;
}

static void check_drop_event(const struct question *question, const struct policy_outcome *outcome,
			     __u32 reason, const struct policy_leaf *leaf)
{
	const struct event *event = &outcome->events[0];

	assert_int_equal(outcome->n_events, 1);
	assert_int_equal(event->type, EVENT_DROP);
	assert_int_equal(event->subtype, reason);
	assert_int_equal(event->direction, dir_of(question));
	assert_int_equal(event->file, SOURCE_POLICY);
	assert_int_equal(event->rule, leaf->rule);
	assert_int_equal(event->match, leaf->match);
	assert_int_equal(event->rule_set, VERSION);
	assert_int_equal(event->policy_endpoint,
			 policy_subject(question->scene, question->direction));
	assert_int_equal(event->drop_reason, 0);
}

/* The packet is dropped for it, and opens nothing. */
static void expect_drop(struct harness *harness, const struct question *question, __u32 reason,
			struct policy_leaf leaf)
{
	const struct policy_sent sent = first_of(question);
	__u64 n_before = harness_metric(harness, reason, dir_of(question));
	struct policy_outcome outcome = policy_send(harness, &sent);

	assert_true(outcome.dropped);
	assert_false(has_connection(harness, &sent));
	assert_int_equal(harness_metric(harness, reason, dir_of(question)), n_before + 1);
	check_drop_event(question, &outcome, reason, &leaf);
}

static void check_entry(struct harness *harness, const struct question *question,
			const struct policy_sent *sent)
{
	bool is_subject_opener = question->direction == POLICY_EGRESS;
	int other = policy_subject(question->scene, !question->direction);
	struct ct_entry entry;
	struct ct_key key;
	int opener;

	assert_true(harness_get_ct(harness, &sent->spec, &key, &entry));
	opener = entry.flags & CT_F_INITIATOR_1 ? 1 : 0;
	assert_int_equal(entry.policy_version[is_subject_opener ? opener : !opener], VERSION);
	assert_int_equal(entry.policy_version[is_subject_opener ? !opener : opener],
			 other > 0 ? VERSION_OPEN : 0);
	assert_int_equal(entry.identity[!opener],
			 policy_peer_identity(question->scene, POLICY_EGRESS, question->ipv6));
	assert_int_equal(entry.identity[opener],
			 policy_peer_identity(question->scene, POLICY_INGRESS, question->ipv6));
}

/* The packet goes on, its answer too, and the connection remembers by what. */
static void expect_allowed(struct harness *harness, const struct question *question)
{
	const struct policy_sent sent = first_of(question);
	const struct policy_sent answer = policy_answer(question->scene, &sent);

	assert_false(policy_send(harness, &sent).dropped);
	check_entry(harness, question, &sent);
	assert_false(policy_send(harness, &answer).dropped);
	assert_false(policy_send(harness, &sent).dropped);
}

static void ask_verdicts(struct harness *harness, const struct question *question)
{
	__u32 peer = policy_peer_identity(question->scene, question->direction, question->ipv6);

	put_version(harness, question, VERSION, 0);
	for (__u8 verdict = 0; verdict < POLICY_VERDICT__MAX; verdict++) {
		const struct policy_leaf leaf = {
			.rule = RULE, .verdict = verdict, .match = POLICY_MATCH_L3_ONLY};

		policy_put_all(harness, VERSION, question->direction, peer, leaf);
		if (verdict != POLICY_VERDICT_ALLOW)
			expect_drop(harness, question, policy_reason_of(verdict), leaf);
	}
	policy_put_all(harness, VERSION, question->direction, peer,
		       (struct policy_leaf){.rule = RULE, .verdict = POLICY_VERDICT_ALLOW});
	expect_allowed(harness, question);
}

static void verdicts(struct harness *harness)
{
	foreach_question(harness, ask_verdicts);
}

static const struct policy_leaf allow = {
	.rule = RULE, .verdict = POLICY_VERDICT_ALLOW, .match = POLICY_MATCH_ALL};
static const struct policy_leaf deny = {
	.rule = RULE + 1, .verdict = POLICY_VERDICT_DENY, .match = POLICY_MATCH_L3_L4};
static const struct policy_leaf none;

/* Whoever has no entry of its own is judged as the others, but where entries are missing. */
static void ask_others(struct harness *harness, const struct question *question)
{
	__u32 peer = policy_peer_identity(question->scene, question->direction, question->ipv6);

	put_version(harness, question, VERSION, 0);
	/* Neither it nor the others; another version, direction, identity. */
	policy_put_all(harness, VERSION + 1, question->direction, peer, allow);
	policy_put_all(harness, VERSION, !question->direction, peer, allow);
	policy_put_all(harness, VERSION, question->direction, peer + 1, allow);
	expect_drop(harness, question, DROP_POLICY_DENIED, none);
	policy_put_all(harness, VERSION, question->direction, POLICY_IDENTITY_OTHERS, deny);
	expect_drop(harness, question, DROP_POLICY_DENY, deny);
	policy_put_all(harness, VERSION, question->direction, POLICY_IDENTITY_OTHERS, allow);
	put_version(harness, question, VERSION, POLICY_F_INCOMPLETE);
	expect_drop(harness, question, DROP_POLICY_DENIED, none);
	policy_put_all(harness, VERSION, question->direction, peer, allow);
	expect_allowed(harness, question);
}

static void ask_others_allow(struct harness *harness, const struct question *question)
{
	put_version(harness, question, VERSION, 0);
	policy_put_all(harness, VERSION, question->direction, POLICY_IDENTITY_OTHERS, allow);
	expect_allowed(harness, question);
	/* An entry of its own comes first. */
	harness_reset(harness);
	put_version(harness, question, VERSION, 0);
	policy_put_all(harness, VERSION, question->direction, POLICY_IDENTITY_OTHERS, allow);
	policy_put_all(harness, VERSION, question->direction,
		       policy_peer_identity(question->scene, question->direction, question->ipv6),
		       deny);
	expect_drop(harness, question, DROP_POLICY_DENY, deny);
}

static void others(struct harness *harness)
{
	foreach_question(harness, ask_others);
	foreach_question(harness, ask_others_allow);
}

/* No rule set yet. */
static void ask_no_version(struct harness *harness, const struct question *question)
{
	const struct policy_sent sent = first_of(question);
	int subject = policy_subject(question->scene, question->direction);
	__u32 flags[] = {0, ANY, POLICY_F_AUDIT};

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		struct policy_outcome outcome;

		harness_put_policy(harness, subject, 0, flags[i]);
		outcome = policy_send(harness, &sent);
		assert_true(outcome.dropped);
		assert_int_equal(outcome.n_events, 1);
		assert_int_equal(outcome.events[0].subtype, DROP_EP_NOT_READY);
		assert_int_equal(outcome.events[0].direction, dir_of(question));
		assert_int_equal(outcome.events[0].rule_set, 0);
		assert_int_equal(outcome.events[0].policy_endpoint, subject);
		assert_false(has_connection(harness, &sent));
	}
}

static void no_version(struct harness *harness)
{
	foreach_question(harness, ask_no_version);
}

/* A class with an entry of each prefix length around PORT: as long as the bits agree decides. */
#define CLASS 9

static void put_nested(struct harness *harness, __u8 protocol, __u16 port)
{
	for (unsigned int len = 0; len <= POLICY_PORT_BITS; len++) {
		const struct policy_leaf leaf = {.rule = 100 + len,
						 .verdict = len % 2 ? POLICY_VERDICT_ALLOW
								    : POLICY_VERDICT_DENY,
						 .match = POLICY_MATCH_L3_L4};

		policy_put_leaf(harness, CLASS, protocol, len, port & 0xffff0000U >> len, leaf);
	}
}

static void expect_rule(struct harness *harness, const struct question *question, __u16 port,
			__u32 rule, bool is_allowed)
{
	const struct policy_sent sent =
		policy_first(question->scene, question->kind, question->ipv6, port);
	struct policy_outcome outcome;

	outcome = policy_send(harness, &sent);
	assert_int_equal(outcome.dropped, !is_allowed);
	/* A verdict, and of a denial the drop; the open end beside it has its own. */
	for (unsigned int i = 0; i < outcome.n_events; i++)
		if (outcome.events[i].rule_set == VERSION) {
			assert_int_equal(outcome.events[i].rule, rule);
			return;
		}
	fail_msg("no event for port %u", port);
}

/* The longest that matches decides: one bit of the port after the other is another. */
static void ask_nested(struct harness *harness, const struct question *question)
{
	__u32 peer = policy_peer_identity(question->scene, question->direction, question->ipv6);
	const __u16 port = 0x5a3c;

	if (question->kind == KIND_ICMP)
		return;
	policy_set_verdict_events(harness, VERDICT_EVENTS_ON);
	put_version(harness, question, VERSION, 0);
	put_nested(harness, policy_protocol(question->kind, question->ipv6), port);
	policy_put_peer(harness, VERSION, question->direction, peer,
			&(struct policy_peer){.class = CLASS, .prefix_lens = 0x1ffff});
	expect_rule(harness, question, port, 100 + POLICY_PORT_BITS, false);
	for (int len = 0; len < POLICY_PORT_BITS; len++)
		expect_rule(harness, question, port ^ 1 << (15 - len), 100 + len, len % 2);
}

/* One length alone: the ends of what it covers, and their neighbours. */
static void ask_length(struct harness *harness, const struct question *question, int len)
{
	const __u32 first = 0x5a3c & 0xffff0000U >> len & 0xffff, last = first | 0xffff >> len;
	__u32 peer = policy_peer_identity(question->scene, question->direction, question->ipv6);

	policy_set_verdict_events(harness, VERDICT_EVENTS_ON);
	put_version(harness, question, VERSION, 0);
	put_nested(harness, policy_protocol(question->kind, question->ipv6), 0x5a3c);
	policy_put_peer(harness, VERSION, question->direction, peer,
			&(struct policy_peer){.class = CLASS,
					      .prefix_lens = 1 << len,
					      .otherwise = {.rule = RULE}});
	expect_rule(harness, question, first, 100 + len, len % 2);
	if (last != first)
		expect_rule(harness, question, last, 100 + len, len % 2);
	if (first > 0)
		expect_rule(harness, question, first - 1, RULE, false);
	if (last < 0xffff)
		expect_rule(harness, question, last + 1, RULE, false);
}

static void ask_lengths(struct harness *harness, const struct question *question)
{
	if (question->kind != KIND_TCP)
		return;
	for (int len = 0; len <= POLICY_PORT_BITS; len++) {
		harness_reset(harness);
		ask_length(harness, question, len);
	}
}

static void port_prefixes(struct harness *harness)
{
	foreach_question(harness, ask_nested);
	foreach_question(harness, ask_lengths);
}

/* An entry is of its protocol alone; of ICMP the type stands in place of the port. */
static void ask_protocol(struct harness *harness, const struct question *question)
{
	__u32 peer = policy_peer_identity(question->scene, question->direction, question->ipv6);
	__u8 protocol = policy_protocol(question->kind, question->ipv6);
	__u16 port = port_of(question);

	policy_set_verdict_events(harness, VERDICT_EVENTS_ON);
	put_version(harness, question, VERSION, 0);
	for (__u32 other = 0; other < 256; other++)
		if (other != protocol) {
			policy_put_leaf(harness, CLASS, other, 0, 0, allow);
			policy_put_leaf(harness, CLASS, other, 16, port, allow);
		}
	/* Another class, or another type. */
	policy_put_leaf(harness, CLASS + 1, protocol, 16, port, allow);
	policy_put_leaf(harness, CLASS, protocol, 16, port + 1, allow);
	policy_put_peer(harness, VERSION, question->direction, peer,
			&(struct policy_peer){.class = CLASS,
					      .prefix_lens = 1 << 16 | 1,
					      .otherwise = {.rule = 5}});
	expect_rule(harness, question, port, 5, false);
	policy_put_leaf(harness, CLASS, protocol, 0, 0, deny);
	expect_rule(harness, question, port, deny.rule, false);
	policy_put_leaf(harness, CLASS, protocol, 16, port, allow);
	expect_rule(harness, question, port, allow.rule, true);
	expect_rule(harness, question, port ^ 64, deny.rule, false);
	/* A head without a class has no entries. */
	policy_put_peer(harness, VERSION, question->direction, peer,
			&(struct policy_peer){.prefix_lens = 0x1ffff, .otherwise = {.rule = 6}});
	policy_put_leaf(harness, 0, protocol, 16, port ^ 32, allow);
	expect_rule(harness, question, port ^ 32, 6, false);
}

static void protocols(struct harness *harness)
{
	foreach_question(harness, ask_protocol);
}

/* Both ends are endpoints of this node: both have to allow it, who opens is asked first. */
static void both_ends(struct harness *harness)
{
	for (int bits = 0; bits < 4; bits++) {
		const struct policy_sent sent =
			policy_first(SCENE_A_TO_B, KIND_TCP, bits & 1, PORT);
		bool is_out_allowed = bits & 2;
		struct policy_outcome outcome;

		harness_reset(harness);
		policy_set_verdict_events(harness, VERDICT_EVENTS_ON);
		harness_put_policy(harness, ENDPOINT_A, VERSION, 0);
		harness_put_policy(harness, ENDPOINT_B, VERSION + 1, 0);
		policy_put_all(harness, VERSION, POLICY_EGRESS, IDENTITY_B,
			       is_out_allowed ? allow : deny);
		policy_put_all(harness, VERSION + 1, POLICY_INGRESS, IDENTITY_A,
			       is_out_allowed ? deny : allow);
		outcome = policy_send(harness, &sent);
		assert_true(outcome.dropped);
		assert_false(has_connection(harness, &sent));
		assert_int_equal(outcome.n_events, is_out_allowed ? 3 : 2);
		assert_int_equal(harness_metric(harness, DROP_POLICY_DENY, METRIC_DIR_INGRESS),
				 is_out_allowed);
		assert_int_equal(harness_metric(harness, DROP_POLICY_DENY, METRIC_DIR_EGRESS),
				 !is_out_allowed);
	}
}

/* An endpoint may always talk to itself. */
static void oneself(struct harness *harness)
{
	struct policy_sent sent = policy_first(SCENE_A_TO_B, KIND_TCP, false, PORT);

	sent.spec.dst = A4;
	harness_put_policy(harness, ENDPOINT_A, VERSION, 0);
	assert_false(policy_send(harness, &sent).dropped);
	sent.spec.dst = B4;
	assert_true(policy_send(harness, &sent).dropped);
}

static const struct scenario scenarios[] = {
	{"policy: verdicts", NULL, verdicts},
	{"policy: peers without an entry", NULL, others},
	{"policy: no rule set yet", NULL, no_version},
	{"policy: port prefixes", NULL, port_prefixes},
	{"policy: protocols and types", NULL, protocols},
	{"policy: two endpoints, of which one refuses", NULL, both_ends},
	{"policy: an endpoint with itself", NULL, oneself},
};

const struct scenario_group policy_scenarios = SCENARIOS(scenarios);
