// SPDX-License-Identifier: Apache-2.0
/* From policies to rule sets: who selects whom, what shares what, what a change touches. */
#include "src/derive/policy.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "src/derive/policy_world_test.h"
#include "src/model/identity.h"

#define WEB    "k8s:app=web;"
#define CLIENT "k8s:app=client;"

static int setup(void **state)
{
	struct policy_world *world = g_new0(struct policy_world, 1);

	policy_world_init(world);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	policy_world_fini(*state);
	g_free(*state);
	return 0;
}

/* Endpoint 1 is web, 256; 257 is the client. */
static void put_pair(struct policy_world *world)
{
	policy_world_put_identity(world, 256, WEB);
	policy_world_put_identity(world, 257, CLIENT);
	policy_world_put_endpoint(world, 1, 256, WEB, NULL);
	policy_world_set_synced(world);
}

/* Whom web lets in: the peer, on a TCP port; the rest not. */
static struct policy *allow_new(const char *name, const char *peer, uint16_t port)
{
	struct policy *policy = test_policy_new(name);
	struct policy_spec *spec = test_policy_add_spec(policy, "k8s:app=web");
	struct policy_rule *rule = test_policy_add_rule(policy, spec, POLICY_INGRESS, false);

	spec->default_deny[POLICY_INGRESS] = true;
	test_policy_add_peer(rule, peer);
	test_policy_add_port(rule, IPPROTO_TCP, port, port);
	return policy;
}

static uint8_t judge(struct policy_world *world, uint32_t identity, uint16_t port)
{
	return policy_world_judge(world, 1, POLICY_INGRESS, identity, IPPROTO_TCP, port).verdict;
}

static void nothing_before_all_is_known(void **state)
{
	struct policy_world *world = *state;

	policy_world_put_endpoint(world, 1, 256, WEB, NULL);
	table_set_synced(world->tables.active_policies);
	table_set_synced(world->tables.pods);
	store_settle(world->store);
	assert_int_equal(table_n_rows(world->tables.endpoint_policies), 0);
	assert_int_equal(table_n_rows(world->tables.rule_sets), 0);
	policy_world_set_synced(world);
	assert_int_equal(table_n_rows(world->tables.endpoint_policies), 1);
}

static void an_endpoint_without_policy_is_open(void **state)
{
	struct policy_world *world = *state;
	const struct rule_set *set;

	put_pair(world);
	set = policy_world_get_rule_set(world, 1);
	for (unsigned int i = 0; i < POLICY_DIRECTION__MAX; i++) {
		assert_true(set->directions[i].open);
		assert_false(set->directions[i].enforced);
		assert_int_equal(set->directions[i].n_peers, 0);
		assert_int_equal(set->directions[i].others->otherwise.verdict,
				 POLICY_VERDICT_ALLOW);
		assert_int_equal(set->directions[i].others->otherwise.rule, RULE_NUMBER_ALLOW_ANY);
	}
	assert_int_equal(set->policies->len, 0);
	assert_int_equal(table_n_rows(world->tables.rule_origins), 2);
}

static void what_is_not_allowed_is_denied(void **state)
{
	struct policy_world *world = *state;
	const struct rule_set *set;

	put_pair(world);
	policy_world_put_policy(world, allow_new("a", "k8s:app=client", 80));
	assert_int_equal(judge(world, 257, 80), POLICY_VERDICT_ALLOW);
	assert_int_equal(judge(world, 257, 81), POLICY_VERDICT_DEFAULT_DENY);
	assert_int_equal(judge(world, 256, 80), POLICY_VERDICT_DEFAULT_DENY);
	assert_int_equal(judge(world, IDENTITY_HOST, 80), POLICY_VERDICT_DEFAULT_DENY);
	set = policy_world_get_rule_set(world, 1);
	assert_true(set->directions[POLICY_INGRESS].enforced);
	assert_true(set->directions[POLICY_EGRESS].open);
	assert_int_equal(set->directions[POLICY_INGRESS].n_peers, 1);
	assert_int_equal(set->policies->len, 1);
	assert_string_equal(set->policies->pdata[0], "CiliumClusterwideNetworkPolicy/a");
	assert_int_equal(table_n_rows(world->tables.rule_origins), 3);
	policy_world_remove_policy(world, "a");
	assert_true(policy_world_get_rule_set(world, 1)->directions[POLICY_INGRESS].open);
	assert_int_equal(table_n_rows(world->tables.rule_origins), 2);
	assert_int_equal(table_n_rows(world->tables.rule_sets), 1);
}

