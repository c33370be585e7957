// SPDX-License-Identifier: Apache-2.0
/*
 * Policy under random changes of the plan, full maps, failing writes and agents that are killed at any write.
 * After every single write each endpoint judges every packet as one of the rule sets that it had or was to have;
 * or, where a map is full, more strictly. POLICY_SEED and POLICY_ROUNDS look further.
 */
#include "src/datapath/policy_plan_test.h"

#include <stdlib.h>

/* ---- what must hold ---- */

struct ask {
	const struct plan *plan;
	uint16_t id;
	const struct rule_set *set; /* NULL: all is denied, rule 0 */
};

static bool is_as(const struct plan *plan, struct policy_leaf leaf, const struct rule_set *set,
		  const struct question *question)
{
	struct policy_leaf should = {0};

	if (set)
		should = judge_set(set, question);
	if (plan->may_be_stricter)
		return leaf.verdict != POLICY_VERDICT_ALLOW ||
		       should.verdict == POLICY_VERDICT_ALLOW;
	return leaf_is(leaf, should);
}

/* By that set; or one of the same revision: under it peers come and go one by one. */
static bool is_answered(const struct question *question, void *data)
{
	const struct ask *ask = data;
	const GPtrArray *allowed = ask->plan->allowed[ask->id];
	struct policy_leaf leaf = judge(ask->plan->node->dp, ask->id, question);
	bool found = is_as(ask->plan, leaf, ask->set, question);

	for (guint i = 0; !found && ask->set && i < allowed->len; i++) {
		const struct rule_set *other = allowed->pdata[i];

		found = other && other->revision == ask->set->revision &&
			is_as(ask->plan, leaf, other, question);
	}
	return found;
}

static bool endpoint_is_as(const struct plan *plan, uint16_t id, const struct rule_set *set)
{
	struct ask ask = {plan, id, set};

	for (uint32_t i = 0; i <= IDENTITY_N; i++)
		if (!foreach_question(IDENTITY_FIRST + i, is_answered, &ask))
			return false;
	return true;
}

static void check_endpoint(const struct plan *plan, uint16_t id)
{
	bool found = false;

	for (guint i = 0; !found && i < plan->allowed[id]->len; i++)
		found = endpoint_is_as(plan, id, plan->allowed[id]->pdata[i]);
	if (!found)
		fail_msg("endpoint %u judges by no rule set that it had or was to have", id);
}

static void check_write(void *data)
{
	for (uint16_t id = 1; id <= N_ENDPOINTS; id++)
		check_endpoint(data, id);
}

static void unref_set(void *set)
{
	if (set)
		row_unref(&((struct rule_set *)set)->row);
}

static void allow_set(struct plan *plan, uint16_t id, struct rule_set *set)
{
	if (set)
		row_ref(&set->row);
	g_ptr_array_add(plan->allowed[id], set);
}

static struct rule_set *wanted_set(const struct plan *plan, uint16_t id)
{
	return plan->sets[plan->set_of[id]];
}

/* Those that are applied judge as the plan says, and the others as before. */
static void check_rest(struct plan *plan)
{
	bool may_be_stricter = plan->may_be_stricter;

	for (uint16_t id = 1; id <= N_ENDPOINTS; id++) {
		struct reconciler_policy policy = {0};
		bool is_known = reconcilers_policy_get(plan->node->reconcilers, id, &policy);

		assert_int_equal(is_known, plan->set_of[id] != 0);
		if (is_known && !policy.is_applied) {
			assert_true(may_be_stricter);
			assert_true(policy.error);
			continue;
		}
		plan->may_be_stricter = false;
		g_ptr_array_set_size(plan->allowed[id], 0);
		allow_set(plan, id, wanted_set(plan, id));
		check_endpoint(plan, id);
		plan->may_be_stricter = may_be_stricter;
		assert_int_equal((policy.flags & POLICY_F_AUDIT) != 0, is_known && plan->audit[id]);
	}
	check_write(plan);
	g_ptr_array_set_size(plan->recent, 0);
}

