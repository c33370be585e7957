/* SPDX-License-Identifier: Apache-2.0 */
/* The host firewall: the node as an endpoint, and what it must not catch. */
#include <linux/pkt_cls.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bpf/test/cases.h"
#include "bpf/test/nat_world.h"
#include "bpf/test/policy_world.h"

#define PORT    22
#define VERSION 7
#define GRE     47

static const struct policy_leaf allow = {
	.rule = 42, .verdict = POLICY_VERDICT_ALLOW, .match = POLICY_MATCH_L3_ONLY};
static const struct policy_leaf deny = {
	.rule = 43, .verdict = POLICY_VERDICT_DENY, .match = POLICY_MATCH_L3_ONLY};

static void firewall(struct node_config *config)
{
	config->enable_host_firewall = 1;
}

static void firewall_alone(struct node_config *config)
{
	config->enable_host_firewall = 1;
	config->enable_masquerade4 = config->enable_masquerade6 = 0;
}

static void firewall_legacy(struct node_config *config)
{
	config->enable_host_firewall = 1;
	config->enable_host_legacy_routing = 1;
}

struct host_case {
	struct harness *harness;
	enum policy_scene scene;
	enum policy_direction direction; /* in which the host is judged */
	bool ipv6;
	enum policy_kind kind;
	struct policy_sent first, answer;
};

static void put_rule(const struct host_case *c, __u32 version, struct policy_leaf leaf)
{
	policy_put_all(c->harness, version, c->direction,
		       policy_peer_identity(c->scene, c->direction, c->ipv6), leaf);
	harness_put_policy(c->harness, POLICY_ENDPOINT_HOST, version,
			   c->direction == POLICY_INGRESS ? POLICY_F_OPEN_EGRESS
							  : POLICY_F_OPEN_INGRESS);
}

static bool is_of_host(enum policy_scene scene)
{
	return policy_subject(scene, POLICY_INGRESS) == POLICY_ENDPOINT_HOST ||
	       policy_subject(scene, POLICY_EGRESS) == POLICY_ENDPOINT_HOST;
}

static void foreach_case(struct harness *harness, void (*run)(const struct host_case *c))
{
	struct host_case c = {.harness = harness};

	for (c.scene = 0; c.scene < SCENE__MAX; c.scene++) {
		if (!is_of_host(c.scene))
			continue;
		c.direction = policy_subject(c.scene, POLICY_INGRESS) == POLICY_ENDPOINT_HOST
				      ? POLICY_INGRESS
				      : POLICY_EGRESS;
		for (int bits = 0; bits < 2 * KIND__MAX; bits++) {
			c.ipv6 = bits & 1;
			c.kind = bits >> 1;
			c.first = policy_first(c.scene, c.kind, c.ipv6,
					       c.kind != KIND_ICMP ? PORT
					       : c.ipv6            ? 128
								   : 8);
			c.answer = policy_answer(c.scene, &c.first);
			harness_reset(harness);
			run(&c);
		}
	}
}

/* Refused, allowed, its answer, another version that refuses, and both again. */
static void run_matrix(const struct host_case *c)
{
	enum metric_dir dir =
		c->direction == POLICY_INGRESS ? METRIC_DIR_INGRESS : METRIC_DIR_EGRESS;
	struct policy_outcome outcome;

	put_rule(c, VERSION, deny);
	outcome = policy_send(c->harness, &c->first);
	assert_true(outcome.dropped);
	assert_int_equal(outcome.n_events, 1);
	assert_int_equal(outcome.events[0].subtype, DROP_POLICY_DENY);
	assert_int_equal(outcome.events[0].direction, dir);
	assert_int_equal(outcome.events[0].policy_endpoint, POLICY_ENDPOINT_HOST);
	assert_int_equal(outcome.events[0].rule, deny.rule);
	assert_int_equal(outcome.events[0].rule_set, VERSION);
	put_rule(c, VERSION + 1, allow);
	assert_false(policy_send(c->harness, &c->first).dropped);
	assert_false(policy_send(c->harness, &c->answer).dropped);
	put_rule(c, VERSION + 2, deny);
	assert_true(policy_send(c->harness, &c->answer).dropped);
	assert_true(policy_send(c->harness, &c->first).dropped);
	put_rule(c, VERSION + 3, allow);
	assert_false(policy_send(c->harness, &c->answer).dropped);
	assert_int_equal(harness_metric(c->harness, DROP_POLICY_DENY, dir), 3);
}

