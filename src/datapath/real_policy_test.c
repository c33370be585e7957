// SPDX-License-Identifier: Apache-2.0
/* The maps of policy against the kernel. */
#include "src/datapath/real_test.h"

#include "src/base/clock.h"

static void test_elements_are_the_maps(void **state)
{
	struct world *world = *state;
	const struct policy_endpoint element = {.version = 7, .flags = POLICY_F_AUDIT};
	const struct policy_endpoint last = {.version = 9};
	const uint32_t key = 300;
	struct policy_endpoint found;

	assert_int_equal(world->dp->ops->policy_get(world->dp, 300).version, 0);
	world->dp->ops->policy_set(world->dp, 300, &element);
	world->dp->ops->policy_set(world->dp, UINT16_MAX, &last);
	assert_int_equal(
		world->dp->ops->map_get(world->dp, PLAN_MAP_cilium_policy_endpoint, &key, &found),
		0);
	assert_memory_equal(&found, &element, sizeof(found));
	finish(world);
	restart(world);
	found = world->dp->ops->policy_get(world->dp, 300);
	assert_memory_equal(&found, &element, sizeof(found));
	assert_int_equal(world->dp->ops->policy_get(world->dp, UINT16_MAX).version, 9);
}

static uint32_t put_peers(struct world *world, uint32_t first, uint32_t n, int expected)
{
	g_autofree struct policy_peer_key *keys = g_new0(struct policy_peer_key, n);
	g_autofree struct policy_peer *values = g_new0(struct policy_peer, n);
	uint32_t n_done;

	for (uint32_t i = 0; i < n; i++) {
		keys[i] = (struct policy_peer_key){.version = 1, .identity = first + i};
		values[i].class = first + i;
	}
	assert_int_equal(world->dp->ops->map_update_batch(world->dp, PLAN_MAP_cilium_policy_peer,
							  keys, values, n, &n_done),
			 expected);
	return n_done;
}

static uint32_t delete_peers(struct world *world, uint32_t first, uint32_t n)
{
	g_autofree struct policy_peer_key *keys = g_new0(struct policy_peer_key, n);
	uint32_t n_done;

	for (uint32_t i = 0; i < n; i++)
		keys[i] = (struct policy_peer_key){.version = 1, .identity = first + i};
	assert_int_equal(world->dp->ops->map_delete_batch(world->dp, PLAN_MAP_cilium_policy_peer,
							  keys, n, &n_done),
			 0);
	return n_done;
}

static void test_batches_end_where_the_map_is_full(void **state)
{
	struct world *world = *state;

	world->config.max_entries[PLAN_MAP_cilium_policy_peer] = 1000;
	restart(world);
	finish(world);
	assert_int_equal(put_peers(world, 1, 600, 0), 600);
	assert_int_equal(n_pinned_entries("cilium_policy_peer"), 600);
	assert_int_equal(put_peers(world, 1001, 600, -ENOSPC), 400);
	/* The first that does not fit is the first of all. */
	assert_int_equal(put_peers(world, 2001, 1, -ENOSPC), 0);
	/* Some are there, some are not. */
	assert_int_equal(delete_peers(world, 500, 600), 600);
	assert_int_equal(n_pinned_entries("cilium_policy_peer"), 499 + 301);
}

static void test_waits_for_programs(void **state)
{
	struct world *world = *state;
	int64_t started_ns = clock_monotonic_ns();

	for (int i = 0; i < 3; i++)
		assert_int_equal(world->dp->ops->wait_programs(world->dp), 0);
	print_message("a wait takes %lld us\n",
		      (long long)(clock_monotonic_ns() - started_ns) / 3 / NSEC_PER_USEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_elements_are_the_maps),
		TEST(test_batches_end_where_the_map_is_full),
		TEST(test_waits_for_programs),
	};

	return RUN(tests);
}
