// SPDX-License-Identifier: Apache-2.0
/* Identities that appear while what the plan says of them does not fit into the kernel's maps. */
#include "src/datapath/policy_test.h"

#define ALLOW   POLICY_VERDICT_ALLOW
#define DENY    POLICY_VERDICT_DENY
#define NOTHING POLICY_VERDICT_DEFAULT_DENY

/* Of which a sixteenth, 4, is for peers that come. */
#define MAX_PEERS   64
#define MAX_CLASSES 32

static int set_up(void **state)
{
	*state = node_new(MAX_PEERS, MAX_CLASSES);
	reconcilers_allow_deletion(((struct node *)*state)->reconcilers);
	return 0;
}

static int tear_down(void **state)
{
	node_free(*state);
	return 0;
}

/* Rules that allow all but 39 fill the map, and the next do not fit. */
static void fill_with_denials(struct node *node)
{
	node_put_endpoint(node, 1, 1, false);
	for (uint32_t i = 0; i < 40; i++)
		node_put_identity(node, 100 + i);
	apply(node, deny_set(1, 39, class_new(DENY, 20, 0, 0)));
	apply(node, deny_set(2, 40, class_new(DENY, 21, 0, 0)));
	assert_int_equal(reconcilers_policy_statistics(node->reconcilers).n_unfit, 1);
}

/* Whom the rules in force knew is judged by them; who comes now is not to profit from their age. */
static void test_strangers_do_not_profit_from_old_rules(void **state)
{
	struct node *node = *state;
	const uint32_t known = 139, stranger = 140;

	fill_with_denials(node);
	assert_false(is_incomplete(node, 1));
	assert_int_equal(verdict(node, 1, known), ALLOW);
	/* One that may as much as the old rules let it. */
	node_put_identity(node, 5000);
	store_settle(node->store);
	assert_false(is_incomplete(node, 1));

	node_put_identity(node, stranger);
	apply(node, deny_set(2, 41, class_new(DENY, 21, 0, 0)));
	assert_true(is_incomplete(node, 1));
	assert_int_equal(verdict(node, 1, stranger), NOTHING);
	assert_int_equal(verdict(node, 1, 100), DENY);
	assert_int_equal(reconcilers_policy_statistics(node->reconcilers).n_incomplete, 1);
	/* Until it fits. */
	apply(node, deny_set(3, 10, class_new(DENY, 21, 0, 0)));
	assert_false(is_incomplete(node, 1));
	assert_int_equal(verdict(node, 1, stranger), ALLOW);
	assert_int_equal(reconcilers_policy_statistics(node->reconcilers).n_incomplete, 0);
}

/* It has no entry in the new rules either: those deny all others. */
static void test_strangers_without_an_entry(void **state)
{
	struct node *node = *state;

	fill_with_denials(node);
	apply(node, set_new(1, 3, 100, 40, allow(22)));
	assert_false(is_incomplete(node, 1));
	node_put_identity(node, 5000);
	store_settle(node->store);
	assert_true(is_incomplete(node, 1));
}

/* The agent that finds old rules cannot tell whom they knew. */
static void test_strangers_of_an_older_run(void **state)
{
	struct node *node = *state;

	fill_with_denials(node);
	node_stop(node);
	node_start(node);
	node_put_identity(node, 140);
	node_put_endpoint(node, 1, 1, false);
	apply(node, deny_set(2, 41, class_new(DENY, 21, 0, 0)));
	assert_int_equal(reconcilers_policy_statistics(node->reconcilers).n_unfit, 1);
	assert_true(is_incomplete(node, 1));
	apply(node, deny_set(3, 10, class_new(DENY, 21, 0, 0)));
	assert_false(is_incomplete(node, 1));
}

/* An endpoint that is to have other rules than before, which do not fit. */
static void test_strangers_of_rules_that_never_fitted(void **state)
{
	struct node *node = *state;
	struct rule_set *other;

	fill_with_denials(node);
	node_put_identity(node, 140);
	store_settle(node->store); /* under the rules of before, which let it in */
	other = deny_set(1, 41, class_new(DENY, 21, 0, 0));
	other->number = 2;
	node_put_set(node, other);
	node_put_endpoint(node, 1, 2, false);
	store_settle(node->store);
	assert_false(is_incomplete(node, 1));
	node_put_identity(node, 141);
	other = deny_set(1, 42, class_new(DENY, 21, 0, 0));
	other->number = 2;
	apply(node, other);
	assert_true(is_incomplete(node, 1));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_strangers_do_not_profit_from_old_rules),
		TEST(test_strangers_without_an_entry),
		TEST(test_strangers_of_an_older_run),
		TEST(test_strangers_of_rules_that_never_fitted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
