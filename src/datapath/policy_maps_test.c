// SPDX-License-Identifier: Apache-2.0
/* The reconciler of policy, one thing at a time. */
#include "abi/device.h"
#include "src/datapath/policy_test.h"

static uint32_t flags_of(const struct node *node, uint16_t id)
{
	return node->dp->ops->policy_get(node->dp, id).flags;
}

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

static void test_one_copy_for_many_endpoints(void **state)
{
	struct node *node = *state;

	for (uint16_t id = 1; id <= 10; id++)
		node_put_endpoint(node, id, 1, id == 3);
	node_put_set(node, set_new(1, 1, 100, 5, allow_port(20, 80)));
	assert_false(is_allowed(node, 1, 100, 80));
	store_settle(node->store);
	assert_entries(node, 6, 1);
	for (uint16_t id = 1; id <= 10; id++) {
		assert_true(is_allowed(node, id, 100, 80));
		assert_false(is_allowed(node, id, 100, 81));
		assert_false(is_allowed(node, id, 105, 80));
		assert_int_equal(version_of(node, id), version_of(node, 1));
		assert_int_equal(flags_of(node, id),
				 POLICY_F_OPEN_EGRESS | (id == 3 ? POLICY_F_AUDIT : 0));
	}
	/* Audit is of the endpoint, not of the rules. */
	node_put_endpoint(node, 3, 1, false);
	fake_reset_calls(node->dp);
	store_settle(node->store);
	assert_int_equal(flags_of(node, 3), POLICY_F_OPEN_EGRESS);
	assert_int_equal(fake_n_writes(node->dp), 1);
}

static void test_change_writes_beside_and_flips(void **state)
{
	struct node *node = *state;
	uint32_t before;

	node_put_endpoint(node, 1, 1, false);
	node_put_set(node, set_new(1, 1, 100, 5, allow_port(20, 80)));
	store_settle(node->store);
	before = version_of(node, 1);
	node_put_set(node, set_new(1, 2, 100, 3, allow_port(20, 443)));
	store_settle(node->store);
	assert_int_not_equal(version_of(node, 1), before);
	assert_true(is_allowed(node, 1, 102, 443));
	assert_false(is_allowed(node, 1, 103, 443));
	/* A program may still be at the old one. */
	assert_entries(node, 6 + 4, 2);
	node_come_to_rest(node);
	assert_entries(node, 4, 1);
	assert_int_equal(policy_of(node, 1).realized_rule_set_revision, 2);
	assert_true(policy_of(node, 1).is_applied);
}

static void test_revision_without_a_change_keeps_the_version(void **state)
{
	struct node *node = *state;
	uint32_t before;

	node_put_endpoint(node, 1, 1, false);
	node_put_set(node, set_new(1, 1, 100, 5, allow_port(20, 80)));
	store_settle(node->store);
	before = version_of(node, 1);
	fake_reset_calls(node->dp);
	node_put_set(node, set_new(1, 2, 100, 5, allow_port(20, 80)));
	store_settle(node->store);
	assert_int_equal(version_of(node, 1), before);
	assert_int_equal(fake_n_writes(node->dp), 0);
	assert_int_equal(policy_of(node, 1).realized_rule_set_revision, 2);
}

static void test_peers_come_and_go_in_place(void **state)
{
	struct node *node = *state;
	uint32_t before;

	node_put_endpoint(node, 1, 1, false);
	node_put_set(node, set_new(1, 1, 100, 5, allow_port(20, 80)));
	store_settle(node->store);
	before = version_of(node, 1);
	fake_reset_calls(node->dp);
	node_put_set(node, set_new(1, 1, 100, 7, allow_port(20, 80)));
	store_settle(node->store);
	assert_true(is_allowed(node, 1, 106, 80));
	assert_int_equal(fake_n_calls(node->dp, FAKE_OP_MAP_UPDATE_BATCH), 1);
	node_put_set(node, set_new(1, 1, 102, 5, allow_port(20, 80)));
	store_settle(node->store);
	assert_false(is_allowed(node, 1, 101, 80));
	assert_true(is_allowed(node, 1, 102, 80));
	assert_int_equal(version_of(node, 1), before);
	assert_entries(node, 6, 1);
}

/* What else is under the same revision is no peer that comes or goes: all at once, or not at all. */
static void test_another_class_is_another_version(void **state)
{
	struct node *node = *state;
	uint32_t before;

	node_put_endpoint(node, 1, 1, false);
	node_put_set(node, set_new(1, 1, 100, 5, allow_port(20, 80)));
	store_settle(node->store);
	before = version_of(node, 1);
	node_put_set(node, set_new(1, 1, 100, 5, allow_port(20, 443)));
	store_settle(node->store);
	assert_int_not_equal(version_of(node, 1), before);
	assert_true(is_allowed(node, 1, 100, 443));
}