/* 100 endpoints of as many identities: what selects them makes the rule set. */
static void endpoints_share(void **state)
{
	struct policy_world *world = *state;

	policy_world_set_synced(world);
	for (uint16_t id = 1; id <= 100; id++) {
		g_autofree char *labels = g_strdup_printf("k8s:app=web;k8s:n=%u;", id);

		policy_world_put_identity(world, 256 + id, labels);
		policy_world_put_endpoint(world, id, 256 + id, labels, NULL);
	}
	policy_world_put_policy(world, allow_new("a", "k8s:app=client", 80));
	policy_world_put_endpoint(world, 101, 400, "k8s:app=other;", NULL);
	assert_int_equal(table_n_rows(world->tables.rule_sets), 2);
	assert_int_equal(policy_world_get_endpoint(world, 1)->rule_set,
			 policy_world_get_endpoint(world, 100)->rule_set);
	assert_int_not_equal(policy_world_get_endpoint(world, 1)->rule_set,
			     policy_world_get_endpoint(world, 101)->rule_set);
	for (uint16_t id = 1; id <= 101; id++)
		policy_world_remove_endpoint(world, id);
	assert_int_equal(table_n_rows(world->tables.rule_sets), 0);
	assert_int_equal(table_n_rows(world->tables.endpoint_policies), 0);
}

static void peers_come_and_go_under_one_revision(void **state)
{
	struct policy_world *world = *state;
	uint32_t number;
	uint64_t revision;

	put_pair(world);
	policy_world_put_policy(world, allow_new("a", "k8s:app=client", 80));
	number = policy_world_get_rule_set(world, 1)->number;
	revision = policy_world_get_rule_set(world, 1)->revision;
	policy_world_put_identity(world, 258, "k8s:app=client;k8s:n=2;");
	assert_int_equal(judge(world, 258, 80), POLICY_VERDICT_ALLOW);
	policy_world_remove_identity(world, 257);
	assert_int_equal(judge(world, 257, 80), POLICY_VERDICT_DEFAULT_DENY);
	assert_int_equal(policy_world_get_rule_set(world, 1)->revision, revision);
	/* The same number for other labels. */
	policy_world_put_identity(world, 258, "k8s:app=other;");
	assert_int_equal(judge(world, 258, 80), POLICY_VERDICT_DEFAULT_DENY);
	assert_int_not_equal(policy_world_get_rule_set(world, 1)->revision, revision);
	policy_world_put_identity(world, 257, CLIENT);
	revision = policy_world_get_rule_set(world, 1)->revision;
	/* An edit keeps the number. */
	policy_world_put_policy(world, allow_new("a", "k8s:app=client", 81));
	assert_int_equal(policy_world_get_rule_set(world, 1)->number, number);
	assert_int_not_equal(policy_world_get_rule_set(world, 1)->revision, revision);
	revision = policy_world_get_rule_set(world, 1)->revision;
	/* One that says the same of the same changes nothing. */
	policy_world_put_policy(world, allow_new("a", "k8s:app=client", 81));
	assert_int_equal(policy_world_get_rule_set(world, 1)->revision, revision);
}

static void the_policy_revision_counts(void **state)
{
	struct policy_world *world = *state;
	uint64_t before;

	put_pair(world);
	before = policy_world_get_endpoint(world, 1)->policy_revision;
	policy_world_put_policy(world, allow_new("a", "k8s:app=client", 80));
	assert_int_equal(policy_world_get_endpoint(world, 1)->policy_revision, before + 1);
	policy_world_remove_policy(world, "a");
	assert_int_equal(policy_world_get_endpoint(world, 1)->policy_revision, before + 2);
}

