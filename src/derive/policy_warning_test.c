// SPDX-License-Identifier: Apache-2.0
#include "src/derive/policy_warning.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "src/derive/policy_world_test.h"
#include "src/model/node.h"
#include "src/model/service.h"

/* Two pods, of which one has a port with a name. */
static int setup(void **state)
{
	struct policy_world *world = g_new0(struct policy_world, 1);

	policy_world_init(world);
	policy_world_put_pod(world, "shop/web", "http", IPPROTO_TCP, 80);
	policy_world_put_endpoint(world, 1, 256,
				  "k8s:app=web;k8s:io.kubernetes.pod.namespace=shop;", NULL);
	policy_world_put_endpoint(world, 2, 257,
				  "k8s:app=client;k8s:io.kubernetes.pod.namespace=shop;", NULL);
	policy_world_put_identity(world, 258, "k8s:app=remote;");
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	policy_world_fini(*state);
	g_free(*state);
	return 0;
}

static void put_policy(struct policy_world *world, struct policy *take_policy)
{
	struct txn *txn = txn_new(world->store);

	txn_put(txn, world->tables.policies, &take_policy->row);
	txn_commit(txn);
}

/* wanted: a part of each text, in their order; NULL at the end. */
static void assert_warnings(struct policy_world *world, const struct policy *policy, ...)
{
	struct policy_warnings *warnings = policy_warnings_new(&world->tables, &world->config);
	g_autoptr(GPtrArray) notes = policy_warnings_find(warnings, policy);
	const char *wanted;
	unsigned int i = 0;
	va_list args;

	va_start(args, policy);
	while ((wanted = va_arg(args, const char *))) {
		const struct policy_note *note;

		if (i == notes->len)
			fail_msg("no warning \"%s\"", wanted);
		note = notes->pdata[i++];
		if (!strstr(note->text, wanted))
			fail_msg("\"%s\" is not in \"%s\"", wanted, note->text);
		assert_false(note->fails_closed);
	}
	va_end(args);
	if (i < notes->len)
		fail_msg("one warning more: \"%s\"",
			 ((const struct policy_note *)notes->pdata[i])->text);
	policy_warnings_free(warnings);
}

static struct policy_rule *rule_new(struct policy *policy, const char *subject, const char *peer)
{
	struct policy_spec *spec = test_policy_add_spec(policy, subject);
	struct policy_rule *rule = test_policy_add_rule(policy, spec, POLICY_INGRESS, false);

	test_policy_add_peer(rule, peer);
	return rule;
}

static void what_is_there_is_no_warning(void **state)
{
	struct policy *policy = test_policy_new("a");

	test_policy_add_peer(rule_new(policy, "k8s:app=web", "k8s:app=client"), "10.0.0.0/8");
	rule_new(policy, "k8s:app=client", "k8s:app=remote");
	rule_new(policy, "k8s:app=client", "reserved:kube-apiserver");
	rule_new(policy, "", "");
	assert_warnings(*state, policy, NULL);
	row_unref(&policy->row);
}

static void nobody_is_selected(void **state)
{
	struct policy *policy = test_policy_new("a");

	rule_new(policy, "k8s:app=wbe", "k8s:app=clinet");
	assert_warnings(*state, policy, "no pod and no endpoint", "app: clinet", NULL);
	row_unref(&policy->row);
}

static void namespaces_and_objects_are_missing(void **state)
{
	struct policy *policy = test_policy_new("a");

	test_policy_add_peer(rule_new(policy, "k8s:app=web",
				      "k8s:app=client,k8s:io.kubernetes.pod.namespace=shpo"),
			     "group:partners");
	rule_new(policy, "k8s:app=web", "k8s:app=client,k8s:io.kubernetes.pod.namespace=shop");
	assert_warnings(*state, policy, "namespace shpo does not exist",
			"CiliumCIDRGroup partners does not exist", NULL);
	row_unref(&policy->row);
}

static void put_service(struct policy_world *world, const char *namespace, const char *name)
{
	struct service *service = (struct service *)row_new(&service_class);
	struct txn *txn = txn_new(world->store);

	object_meta_init_namespaced(&service->meta, namespace, name);
	txn_put(txn, world->tables.services, &service->row);
	txn_commit(txn);
}

