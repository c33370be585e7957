// SPDX-License-Identifier: Apache-2.0
#include "src/wire/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

/* Writes a tree so that two can be compared: type, line, text. */
static void dump(GString *text, const struct value *value, bool with_lines)
{
	static const char letters[] = "nbifsQM";

	if (value->key)
		g_string_append_printf(text, "%s=", value->key);
	g_string_append_c(text, letters[value->type]);
	if (with_lines)
		g_string_append_printf(text, "%u", value->line);
	switch (value->type) {
	case VALUE_BOOL:
		g_string_append(text, value->boolean ? "(true)" : "(false)");
		break;
	case VALUE_INT:
		g_string_append_printf(text, "(%" G_GINT64_FORMAT ")", (gint64)value->integer);
		break;
	case VALUE_FLOAT:
		g_string_append_printf(text, "(%g)", value->number);
		break;
	case VALUE_STRING:
		g_string_append_printf(text, "(%s)", value->text);
		break;
	case VALUE_SEQUENCE:
	case VALUE_MAPPING:
		g_string_append_c(text, '[');
		for (const struct value *item = value->first; item; item = item->next) {
			dump(text, item, with_lines);
			g_string_append(text, item->next ? " " : "");
		}
		g_string_append_c(text, ']');
		break;
	case VALUE_NULL:
		break;
	}
}

static bool with_lines;

static bool append_document(const struct value *root, void *data)
{
	GString *text = data;

	g_string_append(text, text->len ? " | " : "");
	dump(text, root, with_lines);
	return true;
}

typedef int (*parser)(const char *text, size_t n_bytes, value_document document, void *data,
		      struct value_error *ret_error);

static void assert_parses(parser parse, const char *text, const char *expected)
{
	g_autoptr(GString) found = g_string_new(NULL);
	struct value_error error;
	int r = parse(text, strlen(text), append_document, found, &error);

	if (r < 0)
		fail_msg("%s: line %u: %s", text, error.line, error.reason);
	assert_string_equal(found->str, expected);
}

static void assert_refused(parser parse, const char *text, size_t n_bytes, unsigned int line,
			   const char *reason)
{
	g_autoptr(GString) found = g_string_new(NULL);
	struct value_error error;

	assert_int_equal(parse(text, n_bytes, append_document, found, &error), -EINVAL);
	if (error.line != line || !strstr(error.reason, reason))
		fail_msg("%s: got line %u: %s; want %u: %s", text, error.line, error.reason, line,
			 reason);
	g_free(error.reason);
}

static void yaml_scalars(void **state)
{
	with_lines = false;
	assert_parses(
		value_parse_yaml,
		"[true, False, null, ~, yes, on, 12, -3, 010, 0x1f, 1.5, 1e3, .inf, 1.2.3.4, "
		"'true', \"12\", !!str 7, 9223372036854775808, 1:20]",
		"Q[b(true) b(false) n n s(yes) s(on) i(12) i(-3) s(010) s(0x1f) f(1.5) f(1000) "
		"s(.inf) s(1.2.3.4) s(true) s(12) s(7) f(9.22337e+18) s(1:20)]");
	assert_parses(value_parse_yaml, "a:\nb: |\n  x\n  y\n", "M[a=n b=s(x\ny\n)]");
	assert_parses(value_parse_yaml, "", "");
	assert_parses(value_parse_yaml, "---\n---\na\n", "n | s(a)");
	assert_parses(value_parse_yaml,
		      "\xef\xbb\xbf"
		      "a: \"\\u00e4\"\nb: 1\n---\nc: 2\n",
		      "M[a=s(ä) b=i(1)] | M[c=i(2)]");
}

static void yaml_lines(void **state)
{
	with_lines = true;
	assert_parses(value_parse_yaml, "# x\na: 1\nb:\n  - x\n  - c: y\n---\nz\n",
		      "M2[a=i2(1) b=Q4[s4(x) M5[c=s5(y)]]] | s7(z)");
}

