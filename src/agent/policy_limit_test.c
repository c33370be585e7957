// SPDX-License-Identifier: Apache-2.0
/* More prefixes than there are numbers, or than the kernel takes. */
#include "src/agent/policy_prefix_test.h"

#define N_PREFIXES (IDENTITY_PREFIX_MAX - IDENTITY_PREFIX_MIN + 1)

static int setup_small(void **state)
{
	static const struct derive_config config;

	start_with(state, &config, 12); /* ten, and the two halves of the world */
	return 0;
}

/* Many single addresses, from 10.0.0.0 + first on. */
static void put_large_policy(struct policy_kernel *kernel, const char *name, uint32_t first,
			     unsigned int n)
{
	g_autoptr(GPtrArray) peers = g_ptr_array_new_with_free_func(g_free);

	for (uint32_t i = first; i < first + n; i++)
		g_ptr_array_add(
			peers, g_strdup_printf("10.%u.%u.%u/32", i >> 16, i >> 8 & 0xff, i & 0xff));
	g_ptr_array_add(peers, NULL);
	put_policy(kernel, name, (const char *const *)peers->pdata);
}

static bool take_row(const struct row *row, void *data)
{
	*(const struct row **)data = row;
	return false;
}

static const struct source_problem *only_problem(struct policy_kernel *kernel)
{
	const struct row *row = NULL;

	assert_int_equal(table_n_rows(kernel->tables.source_problems), 1);
	table_foreach (kernel->tables.source_problems, take_row, &row)
		;
	return (const struct source_problem *)row;
}

static void a_full_map_keeps_the_version_before(void **state)
{
	struct policy_kernel *kernel = *state;

	put_large_policy(kernel, "first", 0, 6);
	put_policy(kernel, "second", (const char *const[]){"192.0.2.0/24", NULL});
	assert_true(allows(kernel, "192.0.2.1"));
	put_large_policy(kernel, "second", 100, 6);
	/* What it said before is in force, and nothing of what it says now. */
	assert_true(allows(kernel, "192.0.2.1"));
	assert_false(allows(kernel, "10.0.0.100"));
	assert_int_equal(policy_activation_n_waiting(kernel->activation), 1);
	assert_int_equal(kernel->n_waiting_told, 1);
	assert_string_equal(only_problem(kernel)->object, "CiliumClusterwideNetworkPolicy second");
	assert_non_null(strstr(only_problem(kernel)->reason, "cilium_ipcache_prefix"));
	/* Others come and go. */
	put_policy(kernel, "third", (const char *const[]){"k8s:app=a", NULL});
	assert_true(allows(kernel, "10.200.0.1"));
	/* Room is made. */
	policy_kernel_remove_policy(kernel, "first");
	now_ns += 60 * G_GINT64_CONSTANT(1000000000);
	reconcilers_retry(kernel->reconcilers);
	policy_activation_retry(kernel->activation);
	store_settle(kernel->store);
	assert_true(allows(kernel, "10.0.0.100"));
	assert_false(allows(kernel, "192.0.2.1"));
	assert_int_equal(policy_activation_n_waiting(kernel->activation), 0);
	assert_int_equal(table_n_rows(kernel->tables.source_problems), 0);
}

static void a_group_that_does_not_fit_waits(void **state)
{
	struct policy_kernel *kernel = *state;

	policy_kernel_put_group(kernel, "g", "192.0.2.0/24");
	put_policy(kernel, "p", (const char *const[]){"group:g", NULL});
	put_large_policy(kernel, "large", 0, 7);
	policy_kernel_put_group(kernel, "g", "192.0.2.0/25 198.51.100.0/24 203.0.113.0/24");
	assert_true(allows(kernel, "192.0.2.200"));
	assert_string_equal(only_problem(kernel)->object, "CiliumCIDRGroup g");
	policy_kernel_put_group(kernel, "g", "192.0.2.0/25 198.51.100.0/24");
	assert_true(allows(kernel, "198.51.100.1"));
	assert_false(allows(kernel, "192.0.2.200"));
	assert_int_equal(table_n_rows(kernel->tables.source_problems), 0);
}

/* Also one of many entries. */
static void a_write_that_fails_is_waited_for(void **state)
{
	struct policy_kernel *kernel = *state;

	put_policy(kernel, "p", (const char *const[]){"198.51.100.0/24", NULL});
	fake_fail_next(kernel->datapath, FAKE_OP_MAP_UPDATE, ENOMEM);
	put_policy(kernel, "p", (const char *const[]){"0.0.0.0/0 10.0.0.0/8", NULL});
	assert_false(allows(kernel, "192.0.2.1"));
	assert_true(allows(kernel, "198.51.100.1"));
	now_ns += 60 * G_GINT64_CONSTANT(1000000000);
	reconcilers_retry(kernel->reconcilers);
	policy_activation_retry(kernel->activation);
	store_settle(kernel->store);
	assert_true(allows(kernel, "192.0.2.1"));
	assert_false(allows(kernel, "10.0.0.1"));
}

/* What the kernel could not be rid of keeps its identity. */
static void an_identity_stays_as_long_as_it_is_named(void **state)
{
	struct policy_kernel *kernel = *state;
	uint32_t number;

	put_policy(kernel, "p", (const char *const[]){"192.0.2.0/24", NULL});
	number = identity_of(kernel, "192.0.2.1");
	fake_fail_next(kernel->datapath, FAKE_OP_MAP_DELETE, EBUSY);
	policy_kernel_remove_policy(kernel, "p");
	assert_int_equal(identity_of(kernel, "192.0.2.1"), number);
	assert_non_null(table_get(kernel->tables.identities, &number, sizeof(number)));
	now_ns += 60 * G_GINT64_CONSTANT(1000000000);
	reconcilers_retry(kernel->reconcilers);
	policy_activation_retry(kernel->activation);
	store_settle(kernel->store);
	assert_string_equal(labels_of(kernel, "192.0.2.1"), "world-ipv4");
	assert_null(table_get(kernel->tables.identities, &number, sizeof(number)));
}