static void prefixes_select_prefixes(void **state)
{
	struct policy_world *world = *state;
	const uint32_t first = IDENTITY_PREFIX_MIN;

	put_pair(world);
	policy_world_put_policy(world, allow_new("a", "10.0.0.0/8 10.1.0.0/16", 80));
	policy_world_put_policy(world, allow_new("b", "::/0 2001:db8::/32", 80));
	policy_world_put_identity(world, first, "cidr:10.0.0.0/8=;reserved:world-ipv4=;");
	policy_world_put_identity(world, first + 1, "cidr:10.1.0.0/16=;reserved:world-ipv4=;");
	policy_world_put_identity(world, first + 2, "cidr:10.1.2.0/24=;reserved:world-ipv4=;");
	policy_world_put_identity(world, first + 3, "cidr:10.2.0.1/32=;reserved:world-ipv4=;");
	policy_world_put_identity(world, first + 4, "cidr:0.0.0.0/1=;reserved:world-ipv4=;");
	policy_world_put_identity(world, first + 5, "cidr:2001-db8--0/32=;reserved:world-ipv6=;");
	policy_world_put_identity(world, first + 6, "cidr:2001-db9--0/32=;reserved:world-ipv6=;");
	for (unsigned int round = 0; round < 2; round++) {
		static const bool allowed[] = {true, false, false, true, false, false, true};

		for (unsigned int i = 0; i < G_N_ELEMENTS(allowed); i++)
			assert_int_equal(judge(world, first + i, 80) == POLICY_VERDICT_ALLOW,
					 allowed[i]);
		assert_int_equal(judge(world, IDENTITY_WORLD_IPV6, 80), POLICY_VERDICT_ALLOW);
		assert_int_equal(judge(world, IDENTITY_WORLD_IPV4, 80),
				 POLICY_VERDICT_DEFAULT_DENY);
		assert_int_equal(judge(world, IDENTITY_WORLD, 80), POLICY_VERDICT_DEFAULT_DENY);
		assert_int_equal(judge(world, 257, 80), POLICY_VERDICT_DEFAULT_DENY);
		/* The other way round: selectors that come when the identities are there. */
		policy_world_remove_policy(world, "a");
		policy_world_remove_policy(world, "b");
		policy_world_put_policy(world, allow_new("a", "10.0.0.0/8 10.1.0.0/16", 80));
		policy_world_put_policy(world, allow_new("b", "::/0 2001:db8::/32", 80));
	}
}

/* With one family, its whole world is one identity, and the other's prefix means nobody. */
static void one_family_has_one_world(void **state)
{
	struct policy_world *world = *state;

	world->config.enable_ipv6 = false;
	put_pair(world);
	policy_world_put_policy(world, allow_new("a", "::/0", 80));
	assert_int_equal(judge(world, IDENTITY_WORLD, 80), POLICY_VERDICT_DEFAULT_DENY);
	policy_world_put_policy(world, allow_new("b", "0.0.0.0/0", 80));
	assert_int_equal(judge(world, IDENTITY_WORLD, 80), POLICY_VERDICT_ALLOW);
}

static void groups_are_prefixes(void **state)
{
	struct policy_world *world = *state;
	const uint32_t first = IDENTITY_PREFIX_MIN;
	uint64_t revision;

	put_pair(world);
	policy_world_put_identity(world, first, "cidr:10.0.0.0/8=;");
	policy_world_put_identity(world, first + 1, "cidr:11.0.0.0/8=;");
	policy_world_put_policy(world, allow_new("a", "group:g", 80));
	assert_int_equal(judge(world, first, 80), POLICY_VERDICT_DEFAULT_DENY);
	policy_world_put_group(world, "g", "10.0.0.0/8");
	assert_int_equal(judge(world, first, 80), POLICY_VERDICT_ALLOW);
	revision = policy_world_get_rule_set(world, 1)->revision;
	policy_world_put_group(world, "other", "11.0.0.0/8");
	assert_int_equal(policy_world_get_rule_set(world, 1)->revision, revision);
	policy_world_put_group(world, "g", "11.0.0.0/8");
	assert_int_equal(judge(world, first, 80), POLICY_VERDICT_DEFAULT_DENY);
	assert_int_equal(judge(world, first + 1, 80), POLICY_VERDICT_ALLOW);
	policy_world_put_group(world, "g", NULL);
	assert_int_equal(judge(world, first + 1, 80), POLICY_VERDICT_DEFAULT_DENY);
}

static struct policy *named_new(const char *name, enum policy_direction direction)
{
	struct policy *policy = test_policy_new(name);
	struct policy_spec *spec = test_policy_add_spec(policy, "k8s:app=web");
	struct policy_rule *rule = test_policy_add_rule(policy, spec, direction, false);

	spec->default_deny[direction] = true;
	if (direction == POLICY_EGRESS)
		test_policy_add_peer(rule, "k8s:app=client");
	test_policy_add_named_port(rule, IPPROTO_TCP, "http");
	return policy;
}