static bool check_order(const struct node *node)
{
	const uint32_t key = 7;

	/* Devices stand for what names identities. */
	return (fake_map_value(node->dp, PLAN_MAP_cilium_devices, &key) != NULL) <=
	       is_allowed(node, 1, 105, 80);
}

static bool order_is_right;

static void watch_order(void *data)
{
	order_is_right &= check_order(data);
}

/* An identity is known to the rules before anything names it, and for as long. */
static void test_order_among_the_reconcilers(void **state)
{
	struct node *node = *state;
	const uint32_t key = 7;
	const struct device_info value = {0};
	uint8_t key_bytes[1 + sizeof(key)] = {PLAN_MAP_cilium_devices};
	struct txn *txn;

	memcpy(key_bytes + 1, &key, sizeof(key));
	node_put_endpoint(node, 1, 1, false);
	node_put_set(node, set_new(1, 1, 100, 5, allow_port(20, 80)));
	store_settle(node->store);
	order_is_right = true;
	fake_set_write_observer(node->dp, watch_order, node);
	txn = txn_new(node->store);
	txn_put(txn, node->tables.plan_map_entries,
		&plan_map_entry_new(PLAN_MAP_cilium_devices, &key, sizeof(key), &value,
				    sizeof(value), 0)
			 ->row);
	txn_put(txn, node->tables.rule_sets, &set_new(1, 1, 100, 6, allow_port(20, 80))->row);
	txn_commit(txn);
	store_settle(node->store);
	assert_true(is_allowed(node, 1, 105, 80));
	txn = txn_new(node->store);
	txn_remove(txn, node->tables.plan_map_entries, key_bytes, sizeof(key_bytes));
	txn_put(txn, node->tables.rule_sets, &set_new(1, 1, 100, 5, allow_port(20, 80))->row);
	txn_commit(txn);
	store_settle(node->store);
	fake_set_write_observer(node->dp, NULL, NULL);
	assert_false(is_allowed(node, 1, 105, 80));
	assert_true(order_is_right);
}

static void test_an_endpoint_that_goes(void **state)
{
	struct node *node = *state;
	struct reconciler_policy policy;

	node_put_endpoint(node, 1, 1, false);
	node_put_endpoint(node, 2, 1, false);
	node_put_set(node, set_new(1, 1, 100, 5, allow_port(20, 80)));
	store_settle(node->store);
	node_remove_endpoint(node, 1);
	store_settle(node->store);
	assert_int_equal(version_of(node, 1), 0);
	assert_int_equal(flags_of(node, 1), 0);
	assert_false(reconcilers_policy_get(node->reconcilers, 1, &policy));
	assert_true(is_allowed(node, 2, 100, 80));
	node_remove_endpoint(node, 2);
	node_remove_set(node, 1);
	store_settle(node->store);
	node_come_to_rest(node);
	assert_entries(node, 0, 0);
}

/* ---- waiting ---- */

static unsigned int n_waits;

static void hold_wait(int (*wait)(struct datapath *dp), struct datapath *dp, void *data)
{
	n_waits++;
	assert_int_equal(wait(dp), 0);
}

static void test_nothing_goes_before_the_programs_have_ended(void **state)
{
	struct node *node = *state;

	n_waits = 0;
	reconcilers_set_policy_waiter(node->reconcilers, hold_wait, NULL);
	node_put_endpoint(node, 1, 1, false);
	node_put_set(node, set_new(1, 1, 100, 5, allow_port(20, 80)));
	store_settle(node->store);
	node_put_set(node, set_new(1, 2, 100, 5, allow_port(20, 81)));
	store_settle(node->store);
	assert_int_equal(reconcilers_retry(node->reconcilers), -1);
	assert_int_equal(n_waits, 1);
	/* While it waits something else is given up: that has its own wait. */
	node_put_set(node, set_new(1, 3, 100, 5, allow_port(20, 82)));
	store_settle(node->store);
	assert_int_equal(reconcilers_retry(node->reconcilers), -1);
	assert_int_equal(n_waits, 1);
	assert_entries(node, 18, 3);
	reconcilers_end_policy_wait(node->reconcilers, 0);
	assert_int_equal(n_waits, 2);
	assert_entries(node, 12, 2);
	/* One that failed does not count. */
	reconcilers_end_policy_wait(node->reconcilers, -ENOMEM);
	assert_entries(node, 12, 2);
	test_now_ns += 2 * NSEC_PER_SEC;
	reconcilers_retry(node->reconcilers);
	assert_int_equal(n_waits, 3);
	reconcilers_end_policy_wait(node->reconcilers, 0);
	assert_entries(node, 6, 1);
}

