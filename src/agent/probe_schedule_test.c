/* SPDX-License-Identifier: Apache-2.0 */
/* The schedule of probes, against a clock that only the test moves. */
#include "src/agent/probe_schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include "src/base/clock.h"
#include "src/base/intern.h"

#define MS NSEC_PER_MSEC

static struct backend_health_key key_of(unsigned int i)
{
	struct addr addr = {.words = {0, 0, 0, i}};

	return backend_health_key_new(&addr, 80, 6, "shop/web");
}

static const struct service_health usual = {
	.probe = HEALTH_PROBE_TCP,
	.interval_ms = 5000,
	.timeout_ms = 1000,
	.n_fail = 2,
	.n_recover = 1,
};

static struct probe_target *put(struct probe_schedule *schedule, unsigned int i,
				const struct service_health *health, int64_t now_ns)
{
	struct backend_health_key key = key_of(i);

	return probe_schedule_put(schedule, &key, health, false, now_ns);
}

/* Of one target: waits for its probe, which takes cost_ns. */
static enum probe_verdict probe_next(struct probe_schedule *schedule, int64_t *now_ns, bool is_good,
				     int64_t cost_ns)
{
	int64_t start_ns = probe_schedule_next_ns(schedule);
	struct probe_target *target = probe_schedule_take(schedule, start_ns);

	assert_non_null(target);
	assert_null(probe_schedule_take(schedule, start_ns));
	*now_ns = start_ns + cost_ns;
	return probe_schedule_report(schedule, target, is_good, start_ns);
}

static void thresholds(void **state)
{
	struct probe_schedule *schedule = probe_schedule_new(1);
	struct service_health health = usual;
	int64_t now_ns = 0;

	health.n_fail = 3;
	health.n_recover = 2;
	put(schedule, 1, &health, 0);
	/* Not in a row. */
	assert_int_equal(probe_next(schedule, &now_ns, false, 0), PROBE_UNCHANGED);
	assert_int_equal(probe_next(schedule, &now_ns, false, 0), PROBE_UNCHANGED);
	assert_int_equal(probe_next(schedule, &now_ns, true, 0), PROBE_UNCHANGED);
	assert_int_equal(probe_next(schedule, &now_ns, false, 0), PROBE_UNCHANGED);
	assert_int_equal(probe_next(schedule, &now_ns, false, 0), PROBE_UNCHANGED);
	assert_int_equal(probe_schedule_n_down(schedule), 0);
	assert_int_equal(probe_next(schedule, &now_ns, false, 0), PROBE_WENT_DOWN);
	assert_int_equal(probe_schedule_n_down(schedule), 1);
	assert_int_equal(probe_next(schedule, &now_ns, false, 0), PROBE_UNCHANGED);
	assert_int_equal(probe_next(schedule, &now_ns, true, 0), PROBE_UNCHANGED);
	assert_int_equal(probe_next(schedule, &now_ns, false, 0), PROBE_UNCHANGED);
	assert_int_equal(probe_next(schedule, &now_ns, true, 0), PROBE_UNCHANGED);
	assert_int_equal(probe_next(schedule, &now_ns, true, 0), PROBE_CAME_UP);
	assert_int_equal(probe_schedule_n_down(schedule), 0);
	probe_schedule_free(schedule);
}

/* Whatever the thresholds: two intervals after its last good probe began it is out. */
static void out_within_two_intervals(void **state)
{
	for (unsigned int seed = 0; seed < 200; seed++) {
		struct probe_schedule *schedule = probe_schedule_new(seed);
		struct service_health health = usual;
		int64_t now_ns = 0, died_ns;

		health.n_fail = 1 + seed % 10;
		health.timeout_ms = 100;
		put(schedule, 1, &health, 0);
		probe_next(schedule, &now_ns, true, 0);
		died_ns = now_ns;
		for (unsigned int i = 1; i < health.n_fail; i++)
			assert_int_equal(probe_next(schedule, &now_ns, false, 100 * MS),
					 PROBE_UNCHANGED);
		assert_int_equal(probe_next(schedule, &now_ns, false, 100 * MS), PROBE_WENT_DOWN);
		assert_true(now_ns - died_ns < 10000 * MS);
		probe_schedule_free(schedule);
	}
}

