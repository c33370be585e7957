// SPDX-License-Identifier: Apache-2.0
/* The maps of policy as an agent finds them: left by another before, or changed by somebody else. */
#include "src/datapath/policy_test.h"

#define ALLOW POLICY_VERDICT_ALLOW

static struct reconciler_policy policy_of(const struct node *node, uint16_t id)
{
	struct reconciler_policy policy;

	assert_true(reconcilers_policy_get(node->reconcilers, id, &policy));
	return policy;
}

static int set_up(void **state)
{
	*state = node_new(64, 64);
	reconcilers_allow_deletion(((struct node *)*state)->reconcilers);
	return 0;
}

static int tear_down(void **state)
{
	node_free(*state);
	return 0;
}

static void restart(struct node *node)
{
	node_stop(node);
	node_start(node);
	fake_reset_calls(node->dp);
}

static void test_adopts_what_is_equal(void **state)
{
	struct node *node = *state;
	uint32_t before;

	node_put_endpoint(node, 1, 1, true);
	node_put_endpoint(node, 2, 1, false);
	node_put_set(node, set_new(1, 1, 100, 5, allow_port(20, 80)));
	store_settle(node->store);
	before = version_of(node, 1);
	restart(node);
	assert_int_equal(policy_of(node, 1).version, before);
	assert_int_equal(policy_of(node, 1).realized_policy_revision, 0);
	/* Another number, another revision: the same rules. */
	node_put_endpoint(node, 1, 7, true);
	node_put_set(node, set_new(7, 3, 100, 5, allow_port(20, 80)));
	store_settle(node->store);
	reconcilers_allow_deletion(node->reconcilers);
	node_put_endpoint(node, 2, 7, false);
	store_settle(node->store);
	node_come_to_rest(node);
	assert_int_equal(version_of(node, 1), before);
	assert_int_equal(fake_n_calls(node->dp, FAKE_OP_MAP_UPDATE_BATCH), 0);
	assert_int_equal(policy_of(node, 1).realized_rule_set_revision, 3);
}

static void test_replaces_what_differs(void **state)
{
	struct node *node = *state;
	uint32_t before;

	node_put_endpoint(node, 1, 1, false);
	node_put_endpoint(node, 2, 2, false);
	node_put_set(node, set_new(1, 1, 100, 5, allow_port(20, 80)));
	node_put_set(node, set_new(2, 1, 100, 5, allow(30)));
	store_settle(node->store);
	before = version_of(node, 2);
	restart(node);
	node_put_endpoint(node, 1, 1, false);
	node_put_set(node, set_new(1, 1, 100, 4, allow_port(20, 80)));
	store_settle(node->store);
	assert_false(is_allowed(node, 1, 104, 80));
	/* No source has said anything about endpoint 2 yet. */
	assert_int_equal(version_of(node, 2), before);
	assert_true(is_allowed(node, 2, 104, 1));
	assert_int_equal(reconcilers_resync(node->reconcilers), 0);
	node_come_to_rest(node);
	assert_entries(node, 6 + 5 + 6, 1);
	reconcilers_allow_deletion(node->reconcilers);
	assert_int_equal(version_of(node, 2), 0);
	node_come_to_rest(node);
	assert_entries(node, 5, 1);
}

static void test_a_version_is_never_used_again(void **state)
{
	struct node *node = *state;
	uint32_t before;

	node_put_endpoint(node, 1, 1, false);
	node_put_set(node, set_new(1, 1, 100, 5, allow_port(20, 80)));
	store_settle(node->store);
	before = version_of(node, 1);
	restart(node);
	/* The file was lost. */
	node->last_version = before - 1;
	node_put_endpoint(node, 1, 1, false);
	node_put_set(node, set_new(1, 1, 100, 5, allow(20)));
	store_settle(node->store);
	assert_int_not_equal(version_of(node, 1), before);
	assert_true(is_allowed(node, 1, 100, 1));
}

