// SPDX-License-Identifier: Apache-2.0
#include "src/base/log.h"

#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static int output[2];
static char text[16384];

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

static void long_values_are_cut(void **state)
{
	g_autofree char *value = g_strnfill(5000, 'x'), *line = NULL;

	log_set_format(LOG_FORMAT_TEXT);
	log_warning("endpoint", "Cut", "id=%s device=%s error=%s", value, "lxc1", value);
	line = g_strdup_printf("level=warning msg=Cut subsys=endpoint id=\"%.256s…\" device=lxc1 "
			       "error=\"%.4096s…\"\n",
			       value, value);
	assert_string_equal(logged(), line);
}

static void sizes_of_numbers(void **state)
{
	log_set_format(LOG_FORMAT_TEXT);
	log_info("ipam", "y", "a=%d b=%lu c=%llu d=%zu e=%c f=%" PRIu64, -1, 4294967296UL,
		 18446744073709551615ULL, (size_t)9, 'z', UINT64_MAX);
	assert_string_equal(logged(), "level=info msg=y subsys=ipam a=-1 b=4294967296 "
				      "c=18446744073709551615 d=9 e=z f=18446744073709551615\n");
}

static void json_is_json(void **state)
{
	log_set_format(LOG_FORMAT_JSON);
	log_error("ipam", "a\"b\\c", "n=%d t=%s", 3, "\x01\xff");
	assert_string_equal(
		logged(),
		"{\"level\":\"error\",\"msg\":\"a\\\"b\\\\c\",\"subsys\":\"ipam\",\"n\":3,"
		"\"t\":\"\\u0001\xef\xbf\xbd\"}\n");
}

static void time_is_rfc3339(void **state)
{
	int year, month, day, hour, minute, second, end = 0;

	log_set_format(LOG_FORMAT_TEXT_TS);
	log_info("ipam", "y");
	assert_int_equal(sscanf(logged(), "time=\"%4d-%2d-%2dT%2d:%2d:%2d.%*6dZ\" level=info%n",
				&year, &month, &day, &hour, &minute, &second, &end),
			 6);
	assert_true(end > 0);
}