static void numbers_run_out(void **state)
{
	struct policy_kernel *kernel = *state;

	put_policy(kernel, "small", (const char *const[]){"192.0.2.0/24", NULL});
	put_large_policy(kernel, "large", 0, N_PREFIXES - 1);
	assert_true(allows(kernel, "10.0.255.253"));
	put_policy(kernel, "small", (const char *const[]){"192.0.2.0/24", "198.51.100.0/24", NULL});
	assert_true(allows(kernel, "192.0.2.1"));
	assert_false(allows(kernel, "198.51.100.1"));
	assert_non_null(strstr(only_problem(kernel)->reason, "no identity is left for 198.51.100"));
	assert_int_equal(kernel->n_waiting_told, 1);
	put_large_policy(kernel, "large", 0, 1000);
	assert_true(allows(kernel, "198.51.100.1"));
	assert_true(allows(kernel, "10.0.0.99"));
	assert_false(allows(kernel, "10.0.255.253"));
	assert_int_equal(table_n_rows(kernel->tables.source_problems), 0);
}

/* Everybody but whom the second rule denies; without peers yet. */
static struct policy *denying_new(struct policy_rule **ret_deny)
{
	struct policy *policy = test_policy_new("deny");
	struct policy_spec *spec = test_policy_add_spec(policy, "");

	test_policy_add_rule(policy, spec, POLICY_EGRESS, false);
	*ret_deny = test_policy_add_rule(policy, spec, POLICY_EGRESS, true);
	return policy;
}

/* An address of a service that nobody can tell from the world closes what is denied it. */
static void a_service_without_number_closes(void **state)
{
	struct policy_kernel *kernel = *state;
	struct policy_rule *deny;
	struct policy *policy = denying_new(&deny);
	struct cidr cidr;

	deny->any_peer = false;
	g_ptr_array_add(deny->peers, (void *)selector_new_service("default", "s0", NULL));
	put_large_policy(kernel, "large", 0, N_PREFIXES - 1);
	policy_kernel_put(kernel, kernel->tables.policies, &policy->row);
	policy_kernel_put_service(kernel, "s0", "203.0.113.1");
	assert_false(allows(kernel, "203.0.113.1"));
	assert_true(allows(kernel, "198.51.100.1"));
	policy_kernel_put_service(kernel, "s0", "203.0.113.1 203.0.113.2");
	assert_false(allows(kernel, "203.0.113.2"));
	assert_false(allows(kernel, "198.51.100.1"));
	assert_int_equal(prefix_derivation_n_without(derive_get_prefixes(kernel->derive), &cidr),
			 1);
	put_large_policy(kernel, "large", 0, 1000);
	assert_false(allows(kernel, "203.0.113.2"));
	assert_true(allows(kernel, "198.51.100.1"));
	assert_int_equal(prefix_derivation_n_without(derive_get_prefixes(kernel->derive), &cidr),
			 0);
}

/* At the agent's start nothing waits. */
static void an_exception_without_number_closes(void **state)
{
	struct policy_kernel *kernel = *state;

	put_large_policy(kernel, "large", 0, N_PREFIXES);
	put_policy(kernel, "p", (const char *const[]){"0.0.0.0/0 203.0.113.0/24", NULL});
	policy_activation_begin(kernel->activation);
	store_settle(kernel->store);
	assert_false(allows(kernel, "203.0.113.1"));
	assert_false(allows(kernel, "198.51.100.1"));
	assert_true(allows(kernel, "10.0.0.99"));
	put_large_policy(kernel, "large", 0, 1000);
	assert_false(allows(kernel, "203.0.113.1"));
	assert_true(allows(kernel, "198.51.100.1"));
	assert_int_equal(table_n_rows(kernel->tables.source_problems), 0);
}

static void a_prefix_that_the_kernel_refuses_closes(void **state)
{
	struct policy_kernel *kernel = *state;
	struct policy_rule *deny;
	struct policy *policy = denying_new(&deny);

	test_policy_add_peer(deny, "203.0.113.0/24");
	fake_fail_next(kernel->datapath, FAKE_OP_MAP_UPDATE, ENOMEM);
	policy_kernel_put(kernel, kernel->tables.policies, &policy->row);
	assert_true(allows(kernel, "203.0.113.1")); /* it waits */
	policy_activation_begin(kernel->activation);
	store_settle(kernel->store);
	policy_activation_retry(kernel->activation);
	store_settle(kernel->store);
	assert_false(allows(kernel, "203.0.113.1"));
	assert_non_null(strstr(only_problem(kernel)->reason, "allows less than it says"));
	now_ns += 60 * G_GINT64_CONSTANT(1000000000);
	reconcilers_retry(kernel->reconcilers);
	policy_activation_retry(kernel->activation);
	store_settle(kernel->store);
	assert_false(allows(kernel, "203.0.113.1"));
	assert_true(allows(kernel, "198.51.100.1"));
}

int main(void)
{
#define TEST(name, setup) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_full_map_keeps_the_version_before, setup_small),
		TEST(a_group_that_does_not_fit_waits, setup_small),
		TEST(a_write_that_fails_is_waited_for, setup),
		TEST(an_identity_stays_as_long_as_it_is_named, setup),
		TEST(numbers_run_out, setup),
		TEST(a_service_without_number_closes, setup),
		TEST(an_exception_without_number_closes, setup),
		TEST(a_prefix_that_the_kernel_refuses_closes, setup),
	};
#undef TEST

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
