// SPDX-License-Identifier: Apache-2.0
#include "src/base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void set_returns_the_code(void **state)
{
	g_autoptr(GError) error = NULL;

	assert_int_equal(error_set(&error, EINVAL, "mtu: got %d", 7), -EINVAL);
	assert_string_equal(error->message, "mtu: got 7");
	assert_true(g_error_matches(error, error_quark(), EINVAL));
	assert_int_equal(error_set(NULL, ENOENT, "nobody listens"), -ENOENT);
}

static void errno_text_is_appended(void **state)
{
	g_autoptr(GError) error = NULL;

	assert_int_equal(error_set_errno(&error, ENOENT, "opening %s", "a"), -ENOENT);
	assert_string_equal(error->message, "opening a: No such file or directory");
}

static void context_goes_in_front(void **state)
{
	g_autoptr(GError) error = NULL;

	error_prefix(&error, "nothing yet");
	assert_null(error);
	error_set(&error, EINVAL, "bad");
	error_prefix(&error, "line %d", 3);
	error_prefix(&error, "file");
	assert_string_equal(error->message, "file: line 3: bad");
	assert_int_equal(error->code, EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_returns_the_code),
		cmocka_unit_test(errno_text_is_appended),
		cmocka_unit_test(context_goes_in_front),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
