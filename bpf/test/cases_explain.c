/* SPDX-License-Identifier: Apache-2.0 */
/* The programs that explain decide as those that are attached, and leave nothing behind. */
#include <arpa/inet.h>
#include <linux/pkt_cls.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bpf/test/cases.h"
#include "bpf/test/policy_world.h"

#define PORT 443

static const struct policy_leaf allow = {
	.rule = 42, .verdict = POLICY_VERDICT_ALLOW, .match = POLICY_MATCH_L3_ONLY};
static const struct policy_leaf deny = {
	.rule = 43, .verdict = POLICY_VERDICT_DENY, .match = POLICY_MATCH_L3_L4};

static void firewall(struct node_config *config)
{
	config->enable_host_firewall = 1;
}

static struct policy_sent explained(const struct policy_sent *sent)
{
	static const enum test_program programs[PROGRAM__MAX] = {
		[FROM_CONTAINER] = EXPLAIN_CONTAINER,
		[FROM_HOST] = EXPLAIN_HOST,
		[FROM_NETDEV] = EXPLAIN_NETDEV,
		[TO_NETDEV] = EXPLAIN_TO_NETDEV,
	};
	struct policy_sent asked = *sent;

	asked.program = programs[sent->program];
	return asked;
}

static unsigned int n_entries(const struct bpf_map *map)
{
	char key[64], next[64];
	unsigned int n = 0;

	for (int err = bpf_map_get_next_key(bpf_map__fd(map), NULL, next); !err;
	     err = bpf_map_get_next_key(bpf_map__fd(map), key, next)) {
		memcpy(key, next, sizeof(key));
		n++;
	}
	return n;
}

/* Of all that a packet may leave. */
struct traces {
	unsigned int n_tcp, n_any, n_translated, n_fragments, n_sites;
	__u64 n_counted;
	struct ct_entry entry;
};

static struct traces look(struct harness *harness, const struct policy_sent *sent)
{
	struct traces traces = {
		.n_tcp = n_entries(harness->skel->maps.cilium_ct_tcp_global),
		.n_any = n_entries(harness->skel->maps.cilium_ct_any_global),
		.n_translated = n_entries(harness->skel->maps.cilium_snat_external),
		.n_fragments = n_entries(harness->skel->maps.cilium_frag_datagrams),
		.n_sites = n_entries(harness->skel->maps.cilium_drop_sites),
	};
	struct ct_key key;

	for (__u32 dir = 0; dir < METRIC_DIR__MAX; dir++)
		traces.n_counted += harness_metric(harness, METRIC_REASON_FORWARDED, dir) +
				    harness_metric(harness, METRIC_REASON_INTERFACE, dir);
	if (!harness_get_ct(harness, &sent->spec, &key, &traces.entry))
		memset(&traces.entry, 0, sizeof(traces.entry));
	return traces;
}

/* Asks, and sees that nothing has changed. */
static struct explain explain(struct harness *harness, const struct policy_sent *sent)
{
	const struct policy_sent asked = explained(sent);
	struct traces before = look(harness, sent), after;
	struct policy_outcome outcome = policy_send(harness, &asked);
	struct explain explain;
	__u32 zero = 0;

	assert_int_equal(outcome.n_events, 0);
	after = look(harness, sent);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(harness->skel->maps.cilium_explain), &zero,
					     &explain),
			 0);
	assert_int_equal(explain.verdict, outcome.run.verdict);
	return explain;
}

/* The same packet for both, the explanation first. */
static struct explain compare(struct harness *harness, const struct policy_sent *sent)
{
	struct explain told = explain(harness, sent);
	struct policy_outcome outcome = policy_send(harness, sent);
	const struct event *event = outcome.events + (outcome.n_events ? outcome.n_events - 1 : 0);
	int expected = outcome.run.verdict == TC_ACT_UNSPEC ? TC_ACT_OK : outcome.run.verdict;

	assert_int_equal(told.verdict, expected);
	if (outcome.dropped) {
		assert_true(outcome.n_events > 0);
		assert_int_equal(told.drop_reason, event->subtype);
		assert_int_equal(told.drop_line, event->line);
		assert_int_equal(told.drop_file, event->file);
		assert_int_equal(told.src_identity, event->src_identity);
		assert_int_equal(told.dst_identity, event->dst_identity);
		assert_int_equal(told.src_endpoint, event->src_endpoint);
		assert_int_equal(told.dst_endpoint, event->dst_endpoint);
	} else {
		assert_int_equal(told.drop_reason, 0);
	}
	return told;
}

