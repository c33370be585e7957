/* SPDX-License-Identifier: Apache-2.0 */
/* Identities of prefixes, nodes and the API server, as they come to the kernel in memory. */
#include "src/agent/policy_prefix_test.h"

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
	};
#undef TEST

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
