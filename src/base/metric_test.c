/* SPDX-License-Identifier: Apache-2.0 */
#include "src/base/metric.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "src/base/clock.h"

enum {
	PLAIN,
	LABELLED,
	TIMES,
	OFF,
	FAMILY__MAX
};

static const struct metric_family families[FAMILY__MAX] = {
	[PLAIN] = {"p", METRIC_TYPE_GAUGE, "", true, "one\\two\nthree \"four\""},
	[LABELLED] = {"l_total", METRIC_TYPE_COUNTER, "a,b", true, "labels"},
	[TIMES] = {"t_seconds", METRIC_TYPE_HISTOGRAM, "a", true, "times"},
	[OFF] = {"o", METRIC_TYPE_GAUGE, "", false, "off"},
};
static const bool on[FAMILY__MAX] = {[PLAIN] = true, [LABELLED] = true, [TIMES] = true};

static struct metric_set *new_set(void)
{
	return metric_set_new(families, FAMILY__MAX, on);
}

static void assert_format(struct metric_set *set, const char *expected)
{
	g_autoptr(GString) out = g_string_new(NULL);

	metric_set_format(set, out);
	assert_string_equal(out->str, expected);
	metric_set_free(set);
}

static void nothing_is_nothing(void **state)
{
	assert_format(new_set(), "");
}

static void escapes_help_and_labels(void **state)
{
	struct metric_set *set = new_set();

	metric_set_add(set, LABELLED, METRIC_LABELS("q\"b\\n\n", "\xff"), 3);
	metric_set_add(set, PLAIN, METRIC_NO_LABELS, 1);
	assert_format(set, "# HELP p one\\\\two\\nthree \"four\"\n# TYPE p gauge\np 1\n"
			   "# HELP l_total labels\n# TYPE l_total counter\n"
			   "l_total{a=\"q\\\"b\\\\n\\n\",b=\"\xef\xbf\xbd\"} 3\n");
}

static void one_head_a_family(void **state)
{
	struct metric_set *set = new_set();

	metric_set_add(set, LABELLED, METRIC_LABELS("1", ""), 1);
	metric_set_add(set, PLAIN, METRIC_NO_LABELS, 2);
	metric_set_add(set, LABELLED, METRIC_LABELS("2", ""), 3);
	assert_format(set, "# HELP p one\\\\two\\nthree \"four\"\n# TYPE p gauge\np 2\n"
			   "# HELP l_total labels\n# TYPE l_total counter\n"
			   "l_total{a=\"1\",b=\"\"} 1\nl_total{a=\"2\",b=\"\"} 3\n");
}

static void leaves_out_what_is_off(void **state)
{
	struct metric_set *set = new_set();

	assert_true(metric_set_wants(set, PLAIN));
	assert_false(metric_set_wants(set, OFF));
	metric_set_add(set, OFF, METRIC_NO_LABELS, 1);
	assert_format(set, "");
}

static void buckets_add_up(void **state)
{
	struct histogram histogram = {0}, empty = {0};
	struct metric_set *set = new_set();

	histogram_add_ns(&histogram, 100 * NSEC_PER_USEC); /* a bound belongs to its bucket */
	histogram_add_ns(&histogram, 2 * NSEC_PER_MSEC);
	histogram_add_ns(&histogram, 2 * NSEC_PER_MSEC);
	histogram_add_ns(&histogram, 60 * NSEC_PER_SEC);
	metric_set_add_histogram(set, TIMES, METRIC_LABELS("x"), &histogram);
	metric_set_add_histogram(set, TIMES, METRIC_LABELS("never"), &empty);
	assert_format(set, "# HELP t_seconds times\n# TYPE t_seconds histogram\n"
			   "t_seconds_bucket{a=\"x\",le=\"0.0001\"} 1\n"
			   "t_seconds_bucket{a=\"x\",le=\"0.00025\"} 1\n"
			   "t_seconds_bucket{a=\"x\",le=\"0.0005\"} 1\n"
			   "t_seconds_bucket{a=\"x\",le=\"0.001\"} 1\n"
			   "t_seconds_bucket{a=\"x\",le=\"0.0025\"} 3\n"
			   "t_seconds_bucket{a=\"x\",le=\"0.005\"} 3\n"
			   "t_seconds_bucket{a=\"x\",le=\"0.01\"} 3\n"
			   "t_seconds_bucket{a=\"x\",le=\"0.025\"} 3\n"
			   "t_seconds_bucket{a=\"x\",le=\"0.05\"} 3\n"
			   "t_seconds_bucket{a=\"x\",le=\"0.1\"} 3\n"
			   "t_seconds_bucket{a=\"x\",le=\"0.25\"} 3\n"
			   "t_seconds_bucket{a=\"x\",le=\"0.5\"} 3\n"
			   "t_seconds_bucket{a=\"x\",le=\"1\"} 3\n"
			   "t_seconds_bucket{a=\"x\",le=\"2.5\"} 3\n"
			   "t_seconds_bucket{a=\"x\",le=\"5\"} 3\n"
			   "t_seconds_bucket{a=\"x\",le=\"10\"} 3\n"
			   "t_seconds_bucket{a=\"x\",le=\"+Inf\"} 4\n"
			   "t_seconds_sum{a=\"x\"} 60.0041\nt_seconds_count{a=\"x\"} 4\n");
}

static void numbers_read_back(void **state)
{
	static const struct {
		double number;
		const char *text;
	} cases[] = {
		{0, "0"},
		{0.1, "0.1"},
		{1.0 / 3, "0.33333333333333331"},
		{9007199254740992, "9007199254740992"},
		{1e300, "1e+300"},
		{-1.5, "-1.5"},
		{NAN, "NaN"},
		{INFINITY, "+Inf"},
		{-INFINITY, "-Inf"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GString) out = g_string_new(NULL);

		metric_format_number(out, cases[i].number);
		assert_string_equal(out->str, cases[i].text);
	}
}

static void quantiles(void **state)
{
	struct histogram histogram = {0};

	assert_true(isnan(histogram_quantile(&histogram, 0.5)));
	for (int i = 0; i < 10; i++)
		histogram_add_ns(&histogram, 3 * NSEC_PER_MSEC);
	/* Half way through the bucket from 2.5 to 5 ms. */
	assert_true(fabs(histogram_quantile(&histogram, 0.5) - 0.00375) < 1e-9);
	histogram_add_ns(&histogram, 60 * NSEC_PER_SEC);
	assert_true(histogram_quantile(&histogram, 0.99) == 10);
	assert_true(histogram_n(&histogram) == 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_nothing), cmocka_unit_test(escapes_help_and_labels),
		cmocka_unit_test(one_head_a_family),  cmocka_unit_test(leaves_out_what_is_off),
		cmocka_unit_test(buckets_add_up),     cmocka_unit_test(numbers_read_back),
		cmocka_unit_test(quantiles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