static void add_classes(GHashTable *classes, const struct rule_set_direction *side,
			unsigned int *n_peers)
{
	if (side->open)
		return;
	*n_peers += 1 + side->n_peers;
	for (uint32_t i = 0; i < side->n_peers; i++)
		g_hash_table_add(classes, (void *)side->peers[i].class);
	g_hash_table_add(classes, (void *)side->others);
}

/* Classes of equal entries are one, whatever they say otherwise. */
static bool is_first_of_its_entries(GHashTable *classes, const struct rule_class *class)
{
	GHashTableIter iter;
	void *pointer;

	g_hash_table_iter_init(&iter, classes);
	while (g_hash_table_iter_next(&iter, &pointer, NULL)) {
		const struct rule_class *other = pointer;

		if (other < class && other->n_entries == class->n_entries &&
		    memcmp(other->entries, class->entries,
			   class->n_entries * sizeof(class->entries[0])) == 0)
			return false;
	}
	return true;
}

/* What is in the maps is what the plan needs, each once. */
static void check_no_leftovers(const struct plan *plan)
{
	g_autoptr(GHashTable) classes = g_hash_table_new(NULL, NULL);
	unsigned int n_peers = 0, n_entries = 0, n_endpoints = 0;
	GHashTableIter iter;
	void *pointer;

	for (int i = 1; i <= N_SETS; i++)
		for (int direction = 0; plan->sets[i] && direction < POLICY_DIRECTION__MAX;
		     direction++)
			add_classes(classes, &plan->sets[i]->directions[direction], &n_peers);
	g_hash_table_iter_init(&iter, classes);
	while (g_hash_table_iter_next(&iter, &pointer, NULL))
		if (is_first_of_its_entries(classes, pointer))
			n_entries += ((const struct rule_class *)pointer)->n_entries;
	for (uint16_t id = 1; id <= N_ENDPOINTS; id++)
		n_endpoints += plan->set_of[id] != 0;
	assert_int_equal(fake_map_n_entries(plan->node->dp, PEERS), n_peers);
	assert_int_equal(fake_map_n_entries(plan->node->dp, CLASSES), n_entries);
	assert_int_equal(fake_map_n_entries(plan->node->dp, PLAN_MAP_cilium_policy_endpoint),
			 n_endpoints);
}

/* ---- steps ---- */

/* It has rules of that revision, if it is about to get others: under these peers come and go. */
static bool may_have(const struct plan *plan, uint16_t id, const struct rule_set *set)
{
	for (guint i = 0; i < plan->allowed[id]->len; i++) {
		const struct rule_set *other = plan->allowed[id]->pdata[i];

		if (other && other->revision == set->revision)
			return true;
	}
	return false;
}

static void put_set(struct plan *plan, uint32_t number, struct rule_set *take_set)
{
	if (plan->sets[number])
		row_ref(&plan->sets[number]->row);
	g_ptr_array_add(plan->recent, plan->sets[number]);
	unref_set(plan->sets[number]);
	plan->sets[number] = take_set;
	row_ref(&take_set->row);
	node_put_set(plan->node, take_set);
	for (uint16_t id = 1; id <= N_ENDPOINTS; id++)
		if (plan->set_of[id] == number || may_have(plan, id, take_set))
			allow_set(plan, id, take_set);
}

static void put_endpoint(struct plan *plan, uint16_t id, uint32_t number)
{
	plan->set_of[id] = number;
	node_put_endpoint(plan->node, id, number, plan->audit[id]);
	allow_set(plan, id, plan->sets[number]);
	for (guint i = 0; i < plan->recent->len; i++) {
		struct rule_set *set = plan->recent->pdata[i];

		if (set && set->revision == plan->sets[number]->revision)
			allow_set(plan, id, set);
	}
}

