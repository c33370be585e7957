/* SPDX-License-Identifier: Apache-2.0 */
/* Identities of prefixes, nodes and the API server, as they come to the kernel in memory. */
#include "src/agent/policy_kernel_test.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "src/base/log.h"
#include "src/datapath/reconciler_private.h"
#include "src/derive/policy_world_test.h"
#include "src/model/identity.h"
#include "src/model/source_problem.h"

#define N_PREFIXES (IDENTITY_PREFIX_MAX - IDENTITY_PREFIX_MIN + 1)

static int64_t now_ns;

static int64_t fake_now_ns(void)
{
	return now_ns;
}

static void start_with(void **state, const struct derive_config *config, uint32_t max_prefixes)
{
	struct policy_kernel *kernel = g_new0(struct policy_kernel, 1);

	policy_kernel_init(kernel, config, max_prefixes);
	reconcilers_set_clock(kernel->reconcilers, fake_now_ns);
	policy_kernel_put_endpoint(kernel, 1, "a");
	*state = kernel;
}

static int setup(void **state)
{
	static const struct derive_config config;

	start_with(state, &config, 0);
	return 0;
}

static int setup_small(void **state)
{
	static const struct derive_config config;

	start_with(state, &config, 12); /* ten, and the two halves of the world */
	return 0;
}

static int setup_node_labels(void **state)
{
	static const char *const patterns[] = {"rack", NULL};
	static const struct derive_config config = {
		.enable_node_labels = true,
		.node_label_patterns = patterns,
	};

	start_with(state, &config, 0);
	return 0;
}

static int setup_cidrs_match_nodes(void **state)
{
	static const struct derive_config config = {.cidrs_match_nodes = true};

	start_with(state, &config, 0);
	return 0;
}

static int teardown(void **state)
{
	policy_kernel_fini(*state);
	g_free(*state);
	return 0;
}

