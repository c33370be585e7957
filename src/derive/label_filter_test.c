/* SPDX-License-Identifier: Apache-2.0 */
#include "src/derive/label_filter.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

struct filter_case {
	const char *label;
	bool accepted;
};

static void check(const char *const *patterns, const struct filter_case *cases, size_t n)
{
	struct label_filter *filter = label_filter_new(patterns, NULL);

	assert_non_null(filter);
	for (size_t i = 0; i < n; i++) {
		struct label label;

		assert_int_equal(label_parse(cases[i].label, &label), 0);
		if (label_filter_accepts(filter, &label) != cases[i].accepted)
			fail_msg("%s: want %d", cases[i].label, cases[i].accepted);
		label_fini(&label);
	}
	label_filter_free(filter);
}

static void builtin(void **state)
{
	static const struct filter_case cases[] = {
		{"k8s:app=web", true},
		{"reserved:host", true},
		{"k8s:io.kubernetes.pod.namespace=default", true},
		{"k8s:io.kubernetes.other=x", false},
		{"k8s:kubernetes.io/arch=amd64", false},
		{"k8s:node.kubernetes.io/x=y", true}, /* anchored: only at the start of the key */
		{"k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name=a", true},
		{"k8s:app.kubernetes.io/name=a", true},
		{"k8s:app_kubernetes.io/name=a", true},
		{"k8s:io.cilium.k8s.policy.cluster=default", true},
		{"k8s:statefulset.kubernetes.io/pod-name=a-0", false},
		{"k8s:batch.kubernetes.io/controller-uid=1", false},
		{"k8s:failure-domain.beta.kubernetes.io/zone=a", false},
		{"k8s:pod-template-hash=abc", false},
		{"k8s:controller-revision-hash=abc", false},
		{"k8s:annotation.x=y", false},
		{"k8s:etcd_node=1", false},
		{"container:anything=1", true},
	};

	check(NULL, cases, G_N_ELEMENTS(cases));
}

static void user_includes(void **state)
{
	static const char *const patterns[] = {"k8s:app", "k8s:!app\\.secret", "tier$", NULL};
	static const struct filter_case cases[] = {
		{"k8s:app=web", true},
		{"k8s:application=web", true},
		{"k8s:app.secret=1", false},
		{"container:app=web", false}, /* another source */
		{"k8s:tier=x", true},
		{"k8s:tiers=x", false},
		{"k8s:other=x", false},
		/* The built-in list goes on to count. */
		{"k8s:io.kubernetes.pod.namespace=default", true},
		{"reserved:init", true},
	};

	check(patterns, cases, G_N_ELEMENTS(cases));
}

static void user_excludes(void **state)
{
	static const char *const patterns[] = {"!version", NULL};
	static const struct filter_case cases[] = {
		{"k8s:version=1", false},
		{"k8s:app=web", true},
	};

	check(patterns, cases, G_N_ELEMENTS(cases));
}

static void bad_patterns(void **state)
{
	static const char *const bad[] = {"k8s:(", "!", "k8s:", "*"};

	for (unsigned int i = 0; i < G_N_ELEMENTS(bad); i++) {
		const char *const patterns[] = {bad[i], NULL};
		g_autoptr(GError) error = NULL;

		assert_null(label_filter_new(patterns, &error));
		assert_non_null(strstr(error->message, bad[i]));
	}
}

/* A pattern that would take for ever takes its steps and no more. */
static void bounded(void **state)
{
	static const char *const patterns[] = {"(a+)+b", NULL};
	static const struct filter_case cases[] = {
		{"k8s:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=x", false},
	};
	gint64 started_us = g_get_monotonic_time();

	check(patterns, cases, G_N_ELEMENTS(cases));
	assert_true(g_get_monotonic_time() - started_us < G_USEC_PER_SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(builtin),       cmocka_unit_test(user_includes),
		cmocka_unit_test(user_excludes), cmocka_unit_test(bad_patterns),
		cmocka_unit_test(bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