static void remove_endpoint(struct plan *plan, uint16_t id)
{
	plan->set_of[id] = 0;
	node_remove_endpoint(plan->node, id);
	allow_set(plan, id, NULL);
}

/* As the derivation does it: a rule set is in the plan while an endpoint has it. */
static void remove_unused_sets(struct plan *plan)
{
	for (uint32_t number = 1; number <= N_SETS; number++) {
		bool used = false;

		for (uint16_t id = 1; id <= N_ENDPOINTS; id++)
			used |= plan->set_of[id] == number;
		if (used || !plan->sets[number])
			continue;
		node_remove_set(plan->node, number);
		unref_set(plan->sets[number]);
		plan->sets[number] = NULL;
	}
}

static void change(struct plan *plan)
{
	uint16_t id = 1 + draw(plan, N_ENDPOINTS);
	uint32_t number = 1 + draw(plan, N_SETS);

	switch (draw(plan, 6)) {
	case 0:
		if (plan->set_of[id])
			remove_endpoint(plan, id);
		break;
	case 1:
		plan->audit[id] = !plan->audit[id];
		if (plan->set_of[id])
			put_endpoint(plan, id, plan->set_of[id]);
		break;
	case 2:
	case 3:
		if (plan->sets[number])
			put_set(plan, number, draw_peers(plan, plan->sets[number]));
		break;
	case 4:
		if (plan->sets[number])
			put_set(plan, number, draw_set(plan, number));
		break;
	default:
		if (!plan->sets[number])
			put_set(plan, number, draw_set(plan, number));
		put_endpoint(plan, id, number);
	}
	remove_unused_sets(plan);
}

/* Another agent, which is told the plan anew, in two steps. */
static void restart(struct plan *plan)
{
	node_stop(plan->node);
	fake_revive(plan->node->dp);
	node_start(plan->node);
	check_write(plan);
	for (uint16_t id = 1; id <= N_ENDPOINTS; id++) {
		if (plan->set_of[id])
			node_put_endpoint(plan->node, id, plan->set_of[id], plan->audit[id]);
		if (id == N_ENDPOINTS / 2)
			store_settle(plan->node->store);
		for (uint32_t number = 1; id == 1 && number <= N_SETS; number++)
			if (plan->sets[number]) {
				row_ref(&plan->sets[number]->row);
				node_put_set(plan->node, plan->sets[number]);
			}
	}
	store_settle(plan->node->store);
	assert_int_equal(reconcilers_resync(plan->node->reconcilers), 0);
	reconcilers_allow_deletion(plan->node->reconcilers);
	store_settle(plan->node->store);
}

static struct plan *plan_new(uint32_t seed, uint32_t max_peers, uint32_t max_class_entries)
{
	struct plan *plan = g_new0(struct plan, 1);

	plan->node = node_new(max_peers, max_class_entries);
	reconcilers_allow_deletion(plan->node->reconcilers);
	plan->recent = g_ptr_array_new_with_free_func(unref_set);
	plan->rand = g_rand_new_with_seed(seed);
	for (int i = 0; i < N_CLASSES; i++)
		plan->classes[i] = draw_class(plan);
	for (int id = 1; id <= N_ENDPOINTS; id++) {
		plan->allowed[id] = g_ptr_array_new_with_free_func(unref_set);
		allow_set(plan, id, NULL);
	}
	fake_set_write_observer(plan->node->dp, check_write, plan);
	return plan;
}

static void plan_free(struct plan *plan)
{
	node_free(plan->node);
	for (int i = 0; i < N_CLASSES; i++)
		rule_class_unref(plan->classes[i]);
	for (int i = 1; i <= N_SETS; i++)
		unref_set(plan->sets[i]);
	for (int id = 1; id <= N_ENDPOINTS; id++)
		g_ptr_array_unref(plan->allowed[id]);
	g_ptr_array_unref(plan->recent);
	g_rand_free(plan->rand);
	g_free(plan);
}

