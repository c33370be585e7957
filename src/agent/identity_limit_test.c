/* SPDX-License-Identifier: Apache-2.0 */
/* What was reserved before the machine died is not handed out again; a restart skips nothing. */
#include "src/agent/identity_limit.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include "src/model/identity.h"

#define FIRST IDENTITY_ALLOCATED_MIN

struct world {
	char *path;
	struct state_dir *dir;
};

static int setup(void **state)
{
	struct world *world = g_new0(struct world, 1);

	world->path = g_dir_make_tmp("axoneme-limit-XXXXXX", NULL);
	world->dir = state_dir_new(world->path, NULL);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;
	const char *argv[] = {"rm", "-rf", world->path, NULL};

	state_dir_free(world->dir);
	g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL,
		     NULL);
	g_free(world->path);
	g_free(world);
	return 0;
}

static uint32_t start(struct world *world, const char *boot_id, uint32_t greatest)
{
	const uint32_t greatests[IDENTITY_SCOPE__MAX] = {[IDENTITY_SCOPE_LABELS] = greatest};
	struct identity_limit *limit = identity_limit_new(world->dir, boot_id, greatests, NULL);
	uint32_t number;

	assert_non_null(limit);
	number = identity_limit_get_start(limit, IDENTITY_SCOPE_LABELS);
	identity_limit_free(limit);
	return number;
}

static uint32_t read_limit(struct world *world)
{
	json_t *object;
	uint32_t number;

	assert_int_equal(state_dir_read(world->dir, "identity-limit.json", &object, NULL), 0);
	number = json_integer_value(json_object_get(object, "limit"));
	json_decref(object);
	return number;
}

static void ensure(struct world *world, const char *boot_id, uint32_t greatest, uint32_t number)
{
	const uint32_t greatests[IDENTITY_SCOPE__MAX] = {[IDENTITY_SCOPE_LABELS] = greatest};
	struct identity_limit *limit = identity_limit_new(world->dir, boot_id, greatests, NULL);

	assert_int_equal(identity_limit_ensure(limit, number, NULL), 0);
	assert_true(read_limit(world) >= number);
	identity_limit_free(limit);
}

static void a_boot_goes_on_behind_what_was_reserved(void **state)
{
	struct world *world = *state;
	uint32_t reserved;

	assert_int_equal(start(world, "one", 0), 0);
	ensure(world, "one", 0, FIRST);
	reserved = read_limit(world);
	assert_true(reserved > FIRST);
	/* The same boot: the file of identities is whole. */
	assert_int_equal(start(world, "one", FIRST + 5), FIRST + 5);
	/* Another: it may lack all of the last moment. */
	assert_int_equal(start(world, "two", FIRST + 3), reserved);
	assert_int_equal(start(world, "two", FIRST + 3), reserved);
	ensure(world, "two", FIRST + 3, reserved + 1);
	assert_true(read_limit(world) > reserved);
	/* And a restart within that boot must not go back to what the first one may have used. */
	assert_int_equal(start(world, "two", FIRST + 3), reserved);
	assert_int_equal(start(world, "two", reserved + 1), reserved + 1);
}

static void a_lost_file_is_made_up_for(void **state)
{
	struct world *world = *state;
	g_autofree char *path = g_build_filename(world->path, "identity-limit.json", NULL);

	ensure(world, "one", 0, FIRST + 100);
	assert_true(g_file_set_contents(path, "{", -1, NULL));
	assert_true(start(world, "one", FIRST + 100) > FIRST + 612);
}

static void the_end_of_the_range_is_the_end(void **state)
{
	struct world *world = *state;

	ensure(world, "one", 0, IDENTITY_ALLOCATED_MAX - 1);
	assert_int_equal(read_limit(world), IDENTITY_ALLOCATED_MAX);
	assert_int_equal(start(world, "two", FIRST), IDENTITY_ALLOCATED_MAX);
}

static void a_helper_reserves_ahead(void **state)
{
	struct world *world = *state;
	const uint32_t greatests[IDENTITY_SCOPE__MAX] = {0};
	struct identity_limit *limit = identity_limit_new(world->dir, "one", greatests, NULL);
	uv_loop_t loop;
	uint32_t reserved;

	uv_loop_init(&loop);
	identity_limit_reserve_soon(limit, FIRST, &loop);
	uv_run(&loop, UV_RUN_DEFAULT);
	reserved = read_limit(world);
	assert_true(reserved > FIRST + 100);
	/* Enough are left: nothing is written. */
	identity_limit_reserve_soon(limit, FIRST + 1, &loop);
	assert_false(uv_loop_alive(&loop));
	assert_int_equal(identity_limit_ensure(limit, reserved, NULL), 0);
	assert_int_equal(read_limit(world), reserved);
	identity_limit_reserve_soon(limit, reserved, &loop);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_true(read_limit(world) > reserved);
	assert_int_equal(uv_loop_close(&loop), 0);
	identity_limit_free(limit);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_boot_goes_on_behind_what_was_reserved),
		TEST(a_lost_file_is_made_up_for),
		TEST(the_end_of_the_range_is_the_end),
		TEST(a_helper_reserves_ahead),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
