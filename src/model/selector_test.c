// SPDX-License-Identifier: Apache-2.0
#include "src/model/selector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define VALUES(...) ((const char *const[]){__VA_ARGS__, NULL})

static const struct label_set *labels_of(const char *text)
{
	const struct label_set *labels = NULL;

	assert_int_equal(label_set_parse(text, &labels), 0);
	return labels;
}

static struct cidr cidr_of(const char *text)
{
	struct cidr cidr;

	assert_int_equal(cidr_parse(text, &cidr), 0);
	return cidr;
}

/* texts: prefixes with a space between them. Unref with g_array_unref. */
static GArray *cidrs_of(const char *texts)
{
	GArray *cidrs = g_array_new(FALSE, TRUE, sizeof(struct cidr));
	g_auto(GStrv) parts = g_strsplit(texts, " ", -1);

	for (char **part = parts; *part; part++) {
		struct cidr cidr = cidr_of(*part);

		g_array_append_val(cidrs, cidr);
	}
	return cidrs;
}

static void each_operator(void **state)
{
	const struct {
		struct requirement requirement;
		const char *labels;
		bool matches;
	} cases[] = {
		/* Of any source, and of one. */
		{{NULL, "a", REQUIREMENT_IN, VALUES("1")}, "k8s:a=1;", true},
		{{NULL, "a", REQUIREMENT_IN, VALUES("1")}, "cni:a=1;", true},
		{{NULL, "a", REQUIREMENT_IN, VALUES("1")}, "k8s:a=2;", false},
		{{NULL, "a", REQUIREMENT_IN, VALUES("1")}, "k8s:b=1;", false},
		{{NULL, "a", REQUIREMENT_IN, VALUES("1")}, "", false},
		{{"k8s", "a", REQUIREMENT_IN, VALUES("1")}, "k8s:a=1;", true},
		{{"k8s", "a", REQUIREMENT_IN, VALUES("1")}, "cni:a=1;", false},
		/* The same key of two sources: one of them is enough. */
		{{NULL, "a", REQUIREMENT_IN, VALUES("1")}, "cni:a=2;k8s:a=1;", true},
		{{NULL, "a", REQUIREMENT_IN, VALUES("1")}, "cni:a=1;k8s:a=2;", true},
		{{"k8s", "a", REQUIREMENT_IN, VALUES("1")}, "cni:a=1;k8s:a=2;", false},
		{{NULL, "a", REQUIREMENT_IN, VALUES("0", "1", "2")}, "k8s:a=2;", true},
		{{NULL, "a", REQUIREMENT_IN, VALUES("0", "1", "2")}, "k8s:a=3;", false},
		{{"reserved", "host", REQUIREMENT_IN, VALUES("")}, "reserved:host=;", true},
		{{"reserved", "host", REQUIREMENT_IN, VALUES("")}, "k8s:host=;", false},
		{{NULL, "a", REQUIREMENT_IN, (const char *const[]){NULL}}, "k8s:a=1;", false},
		/* What is not there is not one of the values. */
		{{NULL, "a", REQUIREMENT_NOT_IN, VALUES("1")}, "k8s:a=1;", false},
		{{NULL, "a", REQUIREMENT_NOT_IN, VALUES("1")}, "k8s:a=2;", true},
		{{NULL, "a", REQUIREMENT_NOT_IN, VALUES("1")}, "k8s:b=1;", true},
		{{"cni", "a", REQUIREMENT_NOT_IN, VALUES("1")}, "k8s:a=1;", true},
		{{NULL, "a", REQUIREMENT_NOT_IN, VALUES("1")}, "cni:a=2;k8s:a=1;", false},
		{{NULL, "a", REQUIREMENT_EXISTS, NULL}, "k8s:a=;", true},
		{{NULL, "a", REQUIREMENT_EXISTS, NULL}, "k8s:b=;k8s:c=;", false},
		{{"cni", "a", REQUIREMENT_EXISTS, NULL}, "k8s:a=;", false},
		{{NULL, "a", REQUIREMENT_NOT_EXISTS, NULL}, "k8s:a=;", false},
		{{NULL, "a", REQUIREMENT_NOT_EXISTS, NULL}, "k8s:b=;", true},
		{{"cni", "a", REQUIREMENT_NOT_EXISTS, NULL}, "k8s:a=;", true},
		{{NULL, "a", REQUIREMENT_NOT_EXISTS, NULL}, "", true},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		const struct selector *selector = selector_new_labels(&cases[i].requirement, 1);
		const struct label_set *labels = labels_of(cases[i].labels);

		if (selector_matches(selector, labels) != cases[i].matches)
			fail_msg("%s of \"%s\"", selector_text(selector), cases[i].labels);
		selector_unref(selector);
		label_set_unref(labels);
	}
}