static void matrix(struct harness *harness)
{
	foreach_case(harness, run_matrix);
}

/* The rule set is not there yet: as with endpoints, nothing passes. */
static void run_no_version(const struct host_case *c)
{
	struct policy_outcome outcome;

	harness_put_policy(c->harness, POLICY_ENDPOINT_HOST, 0, 0);
	outcome = policy_send(c->harness, &c->first);
	assert_true(outcome.dropped);
	assert_int_equal(outcome.events[0].subtype, DROP_HOST_NOT_READY);
}

static void no_version(struct harness *harness)
{
	foreach_case(harness, run_no_version);
}

/* Off: not even a connection is opened for what only the node is concerned with. */
static void run_off(const struct host_case *c)
{
	struct ct_key key;
	struct ct_entry entry;

	put_rule(c, VERSION, deny);
	assert_false(policy_send(c->harness, &c->first).dropped);
	assert_false(policy_send(c->harness, &c->answer).dropped);
	if (c->scene == SCENE_WORLD_TO_HOST ||
	    (c->scene == SCENE_HOST_TO_WORLD && c->kind != KIND_ICMP))
		assert_false(harness_get_ct(c->harness, &c->first.spec, &key, &entry));
}

static void off(struct harness *harness)
{
	foreach_case(harness, run_off);
}

/* Everything is refused in both directions. */
static void close_host(struct harness *harness)
{
	harness_put_policy(harness, POLICY_ENDPOINT_HOST, VERSION, 0);
}

static struct policy_sent between(enum test_program program, const char *src, const char *dst,
				  __u8 protocol, __u8 type)
{
	return (struct policy_sent){
		.program = program,
		.ifindex = IFINDEX_NODE,
		.spec = {.src = src,
			 .dst = dst,
			 .protocol = protocol,
			 .type = type,
			 .n_payload = 8},
	};
}

/* What is not the node's under its own addresses, and what no host can do without. */
static void passes(struct harness *harness)
{
	const struct policy_sent sent[] = {
		/* DHCP: before there is an address, and to all. */
		between(TO_NETDEV, "0.0.0.0", "255.255.255.255", IPPROTO_UDP, 0),
		between(FROM_NETDEV, WORLD4, "255.255.255.255", IPPROTO_UDP, 0),
		between(FROM_NETDEV, "fe80::1", "fe80::2", IPPROTO_UDP, 0),
		between(FROM_NETDEV, WORLD4, "224.0.0.1", IPPROTO_UDP, 0),
		/* Neighbour discovery and group membership. */
		between(FROM_NETDEV, WORLD6, NODE6, IPPROTO_ICMPV6, 135),
		between(FROM_NETDEV, WORLD6, NODE6, IPPROTO_ICMPV6, 136),
		between(TO_NETDEV, NODE6, WORLD6, IPPROTO_ICMPV6, 136),
		between(TO_NETDEV, NODE6, "ff02::16", IPPROTO_ICMPV6, 143),
		/* Somebody else's, which the node forwards. */
		between(FROM_NETDEV, WORLD4, "198.51.100.77", IPPROTO_UDP, 0),
		between(TO_NETDEV, "198.51.100.77", WORLD4, IPPROTO_UDP, 0),
	};

	close_host(harness);
	for (size_t i = 0; i < sizeof(sent) / sizeof(sent[0]); i++)
		assert_false(policy_send(harness, &sent[i]).dropped);
}