/* On the way in a name is the endpoint's own: others with other numbers do not share. */
static void names_of_own_ports(void **state)
{
	struct policy_world *world = *state;

	put_pair(world);
	policy_world_put_pod(world, "default/one", "http", IPPROTO_TCP, 80);
	policy_world_put_endpoint(world, 1, 256, WEB, "default/one");
	policy_world_put_endpoint(world, 2, 256, WEB, "default/two");
	policy_world_put_policy(world, named_new("a", POLICY_INGRESS));
	assert_int_equal(judge(world, 257, 80), POLICY_VERDICT_ALLOW);
	assert_int_not_equal(policy_world_get_endpoint(world, 1)->rule_set,
			     policy_world_get_endpoint(world, 2)->rule_set);
	policy_world_put_pod(world, "default/two", "http", IPPROTO_TCP, 8080);
	assert_int_equal(
		policy_world_judge(world, 2, POLICY_INGRESS, 257, IPPROTO_TCP, 8080).verdict,
		POLICY_VERDICT_ALLOW);
	policy_world_put_pod(world, "default/two", "http", IPPROTO_TCP, 80);
	assert_int_equal(policy_world_get_endpoint(world, 1)->rule_set,
			 policy_world_get_endpoint(world, 2)->rule_set);
	policy_world_put_pod(world, "default/one", "http", IPPROTO_UDP, 80);
	assert_int_equal(judge(world, 257, 80), POLICY_VERDICT_DEFAULT_DENY);
}

/* On the way out it is that of the peers that the rule selects, all their numbers. */
static void names_of_peers_ports(void **state)
{
	struct policy_world *world = *state;

	put_pair(world);
	policy_world_put_pod(world, "default/client", "http", IPPROTO_TCP, 8000);
	policy_world_put_pod(world, "default/other", "http", IPPROTO_TCP, 9000);
	policy_world_put_policy(world, named_new("a", POLICY_EGRESS));
	assert_int_equal(
		policy_world_judge(world, 1, POLICY_EGRESS, 257, IPPROTO_TCP, 8000).verdict,
		POLICY_VERDICT_DEFAULT_DENY);
	policy_world_put_identity(world, 258, "k8s:app=other;");
	policy_world_put_endpoint(world, 2, 257, CLIENT, "default/client");
	policy_world_put_endpoint(world, 3, 258, "k8s:app=other;", "default/other");
	assert_int_equal(
		policy_world_judge(world, 1, POLICY_EGRESS, 257, IPPROTO_TCP, 8000).verdict,
		POLICY_VERDICT_ALLOW);
	assert_int_equal(
		policy_world_judge(world, 1, POLICY_EGRESS, 257, IPPROTO_TCP, 9000).verdict,
		POLICY_VERDICT_DEFAULT_DENY);
	policy_world_put_endpoint(world, 3, 257, CLIENT, "default/other");
	assert_int_equal(
		policy_world_judge(world, 1, POLICY_EGRESS, 257, IPPROTO_TCP, 9000).verdict,
		POLICY_VERDICT_ALLOW);
	policy_world_remove_endpoint(world, 2);
	assert_int_equal(
		policy_world_judge(world, 1, POLICY_EGRESS, 257, IPPROTO_TCP, 8000).verdict,
		POLICY_VERDICT_DEFAULT_DENY);
}

/* What one rule requires narrows the peers of another policy; denials have their own. */
static void requirements_concern_all_rules(void **state)
{
	struct policy_world *world = *state;
	struct policy *policy = allow_new("a", "k8s:app=client", 80);
	struct policy_spec *spec = policy->specs->pdata[0];
	struct policy_rule *rule;

	put_pair(world);
	policy_world_put_identity(world, 258, "k8s:app=client;k8s:env=prod;");
	((struct policy_rule *)spec->rules->pdata[0])->narrowed = true;
	policy_world_put_policy(world, policy);
	assert_int_equal(judge(world, 257, 80), POLICY_VERDICT_ALLOW);
	policy = test_policy_new("requires");
	spec = test_policy_add_spec(policy, "k8s:app=web");
	rule = test_policy_add_rule(policy, spec, POLICY_INGRESS, false);
	rule->any_peer = false;
	g_ptr_array_add(rule->requires, (void *)test_selector("k8s:env=prod"));
	policy_world_put_policy(world, policy);
	assert_int_equal(judge(world, 257, 80), POLICY_VERDICT_DEFAULT_DENY);
	assert_int_equal(judge(world, 258, 80), POLICY_VERDICT_ALLOW);
	policy_world_remove_policy(world, "requires");
	assert_int_equal(judge(world, 257, 80), POLICY_VERDICT_ALLOW);
}

