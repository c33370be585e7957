/* SPDX-License-Identifier: Apache-2.0 */
/* The expectations were worked out by the rules of Go's text/tabwriter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "src/cli/tabwriter.h"

static const struct {
	const char *text;
	const char *want;
} cases[] = {
	{"", ""},
	{"one line\n", "one line\n"},
	{"a\tb\n", "a    b\n"},
	{"abc\td\n", "abc   d\n"},
	{"a\tb\nlonger\tc\n", "a        b\nlonger   c\n"},
	/* A tab at the end of the line makes its last cell part of a column. */
	{"ID\tLABELS\t\n1\treserved:host\t\n", "ID   LABELS          \n1    reserved:host   \n"},
	/* A line without the cell ends the column. */
	{"a\tb\nx\nlonger\tc\n", "a    b\nx\nlonger   c\n"},
	/* So do columns further right, each for itself. */
	{"a\tb\tc\naaaaaa\tb\nq\tbbbbbbb\tc\n",
	 "a        b    c\naaaaaa   b\nq        bbbbbbb   c\n"},
	{"\t\tx\n", "          x\n"},
	/* Characters count, not bytes. */
	{"é…\tx\nabcde\ty\n", "é…      x\nabcde   y\n"},
	{"no newline\tx", "no newline   x\n"},
};

static void test_cases(void **state)
{
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GString) out = g_string_new(NULL);

		tabwriter_format(out, cases[i].text, TABWRITER_MIN_WIDTH, TABWRITER_PADDING);
		assert_string_equal(out->str, cases[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