static void drops(struct harness *harness)
{
	struct policy_sent sent[] = {
		between(FROM_NETDEV, WORLD4, NODE4, IPPROTO_UDP, 0),
		between(TO_NETDEV, NODE4, "224.0.0.1", IPPROTO_UDP, 0),
		/* Protocols without ports, too. */
		between(FROM_NETDEV, WORLD4, NODE4, GRE, 0),
		between(TO_NETDEV, NODE4, WORLD4, GRE, 0),
		between(FROM_NETDEV, WORLD6, NODE6, GRE, 0),
		/* Without the first fragment, with more extension headers than are looked at.
		 */
		between(FROM_NETDEV, WORLD4, NODE4, IPPROTO_TCP, 0),
		between(FROM_NETDEV, WORLD6, NODE6, IPPROTO_UDP, 0),
		between(FROM_NETDEV, WORLD4, NODE4, IPPROTO_UDP, 0),
		/* Under addresses that cannot come from there. */
		between(FROM_NETDEV, A4, NODE4, IPPROTO_UDP, 0),
		between(FROM_NETDEV, HOST6, NODE6, IPPROTO_UDP, 0),
	};

	sent[5].spec.fragment_off = 80;
	sent[6].spec.extension = IPPROTO_HOPOPTS;
	sent[6].spec.n_extensions = 9;
	sent[7].spec.fragment_off = 80;
	close_host(harness);
	for (size_t i = 0; i < sizeof(sent) / sizeof(sent[0]); i++)
		assert_true(policy_send(harness, &sent[i]).dropped);
	/* Where nothing is enforced, all of these pass, but for what cannot be. */
	harness_put_policy(harness, POLICY_ENDPOINT_HOST, VERSION,
			   POLICY_F_OPEN_INGRESS | POLICY_F_OPEN_EGRESS);
	for (size_t i = 0; i < sizeof(sent) / sizeof(sent[0]); i++)
		assert_int_equal(policy_send(harness, &sent[i]).dropped, i >= 8);
}

/* A protocol without ports goes by the peer alone. */
static void unknown_protocols(struct harness *harness)
{
	const struct policy_sent in = between(FROM_NETDEV, WORLD4, NODE4, GRE, 0);
	const struct policy_sent out = between(TO_NETDEV, NODE4, WORLD4, GRE, 0);

	close_host(harness);
	policy_put_peer(harness, VERSION, POLICY_INGRESS, IDENTITY_WORLD4,
			&(struct policy_peer){.class = 3, .prefix_lens = 1, .otherwise = allow});
	policy_put_leaf(harness, 3, IPPROTO_TCP, 0, 0, deny);
	assert_false(policy_send(harness, &in).dropped);
	assert_true(policy_send(harness, &out).dropped);
	policy_put_leaf(harness, 3, GRE, 0, 0, deny);
	assert_true(policy_send(harness, &in).dropped);
}

/* All fragments, when the first came first. */
static void fragments(struct harness *harness)
{
	struct policy_sent sent = between(FROM_NETDEV, WORLD4, NODE4, IPPROTO_UDP, 0);

	close_host(harness);
	sent.spec.dport = PORT;
	sent.spec.more_fragments = true;
	sent.spec.n_payload = 64;
	policy_put_peer(harness, VERSION, POLICY_INGRESS, IDENTITY_WORLD4,
			&(struct policy_peer){.class = 3, .prefix_lens = 1 << 16});
	policy_put_leaf(harness, 3, IPPROTO_UDP, 16, PORT, allow);
	assert_false(policy_send(harness, &sent).dropped);
	sent.spec.fragment_off = 72;
	sent.spec.more_fragments = false;
	assert_false(policy_send(harness, &sent).dropped);
}