static void level_silences(void **state)
{
	log_set_format(LOG_FORMAT_TEXT);
	log_debug("ipam", "y");
	assert_string_equal(logged(), "");
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("ipam", "y");
	assert_string_equal(logged(), "level=debug msg=y subsys=ipam\n");
	log_set_level(LOG_LEVEL_ERROR);
	log_warning("ipam", "y");
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

static void levels_of_modules(void **state)
{
	enum log_subsys subsys = LOG_SUBSYS__MAX;

	log_set_format(LOG_FORMAT_TEXT);
	log_set_level(LOG_LEVEL_WARNING);
	assert_int_equal(log_subsys_parse("endpoint", &subsys), 0);
	assert_int_equal(subsys, LOG_SUBSYS_ENDPOINT);
	assert_true(log_subsys_parse("endpoints", &subsys) < 0);
	log_set_subsys_level(LOG_SUBSYS_ENDPOINT, LOG_LEVEL_DEBUG);
	log_info("ipam", "y");
	log_debug("endpoint", "z");
	assert_string_equal(logged(), "level=debug msg=z subsys=endpoint\n");
	log_set_level(LOG_LEVEL_INFO);
	assert_int_equal(log_get_subsys_level(LOG_SUBSYS_ENDPOINT), LOG_LEVEL_INFO);
}

static uint64_t counts[LOG_LEVEL__MAX];

static void on_count(enum log_level level, const char *subsys, uint64_t n, void *data)
{
	if (!strcmp(subsys, "devices"))
		counts[level] = n;
}

static void errors_are_counted_though_not_written(void **state)
{
	uint64_t n_warnings;

	log_foreach_count(on_count, NULL);
	n_warnings = counts[LOG_LEVEL_WARNING];
	log_set_level(LOG_LEVEL_ERROR);
	log_warning("devices", "counted");
	log_set_level(LOG_LEVEL_INFO);
	for (int i = 0; i < 100; i++)
		log_warning("devices", "counted");
	log_foreach_count(on_count, NULL);
	assert_int_equal(counts[LOG_LEVEL_WARNING], n_warnings + 101);
	assert_int_equal(counts[LOG_LEVEL_ERROR], 0);
	log_flush(true);
	logged();
}

static unsigned int count_lines(const char *lines)
{
	unsigned int n = 0;

	for (; *lines; lines++)
		n += *lines == '\n';
	return n;
}

/* What two entries are about is said by their first two fields. */
static void repeats_are_limited(void **state)
{
	const char *seen;

	log_set_format(LOG_FORMAT_TEXT);
	for (int i = 0; i < 50; i++)
		log_info("devices", "Again", "a=%d b=%s c=%d", 1, "x", i);
	assert_int_equal(count_lines(logged()), 10);
	log_info("devices", "Again", "a=%d b=%s c=%d", 1, "x", 51);
	log_info("devices", "Again", "a=%d b=%s c=%d", 1, "y", 51);
	assert_string_equal(logged(), "level=info msg=Again subsys=devices a=1 b=y c=51\n");
	log_flush(false);
	assert_string_equal(logged(), "");
	log_flush(true);
	assert_string_equal(logged(),
			    "level=info msg=Again subsys=devices a=1 b=x suppressed=41\n");
	log_set_format(LOG_FORMAT_JSON);
	for (int i = 0; i < 12; i++)
		log_info("devices", "Json", "a=%d", 1);
	log_flush(true);
	seen = logged();
	assert_non_null(strstr(seen, "{\"level\":\"info\",\"msg\":\"Json\",\"subsys\":\"devices\","
				     "\"a\":1,\"suppressed\":2}\n"));
}

static void asking_first(void **state)
{
	uint64_t n_suppressed = 0;
	unsigned int n = 0;

	log_set_format(LOG_FORMAT_TEXT);
	for (int i = 0; i < 30; i++)
		n += log_admit(LOG_LEVEL_INFO, LOG_SUBSYS_MONITOR, "First", 1, &n_suppressed);
	assert_int_equal(n, 10);
	assert_true(log_admit(LOG_LEVEL_INFO, LOG_SUBSYS_MONITOR, "First", 2, &n_suppressed));
	assert_int_equal(n_suppressed, 0);
	assert_false(log_admit(LOG_LEVEL_DEBUG, LOG_SUBSYS_MONITOR, "First", 3, &n_suppressed));
	log_write_admitted(LOG_LEVEL_INFO, LOG_SUBSYS_MONITOR, "First", 1, "a=%d b=%d c=%d", 1, 2,
			   3);
	assert_string_equal(logged(), "level=info msg=First subsys=monitor a=1 b=2 c=3\n");
	log_flush(true);
	assert_string_equal(logged(),
			    "level=info msg=First subsys=monitor a=1 b=2 suppressed=20\n");
}

/* A pipe that nobody empties: nothing waits, and what is lost is said. */
static void nobody_reads(int fds[2], const char *message)
{
	uint64_t n_lost = log_n_lost();
	g_autofree char *big = g_malloc(1 << 20);
	g_autofree char *object = g_strnfill(900, 'o');
	ssize_t n_bytes = 0, n;

	log_set_format(LOG_FORMAT_TEXT);
	log_set_fd(fds[1]);
	for (int i = 0; i < 900; i++)
		log_info("devices", message, "i=%d text=%s", i, object);
	assert_true(log_n_lost() > n_lost);
	/* Nothing is changed for others who have the descriptor. */
	assert_int_equal(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	for (int i = 0; i < 5; i++) {
		while ((n = read(fds[0], big + n_bytes, (1 << 20) - 1 - n_bytes)) > 0)
			n_bytes += n;
		log_flush(false);
	}
	big[n_bytes] = '\0';
	assert_non_null(strstr(big, "msg=\"Lines of this log were lost\""));
	/* Only whole lines. */
	for (char *line = strtok(big, "\n"); line; line = strtok(NULL, "\n"))
		assert_true(g_str_has_prefix(line, "level="));
	log_set_fd(output[1]);
	close(fds[0]);
	close(fds[1]);
}

static void a_full_pipe(void **state)
{
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	nobody_reads(fds, "Pipe");
}

static void a_full_socket(void **state)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	nobody_reads(fds, "Socket");
}

static void a_full_disk(void **state)
{
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	uint64_t n_lost = log_n_lost();

	assert_true(fd >= 0);
	log_set_fd(fd);
	log_info("devices", "Nowhere");
	log_set_fd(output[1]);
	close(fd);
	assert_int_equal(log_n_lost(), n_lost + 1);
	log_flush(false);
	logged();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_quotes_what_needs_it),
		cmocka_unit_test(long_values_are_cut),
		cmocka_unit_test(sizes_of_numbers),
		cmocka_unit_test(json_is_json),
		cmocka_unit_test(time_is_rfc3339),
		cmocka_unit_test(level_silences),
		cmocka_unit_test(names_are_parsed),
		cmocka_unit_test(levels_of_modules),
		cmocka_unit_test(errors_are_counted_though_not_written),
		cmocka_unit_test(repeats_are_limited),
		cmocka_unit_test(asking_first),
		cmocka_unit_test(a_full_pipe),
		cmocka_unit_test(a_full_socket),
		cmocka_unit_test(a_full_disk),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
