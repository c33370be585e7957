/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/endpoint_labels.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

/* What an operator asks of an endpoint whose manifest says given, and what becomes of it. */
struct labels_case {
	const char *given, *own, *disabled; /* before; canonical text */
	const char *user;                   /* NULL: as it is */
	const char *add, *delete;
	int err;
	const char *own_after, *disabled_after;
};

#define WEB "k8s:app=web;k8s:tier=x;"

static const struct labels_case cases[] = {
	/* His own come and go. */
	{WEB, "", "", NULL, "user:a=1;", "", 0, "user:a=1;", ""},
	{WEB, "user:a=1;", "", NULL, "user:a=2;", "", 0, "user:a=2;", ""},
	{WEB, "user:a=1;", "", NULL, "user:a=1;", "", 0, "user:a=1;", ""},
	{WEB, "user:a=1;user:b=;", "", NULL, "", "user:a=;", 0, "user:b=;", ""},
	{WEB, "user:a=1;", "", NULL, "", "unspec:a=;", 0, "", ""},
	{WEB, "user:a=1;", "", NULL, "user:a=3;", "user:a=1;", 0, "user:a=3;", ""},
	{WEB, "user:a=1;", "", NULL, "", "user:a=2;", -ENOENT, "user:a=1;", ""},
	/* Those of the manifest are disabled, and enabled again. */
	{WEB, "", "", NULL, "", "k8s:app=;", 0, "", "k8s:app=web;"},
	{WEB, "", "", NULL, "", "any:app=web;", 0, "", "k8s:app=web;"},
	{WEB, "", "k8s:app=web;", NULL, "", "k8s:app=;", 0, "", "k8s:app=web;"},
	{WEB, "", "k8s:app=web;", NULL, "k8s:app=web;", "", 0, "", ""},
	{WEB, "", "k8s:app=web;", NULL, "k8s:app=api;", "", 0, "k8s:app=api;", "k8s:app=web;"},
	{WEB, "", "", NULL, "k8s:app=api;", "k8s:app=;", 0, "k8s:app=api;", "k8s:app=web;"},
	{WEB, "", "", NULL, "k8s:app=web;", "", 0, "", ""},
	{WEB, "", "", NULL, "k8s:app=api;", "", -EEXIST, "", ""},
	{WEB, "", "", NULL, "", "k8s:nothing=;", -ENOENT, "", ""},
	/* Reserved ones are the agent's. */
	{WEB, "", "", NULL, "reserved:host=;", "", -EINVAL, "", ""},
	{"reserved:init=;", "", "", NULL, "", "reserved:init=;", -EINVAL, "", ""},
	/* As Cilium's client sends it: all of his own at once. */
	{WEB, "user:a=1;user:b=2;", "", "user:b=2;user:c=3;", "", "", 0, "user:b=2;user:c=3;", ""},
	{WEB, "user:a=1;", "k8s:app=web;", "", "", "", 0, "", "k8s:app=web;"},
	{WEB, "", "", "k8s:app=api;", "", "", -EEXIST, "", ""},
	/* What went by the same request is not taken for the manifest's. */
	{WEB, "user:a=1;", "", "", "", "user:a=1;", -ENOENT, "", ""},
};

static const struct label_set *parse(const char *text)
{
	const struct label_set *set = NULL;

	assert_int_equal(label_set_parse(text, &set), 0);
	return set;
}

static void take_set(const struct label_set **set, const char *text)
{
	label_set_unref(*set);
	*set = parse(text);
}

/* The state that src/derive makes of the same. */
static struct endpoint_state *derive(const struct labels_case *each)
{
	struct endpoint_state *state = (struct endpoint_state *)row_new(&endpoint_state_class);
	g_autofree char *all = g_strconcat(each->given, each->own, NULL);
	const struct label_set *disabled = parse(each->disabled), *given = parse(all);
	GString *text = g_string_new(NULL);

	for (size_t i = 0; i < label_set_n(given); i++) {
		const struct label *label = label_set_get(given, i);

		if (!label_set_find(disabled, label->source, label->key))
			g_string_append_printf(text, "%s:%s=%s;", label->source, label->key,
					       label->value);
	}
	state->labels = parse(text->str);
	state->identity_labels = parse(text->str);
	state->disabled_labels = disabled;
	g_string_free(text, true);
	label_set_unref(given);
	return state;
}

static void every_case(void **unused)
{
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		const struct labels_case *each = &cases[i];
		struct endpoint *endpoint = endpoint_new();
		struct endpoint_state *state = derive(each);
		struct endpoint_labels_change change = {
			.user = each->user ? parse(each->user) : NULL,
			.add = parse(each->add),
			.delete = parse(each->delete),
		};
		g_autoptr(GError) error = NULL;
		int err;

		print_message("case %zu\n", i);
		take_set(&endpoint->user_labels, each->own);
		take_set(&endpoint->disabled_labels, each->disabled);
		err = endpoint_labels_change(endpoint, state, &change, &error);
		assert_int_equal(err, each->err);
		assert_int_equal(!err, !error);
		if (!err) {
			assert_string_equal(label_set_text(endpoint->user_labels), each->own_after);
			assert_string_equal(label_set_text(endpoint->disabled_labels),
					    each->disabled_after);
		}
		label_set_unref(change.user);
		label_set_unref(change.add);
		label_set_unref(change.delete);
		row_unref(&endpoint->row);
		row_unref(&state->row);
	}
}

static void there_are_bounds(void **unused)
{
	struct endpoint *endpoint = endpoint_new();
	g_autofree char *value = g_strnfill(ENDPOINT_LABEL_BYTES_MAX, 'x');
	g_autofree char *text = g_strdup_printf("user:a=%s;", value);
	struct endpoint_labels_change change = {.add = parse(text)};

	assert_int_equal(endpoint_labels_change(endpoint, NULL, &change, NULL), -EINVAL);
	label_set_unref(change.add);
	for (int i = 0; i <= ENDPOINT_LABELS_MAX; i++) {
		g_autofree char *one = g_strdup_printf("user:l%d=;", i);

		change.add = parse(one);
		assert_int_equal(endpoint_labels_change(endpoint, NULL, &change, NULL),
				 i < ENDPOINT_LABELS_MAX ? 0 : -EINVAL);
		label_set_unref(change.add);
	}
	row_unref(&endpoint->row);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_case),
		cmocka_unit_test(there_are_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
