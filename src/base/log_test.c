// SPDX-License-Identifier: Apache-2.0
#include "src/base/log.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static int output[2];
static char text[4096];

/* What was logged since the last call. */
static const char *logged(void)
{
	ssize_t n;

	/* A line end marks that the entries before it are all here. */
	assert_int_equal(write(output[1], "\n", 1), 1);
	n = read(output[0], text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n - 1] = '\0';
	return text;
}

static int set_up(void **state)
{
	if (pipe(output) < 0)
		return -1;
	log_set_fd(output[1]);
	log_set_level(LOG_LEVEL_INFO);
	return 0;
}

static int tear_down(void **state)
{
	log_set_fd(STDERR_FILENO);
	close(output[0]);
	close(output[1]);
	return 0;
}

static void text_quotes_what_needs_it(void **state)
{
	const char *none = NULL;

	log_set_format(LOG_FORMAT_TEXT);
	log_warning("endpoint", "Attaching failed",
		    "id=%u device=%s error=%s none=%s left=%" PRId64 " mark=%x empty=%s", 7, "lxc1",
		    "a \"b\"\n\tc=d x=1", none, INT64_C(-5), 0xfU, "");
	assert_string_equal(
		logged(), "level=warning msg=\"Attaching failed\" subsys=endpoint id=7 device=lxc1 "
			  "error=\"a \\\"b\\\"\\n\\tc=d x=1\" left=-5 mark=0xf empty=\"\"\n");
}

static void sizes_of_numbers(void **state)
{
	log_set_format(LOG_FORMAT_TEXT);
	log_info("x", "y", "a=%d b=%lu c=%llu d=%zu e=%c f=%" PRIu64, -1, 4294967296UL,
		 18446744073709551615ULL, (size_t)9, 'z', UINT64_MAX);
	assert_string_equal(logged(), "level=info msg=y subsys=x a=-1 b=4294967296 "
				      "c=18446744073709551615 d=9 e=z f=18446744073709551615\n");
}

static void json_is_json(void **state)
{
	log_set_format(LOG_FORMAT_JSON);
	log_error("x", "a\"b\\c", "n=%d t=%s", 3, "\x01\xff");
	assert_string_equal(logged(),
			    "{\"level\":\"error\",\"msg\":\"a\\\"b\\\\c\",\"subsys\":\"x\",\"n\":3,"
			    "\"t\":\"\\u0001\xef\xbf\xbd\"}\n");
}

static void time_is_rfc3339(void **state)
{
	int year, month, day, hour, minute, second, end = 0;

	log_set_format(LOG_FORMAT_TEXT_TS);
	log_info("x", "y");
	assert_int_equal(sscanf(logged(), "time=\"%4d-%2d-%2dT%2d:%2d:%2d.%*6dZ\" level=info%n",
				&year, &month, &day, &hour, &minute, &second, &end),
			 6);
	assert_true(end > 0);
}

static void level_silences(void **state)
{
	log_set_format(LOG_FORMAT_TEXT);
	log_debug("x", "y");
	assert_string_equal(logged(), "");
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("x", "y");
	assert_string_equal(logged(), "level=debug msg=y subsys=x\n");
	log_set_level(LOG_LEVEL_ERROR);
	log_warning("x", "y");
	assert_string_equal(logged(), "");
}

static void names_are_parsed(void **state)
{
	enum log_level level;
	enum log_format format;

	assert_int_equal(log_level_parse("warn", &level), 0);
	assert_int_equal(level, LOG_LEVEL_WARNING);
	assert_int_equal(log_level_parse("debug", &level), 0);
	assert_int_equal(level, LOG_LEVEL_DEBUG);
	assert_true(log_level_parse("loud", &level) < 0);
	assert_int_equal(log_format_parse("json-ts", &format), 0);
	assert_int_equal(format, LOG_FORMAT_JSON_TS);
	assert_true(log_format_parse("xml", &format) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_quotes_what_needs_it),
		cmocka_unit_test(sizes_of_numbers),
		cmocka_unit_test(json_is_json),
		cmocka_unit_test(time_is_rfc3339),
		cmocka_unit_test(level_silences),
		cmocka_unit_test(names_are_parsed),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