/* Errors belong to their connection, also those about no known one: the kernel looks for a socket. */
static void errors(struct harness *harness)
{
	const struct frame_spec inner = {
		.src = NODE4, .dst = WORLD4, .protocol = IPPROTO_UDP, .sport = 5, .dport = 53};
	struct policy_sent out = between(TO_NETDEV, NODE4, WORLD4, IPPROTO_UDP, 0);
	struct policy_sent error = between(FROM_NETDEV, "203.0.113.1", NODE4, IPPROTO_ICMP, 3);

	error.spec.code = 4;
	error.spec.inner = &inner;
	out.spec = inner;
	close_host(harness);
	assert_false(policy_send(harness, &error).dropped);
	policy_put_all(harness, VERSION, POLICY_EGRESS, IDENTITY_WORLD4, allow);
	assert_false(policy_send(harness, &out).dropped);
	assert_false(policy_send(harness, &error).dropped);
	harness_put_policy(harness, POLICY_ENDPOINT_HOST, VERSION + 1, 0);
	assert_true(policy_send(harness, &error).dropped);
}

/* Masqueraded by the programs: out and back, whatever the host's rules are. */
static void masqueraded(struct harness *harness)
{
	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		struct policy_sent sent = policy_first(SCENE_A_TO_WORLD, KIND_TCP, ipv6, PORT);
		struct policy_sent answer = policy_answer(SCENE_A_TO_WORLD, &sent);

		close_host(harness);
		assert_false(policy_send(harness, &sent).dropped);
		sent.program = TO_NETDEV;
		sent.ifindex = IFINDEX_NODE;
		assert_false(policy_send(harness, &sent).dropped);
		answer.spec.dst = ipv6 ? NODE6 : NODE4;
		answer.spec.dport = nat_world_port(harness, &sent.spec);
		assert_int_not_equal(answer.spec.dport, 0);
		assert_false(policy_send(harness, &answer).dropped);
	}
}

/* Masqueraded by the stack: it has the mark of what a pod sent, and its answers are let in. */
static void masqueraded_by_the_stack(struct harness *harness)
{
	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		struct policy_sent out = policy_first(SCENE_HOST_TO_WORLD, KIND_TCP, ipv6, PORT);
		const struct policy_sent answer = policy_answer(SCENE_HOST_TO_WORLD, &out);
		struct frame frame;

		close_host(harness);
		assert_true(policy_send(harness, &out).dropped);
		assert_true(policy_send(harness, &answer).dropped);
		frame_build(&frame, &out.spec);
		for (int i = 0; i < 3; i++) {
			struct run run = harness_run(harness, TO_NETDEV, &frame, IFINDEX_NODE,
						     MARK_MAGIC_IDENTITY | IDENTITY_A << 16, 0);

			assert_int_equal(run.verdict, TC_ACT_UNSPEC);
			assert_false(policy_send(harness, &answer).dropped);
		}
	}
}

/* An address of the node that only the ipcache knows is the node's as well. */
static void other_address(struct harness *harness)
{
	struct policy_sent sent = policy_first(SCENE_A_TO_HOST, KIND_UDP, false, PORT);

	sent.spec.dst = "192.0.2.78";
	close_host(harness);
	assert_true(policy_send(harness, &sent).dropped);
	policy_put_all(harness, VERSION, POLICY_INGRESS, IDENTITY_A, allow);
	assert_false(policy_send(harness, &sent).dropped);
}

static const struct scenario scenarios[] = {
	{"host firewall: all that the node exchanges", firewall, matrix},
	{"host firewall: … without masquerading", firewall_alone, matrix},
	{"host firewall: no rule set yet", firewall, no_version},
	{"host firewall: off", NULL, off},
	{"host firewall: what it must not catch", firewall, passes},
	{"host firewall: … without masquerading, either", firewall_alone, passes},
	{"host firewall: what cannot be parsed", firewall, drops},
	{"host firewall: protocols without ports", firewall, unknown_protocols},
	{"host firewall: fragments", firewall, fragments},
	{"host firewall: ICMP errors", firewall, errors},
	{"host firewall: masqueraded connections", firewall, masqueraded},
	{"host firewall: masqueraded by the stack", firewall_legacy, masqueraded_by_the_stack},
	{"host firewall: an address of the ipcache", firewall, other_address},
};

const struct scenario_group policy_host_scenarios = SCENARIOS(scenarios);
