/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What it costs to derive rule sets of policies: 10,000 identities and 1,000 policies, 500 of which select
 * one endpoint. Prints milliseconds of CPU, the median and the longest of many changes, and RSS.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "src/derive/policy_world_test.h"
#include "src/model/identity.h"
#include "test/bench/cost.h"

#define N_IDENTITIES 10000u
#define N_POLICIES   1000u
#define N_CHANGES    201u

static void print(const char *what, double *times, unsigned int n)
{
	cost_sort(times, n);
	printf("%-40s %9.3f %9.3f ms\n", what, times[n / 2], times[n - 1]);
}

/* 500 apps in 50 namespaces; each identity has a label of its own. */
static char *labels(unsigned int i)
{
	return g_strdup_printf("k8s:app=app%u;k8s:io.cilium.k8s.policy.cluster=default;"
			       "k8s:io.cilium.k8s.policy.serviceaccount=default;"
			       "k8s:io.kubernetes.pod.namespace=ns%u;k8s:n=%u;",
			       i % 500, i % 50, i);
}

/* Even ones select app 0, which is endpoint 1. port: what makes versions differ. */
static struct policy *policy(unsigned int i, uint16_t port)
{
	g_autofree char *name = g_strdup_printf("p%u", i);
	g_autofree char *peer = g_strdup_printf(
		"k8s:app=app%u,k8s:io.kubernetes.pod.namespace=ns%u", i % 500, i % 50);
	g_autofree char *whole =
		g_strdup_printf("k8s:io.kubernetes.pod.namespace=ns%u", (i + 7) % 50);
	g_autofree char *cidr = g_strdup_printf("10.%u.0.0/16", i % 250);
	g_autofree char *subject = g_strdup_printf("k8s:app=app%u", i % 2 ? i % 500 : 0);
	struct policy *result = test_policy_new(name);
	struct policy_spec *spec = test_policy_add_spec(result, subject);
	struct policy_rule *rule = test_policy_add_rule(result, spec, POLICY_INGRESS, false);

	spec->default_deny[POLICY_INGRESS] = true;
	spec->default_deny[POLICY_EGRESS] = true;
	test_policy_add_peer(rule, peer);
	test_policy_add_port(rule, IPPROTO_TCP, port, port);
	test_policy_add_port(rule, IPPROTO_TCP, 8000, 8099);
	rule = test_policy_add_rule(result, spec, POLICY_EGRESS, false);
	test_policy_add_peer(rule, cidr);
	test_policy_add_port(rule, IPPROTO_TCP, 443, 443);
	if (i % 10)
		return result;
	rule = test_policy_add_rule(result, spec, POLICY_INGRESS, true);
	test_policy_add_peer(rule, whole);
	test_policy_add_port(rule, IPPROTO_TCP, 22, 22);
	return result;
}

static void fill(struct policy_world *world)
{
	for (unsigned int i = 0; i < N_IDENTITIES; i++) {
		g_autofree char *text = labels(i);

		policy_world_put_identity(world, 256 + i, text);
	}
	for (unsigned int i = 0; i < 250; i++) {
		g_autofree char *text =
			g_strdup_printf("cidr:10.%u.0.0/16=;reserved:world-ipv4=;", i);

		policy_world_put_identity(world, IDENTITY_PREFIX_MIN + i, text);
	}
	for (uint16_t id = 1; id <= 100; id++) {
		g_autofree char *text = labels(id - 1);

		policy_world_put_endpoint(world, id, 255 + id, text, NULL);
	}
	for (unsigned int i = 0; i < N_POLICIES; i++)
		policy_world_put_policy(world, policy(i, 80));
}

static void change_identities(struct policy_world *world)
{
	double times[N_CHANGES];

	for (unsigned int i = 0; i < N_CHANGES; i++) {
		g_autofree char *text = labels(N_IDENTITIES + i);
		double start = cost_ms();

		policy_world_put_identity(world, 256 + N_IDENTITIES + i, text);
		times[i] = cost_ms() - start;
	}
	print("one more identity", times, N_CHANGES);
}

static void change_endpoints(struct policy_world *world)
{
	double times[N_CHANGES];

	for (unsigned int i = 0; i < N_CHANGES; i++) {
		g_autofree char *text = labels(500 * i);
		double start = cost_ms();

		policy_world_put_identity(world, 256 + 500 * i, text);
		policy_world_put_endpoint(world, 1000 + i, 256 + 500 * i, text, NULL);
		times[i] = cost_ms() - start;
	}
	print("one more endpoint of 500 policies", times, N_CHANGES);
}

static void change_policies(struct policy_world *world)
{
	double times[N_CHANGES];

	for (unsigned int i = 0; i < N_CHANGES; i++) {
		double start = cost_ms();

		policy_world_put_policy(world, policy(2 * i, 81));
		times[i] = cost_ms() - start;
	}
	print("one policy of 500 changes", times, N_CHANGES);
	for (unsigned int i = 0; i < N_CHANGES; i++) {
		double start = cost_ms();

		policy_world_put_policy(world, policy(N_POLICIES + 2 * i, 80));
		times[i] = cost_ms() - start;
	}
	print("one more policy", times, N_CHANGES);
}

int main(void)
{
	struct policy_world world;
	char command[64];
	double start;

	policy_world_init(&world);
	fill(&world);
	start = cost_ms();
	policy_world_set_synced(&world);
	start = cost_ms() - start;
	print("initial", &start, 1);
	change_identities(&world);
	change_endpoints(&world);
	change_policies(&world);
	printf("rule sets %u\n", table_n_rows(world.tables.rule_sets));
	snprintf(command, sizeof(command), "grep VmRSS /proc/%d/status", getpid());
	if (system(command))
		return EXIT_FAILURE;
	policy_world_fini(&world);
	return EXIT_SUCCESS;
}