static void put(struct harness *harness, enum policy_scene scene, enum policy_direction direction,
		bool ipv6, __u32 version, struct policy_leaf leaf)
{
	policy_put_all(harness, version, direction, policy_peer_identity(scene, direction, ipv6),
		       leaf);
	harness_put_policy(harness, policy_subject(scene, direction), version,
			   direction == POLICY_INGRESS ? POLICY_F_OPEN_EGRESS
						       : POLICY_F_OPEN_INGRESS);
}

static void check_judgement(const struct explain *told, enum policy_scene scene,
			    enum policy_direction direction, bool ipv6, struct policy_leaf leaf)
{
	const struct policy_judgement *judgement = &told->judgements[direction];

	assert_true(told->judged & 1 << direction);
	assert_int_equal(judgement->direction, direction);
	assert_int_equal(judgement->endpoint, policy_subject(scene, direction));
	assert_int_equal(judgement->peer, policy_peer_identity(scene, direction, ipv6));
	assert_int_equal(judgement->entry, POLICY_ENTRY_OWN);
	assert_int_equal(judgement->prefix_len, POLICY_PREFIX_NONE);
	assert_memory_equal(&judgement->leaf, &leaf, sizeof(leaf));
}

/* Each scene, direction, family and protocol, from the first packet to a refused live connection. */
static void ask(struct harness *harness, enum policy_scene scene, enum policy_kind kind,
		enum policy_direction direction, bool ipv6)
{
	__u16 port = kind != KIND_ICMP ? PORT : ipv6 ? 128 : 8;
	const struct policy_sent sent = policy_first(scene, kind, ipv6, port);
	const struct policy_sent answer = policy_answer(scene, &sent);
	struct explain told;

	put(harness, scene, direction, ipv6, 7, deny);
	told = compare(harness, &sent);
	assert_int_equal(told.connection, EXPLAIN_CONNECTION_NEW);
	assert_int_equal(told.drop_reason, DROP_POLICY_DENY);
	check_judgement(&told, scene, direction, ipv6, deny);
	assert_int_equal(told.judgements[direction].rule_set, 7);
	assert_int_equal(told.judgements[direction].protocol, policy_protocol(kind, ipv6));
	assert_int_equal(ntohs(told.judgements[direction].port), port);
	put(harness, scene, direction, ipv6, 8, allow);
	told = compare(harness, &sent);
	assert_int_equal(told.connection, EXPLAIN_CONNECTION_NEW);
	assert_int_equal(told.from_opener, 1);
	told = compare(harness, &answer);
	assert_int_equal(told.connection, EXPLAIN_CONNECTION_FOUND);
	assert_int_equal(told.from_opener, 0);
	check_judgement(&told, scene, direction, ipv6, allow);
	put(harness, scene, direction, ipv6, 9, deny);
	told = compare(harness, &answer);
	assert_int_equal(told.connection, EXPLAIN_CONNECTION_STALE);
	assert_int_equal(told.drop_reason, DROP_POLICY_DENY);
	told = compare(harness, &sent);
	check_judgement(&told, scene, direction, ipv6, deny);
}

static void everything(struct harness *harness)
{
	for (int scene = 0; scene < SCENE__MAX; scene++)
		for (int bits = 0; bits < 4 * KIND__MAX; bits++) {
			enum policy_direction direction = bits & 1;

			if (policy_subject(scene, direction) < 0)
				continue;
			harness_reset(harness);
			ask(harness, scene, bits >> 2, direction, bits & 2);
		}
}

