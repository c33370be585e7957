/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "src/cli/yaml_text.h"

static const struct {
	const char *json;
	const char *want;
} cases[] = {
	{"{}", "{}\n"},
	{"[]", "[]\n"},
	{"\"x\"", "x\n"},
	{"{\"b\": 1, \"a\": true}", "a: true\nb: 1\n"},
	{"{\"a\": {\"b\": null, \"c\": {}}}", "a:\n  b: null\n  c: {}\n"},
	{"{\"a\": [1, \"x\"], \"b\": []}", "a:\n- 1\n- x\nb: []\n"},
	{"[{\"b\": 1, \"a\": {\"c\": 2}}, {\"d\": [3]}]", "- a:\n    c: 2\n  b: 1\n- d:\n  - 3\n"},
	{"[[1, 2], [3]]", "- - 1\n  - 2\n- - 3\n"},
	/* What would be read back as something else is quoted. */
	{"[\"true\", \"No\", \"1.5\", \"0x10\", \"\", \"a: b\", \"- a\", \"a #b\", "
	 "\"k8s:app=web\"]",
	 "- \"true\"\n- \"No\"\n- \"1.5\"\n- \"0x10\"\n- \"\"\n- \"a: b\"\n- \"- a\"\n"
	 "- \"a #b\"\n- k8s:app=web\n"},
	{"[\"a\\nb\", \"10.0.0.1\", \"fd00::1\", \"2026-01-01\", \"12:30\"]",
	 "- \"a\\nb\"\n- 10.0.0.1\n- fd00::1\n- \"2026-01-01\"\n- \"12:30\"\n"},
};

static void test_cases(void **state)
{
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		json_auto_t *json = json_loads(cases[i].json, JSON_DECODE_ANY, NULL);
		g_autoptr(GString) out = g_string_new(NULL);

		assert_non_null(json);
		yaml_text_append(out, json);
		assert_string_equal(out->str, cases[i].want);
	}
}

/* The services of a large cluster: minutes where each line looks at all before it. */
static void test_many(void **state)
{
	json_auto_t *json = json_array();
	g_autoptr(GString) out = g_string_new(NULL);

	for (int i = 0; i < 300000; i++)
		json_array_append_new(json, json_pack("{s:i, s:[i]}", "id", i, "ports", i));
	yaml_text_append(out, json);
	assert_true(g_str_has_suffix(out->str, "\n- id: 299999\n  ports:\n  - 299999\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