/* As often as it is wanted, and never all at once. */
static void intervals_with_chance(void **state)
{
	struct probe_schedule *schedule = probe_schedule_new(1);
	int64_t before_ns = 0, now_ns = 0, least_ns = INT64_MAX, most_ns = 0;

	put(schedule, 1, &usual, 0);
	probe_next(schedule, &before_ns, true, 0);
	assert_true(before_ns < 5000 * MS);
	for (unsigned int i = 0; i < 1000; i++) {
		probe_next(schedule, &now_ns, true, 0);
		least_ns = MIN(least_ns, now_ns - before_ns);
		most_ns = MAX(most_ns, now_ns - before_ns);
		before_ns = now_ns;
	}
	assert_in_range(least_ns, 4500 * MS, 4600 * MS);
	assert_in_range(most_ns, 4900 * MS, 5000 * MS);
	probe_schedule_free(schedule);
}

/* A thousand that came together: no tenth of the interval has far more than its share of them. */
static void many_are_spread(void **state)
{
	struct probe_schedule *schedule = probe_schedule_new(1);
	unsigned int n[10] = {}, n_all = 0;
	struct probe_target *target;

	for (unsigned int i = 0; i < 1000; i++)
		put(schedule, i, &usual, 0);
	for (int64_t now_ns = 0; now_ns < 5000 * MS; now_ns += MS)
		while ((target = probe_schedule_take(schedule, now_ns))) {
			n[now_ns / (500 * MS)]++;
			n_all++;
			probe_schedule_report(schedule, target, true, now_ns + 5000 * MS);
		}
	assert_int_equal(n_all, 1000);
	for (unsigned int i = 0; i < G_N_ELEMENTS(n); i++)
		assert_in_range(n[i], 50, 150);
	probe_schedule_free(schedule);
}

static void not_too_many_at_a_time(void **state)
{
	struct probe_schedule *schedule = probe_schedule_new(1);
	struct probe_target *first;

	for (unsigned int i = 0; i < PROBES_MAX + 10; i++)
		put(schedule, i, &usual, 0);
	first = probe_schedule_take(schedule, 5000 * MS);
	for (unsigned int i = 1; i < PROBES_MAX; i++)
		assert_non_null(probe_schedule_take(schedule, 5000 * MS));
	assert_null(probe_schedule_take(schedule, 5000 * MS));
	assert_true(probe_schedule_next_ns(schedule) == INT64_MAX);
	probe_schedule_report(schedule, first, true, 5000 * MS);
	assert_non_null(probe_schedule_take(schedule, 5000 * MS));
	probe_schedule_free(schedule);
}

static void users(void **state)
{
	struct probe_schedule *schedule = probe_schedule_new(1);
	struct probe_target *target = put(schedule, 1, &usual, 0);
	struct backend_health_key key = key_of(1), other = key_of(2);

	assert_ptr_equal(put(schedule, 1, &usual, 0), target);
	assert_int_equal(probe_schedule_n_targets(schedule), 1);
	assert_ptr_equal(probe_schedule_find(schedule, &key), target);
	assert_null(probe_schedule_find(schedule, &other));
	assert_false(probe_schedule_remove(schedule, target));
	assert_true(probe_schedule_remove(schedule, target));
	assert_null(probe_schedule_find(schedule, &key));
	assert_true(probe_schedule_next_ns(schedule) == INT64_MAX);
	/* While it is asked. */
	target = put(schedule, 1, &usual, 0);
	assert_ptr_equal(probe_schedule_take(schedule, 5000 * MS), target);
	assert_true(probe_schedule_remove(schedule, target));
	/* One that is down when it begins needs no failure. */
	target = probe_schedule_put(schedule, &key, &usual, true, 0);
	assert_int_equal(probe_schedule_n_down(schedule), 1);
	assert_ptr_equal(probe_schedule_take(schedule, 5000 * MS), target);
	assert_int_equal(probe_schedule_report(schedule, target, true, 5000 * MS), PROBE_CAME_UP);
	probe_schedule_free(schedule);
}

