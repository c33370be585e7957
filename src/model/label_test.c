// SPDX-License-Identifier: Apache-2.0
#include "src/model/label.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <glib.h>
#include <cmocka.h>

static void sets_are_interned(void **state)
{
	struct label one[] = {{"k8s", "app", "web"}, {"k8s", "tier", "x"}};
	struct label two[] = {{"k8s", "tier", "x"}, {"k8s", "app", "old"}, {"k8s", "app", "web"}};
	const struct label_set *a = label_set_new(one, 2);
	const struct label_set *b = label_set_new(two, 3);
	const struct label_set *c = label_set_new(two, 2);

	assert_ptr_equal(a, b);
	assert_ptr_not_equal(a, c);
	assert_string_equal(label_set_text(a), "k8s:app=web;k8s:tier=x;");
	assert_string_equal(label_set_text(c), "k8s:app=old;k8s:tier=x;");
	label_set_unref(a);
	assert_string_equal(label_set_text(b), "k8s:app=web;k8s:tier=x;");
	label_set_unref(b);
	label_set_unref(c);
	label_set_unref(NULL);
}

static void find_by_source_and_key(void **state)
{
	struct label labels[] = {
		{"k8s", "b", "1"},
		{"cni", "b", "2"},
		{"k8s", "a", ""},
		{"k8s", "c", "4"},
	};
	const struct label_set *set = label_set_new(labels, 4);
	const struct label_set *empty = label_set_new(NULL, 0);

	assert_string_equal(label_set_find(set, "k8s", "b"), "1");
	assert_string_equal(label_set_find(set, "cni", "b"), "2");
	assert_string_equal(label_set_find(set, NULL, "b"), "2");
	assert_string_equal(label_set_find(set, "k8s", "a"), "");
	assert_null(label_set_find(set, "cni", "a"));
	assert_null(label_set_find(set, NULL, "d"));
	assert_null(label_set_find(empty, NULL, "a"));
	assert_int_equal(label_set_n(set), 4);
	assert_string_equal(label_set_get(set, 0)->key, "a");
	assert_string_equal(label_set_text(empty), "");
	label_set_unref(set);
	label_set_unref(empty);
}

static char *random_text(GRand *random, bool may_be_empty)
{
	static const char alphabet[] = "ab:=;\\ .";
	int n = g_rand_int_range(random, may_be_empty ? 0 : 1, 6);
	char *text = g_malloc0(n + 1);

	for (int i = 0; i < n; i++)
		text[i] = alphabet[g_rand_int_range(random, 0, strlen(alphabet))];
	return text;
}

/* Whatever a container's labels hold, the text says it all: an identity on disk is only its text. */
static void text_and_back(void **state)
{
	g_autoptr(GRand) random = g_rand_new_with_seed(4);

	for (int round = 0; round < 20000; round++) {
		struct label labels[5];
		int n = g_rand_int_range(random, 0, G_N_ELEMENTS(labels) + 1);
		const struct label_set *set, *back;

		for (int i = 0; i < n; i++)
			labels[i] = (struct label){random_text(random, false),
						   random_text(random, false),
						   random_text(random, true)};
		set = label_set_new(labels, n);
		for (int i = 0; i < n; i++)
			label_fini(&labels[i]);
		assert_int_equal(label_set_parse(label_set_text(set), &back), 0);
		assert_ptr_equal(set, back);
		label_set_unref(set);
		label_set_unref(back);
	}
}

static void bad_set_texts(void **state)
{
	static const char *const bad[] = {
		"x",         "k8s:app",       "k8s:app=web",   ":app=web;",
		"k8s:=web;", "k8s:app=web;x", "k8s:app=web\\;"};
	const struct label_set *set;

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_int_equal(label_set_parse(bad[i], &set), -EINVAL);
}

static void single_labels(void **state)
{
	static const struct {
		const char *text, *source, *key, *value, *formatted;
	} cases[] = {
		{"k8s:app=web", "k8s", "app", "web", "k8s:app=web"},
		{"reserved:host", "reserved", "host", "", "reserved:host"},
		{"app=web", "unspec", "app", "web", "unspec:app=web"},
		{"app=a:b=c", "unspec", "app", "a:b=c", "unspec:app=a:b=c"},
		{"app", "unspec", "app", "", "unspec:app"},
		{"k8s:a.b/c=", "k8s", "a.b/c", "", "k8s:a.b/c"},
	};
	static const char *const bad[] = {"", "=x", "k8s:", "k8s:=x", ":a=b"};
	struct label label;

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *text = NULL;

		assert_int_equal(label_parse(cases[i].text, &label), 0);
		assert_string_equal(label.source, cases[i].source);
		assert_string_equal(label.key, cases[i].key);
		assert_string_equal(label.value, cases[i].value);
		text = label_format(&label);
		assert_string_equal(text, cases[i].formatted);
		label_fini(&label);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_int_equal(label_parse(bad[i], &label), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_are_interned), cmocka_unit_test(find_by_source_and_key),
		cmocka_unit_test(text_and_back),     cmocka_unit_test(bad_set_texts),
		cmocka_unit_test(single_labels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