/* Without a namespace: of any. */
static void services_are_missing(void **state)
{
	struct policy *policy = test_policy_new("a");
	struct policy_rule *rule = rule_new(policy, "k8s:app=web", "k8s:app=client");
	static const char *const peers[][2] = {
		{"shop", "db"}, {"blog", "db"}, {NULL, "db"}, {NULL, "bd"}};

	put_service(*state, "shop", "db");
	for (size_t i = 0; i < G_N_ELEMENTS(peers); i++)
		g_ptr_array_add(rule->peers,
				(void *)selector_new_service(peers[i][0], peers[i][1], NULL));
	assert_warnings(*state, policy, "Service blog/db does not exist",
			"Service bd does not exist", NULL);
	row_unref(&policy->row);
}

/* What toNodes of a label means. */
static void labels_of_nodes_do_not_count(void **state)
{
	struct policy_world *world = *state;
	struct policy *policy = test_policy_new("a");

	rule_new(policy, "k8s:app=web", "reserved:remote-node");
	rule_new(policy, "k8s:app=web", "k8s:zone=a,reserved:remote-node");
	assert_warnings(world, policy, "only with enable-node-selector-labels", NULL);
	world->config.enable_node_labels = true;
	assert_warnings(world, policy, "no identity matches the peer", NULL);
	policy_world_put_identity(world, 33554433, "k8s:zone=a;reserved:remote-node=;");
	assert_warnings(world, policy, NULL);
	row_unref(&policy->row);
}

static void put_node(struct policy_world *world, const char *name)
{
	const struct label zone = {"k8s", "zone", "a"};
	struct node *node = node_new("Node", name);
	struct txn *txn = txn_new(world->store);

	object_meta_take_labels(&node->meta, label_set_new(&zone, 1));
	txn_put(txn, world->tables.nodes, &node->row);
	txn_commit(txn);
}

static void nodes_are_not_guarded(void **state)
{
	struct policy_world *world = *state;
	struct policy *policy = test_policy_new("a");
	struct policy_spec *spec;

	rule_new(policy, "k8s:zone=a", "k8s:app=client");
	spec = policy->specs->pdata[0];
	spec->selects_nodes = true;
	assert_warnings(world, policy, "only with enable-host-firewall", NULL);
	world->config.enable_host_firewall = true;
	assert_warnings(world, policy, "no node matches", NULL);
	put_node(world, "node7");
	assert_warnings(world, policy, NULL);
	row_unref(&policy->row);
}

static void names_of_ports_are_missing(void **state)
{
	struct policy *policy = test_policy_new("a");
	struct policy_rule *rule =
		rule_new(policy, "k8s:io.kubernetes.pod.namespace=shop", "k8s:app=client");

	test_policy_add_named_port(rule, IPPROTO_TCP, "http");
	test_policy_add_named_port(rule, IPPROTO_UDP, "http");
	test_policy_add_named_port(rule, IPPROTO_TCP, "htpp");
	rule = rule_new(policy, "k8s:app=client", "k8s:app=web");
	test_policy_add_named_port(rule, IPPROTO_TCP, "http");
	assert_warnings(*state, policy, "that the policy selects has a port named htpp",
			"that the policy selects has a port named http", NULL);
	row_unref(&policy->row);
}

/* One of the same subject, one of all, one too narrow. */
static void a_denial_leaves_nothing(void **state)
{
	struct policy *deny = test_policy_new("deny");
	struct policy *policy = test_policy_new("a");
	struct policy_spec *spec = test_policy_add_spec(deny, "k8s:app=web");
	struct policy_rule *rule = test_policy_add_rule(deny, spec, POLICY_INGRESS, true);

	test_policy_add_peer(rule, "k8s:app=client");
	test_policy_add_port(rule, IPPROTO_TCP, 80, 90);
	put_policy(*state, deny);
	rule = rule_new(policy, "k8s:app=web", "k8s:app=client");
	test_policy_add_port(rule, IPPROTO_TCP, 85, 90);
	rule = rule_new(policy, "k8s:app=web", "k8s:app=client");
	test_policy_add_port(rule, IPPROTO_TCP, 85, 91);
	rule = rule_new(policy, "k8s:app=client", "k8s:app=client");
	test_policy_add_port(rule, IPPROTO_TCP, 85, 90);
	assert_warnings(*state, policy,
			"specs[0].rule[0] of CiliumClusterwideNetworkPolicy/deny denies all of it",
			NULL);
	row_unref(&policy->row);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_there_is_no_warning),        TEST(nobody_is_selected),
		TEST(namespaces_and_objects_are_missing), TEST(services_are_missing),
		TEST(labels_of_nodes_do_not_count),       TEST(nodes_are_not_guarded),
		TEST(names_of_ports_are_missing),         TEST(a_denial_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
