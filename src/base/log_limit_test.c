// SPDX-License-Identifier: Apache-2.0
#include "src/base/log_limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "src/base/clock.h"

static struct log_limit *limit;
static int64_t now_ns;

static int set_up(void **state)
{
	limit = log_limit_new();
	now_ns = 1000 * NSEC_PER_SEC;
	return 0;
}

static int tear_down(void **state)
{
	log_limit_free(limit);
	return 0;
}

static struct log_subject about(const char *message, uint64_t object)
{
	return (struct log_subject){
		.level = LOG_LEVEL_WARNING,
		.subsys = LOG_SUBSYS_ENDPOINT,
		.message = message,
		.object = object,
	};
}

/* How many of n are admitted; *ret_told sums up what those tell. */
static unsigned int say(const char *message, uint64_t object, unsigned int n, uint64_t *ret_told)
{
	struct log_subject subject = about(message, object);
	unsigned int n_admitted = 0;

	*ret_told = 0;
	for (unsigned int i = 0; i < n; i++) {
		uint64_t n_suppressed = 0;

		n_admitted += log_limit_admit(limit, &subject, now_ns, &n_suppressed);
		*ret_told += n_suppressed;
	}
	return n_admitted;
}

static void repeats_are_limited_and_counted(void **state)
{
	uint64_t told;

	assert_int_equal(say("m", 1, 100, &told), LOG_LIMIT_OBJECT_BURST);
	assert_int_equal(told, 0);
	now_ns += LOG_LIMIT_OBJECT_INTERVAL_NS - 1;
	assert_int_equal(say("m", 1, 1, &told), 0);
	now_ns += 1;
	assert_int_equal(say("m", 1, 5, &told), 1);
	assert_int_equal(told, 91);
	/* After a long silence all is as at first. */
	now_ns += (LOG_LIMIT_OBJECT_BURST + 1) * LOG_LIMIT_OBJECT_INTERVAL_NS;
	assert_int_equal(say("m", 1, 100, &told), LOG_LIMIT_OBJECT_BURST);
	assert_int_equal(told, 4);
}

static void objects_do_not_hide_one_another(void **state)
{
	struct log_subject other = about("m", 7);
	uint64_t told, n_suppressed;

	say("m", 1, 100000, &told);
	assert_int_equal(say("m", 2, 1, &told), 1);
	assert_int_equal(say("another", 1, 1, &told), 1);
	other.subsys = LOG_SUBSYS_IPAM;
	assert_true(log_limit_admit(limit, &other, now_ns, &n_suppressed));
}

static void many_objects_are_limited_together(void **state)
{
	unsigned int n_admitted = 0;
	uint64_t told;

	for (uint64_t object = 0; object < 50000; object++)
		n_admitted += say("m", object, 1, &told);
	assert_int_equal(n_admitted, LOG_LIMIT_MESSAGE_BURST);
	now_ns += 5 * LOG_LIMIT_MESSAGE_INTERVAL_NS;
	n_admitted = 0;
	for (uint64_t object = 50000; object < 60000; object++)
		n_admitted += say("m", object, 1, &told);
	assert_int_equal(n_admitted, 5);
	assert_int_equal(say("another", 1, 1, &told), 1);
}

struct flushed {
	unsigned int n_calls;
	uint64_t n_suppressed;
	char last_object[32];
};

static void on_flushed(const struct log_subject *subject, uint64_t n_suppressed, void *data)
{
	struct flushed *flushed = data;

	assert_string_equal(subject->message, "m");
	assert_int_equal(subject->subsys, LOG_SUBSYS_ENDPOINT);
	flushed->n_calls++;
	flushed->n_suppressed += n_suppressed;
	g_strlcpy(flushed->last_object, subject->object_text ? subject->object_text : "",
		  sizeof(flushed->last_object));
}

static void the_end_of_a_flood_is_told(void **state)
{
	struct log_subject subject = about("m", 1);
	struct flushed flushed = {0};
	uint64_t told;

	say("m", 1, 30, &told);
	subject.object_text = " id=1";
	log_limit_name(limit, &subject);
	log_limit_flush(limit, now_ns, false, on_flushed, &flushed);
	assert_int_equal(flushed.n_calls, 0);
	now_ns += LOG_LIMIT_OBJECT_INTERVAL_NS;
	log_limit_flush(limit, now_ns, false, on_flushed, &flushed);
	log_limit_flush(limit, now_ns, false, on_flushed, &flushed);
	assert_int_equal(flushed.n_calls, 1);
	assert_int_equal(flushed.n_suppressed, 20);
	assert_string_equal(flushed.last_object, " id=1");
	now_ns += LOG_LIMIT_OBJECT_INTERVAL_NS;
	say("m", 1, 30, &told);
	assert_int_equal(told, 0);
	log_limit_flush(limit, now_ns, true, on_flushed, &flushed);
	assert_int_equal(flushed.n_calls, 2);
}

/* Whatever is forgotten: what was said, told and flushed is all there was. */
static void nothing_is_lost_from_the_counts(void **state)
{
	struct flushed flushed = {0};
	uint64_t n_said = 0, n_told = 0, told, n = 0;
	GRand *rand = g_rand_new_with_seed(7);

	for (unsigned int round = 0; round < 200; round++) {
		for (unsigned int i = 0; i < 1000; i++) {
			n_said += say("m", g_rand_int_range(rand, 0, 3000), 1, &told);
			n_told += told;
			n++;
		}
		now_ns += NSEC_PER_SEC;
		log_limit_flush(limit, now_ns, false, on_flushed, &flushed);
	}
	log_limit_flush(limit, now_ns, true, on_flushed, &flushed);
	assert_int_equal(n_said + n_told + flushed.n_suppressed, n);
	assert_true(n_said < n / 2);
	g_rand_free(rand);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(repeats_are_limited_and_counted),   TEST(objects_do_not_hide_one_another),
		TEST(many_objects_are_limited_together), TEST(the_end_of_a_flood_is_told),
		TEST(nothing_is_lost_from_the_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
