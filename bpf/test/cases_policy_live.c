/* SPDX-License-Identifier: Apache-2.0 */
/* Connections that live while what they were judged by changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bpf/test/cases.h"
#include "bpf/test/nat_world.h"
#include "bpf/test/policy_world.h"

#define PORT 443
#define RULE 42

static const struct policy_leaf allow = {.rule = RULE, .verdict = POLICY_VERDICT_ALLOW};
static const struct policy_leaf deny = {
	.rule = RULE + 1, .verdict = POLICY_VERDICT_DENY, .match = POLICY_MATCH_L3_L4};

/* A connection and by whose rules it is judged. */
struct live {
	struct harness *harness;
	enum policy_scene scene;
	enum policy_direction direction;
	bool ipv6;
	struct policy_sent first, answer;
	__u32 version; /* in force at the subject */
};

/* Puts a version in force that says this of the peer. */
static void change(struct live *live, __u32 version, struct policy_leaf leaf)
{
	__u32 other =
		live->direction == POLICY_INGRESS ? POLICY_F_OPEN_EGRESS : POLICY_F_OPEN_INGRESS;

	policy_put_all(live->harness, version, live->direction,
		       policy_peer_identity(live->scene, live->direction, live->ipv6), leaf);
	harness_put_policy(live->harness, policy_subject(live->scene, live->direction), version,
			   other);
	live->version = version;
}

static void open_live(struct live *live, enum policy_kind kind)
{
	__u16 port = kind != KIND_ICMP ? PORT : live->ipv6 ? 128 : 8;

	harness_reset(live->harness);
	live->first = policy_first(live->scene, kind, live->ipv6, port);
	live->answer = policy_answer(live->scene, &live->first);
	change(live, 10, allow);
	assert_false(policy_send(live->harness, &live->first).dropped);
	assert_false(policy_send(live->harness, &live->answer).dropped);
	if (kind == KIND_TCP)
		live->first.spec.tcp_flags = live->answer.spec.tcp_flags = TCP_ACK;
}

static void foreach_live(struct harness *harness, void (*run)(struct live *live))
{
	struct live live = {.harness = harness};

	for (int scene = SCENE_A_TO_B; scene <= SCENE_HOST_TO_B; scene++)
		for (int bits = 0; bits < 4 * KIND__MAX; bits++) {
			live.scene = scene;
			live.direction = bits & 1;
			live.ipv6 = bits & 2;
			if (policy_subject(live.scene, live.direction) <= 0)
				continue;
			open_live(&live, bits >> 2);
			run(&live);
		}
}

static struct ct_entry entry_of(struct live *live)
{
	struct ct_entry entry;
	struct ct_key key;

	assert_true(harness_get_ct(live->harness, &live->first.spec, &key, &entry));
	return entry;
}

/* The version that the connection remembers of the subject's side. */
static __u32 remembered(struct live *live)
{
	struct ct_entry entry = entry_of(live);
	int opener = entry.flags & CT_F_INITIATOR_1 ? 1 : 0;

	return entry.policy_version[live->direction == POLICY_EGRESS ? opener : !opener];
}

/* Each packet of either end is dropped, and says who refused it. */
static void expect_refused(struct live *live, bool answer_first)
{
	const struct policy_sent *packets[] = {&live->first, &live->answer};
	enum metric_dir dir =
		live->direction == POLICY_INGRESS ? METRIC_DIR_INGRESS : METRIC_DIR_EGRESS;
	struct ct_entry before = entry_of(live), after;

	for (int i = 0; i < 4; i++) {
		bool is_answer = answer_first != (i % 2 != 0);
		struct policy_outcome outcome = policy_send(live->harness, packets[is_answer]);
		const struct event *event = &outcome.events[0];

		assert_true(outcome.dropped);
		assert_int_equal(outcome.n_events, 1);
		assert_int_equal(event->subtype, DROP_POLICY_DENY);
		assert_int_equal(event->direction, dir);
		assert_int_equal(event->rule, deny.rule);
		assert_int_equal(event->rule_set, live->version);
		assert_int_equal(event->policy_endpoint,
				 policy_subject(live->scene, live->direction));
		assert_int_equal(event->ct_state,
				 is_answer ? EVENT_CT_REPLY : EVENT_CT_ESTABLISHED);
	}
	assert_int_equal(harness_metric(live->harness, DROP_POLICY_DENY, dir), 4);
	after = entry_of(live);
	assert_memory_equal(&before, &after, sizeof(before));
}

static void change_version(struct live *live, bool answer_first)
{
	const struct policy_sent *packet = answer_first ? &live->answer : &live->first;

	change(live, 11, allow);
	assert_false(policy_send(live->harness, packet).dropped);
	assert_int_equal(remembered(live), 11);
	/* Nothing is looked up under the version that is remembered. */
	policy_put_all(live->harness, 11, live->direction,
		       policy_peer_identity(live->scene, live->direction, live->ipv6), deny);
	assert_false(policy_send(live->harness, packet).dropped);
	change(live, 12, deny);
	expect_refused(live, answer_first);
	assert_int_equal(remembered(live), 11);
	change(live, 13, allow);
	assert_false(policy_send(live->harness, packet).dropped);
	assert_int_equal(remembered(live), 13);
}