static struct policy *deny_new(const char *name, const char *peer)
{
	struct policy *policy = test_policy_new(name);
	struct policy_spec *spec = test_policy_add_spec(policy, "k8s:app=web");

	test_policy_add_peer(test_policy_add_rule(policy, spec, POLICY_INGRESS, true), peer);
	return policy;
}

/* A denial alone: who is not denied is let in. */
static void a_denial_without_default_deny(void **state)
{
	struct policy_world *world = *state;

	put_pair(world);
	policy_world_put_policy(world, deny_new("a", "k8s:app=client"));
	assert_int_equal(judge(world, 257, 80), POLICY_VERDICT_DENY);
	assert_int_equal(judge(world, 256, 80), POLICY_VERDICT_ALLOW);
	assert_false(policy_world_get_rule_set(world, 1)->directions[POLICY_INGRESS].enforced);
	assert_false(policy_world_get_rule_set(world, 1)->directions[POLICY_INGRESS].open);
	assert_int_equal(policy_world_get_rule_set(world, 1)->directions[POLICY_INGRESS].n_peers,
			 1);
	world->config.enable_non_default_deny = false;
	policy_derivation_reconfigure(world->derivation);
	policy_world_put_policy(world, deny_new("b", "k8s:app=client"));
	assert_int_equal(judge(world, 256, 80), POLICY_VERDICT_DEFAULT_DENY);
}

static void the_host_reaches_its_endpoints(void **state)
{
	struct policy_world *world = *state;

	world->config.allow_localhost = true;
	put_pair(world);
	policy_world_put_policy(world, allow_new("a", "k8s:app=client", 80));
	assert_int_equal(judge(world, IDENTITY_HOST, 22), POLICY_VERDICT_ALLOW);
	assert_int_equal(
		policy_world_judge(world, 1, POLICY_INGRESS, IDENTITY_HOST, IPPROTO_TCP, 22).rule,
		RULE_NUMBER_ALLOW_LOCALHOST);
	assert_int_equal(judge(world, IDENTITY_REMOTE_NODE, 22), POLICY_VERDICT_DEFAULT_DENY);
	policy_world_put_policy(world, deny_new("b", "reserved:host"));
	assert_int_equal(judge(world, IDENTITY_HOST, 22), POLICY_VERDICT_DENY);
}

static void reserved_identities_are_there(void **state)
{
	struct policy_world *world = *state;

	put_pair(world);
	policy_world_put_policy(world, allow_new("a", "reserved:remote-node", 80));
	assert_int_equal(judge(world, IDENTITY_REMOTE_NODE, 80), POLICY_VERDICT_ALLOW);
	assert_int_equal(judge(world, IDENTITY_KUBE_APISERVER, 80), POLICY_VERDICT_ALLOW);
	assert_int_equal(judge(world, IDENTITY_HOST, 80), POLICY_VERDICT_DEFAULT_DENY);
	/* What the table says of a number counts, until it says nothing. */
	policy_world_put_identity(world, IDENTITY_KUBE_APISERVER, "reserved:kube-apiserver=;");
	assert_int_equal(judge(world, IDENTITY_KUBE_APISERVER, 80), POLICY_VERDICT_DEFAULT_DENY);
	policy_world_remove_identity(world, IDENTITY_KUBE_APISERVER);
	assert_int_equal(judge(world, IDENTITY_KUBE_APISERVER, 80), POLICY_VERDICT_ALLOW);
}

static void set_mode(struct policy_world *world, enum policy_mode mode)
{
	world->config.policy_mode = mode;
	policy_derivation_reconfigure(world->derivation);
	store_settle(world->store);
}