static uint32_t number_from(const char *name, uint32_t fallback)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 10) : fallback;
}

/* ---- the tests ---- */

static void test_random_changes(void **state)
{
	uint32_t seed = number_from("POLICY_SEED", 1);

	for (uint32_t round = 0; round < number_from("POLICY_ROUNDS", 10); round++) {
		struct plan *plan = plan_new(seed + round, 0, 0);

		for (int step = 0; step < 60; step++) {
			unsigned int n_changes = 1 + draw(plan, 3);

			while (n_changes--)
				change(plan);
			store_settle(plan->node->store);
			check_rest(plan);
			if (one_in(plan, 2))
				node_come_to_rest(plan->node);
			if (one_in(plan, 10))
				restart(plan);
		}
		node_come_to_rest(plan->node);
		check_no_leftovers(plan);
		plan_free(plan);
	}
}

/* The same changes with a kill at each write, and what the next agent makes of it. */
static void test_killed_at_every_write(void **state)
{
	uint32_t seed = number_from("POLICY_SEED", 1);

	for (uint32_t round = 0; round < number_from("POLICY_ROUNDS", 5); round++) {
		unsigned int n_writes = UINT_MAX;

		for (unsigned int n = 0; n <= n_writes; n++) {
			struct plan *plan = plan_new(seed + round, 0, 0);

			for (int i = 0; i < 12; i++)
				change(plan);
			store_settle(plan->node->store);
			check_rest(plan);
			node_come_to_rest(plan->node);
			fake_reset_calls(plan->node->dp);
			fake_die_after(plan->node->dp, n);
			for (int i = 0; i < 4; i++) {
				change(plan);
				if (one_in(plan, 2))
					store_settle(plan->node->store);
			}
			store_settle(plan->node->store);
			(void)reconcilers_retry(plan->node->reconcilers);
			(void)reconcilers_retry(plan->node->reconcilers);
			if (fake_n_writes(plan->node->dp) < n)
				n_writes = 0; /* all were done */
			restart(plan);
			check_rest(plan);
			node_come_to_rest(plan->node);
			check_no_leftovers(plan);
			plan_free(plan);
		}
	}
}

static void test_full_maps_and_failing_writes(void **state)
{
	uint32_t seed = number_from("POLICY_SEED", 1);

	for (uint32_t round = 0; round < number_from("POLICY_ROUNDS", 20); round++) {
		struct plan *plan = plan_new(seed + round, 16 + round % 20, 4 + round % 7);

		plan->may_be_stricter = true;
		for (int step = 0; step < 60; step++) {
			if (one_in(plan, 3))
				fake_fail_write(plan->node->dp, draw(plan, 10), ENOMEM);
			change(plan);
			store_settle(plan->node->store);
			check_rest(plan);
			if (one_in(plan, 2))
				node_come_to_rest(plan->node);
			if (one_in(plan, 10))
				restart(plan);
			check_rest(plan);
		}
		/* A small one beside which nothing is left comes in by itself. */
		put_set(plan, 1,
			set_new(1, ++plan->last_revision, 100, 3,
				class_new(POLICY_VERDICT_ALLOW, 20, 80, POLICY_VERDICT_DENY)));
		put_endpoint(plan, 1, 1);
		for (uint16_t id = 2; id <= N_ENDPOINTS; id++)
			if (plan->set_of[id])
				remove_endpoint(plan, id);
		remove_unused_sets(plan);
		store_settle(plan->node->store);
		node_come_to_rest(plan->node);
		remove_endpoint(plan, 1);
		store_settle(plan->node->store);
		put_endpoint(plan, 1, 1);
		store_settle(plan->node->store);
		node_come_to_rest(plan->node);
		plan->may_be_stricter = false;
		check_rest(plan);
		check_no_leftovers(plan);
		plan_free(plan);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_changes),
		cmocka_unit_test(test_killed_at_every_write),
		cmocka_unit_test(test_full_maps_and_failing_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