/* A class that somebody has deleted while no agent ran: its peers must not find another under its number. */
static void test_a_lost_class_is_no_other(void **state)
{
	struct node *node = *state;
	const struct policy_class_key key = {1, IPPROTO_TCP, 16, htons(80)};

	node_put_endpoint(node, 1, 1, false);
	node_put_set(node, set_new(1, 1, 100, 1, allow_port(20, 80)));
	store_settle(node->store);
	assert_int_equal(node->dp->ops->map_delete(node->dp, CLASSES, &key), 0);
	assert_entries(node, 2, 0);
	restart(node);
	node_put_endpoint(node, 2, 2, false);
	node_put_set(node, set_new(2, 1, 100, 1, allow_port(30, 443)));
	store_settle(node->store);
	assert_true(is_allowed(node, 2, 100, 443));
	assert_null(
		fake_map_value(node->dp, CLASSES,
			       &(const struct policy_class_key){1, IPPROTO_TCP, 16, htons(443)}));
}

/* ---- what others do ---- */

static void test_repairs_what_others_did(void **state)
{
	struct node *node = *state;
	const struct datapath_ops *ops = node->dp->ops;
	const struct policy_endpoint other = {.version = 12345}, none = {0};
	struct policy_peer peer = {.otherwise.verdict = ALLOW};
	struct policy_peer_key key = {.identity = 101};
	struct policy_class_key class = {.class = 1, .protocol = IPPROTO_TCP, .prefix_len = 16};
	const struct policy_leaf leaf = {.verdict = ALLOW};
	const struct question question = {POLICY_INGRESS, 101, IPPROTO_TCP, 81};

	node_put_endpoint(node, 1, 1, false);
	node_put_endpoint(node, 2, 1, false);
	node_put_set(node, set_new(1, 1, 100, 5, allow_port(20, 80)));
	store_settle(node->store);
	key.version = version_of(node, 1);
	assert_int_equal(reconcilers_resync(node->reconcilers), 0);

	assert_int_equal(ops->map_update(node->dp, PEERS, &key, &peer), 0);
	assert_int_equal(judge(node->dp, 1, &question).verdict, ALLOW);
	key.identity = 100;
	assert_int_equal(ops->map_delete(node->dp, PEERS, &key), 0);
	key.identity = 999;
	assert_int_equal(ops->map_update(node->dp, PEERS, &key, &peer), 0);
	class.port = htons(80);
	assert_int_equal(ops->map_delete(node->dp, CLASSES, &class), 0);
	class.port = htons(22);
	assert_int_equal(ops->map_update(node->dp, CLASSES, &class, &leaf), 0);
	ops->policy_set(node->dp, 1, &other);
	ops->policy_set(node->dp, 2, &none);
	ops->policy_set(node->dp, 3, &other);

	assert_int_equal(reconcilers_resync(node->reconcilers), 8);
	assert_int_equal(reconcilers_resync(node->reconcilers), 0);
	assert_entries(node, 6, 1);
	assert_int_equal(version_of(node, 3), 0);
	assert_true(is_allowed(node, 1, 100, 80));
	assert_true(is_allowed(node, 2, 100, 80));
	assert_int_not_equal(judge(node->dp, 1, &question).verdict, ALLOW);
}

static void count_difference(const struct reconciler_difference *difference, void *data)
{
	assert_int_equal(difference->error, 0);
	assert_non_null(strstr(difference->object, "cilium_policy_"));
	++*(unsigned int *)data;
}

static void test_reapplies_an_endpoint(void **state)
{
	struct node *node = *state;
	struct policy_peer_key key = {.identity = 101};
	const struct policy_endpoint none = {0};
	unsigned int n = 0;

	node_put_endpoint(node, 1, 1, false);
	node_put_endpoint(node, 2, 2, false);
	node_put_set(node, set_new(1, 1, 100, 5, allow_port(20, 80)));
	node_put_set(node, set_new(2, 1, 100, 5, allow(30)));
	store_settle(node->store);
	node->dp->ops->policy_set(node->dp, 1, &none);
	node->dp->ops->policy_set(node->dp, 2, &none);
	key.version = policy_of(node, 1).version;
	assert_int_equal(node->dp->ops->map_delete(node->dp, PEERS, &key), 0);
	assert_int_equal(reconcilers_reapply_endpoint(node->reconcilers, 1, count_difference, &n),
			 7);
	assert_int_equal(n, 2);
	assert_true(is_allowed(node, 1, 101, 80));
	assert_int_equal(version_of(node, 2), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_adopts_what_is_equal),          TEST(test_replaces_what_differs),
		TEST(test_a_version_is_never_used_again), TEST(test_a_lost_class_is_no_other),
		TEST(test_repairs_what_others_did),       TEST(test_reapplies_an_endpoint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