static void modes(void **state)
{
	struct policy_world *world = *state;

	put_pair(world);
	policy_world_put_endpoint(world, 2, 257, CLIENT, NULL);
	policy_world_put_endpoint(world, 3, IDENTITY_INIT, "reserved:init=;", NULL);
	policy_world_put_policy(world, allow_new("a", "k8s:app=client", 80));
	assert_true(policy_world_get_rule_set(world, 2)->directions[POLICY_INGRESS].open);
	assert_true(policy_world_get_rule_set(world, 3)->directions[POLICY_INGRESS].open);
	world->config.enforce_init = true;
	set_mode(world, POLICY_MODE_DEFAULT);
	assert_true(policy_world_get_rule_set(world, 2)->directions[POLICY_INGRESS].open);
	assert_true(policy_world_get_rule_set(world, 3)->directions[POLICY_INGRESS].enforced);
	assert_true(policy_world_get_rule_set(world, 3)->directions[POLICY_EGRESS].enforced);
	set_mode(world, POLICY_MODE_ALWAYS);
	assert_true(policy_world_get_rule_set(world, 2)->directions[POLICY_EGRESS].enforced);
	assert_int_equal(judge(world, 257, 80), POLICY_VERDICT_ALLOW);
	set_mode(world, POLICY_MODE_NEVER);
	for (uint16_t id = 1; id <= 3; id++)
		assert_true(policy_world_get_rule_set(world, id)->directions[POLICY_INGRESS].open);
	assert_int_equal(judge(world, 256, 80), POLICY_VERDICT_ALLOW);
	set_mode(world, POLICY_MODE_DEFAULT);
	assert_int_equal(judge(world, 256, 80), POLICY_VERDICT_DEFAULT_DENY);
	assert_true(policy_world_get_rule_set(world, 2)->directions[POLICY_INGRESS].open);
}

static void kinds_are_switched_off(void **state)
{
	struct policy_world *world = *state;

	world->config.enable_policy_kind[POLICY_KIND_CLUSTERWIDE] = false;
	put_pair(world);
	policy_world_put_policy(world, allow_new("a", "k8s:app=client", 80));
	assert_true(policy_world_get_rule_set(world, 1)->directions[POLICY_INGRESS].open);
}

static void the_host_has_its_own_policies(void **state)
{
	struct policy_world *world = *state;
	struct policy *policy = allow_new("host", "k8s:app=client", 22);

	world->config.enable_host_firewall = true;
	put_pair(world);
	selector_unref(((struct policy_spec *)policy->specs->pdata[0])->subject);
	((struct policy_spec *)policy->specs->pdata[0])->subject = test_selector("");
	((struct policy_spec *)policy->specs->pdata[0])->selects_nodes = true;
	policy_world_put_policy(world, policy);
	policy_world_put_policy(world, allow_new("a", "k8s:app=client", 80));
	assert_int_equal(policy_world_judge(world, 0, POLICY_INGRESS, 257, IPPROTO_TCP, 22).verdict,
			 POLICY_VERDICT_ALLOW);
	assert_int_equal(policy_world_judge(world, 0, POLICY_INGRESS, 257, IPPROTO_TCP, 80).verdict,
			 POLICY_VERDICT_DEFAULT_DENY);
	assert_int_equal(judge(world, 257, 22), POLICY_VERDICT_DEFAULT_DENY);
}

/* One that names no ports and one that asks for a proxy. */
static void what_needs_more_fails_closed(void **state)
{
	struct policy_world *world = *state;
	struct policy *policy = allow_new("a", "k8s:app=client", 80);
	struct policy_spec *spec = policy->specs->pdata[0];
	struct policy_rule *rule = spec->rules->pdata[0];
	struct policy_leaf leaf;

	g_array_index(rule->ports, struct policy_port, 0).needs = POLICY_NEEDS_L7;
	rule = test_policy_add_rule(policy, spec, POLICY_INGRESS, false);
	rule->no_ports = true;
	put_pair(world);
	policy_world_put_policy(world, policy);
	leaf = policy_world_judge(world, 1, POLICY_INGRESS, 257, IPPROTO_TCP, 80);
	assert_int_equal(leaf.verdict, POLICY_VERDICT_NEEDS_PROXY);
	assert_int_equal(leaf.match, POLICY_MATCH_L3_L4);
	assert_int_equal(judge(world, 256, 81), POLICY_VERDICT_DEFAULT_DENY);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_before_all_is_known),
		TEST(an_endpoint_without_policy_is_open),
		TEST(what_is_not_allowed_is_denied),
		TEST(endpoints_share),
		TEST(peers_come_and_go_under_one_revision),
		TEST(the_policy_revision_counts),
		TEST(prefixes_select_prefixes),
		TEST(one_family_has_one_world),
		TEST(groups_are_prefixes),
		TEST(names_of_own_ports),
		TEST(names_of_peers_ports),
		TEST(requirements_concern_all_rules),
		TEST(a_denial_without_default_deny),
		TEST(the_host_reaches_its_endpoints),
		TEST(reserved_identities_are_there),
		TEST(modes),
		TEST(kinds_are_switched_off),
		TEST(the_host_has_its_own_policies),
		TEST(what_needs_more_fails_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