static void changes(void **state)
{
	struct probe_schedule *schedule = probe_schedule_new(1);
	struct service_health health = usual;
	struct probe_target *target;
	int64_t now_ns = 0;

	health.interval_ms = 3600000;
	target = put(schedule, 1, &health, 0);
	probe_next(schedule, &now_ns, true, 0);
	/* Another question is asked at once. */
	health.probe = HEALTH_PROBE_HTTP;
	health.path = intern_new("/a");
	assert_ptr_equal(put(schedule, 1, &health, now_ns), target);
	assert_true(probe_schedule_next_ns(schedule) == now_ns);
	intern_unref(health.path);
	probe_next(schedule, &now_ns, true, 0);
	assert_string_equal(target->health.path, "/a");
	/* The same one more often. */
	health = target->health;
	health.interval_ms = 1000;
	put(schedule, 1, &health, now_ns);
	assert_true(probe_schedule_next_ns(schedule) <= now_ns + 1000 * MS);
	probe_schedule_free(schedule);
}

/* What an old question comes to says nothing, however it ends; nor do the answers before it. */
static void changes_under_way(void **state)
{
	struct probe_schedule *schedule = probe_schedule_new(1);
	struct service_health health = usual;
	struct probe_target *target = put(schedule, 1, &health, 0);
	int64_t now_ns = 0;

	health.path = intern_new("/a");
	assert_int_equal(probe_next(schedule, &now_ns, false, 0), PROBE_UNCHANGED);
	now_ns = probe_schedule_next_ns(schedule);
	assert_ptr_equal(probe_schedule_take(schedule, now_ns), target);
	put(schedule, 1, &health, now_ns);
	/* The same question, whatever the thresholds, changes nothing of that. */
	health.n_fail = 2;
	put(schedule, 1, &health, now_ns);
	assert_int_equal(probe_schedule_report(schedule, target, false, now_ns), PROBE_UNCHANGED);
	assert_true(probe_schedule_next_ns(schedule) == now_ns);
	assert_int_equal(probe_next(schedule, &now_ns, false, 0), PROBE_UNCHANGED);
	assert_int_equal(probe_next(schedule, &now_ns, false, 0), PROBE_WENT_DOWN);
	intern_unref(health.path);
	probe_schedule_free(schedule);
}

static void given_back(void **state)
{
	struct probe_schedule *schedule = probe_schedule_new(1);
	struct probe_target *target = put(schedule, 1, &usual, 0);

	assert_ptr_equal(probe_schedule_take(schedule, 5000 * MS), target);
	probe_schedule_give_back(schedule, target, 5000 * MS);
	assert_true(probe_schedule_next_ns(schedule) == 6000 * MS);
	assert_ptr_equal(probe_schedule_take(schedule, 6000 * MS), target);
	probe_schedule_free(schedule);
}

/* The heap against a search through all: whatever comes and goes, the first is the first. */
static void always_the_first(void **state)
{
	struct probe_schedule *schedule = probe_schedule_new(1);
	struct probe_target *targets[50] = {};
	int64_t now_ns = 0;

	srand(1);
	for (unsigned int step = 0; step < 20000; step++) {
		unsigned int i = rand() % G_N_ELEMENTS(targets);
		struct probe_target *target;
		int64_t first_ns = INT64_MAX;

		if (!targets[i])
			targets[i] = put(schedule, i, &usual, now_ns);
		else if (rand() % 4 == 0 && probe_schedule_remove(schedule, targets[i]))
			targets[i] = NULL;
		for (unsigned int k = 0; k < G_N_ELEMENTS(targets); k++)
			if (targets[k])
				first_ns = MIN(first_ns, targets[k]->due_ns);
		assert_true(probe_schedule_next_ns(schedule) == first_ns);
		if (first_ns == INT64_MAX)
			continue;
		now_ns = MAX(now_ns, first_ns);
		target = probe_schedule_take(schedule, first_ns);
		assert_true(target->due_ns == first_ns);
		probe_schedule_report(schedule, target, rand() % 2, now_ns);
	}
	probe_schedule_free(schedule);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(thresholds),
		cmocka_unit_test(out_within_two_intervals),
		cmocka_unit_test(intervals_with_chance),
		cmocka_unit_test(many_are_spread),
		cmocka_unit_test(not_too_many_at_a_time),
		cmocka_unit_test(users),
		cmocka_unit_test(changes),
		cmocka_unit_test(changes_under_way),
		cmocka_unit_test(given_back),
		cmocka_unit_test(always_the_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