static void yaml_anchors(void **state)
{
	with_lines = false;
	assert_parses(value_parse_yaml, "a: &x {k: [1]}\nb: *x\nc: &x 2\nd: *x\n",
		      "M[a=M[k=Q[i(1)]] b=M[k=Q[i(1)]] c=i(2) d=i(2)]");
	assert_refused(value_parse_yaml, "a: *x\n", 6, 1, "no anchor");
	/* An anchor belongs to its document; and it is not there inside itself. */
	assert_refused(value_parse_yaml, "a: &x 1\n---\nb: *x\n", 18, 3, "no anchor");
	assert_refused(value_parse_yaml, "a: &x [*x]\n", 11, 1, "no anchor");
}

static void yaml_refusals(void **state)
{
	static const struct {
		const char *text;
		unsigned int line;
		const char *reason;
	} cases[] = {
		{"a: 1\nb: 2\na: 3\n", 3, "key \"a\" is given twice, first on line 1"},
		{"a: {<<: {b: 1}}", 1, "merge keys"},
		{"a: !!binary aGk=", 1, "tag"},
		{"a: !thing {}", 1, "tag"},
		{"[a]: 1", 1, "key that is not a text"},
		{"a: \"x\\0y\"", 1, "NUL"},
		{"a: [1, 2\nb: 3\n", 2, "expected"},
		{"a: 1\n  b: 2\n", 2, "mapping values"},
		{"a: \"open\n", 2, "end of stream"},
		{"\tb: 1", 1, "cannot start any token"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		assert_refused(value_parse_yaml, cases[i].text, strlen(cases[i].text),
			       cases[i].line, cases[i].reason);
	assert_refused(value_parse_yaml, "a: \xff\n", 5, 1, "UTF-8");
}

static void bombs_are_defused(void **state)
{
	g_autoptr(GString) text = g_string_new("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");

	for (int i = 1; i < 10; i++) {
		g_string_append_printf(text, "a%d: &a%d [", i, i);
		for (int j = 0; j < 10; j++)
			g_string_append_printf(text, "%s*a%d", j ? ", " : "", i - 1);
		g_string_append(text, "]\n");
	}
	/* The sixth level has 1,111,111 values, with the fifth more than two million together. */
	assert_refused(value_parse_yaml, text->str, text->len, 7, "more than");

	/* A chain of anchors that nests a level an alias. */
	g_string_assign(text, "a0: &a0 [x]\n");
	for (int i = 1; i < 100; i++)
		g_string_append_printf(text, "a%d: &a%d [*a%d]\n", i, i, i - 1);
	assert_refused(value_parse_yaml, text->str, text->len, 64, "nested deeper");

	/* Short documents, each within its limit. */
	g_string_assign(text, "");
	for (int i = 0; i < 1000; i++) {
		g_string_append(text, "---\na: &a [x,x,x,x,x,x,x,x,x,x]\n");
		for (char name = 'b'; name <= 'e'; name++)
			g_string_append_printf(text, "%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c]\n", name,
					       name, name - 1, name - 1, name - 1, name - 1,
					       name - 1, name - 1);
	}
	assert_refused(value_parse_yaml, text->str, text->len, 690, "aliases stand for more");

	for (int i = 0; i < 2; i++) {
		g_string_set_size(text, 0);
		for (int j = 0; j < 100000; j++)
			g_string_append_c(text, '[');
		assert_refused(i ? value_parse_yaml : value_parse_json, text->str, text->len, 1,
			       "nested deeper");
	}
}

static void json_values(void **state)
{
	with_lines = true;
	assert_parses(
		value_parse_json,
		"{\t\"a\": [true, null, -1.5e2, 0],\n\t\"b\": \"\\ud83d\\ude00\\/\\n\\u00e4\"\r\n,"
		"\"c\": {}}",
		"M1[a=Q1[b1(true) n1 f1(-150) i1(0)] b=s2(😀/\nä) c=M3[]]");
}

static void json_refusals(void **state)
{
	static const struct {
		const char *text;
		unsigned int line;
		const char *reason;
	} cases[] = {
		{"", 1, "the text ends, want a JSON value"},
		{"{\"a\": 1,\n}", 2, "got '}', want a text in double quotes"},
		{"[1,]", 1, "got ']', want a JSON value"},
		{"[1 2]", 1, "got '2', want ',' or ']'"},
		{"{\"a\" 1}", 1, "want ':'"},
		{"01", 1, "got '0'"},
		{"+1", 1, "got '+'"},
		{"1.", 1, "got '1'"},
		{"NaN", 1, "got 'N'"},
		{"\"a\nb\"", 1, "control character"},
		{"\"abc", 1, "ends inside quotes"},
		{"\"\\x\"", 1, "backslash"},
		{"\"\\ud83d\"", 1, "escape"},
		{"\"\\ud83d\\u0041\"", 1, "escape"},
		{"\"\\udc00\"", 1, "escape"},
		{"\"\\u0000\"", 1, "escape"},
		{"\"\\u12", 1, "escape"},
		{"{}\n{}", 2, "want the end of the text"},
		{"{\"a\": 1,\n\"a\": 2}", 2, "twice"},
		{"\n\n\"\xff\"", 3, "UTF-8"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		assert_refused(value_parse_json, cases[i].text, strlen(cases[i].text),
			       cases[i].line, cases[i].reason);
	assert_refused(value_parse_json, "1\0", 2, 1, "NUL");
}

static void append_random(GRand *random, GString *text, int depth)
{
	static const char *const scalars[] = {
		"true", "false", "null",    "0",           "-17",         "1.25",
		"3e5",  "\"\"",  "\"a b\"", "\"\\u00e4\"", "\"\\n\\\"\"", "\"010\"",
	};
	int n = g_rand_int_range(random, 0, 4);
	int kind = depth > 5 ? 2 : g_rand_int_range(random, 0, 3);

	if (kind == 2) {
		g_string_append(text, scalars[g_rand_int_range(random, 0, G_N_ELEMENTS(scalars))]);
		return;
	}
	g_string_append_c(text, kind ? '[' : '{');
	for (int i = 0; i < n; i++) {
		g_string_append(text, i ? (g_rand_boolean(random) ? ", " : ",\n ") : " ");
		if (!kind)
			g_string_append_printf(text, "\"k%d\": ", i);
		append_random(random, text, depth + 1);
	}
	g_string_append_c(text, kind ? ']' : '}');
}

/* JSON is YAML, but for tabs and surrogates: both parsers make the same of it. */
static void json_and_yaml_agree(void **state)
{
	g_autoptr(GRand) random = g_rand_new_with_seed(6);

	with_lines = true;
	for (int i = 0; i < 3000; i++) {
		g_autoptr(GString) text = g_string_new(NULL);
		g_autoptr(GString) json = g_string_new(NULL);
		struct value_error error;

		append_random(random, text, 0);
		assert_int_equal(
			value_parse_json(text->str, text->len, append_document, json, &error), 0);
		assert_parses(value_parse_yaml, text->str, json->str);
	}
}

static bool stop_at_first(const struct value *root, void *data)
{
	++*(int *)data;
	return false;
}

static void a_document_can_be_the_last(void **state)
{
	struct value_error error;
	int n = 0;

	assert_int_equal(value_parse_yaml("a\n---\nb\n", 8, stop_at_first, &n, &error), 0);
	assert_int_equal(n, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(yaml_scalars),
		cmocka_unit_test(yaml_lines),
		cmocka_unit_test(yaml_anchors),
		cmocka_unit_test(yaml_refusals),
		cmocka_unit_test(bombs_are_defused),
		cmocka_unit_test(json_values),
		cmocka_unit_test(json_refusals),
		cmocka_unit_test(json_and_yaml_agree),
		cmocka_unit_test(a_document_can_be_the_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
