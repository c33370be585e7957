// SPDX-License-Identifier: Apache-2.0
#include "src/wire/field.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static void run(const char *text, bool (*read)(const struct value *root, void *data),
		const char *expected)
{
	g_autoptr(GPtrArray) problems =
		g_ptr_array_new_with_free_func((GDestroyNotify)field_problem_free);
	g_autoptr(GString) found = g_string_new(NULL);
	struct value_error error;

	assert_int_equal(value_parse_yaml(text, strlen(text), read, problems, &error), 0);
	for (unsigned int i = 0; i < problems->len; i++) {
		const struct field_problem *problem = g_ptr_array_index(problems, i);

		g_string_append_printf(found, "%u %s: %s\n", problem->line, problem->path,
				       problem->reason);
	}
	assert_string_equal(found->str, expected);
}

static bool read_all(const struct value *value, void *data)
{
	struct field root = field_root(value, data);
	struct field spec = field_member(&root, "spec");
	struct field list = field_member(&spec, "list");
	struct field labels = field_member(&spec, "labels");
	struct field flag = field_member(&spec, "flag");
	struct field name = field_member(&spec, "name");
	struct field absent = field_member(&name, "absent");

	for (struct field item = field_first(&list); item.value; item = field_next(&item))
		field_text(&item);
	for (struct field item = field_first_member(&labels); item.value; item = field_next(&item))
		field_text(&item);
	field_bool(&flag, false);
	field_required_text(&name);
	assert_false(field_is_set(&absent));
	return true;
}

static void problems_say_where(void **state)
{
	run("spec:\n  list: [a, 1, [x]]\n  labels:\n    app: true\n    a.b/c: 2\n  flag: yes\n",
	    read_all,
	    "2 spec.list[1]: got the number 1, want a text (put it in quotes)\n"
	    "2 spec.list[2]: got a list, want a text\n"
	    "4 spec.labels.app: got true, want a text (put it in quotes)\n"
	    "5 spec.labels[\"a.b/c\"]: got the number 2, want a text (put it in quotes)\n"
	    "6 spec.flag: got \"yes\", want true or false\n"
	    "2 spec.name: is missing\n");
}

static void wrong_shapes(void **state)
{
	run("spec:\n  list: a\n  labels: [a]\n  name: ''\n", read_all,
	    "4 spec.name: got \"\", want a mapping\n"
	    "2 spec.list: got \"a\", want a list\n"
	    "3 spec.labels: got a list, want a mapping\n"
	    "4 spec.name: is empty\n");
	/* Said once, though five members are asked for. */
	run("spec: 5\n", read_all,
	    "1 spec: got the number 5, want a mapping\n"
	    "1 spec.name: is missing\n");
}

static void null_is_absent(void **state)
{
	run("spec:\n  name: x\n  list:\n  flag: ~\n  labels: null\n", read_all,
	    "2 spec.name: got \"x\", want a mapping\n");
}

static bool read_many(const struct value *value, void *data)
{
	struct field root = field_root(value, data);

	for (struct field item = field_first(&root); item.value; item = field_next(&item))
		field_text(&item);
	return true;
}

static void problems_are_bounded(void **state)
{
	g_autoptr(GPtrArray) problems =
		g_ptr_array_new_with_free_func((GDestroyNotify)field_problem_free);
	g_autoptr(GString) text = g_string_new("[");
	struct value_error error;

	for (int i = 0; i < 1000; i++)
		g_string_append(text, "1, ");
	g_string_append_c(text, ']');
	assert_int_equal(value_parse_yaml(text->str, text->len, read_many, problems, &error), 0);
	assert_int_equal(problems->len, FIELD_MAX_PROBLEMS);
}

static bool read_numbers(const struct value *value, void *data)
{
	struct field root = field_root(value, data);
	struct field list = field_member(&root, "list");
	struct field absent = field_member(&root, "absent");
	struct field empty = field_member(&root, "empty");
	struct field mapping = field_member(&root, "mapping");
	int64_t number = 7;

	assert_false(field_int(&absent, 0, 9, &number));
	for (struct field item = field_first(&list); item.value; item = field_next(&item)) {
		int64_t before = number;

		if (!field_int(&item, 0, 9, &number))
			assert_int_equal(number, before);
		else
			assert_int_equal(number, item.index);
	}
	assert_true(field_is_empty(&empty));
	assert_false(field_is_empty(&list) || field_is_empty(&absent) || field_is_empty(&mapping));
	return true;
}

static void numbers_have_bounds(void **state)
{
	run("list: [0, 1, 10, -1, '4', 5.0, 6, ~]\nempty: []\nmapping: {}\n", read_numbers,
	    "1 list[2]: got the number 10, want a number from 0 to 9\n"
	    "1 list[3]: got the number -1, want a number from 0 to 9\n"
	    "1 list[4]: got \"4\", want a number from 0 to 9\n"
	    "1 list[5]: got the number 5.0, want a number from 0 to 9\n");
}

static bool read_paths(const struct value *value, void *data)
{
	struct field root = field_root(value, data);
	struct field items = field_member(&root, "items");
	struct field object = field_first(&items);
	struct field spec = field_member(&object, "spec");
	struct field list = field_member(&spec, "a.b");
	struct field item = field_first(&list);
	struct field absent = field_member(&item, "c");
	g_autofree char *whole = field_path(&absent, NULL);
	g_autofree char *below = field_path(&absent, &object);
	g_autofree char *none = field_path(&object, &object);

	assert_string_equal(whole, "items[0].spec[\"a.b\"][0].c");
	assert_string_equal(below, "spec[\"a.b\"][0].c");
	assert_string_equal(none, "");
	assert_int_equal(field_line(&absent), 3);
	assert_int_equal(field_line(&spec), 3);
	assert_int_equal(field_line(&object), 2);
	return true;
}

static void paths_begin_where_asked(void **state)
{
	run("items:\n- spec:\n    a.b: [{}]\n", read_paths, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(problems_say_where),      cmocka_unit_test(numbers_have_bounds),
		cmocka_unit_test(paths_begin_where_asked), cmocka_unit_test(wrong_shapes),
		cmocka_unit_test(null_is_absent),          cmocka_unit_test(problems_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