static void all_requirements_count(void **state)
{
	struct requirement requirements[] = {{"k8s", "a", REQUIREMENT_IN, VALUES("1")},
					     {NULL, "b", REQUIREMENT_NOT_EXISTS, NULL}};
	const struct selector *both = selector_new_labels(requirements, 2);
	const struct selector *none = selector_new_labels(NULL, 0);
	const struct label_set *yes = labels_of("k8s:a=1;k8s:c=;");
	const struct label_set *no = labels_of("k8s:a=1;k8s:b=;");
	const struct label_set *empty = labels_of("");

	assert_true(selector_matches(both, yes));
	assert_false(selector_matches(both, no));
	assert_false(selector_matches(both, empty));
	assert_true(selector_matches(none, yes) && selector_matches(none, empty));
	assert_true(selector_is_all(none));
	assert_false(selector_is_all(both));
	selector_unref(both);
	selector_unref(none);
	label_set_unref(yes);
	label_set_unref(no);
	label_set_unref(empty);
}

static void equal_selectors_are_one(void **state)
{
	struct requirement a[] = {{"k8s", "x", REQUIREMENT_IN, VALUES("2", "1", "2")},
				  {NULL, "y", REQUIREMENT_EXISTS, NULL}};
	struct requirement b[] = {{NULL, "y", REQUIREMENT_EXISTS, NULL},
				  {"k8s", "x", REQUIREMENT_IN, VALUES("1", "2")},
				  {NULL, "y", REQUIREMENT_EXISTS, NULL}};
	struct requirement c[] = {{NULL, "y", REQUIREMENT_EXISTS, NULL},
				  {NULL, "x", REQUIREMENT_IN, VALUES("1", "2")}};
	const struct selector *of_a = selector_new_labels(a, 2);
	const struct selector *of_b = selector_new_labels(b, 3);
	const struct selector *of_c = selector_new_labels(c, 2);
	const struct selector *first = selector_new_labels(a, 1);
	const struct selector *second = selector_new_labels(a + 1, 1);
	const struct selector *joined = selector_and(second, first);

	assert_ptr_equal(of_a, of_b);
	assert_ptr_equal(of_a, joined);
	assert_ptr_not_equal(of_a, of_c);
	assert_int_equal(selector_n_requirements(of_a), 2);
	assert_string_equal(selector_get_requirement(of_a, 0)->values[0], "1");
	selector_unref(of_a);
	/* The texts are its own: those of the array are gone with it elsewhere. */
	assert_string_equal(selector_get_requirement(of_b, 1)->key, "y");
	selector_unref(of_b);
	selector_unref(joined);
	selector_unref(of_c);
	selector_unref(first);
	selector_unref(second);
	selector_unref(NULL);
}

static void kinds_differ(void **state)
{
	struct cidr cidr = cidr_of("10.0.0.0/8");
	g_autoptr(GArray) excepts = cidrs_of("10.2.0.0/16 10.1.0.0/16 10.2.0.0/16");
	g_autoptr(GArray) sorted = cidrs_of("10.1.0.0/16 10.2.0.0/16");
	g_autoptr(GArray) none = g_array_new(FALSE, FALSE, sizeof(struct cidr));
	const struct selector *all = selector_new_labels(NULL, 0);
	const struct selector *selectors[] = {
		all,
		selector_new_nobody(),
		selector_new_cidr(&cidr, NULL),
		selector_new_cidr(&cidr, sorted),
		selector_new_cidr_group("a", NULL, NULL),
		selector_new_cidr_group("a", NULL, sorted),
		selector_new_cidr_group(NULL, all, NULL),
		selector_new_service("n", "a", NULL),
		selector_new_service(NULL, "a", NULL),
		selector_new_service("n", NULL, all),
		selector_new_fqdn("a", false),
		selector_new_fqdn("a", true),
	};
	const struct selector *same[] = {
		selector_new_labels(NULL, 0),
		selector_new_nobody(),
		selector_new_cidr(&cidr, none),
		selector_new_cidr(&cidr, excepts),
		selector_new_cidr_group("a", NULL, none),
		selector_new_cidr_group("a", NULL, excepts),
		selector_new_cidr_group(NULL, all, NULL),
		selector_new_service("n", "a", NULL),
		selector_new_service(NULL, "a", NULL),
		selector_new_service("n", NULL, all),
		selector_new_fqdn("a", false),
		selector_new_fqdn("a", true),
	};

	for (size_t i = 0; i < G_N_ELEMENTS(selectors); i++) {
		assert_ptr_equal(selectors[i], same[i]);
		for (size_t j = 0; j < i; j++)
			assert_ptr_not_equal(selectors[i], selectors[j]);
	}
	assert_int_equal(selector_get_excepts(selectors[3])->len, 2);
	assert_null(selector_get_excepts(selectors[2]));
	assert_string_equal(selector_get_namespace(selectors[7]), "n");
	assert_string_equal(selector_get_name(selectors[7]), "a");
	assert_ptr_equal(selector_get_labels(selectors[9]), all);
	for (size_t i = 0; i < G_N_ELEMENTS(selectors); i++) {
		selector_unref(selectors[i]);
		selector_unref(same[i]);
	}
}