/* Egress of all pods to these peers, "10.0.0.0/8" or "10.0.0.0/8 10.1.0.0/16"; with default deny. */
static void put_policy(struct policy_kernel *kernel, const char *name, const char *const *peers)
{
	struct policy *policy = test_policy_new(name);
	struct policy_spec *spec = test_policy_add_spec(policy, "");
	struct policy_rule *rule = test_policy_add_rule(policy, spec, POLICY_EGRESS, false);

	spec->default_deny[POLICY_EGRESS] = true;
	for (; *peers; peers++)
		test_policy_add_peer(rule, *peers);
	policy_kernel_put(kernel, kernel->tables.policies, &policy->row);
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

static uint32_t identity_of(const struct policy_kernel *kernel, const char *addr_text)
{
	struct addr addr = policy_kernel_addr(addr_text);

	return policy_kernel_identity(kernel, &addr);
}

static const char *labels_of(const struct policy_kernel *kernel, const char *addr_text)
{
	uint32_t number = identity_of(kernel, addr_text);
	const struct identity *identity = (const struct identity *)table_get(
		kernel->tables.identities, &number, sizeof(number));

	return identity ? label_set_text(identity->labels) : identity_reserved_name(number);
}

static bool allows(const struct policy_kernel *kernel, const char *addr_text)
{
	struct addr addr = policy_kernel_addr(addr_text);

	return policy_kernel_allows(kernel, 1, POLICY_EGRESS, &addr);
}

static const char *source_of(const struct policy_kernel *kernel, const char *prefix)
{
	const struct ipcache_entry *entry;
	struct cidr cidr;

	assert_int_equal(cidr_parse(prefix, &cidr), 0);
	entry = (const struct ipcache_entry *)table_get(kernel->tables.ipcache, &cidr,
							CIDR_KEY_BYTES);
	return entry ? entry->source : NULL;
}

/* ---- numbers ---- */

static void a_prefix_has_one_identity(void **state)
{
	static const char *const peers[] = {"192.0.2.0/24", "fd00:a::/32", NULL};
	static const char *const others[] = {"192.0.2.0/24", NULL};
	struct policy_kernel *kernel = *state;
	uint32_t number;

	put_policy(kernel, "one", peers);
	number = identity_of(kernel, "192.0.2.7");
	assert_in_range(number, IDENTITY_PREFIX_MIN, IDENTITY_PREFIX_MAX);
	assert_string_equal(labels_of(kernel, "192.0.2.7"),
			    "cidr:192.0.2.0/24=;reserved:world-ipv4=;");
	assert_string_equal(labels_of(kernel, "fd00:a::7"),
			    "cidr:fd00-a--0/32=;reserved:world-ipv6=;");
	assert_string_equal(source_of(kernel, "192.0.2.0/24"), "generated");
	put_policy(kernel, "two", others);
	policy_kernel_remove_policy(kernel, "one");
	assert_int_equal(identity_of(kernel, "192.0.2.7"), number);
	assert_string_equal(labels_of(kernel, "fd00:a::7"), "world-ipv6");
	policy_kernel_remove_policy(kernel, "two");
	assert_string_equal(labels_of(kernel, "192.0.2.7"), "world-ipv4");
	assert_null(table_get(kernel->tables.identities, &number, sizeof(number)));
	/* The number is not the next prefix's. */
	put_policy(kernel, "three", (const char *const[]){"198.51.100.0/24", NULL});
	assert_true(identity_of(kernel, "198.51.100.1") > number);
}

static void exceptions_have_identities(void **state)
{
	struct policy_kernel *kernel = *state;

	put_policy(kernel, "world",
		   (const char *const[]){"0.0.0.0/0 10.0.0.0/8", "10.1.0.0/16", NULL});
	assert_string_equal(labels_of(kernel, "192.0.2.1"), "world-ipv4");
	assert_string_equal(labels_of(kernel, "10.0.0.1"),
			    "cidr:10.0.0.0/8=;reserved:world-ipv4=;");
	assert_true(allows(kernel, "192.0.2.1"));
	assert_false(allows(kernel, "10.0.0.1"));
	assert_true(allows(kernel, "10.1.0.1"));
	assert_false(allows(kernel, "fd00::1"));
}

static void groups_are_labels(void **state)
{
	struct policy_kernel *kernel = *state;

	policy_kernel_put_group(kernel, "unused", "203.0.113.0/24");
	policy_kernel_put_group(kernel, "wide", "10.0.0.0/8");
	policy_kernel_put_group(kernel, "narrow", "10.1.0.0/16 fd00:a::/32");
	assert_string_equal(labels_of(kernel, "10.1.0.1"), "world-ipv4");
	put_policy(kernel, "p",
		   (const char *const[]){"group:wide", "group:narrow", "10.1.1.0/24", NULL});
	assert_string_equal(labels_of(kernel, "203.0.113.1"), "world-ipv4");
	assert_string_equal(labels_of(kernel, "10.1.1.1"),
			    "cidr:10.1.1.0/24=;"
			    "cidrgroup:io.cilium.policy.cidrgroupname/narrow=;"
			    "cidrgroup:io.cilium.policy.cidrgroupname/wide=;reserved:world-ipv4=;");
	assert_true(allows(kernel, "10.2.0.1"));
	policy_kernel_put_group(kernel, "wide", NULL);
	assert_string_equal(labels_of(kernel, "10.1.1.1"),
			    "cidr:10.1.1.0/24=;"
			    "cidrgroup:io.cilium.policy.cidrgroupname/narrow=;"
			    "reserved:world-ipv4=;");
	assert_string_equal(labels_of(kernel, "10.2.0.1"), "world-ipv4");
	assert_false(allows(kernel, "10.2.0.1"));
}

static void services_without_selector(void **state)
{
	struct policy_kernel *kernel = *state;
	struct policy *policy = test_policy_new("p");
	struct policy_spec *spec = test_policy_add_spec(policy, "");
	struct policy_rule *rule = test_policy_add_rule(policy, spec, POLICY_EGRESS, false);

	spec->default_deny[POLICY_EGRESS] = true;
	rule->any_peer = false;
	g_ptr_array_add(rule->peers, (void *)selector_new_service("default", "out", NULL));
	policy_kernel_put(kernel, kernel->tables.policies, &policy->row);
	policy_kernel_put_service(kernel, "other", "192.0.2.9");
	policy_kernel_put_service(kernel, "out", "192.0.2.1 fd00:a::1");
	assert_string_equal(labels_of(kernel, "fd00:a::1"),
			    "cidr:fd00-a--1/128=;reserved:world-ipv6=;");
	assert_string_equal(labels_of(kernel, "192.0.2.9"), "world-ipv4");
	assert_true(allows(kernel, "192.0.2.1"));
	policy_kernel_put_service(kernel, "out", "192.0.2.2");
	assert_false(allows(kernel, "192.0.2.1"));
	assert_string_equal(labels_of(kernel, "192.0.2.1"), "world-ipv4");
	assert_true(allows(kernel, "192.0.2.2"));
}

/* ---- who is stronger ---- */

static void pods_and_nodes_hide_prefixes(void **state)
{
	static const char *const peers[] = {"10.200.0.2/32", "172.16.0.9/32", "10.200.0.3/32",
					    NULL};
	struct policy_kernel *kernel = *state;

	policy_kernel_put_node(kernel, "node2", "172.16.0.9", NULL);
	policy_kernel_put_endpoint(kernel, 2, "b");
	put_policy(kernel, "p", peers);
	policy_kernel_put_endpoint(kernel, 3, "b");
	assert_int_equal(identity_of(kernel, "172.16.0.9"), IDENTITY_REMOTE_NODE);
	assert_in_range(identity_of(kernel, "10.200.0.2"), IDENTITY_ALLOCATED_MIN,
			IDENTITY_ALLOCATED_MAX);
	assert_int_equal(identity_of(kernel, "10.200.0.3"), identity_of(kernel, "10.200.0.2"));
	assert_string_equal(source_of(kernel, "10.200.0.2/32"), "local");
	assert_string_equal(source_of(kernel, "172.16.0.9/32"), "k8s");
	policy_kernel_put_node(kernel, "node2", NULL, NULL);
	policy_kernel_remove_endpoint(kernel, 2);
	policy_kernel_remove_endpoint(kernel, 3);
	assert_string_equal(source_of(kernel, "10.200.0.2/32"), "generated");
	assert_string_equal(source_of(kernel, "172.16.0.9/32"), "generated");
	assert_string_equal(labels_of(kernel, "172.16.0.9"),
			    "cidr:172.16.0.9/32=;reserved:world-ipv4=;");
	assert_string_equal(labels_of(kernel, "10.200.0.3"),
			    "cidr:10.200.0.3/32=;reserved:world-ipv4=;");
}

static void the_api_server_has_labels(void **state)
{
	const uint32_t host = IDENTITY_HOST;
	struct policy_kernel *kernel = *state;

	policy_kernel_put_node(kernel, "node2", "172.16.0.9 172.16.0.10", NULL);
	policy_kernel_put_service(kernel, "kubernetes", "172.16.0.9 192.0.2.1");
	assert_int_equal(identity_of(kernel, "172.16.0.9"), IDENTITY_KUBE_APISERVER);
	assert_string_equal(source_of(kernel, "172.16.0.9/32"), "kube-apiserver");
	assert_int_equal(identity_of(kernel, "172.16.0.10"), IDENTITY_REMOTE_NODE);
	assert_string_equal(labels_of(kernel, "192.0.2.1"),
			    "cidr:192.0.2.1/32=;reserved:kube-apiserver=;reserved:world-ipv4=;");
	assert_null(table_get(kernel->tables.identities, &host, sizeof(host)));
	put_policy(kernel, "p", (const char *const[]){"reserved:kube-apiserver", NULL});
	assert_true(allows(kernel, "172.16.0.9"));
	assert_false(allows(kernel, "172.16.0.10"));
	assert_true(allows(kernel, "192.0.2.1"));

	/* The node goes: its address is one of the world, which is the API server's still. */
	policy_kernel_put_node(kernel, "node2", NULL, NULL);
	assert_string_equal(labels_of(kernel, "172.16.0.9"),
			    "cidr:172.16.0.9/32=;reserved:kube-apiserver=;reserved:world-ipv4=;");
	/* This node's own router. */
	policy_kernel_put_service(kernel, "kubernetes", "10.200.255.1");
	assert_string_equal(labels_of(kernel, "10.200.255.1"),
			    "reserved:host=;reserved:kube-apiserver=;");
	assert_string_equal(labels_of(kernel, "192.0.2.1"), "world-ipv4");
	assert_true(allows(kernel, "10.200.255.1"));
	policy_kernel_put_service(kernel, "kubernetes", NULL);
	assert_string_equal(labels_of(kernel, "10.200.255.1"), "host");
	assert_false(allows(kernel, "10.200.255.1"));
}

static void nodes_have_their_labels(void **state)
{
	struct policy_kernel *kernel = *state;
	uint32_t number;

	policy_kernel_put_node(kernel, "node2", "172.16.0.2 fd00:b::2", "k8s:rack=1");
	policy_kernel_put_node(kernel, "node3", "172.16.0.3", "k8s:rack=1");
	policy_kernel_put_node(kernel, "node4", "172.16.0.4", "k8s:other=x");
	number = identity_of(kernel, "172.16.0.2");
	assert_in_range(number, IDENTITY_NODE_MIN, IDENTITY_NODE_MAX);
	assert_string_equal(labels_of(kernel, "172.16.0.2"),
			    "k8s:io.cilium.k8s.policy.cluster=default;node:rack=1;"
			    "reserved:remote-node=;");
	assert_int_equal(identity_of(kernel, "fd00:b::2"), number);
	assert_int_equal(identity_of(kernel, "172.16.0.3"), number);
	/* A label that node-labels leaves out. */
	assert_string_equal(labels_of(kernel, "172.16.0.4"),
			    "k8s:io.cilium.k8s.policy.cluster=default;reserved:remote-node=;");
	policy_kernel_put_node(kernel, "node1", "10.200.255.1", "k8s:rack=7");
	assert_string_equal(labels_of(kernel, "10.200.255.1"),
			    "reserved:host=;k8s:io.cilium.k8s.policy.cluster=default;"
			    "node:rack=7;");
	policy_kernel_put_node(kernel, "node2", NULL, NULL);
	policy_kernel_put_node(kernel, "node3", NULL, NULL);
	assert_null(table_get(kernel->tables.identities, &number, sizeof(number)));
}

static void prefixes_match_nodes(void **state)
{
	struct policy_kernel *kernel = *state;

	policy_kernel_put_node(kernel, "node2", "172.16.0.2", NULL);
	assert_string_equal(labels_of(kernel, "172.16.0.2"),
			    "cidr:172.16.0.2/32=;reserved:remote-node=;");
	put_policy(kernel, "p", (const char *const[]){"172.16.0.0/12", NULL});
	assert_true(allows(kernel, "172.16.0.2"));
	assert_true(allows(kernel, "172.16.0.3"));
	assert_false(allows(kernel, "192.0.2.1"));
}

/* ---- limits ---- */

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
		TEST(a_prefix_has_one_identity, setup),
		TEST(exceptions_have_identities, setup),
		TEST(groups_are_labels, setup),
		TEST(services_without_selector, setup),
		TEST(pods_and_nodes_hide_prefixes, setup),
		TEST(the_api_server_has_labels, setup),
		TEST(nodes_have_their_labels, setup_node_labels),
		TEST(prefixes_match_nodes, setup_cidrs_match_nodes),
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