static void version_by_opener(struct live *live)
{
	change_version(live, false);
}

static void version_by_responder(struct live *live)
{
	change_version(live, true);
}

static void versions(struct harness *harness)
{
	foreach_live(harness, version_by_opener);
	foreach_live(harness, version_by_responder);
}

/* As an entry of the version before is converted: nothing is known. */
static void run_unknown(struct live *live)
{
	struct ct_entry entry;
	struct ct_key key;

	for (int answer_first = 0; answer_first < 2; answer_first++) {
		harness_get_ct(live->harness, &live->first.spec, &key, &entry);
		memset(entry.policy_version, 0, sizeof(entry.policy_version));
		memset(entry.identity, 0, sizeof(entry.identity));
		harness_put_ct(live->harness, &key, &entry);
		assert_false(policy_send(live->harness, answer_first ? &live->answer : &live->first)
				     .dropped);
		assert_int_equal(remembered(live), 10);
		assert_int_equal(entry_of(live).packets, 3 + answer_first);
	}
	memset(entry.policy_version, 0, sizeof(entry.policy_version));
	harness_put_ct(live->harness, &key, &entry);
	policy_put_all(live->harness, 10, live->direction,
		       policy_peer_identity(live->scene, live->direction, live->ipv6), deny);
	expect_refused(live, false);
}

static void unknown(struct harness *harness)
{
	foreach_live(harness, run_unknown);
}

/* No version, no connection: it lives, and nobody's packets pass. */
static void run_version_lost(struct live *live)
{
	harness_put_policy(live->harness, policy_subject(live->scene, live->direction), 0, 0);
	assert_true(policy_send(live->harness, &live->first).dropped);
	assert_true(policy_send(live->harness, &live->answer).dropped);
	change(live, 10, allow);
	assert_false(policy_send(live->harness, &live->answer).dropped);
}

static void version_lost(struct harness *harness)
{
	foreach_live(harness, run_version_lost);
}

static void set_identity(struct harness *harness, const char *text, __u32 identity)
{
	int fd = bpf_map__fd(harness->skel->maps.cilium_lxc);
	struct endpoint_key key = {harness_addr(text)};
	struct ipcache_info info = {.identity = identity};
	struct endpoint_info endpoint;

	if (!bpf_map_lookup_elem(fd, &key, &endpoint)) {
		endpoint.identity = identity;
		bpf_map_update_elem(fd, &key, &endpoint, BPF_ANY);
		return;
	}
	bpf_map_update_elem(bpf_map__fd(harness->skel->maps.cilium_ipcache), &key, &info, BPF_ANY);
}

static void forget_identity(struct harness *harness, const char *text)
{
	struct ipcache_key key = {harness_addr(text)};

	bpf_map_delete_elem(bpf_map__fd(harness->skel->maps.cilium_ipcache), &key);
}

/* The peer becomes somebody else under the same version. */
static void run_identity(struct live *live)
{
	const struct policy_sent *subject_sends =
		live->direction == POLICY_EGRESS ? &live->first : &live->answer;
	const char *peer = subject_sends->spec.dst;

	if (live->scene == SCENE_A_TO_HOST || live->scene == SCENE_HOST_TO_B)
		return; /* always 1 */
	set_identity(live->harness, peer, 5000);
	policy_put_all(live->harness, 10, live->direction, 5000, deny);
	expect_refused(live, false);
	policy_put_all(live->harness, 10, live->direction, 5000, allow);
	assert_false(policy_send(live->harness, &live->answer).dropped);
	assert_int_equal(entry_of(live).identity[0] == 5000 || entry_of(live).identity[1] == 5000,
			 true);
	forget_identity(live->harness, peer);
}

static void identities(struct harness *harness)
{
	foreach_live(harness, run_identity);
}

static void put_allowed_no_more(struct live *live)
{
	policy_put_all(live->harness, live->version, live->direction,
		       policy_peer_identity(live->scene, live->direction, live->ipv6), deny);
}

/* A SYN in a closed connection, and a packet behind the time, open anew: judged, as any opening. */
static void run_opened_again(struct live *live)
{
	struct ct_entry entry;
	struct ct_key key;

	if (live->first.spec.protocol != IPPROTO_TCP)
		return;
	live->answer.spec.tcp_flags = TCP_RST;
	assert_false(policy_send(live->harness, &live->answer).dropped);
	put_allowed_no_more(live);
	live->first.spec.tcp_flags = TCP_ACK;
	assert_false(policy_send(live->harness, &live->first).dropped);
	live->first.spec.tcp_flags = TCP_SYN;
	assert_true(policy_send(live->harness, &live->first).dropped);
	change(live, 11, allow);
	assert_false(policy_send(live->harness, &live->first).dropped);
	live->first.spec.tcp_flags = TCP_ACK;
	put_allowed_no_more(live);
	assert_false(policy_send(live->harness, &live->first).dropped);
	harness_get_ct(live->harness, &live->first.spec, &key, &entry);
	entry.expires = 1;
	harness_put_ct(live->harness, &key, &entry);
	assert_true(policy_send(live->harness, &live->first).dropped);
}