static void prefixes(void **state)
{
	static const struct {
		const char *cidr, *excepts, *inner;
		bool contains;
	} cases[] = {
		{"10.0.0.0/8", NULL, "10.0.0.0/8", true},
		{"10.0.0.0/8", NULL, "10.1.0.0/16", true},
		{"10.0.0.0/8", NULL, "10.1.2.3/32", true},
		{"10.0.0.0/8", NULL, "0.0.0.0/0", false},
		{"10.0.0.0/8", NULL, "11.0.0.0/8", false},
		{"10.0.0.0/8", "10.1.0.0/16", "10.1.0.0/16", false},
		{"10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", false},
		{"10.0.0.0/8", "10.1.0.0/16", "10.2.0.0/16", true},
		/* Around an exception, whose addresses have an identity of their own. */
		{"10.0.0.0/8", "10.1.0.0/16", "10.0.0.0/8", true},
		{"10.0.0.0/8", "10.1.0.0/16", "10.0.0.0/15", true},
		{"10.0.0.0/8", "10.1.0.0/16 10.2.0.0/16", "10.2.3.4/32", false},
		{"10.0.0.0/8", "10.0.0.0/8", "10.2.3.4/32", false},
		{"0.0.0.0/0", NULL, "10.0.0.0/8", true},
		{"0.0.0.0/0", NULL, "fd00::/8", false},
		{"::/0", NULL, "fd00::/8", true},
		{"::/0", NULL, "10.0.0.0/8", false},
		{"::/0", NULL, "0.0.0.0/0", false},
		{"::/0", "fd00::/8", "fd00:1::/32", false},
		{"::/0", "fd00::/8", "2001:db8::1/128", true},
		{"::/0", "fd00::/8", "::/0", true},
		{"2001:db8::/32", "2001:db8:1::/48", "2001:db8::/32", true},
		{"2001:db8::/32", "2001:db8:1::/48", "2001:db8:1::1/128", false},
		{"2001:db8::/32", NULL, "2001:db9::/32", false},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GArray) excepts = cases[i].excepts ? cidrs_of(cases[i].excepts) : NULL;
		struct cidr cidr = cidr_of(cases[i].cidr), inner = cidr_of(cases[i].inner);
		const struct selector *selector = selector_new_cidr(&cidr, excepts);

		if (selector_contains(selector, &inner) != cases[i].contains)
			fail_msg("%s in %s", cases[i].inner, selector_text(selector));
		assert_true(cidr_equal(selector_get_cidr(selector), &cidr));
		selector_unref(selector);
	}
}

static void assert_text(const struct selector *take_selector, const char *expected)
{
	assert_string_equal(selector_text(take_selector), expected);
	assert_ptr_equal(selector_text(take_selector), selector_text(take_selector));
	selector_unref(take_selector);
}

#define LABELS(labels, expressions)                            \
	"&LabelSelector{MatchLabels:map[string]string{" labels \
	"},MatchExpressions:[]LabelSelectorRequirement{" expressions "},}"
#define EXPRESSION(key, op, values) \
	"LabelSelectorRequirement{Key:" key ",Operator:" op ",Values:[" values "],},"