/* Which entry spoke, and which of the class. */
static void entries(struct harness *harness)
{
	const struct policy_sent sent = policy_first(SCENE_A_TO_WORLD, KIND_TCP, false, PORT);
	const struct policy_judgement *egress;
	struct explain told;

	harness_put_policy(harness, ENDPOINT_A, 7, 0);
	told = explain(harness, &sent);
	egress = &told.judgements[POLICY_EGRESS];
	assert_int_equal(egress->entry, POLICY_ENTRY_NONE);
	assert_int_equal(told.judged, 1 << POLICY_EGRESS);
	policy_put_peer(harness, 7, POLICY_EGRESS, POLICY_IDENTITY_OTHERS,
			&(struct policy_peer){.class = 5, .prefix_lens = 1 << 12 | 1 << 3});
	policy_put_leaf(harness, 5, IPPROTO_TCP, 12, PORT & 0xfff0, allow);
	told = explain(harness, &sent);
	assert_int_equal(egress->entry, POLICY_ENTRY_OTHERS);
	assert_int_equal(egress->class, 5);
	assert_int_equal(egress->prefix_len, 12);
	harness_put_policy(harness, ENDPOINT_A, 7, POLICY_F_OPEN_EGRESS);
	told = explain(harness, &sent);
	assert_int_equal(egress->entry, POLICY_ENTRY_UNASKED);
	assert_int_equal(egress->leaf.rule, POLICY_RULE_ALLOW_ANY);
	assert_int_equal(egress->flags, POLICY_F_OPEN_EGRESS);
}

/* Closed, dead, a fragment, an ICMP error, and what never gets to its connection. */
static void ends(struct harness *harness)
{
	struct policy_sent sent = policy_first(SCENE_A_TO_B, KIND_TCP, false, PORT);
	struct policy_sent answer = policy_answer(SCENE_A_TO_B, &sent);
	const struct frame_spec inner = sent.spec;
	struct ct_entry entry;
	struct ct_key key;

	compare(harness, &sent);
	answer.spec = (struct frame_spec){.src = B4,
					  .dst = A4,
					  .protocol = IPPROTO_ICMP,
					  .type = 3,
					  .code = 3,
					  .inner = &inner};
	assert_int_equal(compare(harness, &answer).connection, EXPLAIN_CONNECTION_RELATED);
	harness_put_policy(harness, ENDPOINT_B, 9, 0);
	assert_int_equal(compare(harness, &answer).connection, EXPLAIN_CONNECTION_RELATED_STALE);
	harness_get_ct(harness, &sent.spec, &key, &entry);
	entry.rx_flags = entry.tx_flags = CT_TCP_RST;
	harness_put_ct(harness, &key, &entry);
	assert_int_equal(compare(harness, &sent).connection, EXPLAIN_CONNECTION_REOPENED);
	entry.expires = 1;
	harness_put_ct(harness, &key, &entry);
	assert_int_equal(compare(harness, &sent).connection, EXPLAIN_CONNECTION_DEAD);
	sent.spec.more_fragments = true;
	sent.spec.n_payload = 64;
	explain(harness, &sent);
	sent.spec.src = WORLD4;
	assert_int_equal(compare(harness, &sent).connection, EXPLAIN_CONNECTION_UNASKED);
}

/* What another program would judge behind the stack is told at once. */
static void legacy_routing(struct node_config *config)
{
	config->enable_host_legacy_routing = 1;
}

static void by_the_stack(struct harness *harness)
{
	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		const struct policy_sent sent =
			policy_first(SCENE_WORLD_TO_B, KIND_TCP, ipv6, PORT);
		const struct policy_sent host = policy_first(SCENE_HOST_TO_B, KIND_TCP, ipv6, PORT);
		struct explain told;

		put(harness, SCENE_WORLD_TO_B, POLICY_INGRESS, ipv6, 7, deny);
		told = explain(harness, &sent);
		assert_int_equal(told.drop_reason, DROP_POLICY_DENY);
		assert_int_equal(explain(harness, &host).drop_reason, DROP_POLICY_DENIED);
		put(harness, SCENE_WORLD_TO_B, POLICY_INGRESS, ipv6, 8, allow);
		told = compare(harness, &sent);
		assert_int_equal(told.verdict, TC_ACT_OK);
		assert_int_equal(told.trace_point, TRACE_TO_STACK);
		check_judgement(&told, SCENE_WORLD_TO_B, POLICY_INGRESS, ipv6, allow);
	}
}

static const struct scenario scenarios[] = {
	{"explain: as it is decided", firewall, everything},
	{"explain: which entry decides", NULL, entries},
	{"explain: connections at their ends", NULL, ends},
	{"explain: legacy routing", legacy_routing, by_the_stack},
};

const struct scenario_group explain_scenarios = SCENARIOS(scenarios);