/* A class whose last peer has gone is used by the next before it is deleted. */
static void test_a_class_comes_back(void **state)
{
	struct node *node = *state;

	node_put_endpoint(node, 1, 1, false);
	node_put_set(node, set_new(1, 1, 100, 1, allow_port(20, 80)));
	store_settle(node->store);
	node_put_set(node, set_new(1, 1, 100, 0, allow_port(20, 80)));
	store_settle(node->store);
	assert_entries(node, 1, 1);
	node_put_set(node, set_new(1, 1, 100, 1, allow_port(20, 80)));
	store_settle(node->store);
	node_come_to_rest(node);
	assert_entries(node, 2, 1);
	assert_true(is_allowed(node, 1, 100, 80));
	node_put_set(node, set_new(1, 1, 100, 0, allow_port(20, 80)));
	store_settle(node->store);
	node_come_to_rest(node);
	assert_entries(node, 1, 0);
}

/* ---- a start ---- */

static void count_write(const struct reconciler_entry *write, void *data)
{
	unsigned int *n_writes = data;

	n_writes[write->entry->data[0]] += write->wanted ? 1 : 1000;
	assert_int_equal(write->error, 0);
}

static void test_tells_of_writes(void **state)
{
	struct node *node = *state;
	unsigned int n_writes[PLAN_MAP__MAX] = {0};

	reconcilers_set_write_observer(node->reconcilers, count_write, n_writes);
	node_put_endpoint(node, 1, 1, false);
	node_put_set(node, set_new(1, 1, 100, 5, allow_port(20, 80)));
	store_settle(node->store);
	assert_int_equal(n_writes[PEERS], 6);
	assert_int_equal(n_writes[CLASSES], 1);
	assert_int_equal(n_writes[PLAN_MAP_cilium_policy_endpoint], 1);
	node_put_set(node, set_new(1, 2, 100, 2, allow(20)));
	store_settle(node->store);
	node_come_to_rest(node);
	assert_int_equal(n_writes[PEERS], 6 + 3 + 6000);
	assert_int_equal(n_writes[CLASSES], 1001);
	assert_int_equal(n_writes[PLAN_MAP_cilium_policy_endpoint], 2);
	reconcilers_set_write_observer(node->reconcilers, NULL, NULL);
}

struct two_flips {
	struct node *node;
	uint32_t before[2];
	unsigned int
		n_halfway; /* writes behind which one endpoint has its new rules, and one its old */
	unsigned int n_peers, n_classes; /* then */
};

static void look_halfway(void *data)
{
	struct two_flips *flips = data;

	if ((version_of(flips->node, 1) == flips->before[0]) ==
	    (version_of(flips->node, 2) == flips->before[1]))
		return;
	flips->n_halfway++;
	flips->n_peers = fake_map_n_entries(flips->node->dp, PEERS);
	flips->n_classes = fake_map_n_entries(flips->node->dp, CLASSES);
}

/* A policy that concerns both ends of a connection: nothing is left to be written between the two flips. */
static void test_all_versions_are_there_before_a_flip(void **state)
{
	struct node *node = *state;
	struct two_flips flips = {.node = node};

	for (uint16_t i = 1; i <= 2; i++) {
		node_put_endpoint(node, i, i, false);
		node_put_set(node, set_new(i, i, 100, 5, allow_port(20, 80)));
	}
	store_settle(node->store);
	for (uint16_t i = 1; i <= 2; i++) {
		flips.before[i - 1] = version_of(node, i);
		node_put_set(node, set_new(i, 2 + i, 100, 3, allow_port(20, 443)));
	}
	fake_set_write_observer(node->dp, look_halfway, &flips);
	store_settle(node->store);
	fake_set_write_observer(node->dp, NULL, NULL);
	assert_int_equal(flips.n_halfway, 1);
	assert_entries(node, flips.n_peers, flips.n_classes);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_copy_for_many_endpoints),
		TEST(test_change_writes_beside_and_flips),
		TEST(test_revision_without_a_change_keeps_the_version),
		TEST(test_peers_come_and_go_in_place),
		TEST(test_another_class_is_another_version),
		TEST(test_order_among_the_reconcilers),
		TEST(test_an_endpoint_that_goes),
		TEST(test_nothing_goes_before_the_programs_have_ended),
		TEST(test_a_class_comes_back),
		TEST(test_tells_of_writes),
		TEST(test_all_versions_are_there_before_a_flip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
