/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "src/cli/jsonpath.h"

static const char document[] =
	"{\"a\": {\"b\": [1, 2, 3], \"k.x\": \"dot\", \"t\": true, \"n\": null},"
	" \"items\": [{\"name\": \"x\", \"v\": 1.5}, {\"name\": \"y\", \"v\": 2}],"
	" \"s\": \"text\"}";

static const struct {
	const char *pattern;
	int result;
	const char *want; /* the output, or part of the message */
} cases[] = {
	{"{.s}", 0, "text"},
	{"{$.s}", 0, "text"},
	{"{ .s }", 0, "text"},
	{"s is {.s}!", 0, "s is text!"},
	{"{.a.b}", 0, "[1,2,3]"},
	{"{.a.b[0]}", 0, "1"},
	{"{.a.b[-1]}", 0, "3"},
	{"{.a.b[1:]}", 0, "2 3"},
	{"{.a.b[:2]}", 0, "1 2"},
	{"{.a.b[0:1]}", 0, "1"},
	{"{.a.b[:-1]}", 0, "1 2"},
	{"{.a.b[*]}", 0, "1 2 3"},
	{"{.a.t}", 0, "true"},
	{"{.a.n}", 0, "null"},
	{"{.a['k.x']}", 0, "dot"},
	{"{['a']['b'][0]}", 0, "1"},
	{"{.items[*].name}", 0, "x y"},
	{"{.items.*.name}", 0, "x y"},
	{"{.items[0]}", 0, "{\"name\":\"x\",\"v\":1.5}"},
	{"{range .items[*]}{.name}={.v}{\"\\n\"}{end}", 0, "x=1.5\ny=2\n"},
	{"{range .items[*]}{@.name}{$.s};{end}", 0, "xtext;ytext;"},
	{"{range .items[*]}{range $.a.b[*]}{@}{end},{end}", 0, "123,123,"},
	{"{\"}\"}{'a'}", 0, "}a"},
	{"no braces", 0, "no braces"},
	{"{.a.k\\.x}", 0, "dot"},
	{"{..name}", 0, "x y"},
	{"{..b[0]}", 0, "1"},
	{"{.items..v}", 0, "1.5 2"},
	{"{..[1]}", 0, "2 {\"name\":\"y\",\"v\":2}"},
	{"{..nothing}", 0, ""},
	{"{.items[0,1].name}", 0, "x y"},
	{"{.items[1]['name','v']}", 0, "y 2"},
	{"{.a.b[0:3:2]}", 0, "1 3"},
	{"{.a.b[::2]}", 0, "1 3"},
	{"{.a.b[:-1:9]}", 0, "1"},
	{"{.items[?(@.v>1.7)].name}", 0, "y"},
	{"{.items[?(@.v<=2)].name}", 0, "x y"},
	{"{.items[?(@.v>=2)].name}", 0, "y"},
	{"{.items[?(@.v<2)].name}", 0, "x"},
	{"{.items[?(@.name==\"y\")].v}", 0, "2"},
	{"{.items[?( @.name != 'y' )].v}", 0, "1.5"},
	{"{.items[?(@.name>'x')].v}", 0, "2"},
	{"{.items[?(@.name=='a]b')].v}", 0, ""},
	{"{.items[?(@.name)].v}", 0, "1.5 2"},
	{"{.items[?(@.nothing)].v}", 0, ""},
	{"{.items[?(@.nothing!=1)].v}", 0, ""},
	{"{.items[?(@.v==$.a.b[1])].name}", 0, "y"},
	{"{.items[?(@.v=='2')].name}", 0, ""},
	{"{.items[?(@.v<'2')].name}", 0, ""},
	{"{.a.b[?(@>1)]}", 0, "2 3"},
	{"{$[?(@.t==true)].b[0]}", 0, "1"},
	{"{.a[?(@==true)]}", 0, "true"},
	{"{.a[?(@!=true)]}", 0, "[1,2,3] dot null"},
	{"{range .items[?(@.v>0)]}{.name};{end}", 0, "x;y;"},

	{"", -EINVAL, "empty"},
	{"{.s", -EINVAL, "} is missing"},
	{"{s}", -EINVAL, "expected . or ["},
	{"{.a.b[x]}", -EINVAL, "not an index"},
	{"{.a.b[]}", -EINVAL, "not an index"},
	{"{.a.b[1:2:3:4]}", -EINVAL, "not an index"},
	{"{.a.b[0:3:0]}", -EINVAL, "1 or more"},
	{"{.items[?@.v>1]}", -EINVAL, "expected ?(…)"},
	{"{.items[?(@.v>v)]}", -EINVAL, "expected . or ["},
	{"{.items[?($.a.b[*]==1)]}", -EINVAL, "here are several"},
	{"{.items[?(@.v>1]}", -EINVAL, "] is missing"},
	{"{.a.b[0}", -EINVAL, "] is missing"},
	{"{range .items[*]}{.name}", -EINVAL, "{end} is missing"},
	{"{end}", -EINVAL, "{end} without {range}"},
	{"{.missing}", -ENOENT, "missing is not found"},
	{"{.a.b[3]}", -ENOENT, "out of bounds"},
	{"{range .missing[*]}{end}", -ENOENT, "missing is not found"},
};

static void test_cases(void **state)
{
	json_auto_t *root = json_loads(document, 0, NULL);

	assert_non_null(root);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GString) out = g_string_new(NULL);
		g_autoptr(GError) error = NULL;
		int result = jsonpath_format(out, root, cases[i].pattern, &error);

		if (result != cases[i].result)
			fail_msg("%s: got %d, want %d", cases[i].pattern, result, cases[i].result);
		if (!result)
			assert_string_equal(out->str, cases[i].want);
		else if (!strstr(error->message, cases[i].want))
			fail_msg("%s: got \"%s\"", cases[i].pattern, error->message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