static void texts(void **state)
{
	struct requirement requirements[] = {
		{"k8s", "io.kubernetes.pod.namespace", REQUIREMENT_IN, VALUES("default")},
		{NULL, "app", REQUIREMENT_IN, VALUES("web")},
		{NULL, "tier", REQUIREMENT_NOT_IN, VALUES("b", "a")},
		{"reserved", "init", REQUIREMENT_NOT_EXISTS, NULL},
	};
	struct cidr v4 = cidr_of("10.0.0.0/8"), v6 = cidr_of("::/0"), part = cidr_of("fd00::/8");
	struct cidr loopback = cidr_of("::1/128");
	g_autoptr(GArray) excepts = cidrs_of("10.1.0.0/16");
	const struct selector *app = selector_new_labels(&requirements[1], 1);

	assert_text(selector_new_labels(NULL, 0), LABELS("", ""));
	assert_text(selector_new_labels(requirements, 4),
		    LABELS("any.app: web,k8s.io.kubernetes.pod.namespace: default,",
			   EXPRESSION("reserved.init", "DoesNotExist", "")
				   EXPRESSION("any.tier", "NotIn", "a b")));
	assert_text(selector_new_cidr(&v4, NULL), LABELS("cidr.10.0.0.0/8: ,", ""));
	assert_text(selector_new_cidr(&v6, NULL), LABELS("cidr.0--0/0: ,", ""));
	assert_text(selector_new_cidr(&part, NULL), LABELS("cidr.fd00--0/8: ,", ""));
	assert_text(selector_new_cidr(&loopback, NULL), LABELS("cidr.0--1/128: ,", ""));
	assert_text(selector_new_cidr(&v4, excepts),
		    LABELS("", EXPRESSION("cidr.10.0.0.0/8", "Exists", "")
				       EXPRESSION("cidr.10.1.0.0/16", "DoesNotExist", "")));
	assert_text(selector_new_cidr_group("vpn", NULL, NULL),
		    LABELS("", EXPRESSION("cidrgroup.io.cilium.policy.cidrgroupname/vpn", "Exists",
					  "")));
	assert_text(selector_new_cidr_group(NULL, app, NULL), LABELS("cidrgroup.app: web,", ""));
	assert_text(selector_new_nobody(), LABELS("reserved.none: ,", ""));
	assert_text(selector_new_fqdn("a.b", false), "MatchName: a.b, MatchPattern: ");
	assert_text(selector_new_fqdn("*.b", true), "MatchName: , MatchPattern: *.b");
	assert_text(selector_new_service("n", "web", NULL), "service:n/web");
	assert_text(selector_new_service(NULL, NULL, app),
		    "service:*/" LABELS("any.app: web,", ""));
	selector_unref(app);
}

/* The bits that reject quickly never reject what matches. */
static void filters_agree(void **state)
{
	GRand *random = g_rand_new_with_seed(5);
	static const char *const sources[] = {"k8s", "cni", NULL};

	for (int i = 0; i < 20000; i++) {
		struct label labels[4];
		char texts[4][2][4];
		int n = g_rand_int_range(random, 0, 5);
		char key[4], value[4];
		struct requirement requirement = {sources[g_rand_int_range(random, 0, 3)], key,
						  g_rand_int_range(random, 0, 4), VALUES(value)};
		bool is_there = false, has_value = false;
		bool takes_values = requirement.op <= REQUIREMENT_NOT_IN;
		const struct label_set *set;
		const struct selector *selector;
		bool expected;

		g_snprintf(key, sizeof(key), "k%d", g_rand_int_range(random, 0, 5));
		g_snprintf(value, sizeof(value), "v%d", g_rand_int_range(random, 0, 3));
		for (int j = 0; j < n; j++) {
			g_snprintf(texts[j][0], 4, "k%d", g_rand_int_range(random, 0, 5));
			g_snprintf(texts[j][1], 4, "v%d", g_rand_int_range(random, 0, 3));
			labels[j] = (struct label){sources[g_rand_int_range(random, 0, 2)],
						   texts[j][0], texts[j][1]};
		}
		set = label_set_new(labels, n);
		for (size_t j = 0; j < label_set_n(set); j++) {
			const struct label *label = label_set_get(set, j);

			if (strcmp(label->key, key) != 0 ||
			    (requirement.source && strcmp(label->source, requirement.source) != 0))
				continue;
			is_there = true;
			has_value |= strcmp(label->value, value) == 0;
		}
		expected = takes_values ? has_value : is_there;
		if (requirement.op == REQUIREMENT_NOT_IN ||
		    requirement.op == REQUIREMENT_NOT_EXISTS)
			expected = !expected;
		selector = selector_new_labels(&requirement, 1);
		if (selector_matches(selector, set) != expected)
			fail_msg("%s of %s", selector_text(selector), label_set_text(set));
		selector_unref(selector);
		label_set_unref(set);
	}
	g_rand_free(random);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_operator),
		cmocka_unit_test(all_requirements_count),
		cmocka_unit_test(equal_selectors_are_one),
		cmocka_unit_test(kinds_differ),
		cmocka_unit_test(prefixes),
		cmocka_unit_test(texts),
		cmocka_unit_test(filters_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