static void opened_again(struct harness *harness)
{
	foreach_live(harness, run_opened_again);
}

/* Whoever answers first, because the entry was lost, is judged as the answer that it is. */
static void run_answer_first(struct live *live)
{
	bool is_told = live->first.spec.protocol == IPPROTO_TCP ||
		       live->first.spec.protocol == IPPROTO_ICMP ||
		       live->first.spec.protocol == IPPROTO_ICMPV6;

	if (!is_told)
		return;
	if (live->first.spec.protocol == IPPROTO_TCP)
		live->answer.spec.tcp_flags = TCP_SYN | TCP_ACK;
	nat_world_forget_ct(live->harness, &live->first.spec);
	assert_false(policy_send(live->harness, &live->answer).dropped);
	assert_int_equal(remembered(live), 10);
	nat_world_forget_ct(live->harness, &live->first.spec);
	put_allowed_no_more(live);
	assert_true(policy_send(live->harness, &live->answer).dropped);
}

static void answer_first(struct harness *harness)
{
	foreach_live(harness, run_answer_first);
}

/* An error about what the opener sent, from who answers or from somebody between. */
static struct policy_sent error_about(const struct live *live, const struct frame_spec *inner,
				      const char *from)
{
	struct policy_sent error = live->answer;

	error.spec = (struct frame_spec){
		.src = from ? from : inner->dst,
		.dst = inner->src,
		.protocol = live->ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
		.type = live->ipv6 ? 1 : 3,
		.code = 3,
		.inner = inner,
	};
	return error;
}

static void run_related(struct live *live)
{
	const struct frame_spec inner = live->first.spec;
	struct policy_sent errors[] = {
		error_about(live, &inner, NULL),
		error_about(live, &inner, live->ipv6 ? "2001:db8:77::1" : "203.0.113.1")};
	bool is_router = live->scene == SCENE_A_TO_WORLD;

	for (int i = 0; i <= is_router; i++) {
		struct policy_outcome outcome;

		change(live, 20 + 3 * i, allow);
		outcome = policy_send(live->harness, &errors[i]);
		assert_false(outcome.dropped);
		assert_int_equal(remembered(live), 20 + 3 * i);
		change(live, 21 + 3 * i, deny);
		outcome = policy_send(live->harness, &errors[i]);
		assert_true(outcome.dropped);
		assert_int_equal(outcome.n_events, 1);
		assert_int_equal(outcome.events[0].subtype, DROP_POLICY_DENY);
		assert_int_equal(outcome.events[0].ct_state, EVENT_CT_RELATED);
		assert_int_equal(outcome.events[0].rule, deny.rule);
		assert_int_equal(outcome.events[0].policy_endpoint,
				 policy_subject(live->scene, live->direction));
		change(live, 22 + 3 * i, allow);
		assert_false(policy_send(live->harness, &errors[i]).dropped);
	}
}

static void related(struct harness *harness)
{
	foreach_live(harness, run_related);
}

/* What only audit lets go, ends with audit: the version stays the same. */
static void run_audit(struct live *live)
{
	int subject = policy_subject(live->scene, live->direction);
	__u32 other =
		live->direction == POLICY_INGRESS ? POLICY_F_OPEN_EGRESS : POLICY_F_OPEN_INGRESS;

	change(live, 11, deny);
	harness_put_policy(live->harness, subject, 11, other | POLICY_F_AUDIT);
	assert_false(policy_send(live->harness, &live->answer).dropped);
	assert_int_equal(remembered(live), CT_POLICY_VERSION(11, POLICY_F_AUDIT));
	assert_false(policy_send(live->harness, &live->first).dropped);
	harness_put_policy(live->harness, subject, 11, other);
	expect_refused(live, false);
}

static void audit(struct harness *harness)
{
	foreach_live(harness, run_audit);
}

static const struct scenario scenarios[] = {
	{"live: another version", NULL, versions},
	{"live: an entry that knows nothing", NULL, unknown},
	{"live: the rule set is lost", NULL, version_lost},
	{"live: another identity", NULL, identities},
	{"live: opened again", NULL, opened_again},
	{"live: an answer comes first", NULL, answer_first},
	{"live: ICMP errors", NULL, related},
	{"live: audit ends", NULL, audit},
};

const struct scenario_group policy_live_scenarios = SCENARIOS(scenarios);
