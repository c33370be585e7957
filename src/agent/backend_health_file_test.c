/* SPDX-License-Identifier: Apache-2.0 */
/* What was down, over a restart: a real directory. */
#include "src/agent/backend_health_file.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "src/model/backend_health.h"

struct world {
	char *path;
	struct state_dir *dir;
	struct tables tables;
	struct store *store;
	GPtrArray *problems;
};

static void boot(struct world *world)
{
	world->dir = state_dir_new(world->path, NULL);
	world->store = tables_new(&world->tables);
	world->problems = g_ptr_array_new_with_free_func(g_free);
	backend_health_file_load(world->dir, world->store, &world->tables, world->problems);
	assert_true(table_synced(world->tables.backend_health));
}

static void halt(struct world *world)
{
	state_dir_free(world->dir);
	store_free(world->store);
	g_ptr_array_unref(world->problems);
}

static int set_up(void **state)
{
	struct world *world = g_new0(struct world, 1);

	world->path = g_dir_make_tmp("backend_health_file_test_XXXXXX", NULL);
	boot(world);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;
	g_autofree char *command = g_strdup_printf("rm -r %s", world->path);

	halt(world);
	assert_true(g_spawn_command_line_sync(command, NULL, NULL, NULL, NULL));
	g_free(world->path);
	g_free(world);
	return 0;
}

static struct backend_health_key put(struct world *world, const char *address, uint16_t port)
{
	struct backend_health *row = (struct backend_health *)row_new(&backend_health_class);
	struct txn *txn = txn_new(world->store);
	struct backend_health_key key;
	struct addr addr;

	assert_int_equal(addr_parse(address, &addr), 0);
	key = backend_health_key_new(&addr, port, IPPROTO_TCP, "shop/web");
	row->key = key;
	row->since_ns = 123456789;
	row->reason = g_strdup("connect: Connection refused");
	txn_put(txn, world->tables.backend_health, &row->row);
	txn_commit(txn);
	return key;
}

static void survives(void **state)
{
	struct world *world = *state;
	struct backend_health_key v4 = put(world, "10.0.0.1", 80),
				  v6 = put(world, "fd00::1", 65535);
	const struct backend_health *row;

	assert_int_equal(backend_health_file_save(world->dir, &world->tables, NULL), 0);
	halt(world);
	boot(world);
	assert_int_equal(world->problems->len, 0);
	assert_int_equal(table_n_rows(world->tables.backend_health), 2);
	assert_non_null(table_get(world->tables.backend_health, &v4, sizeof(v4)));
	row = (const struct backend_health *)table_get(world->tables.backend_health, &v6,
						       sizeof(v6));
	assert_string_equal(row->reason, "connect: Connection refused");
	assert_int_equal(row->since_ns, 123456789);
}

#define GOOD                                                                          \
	"{\"address\": \"10.0.0.1\", \"port\": 80, \"protocol\": 6, \"service\": 5, " \
	"\"since_ns\": "                                                              \
	"1, \"reason\": \"x\"}"

static void bad_files(void **state)
{
	static const struct {
		const char *text;
		unsigned int n_rows;
	} bad[] = {
		{"{", 0},
		{"{\"version\": 1}", 0},
		{"{\"version\": 1, \"down\": [" GOOD ", 5]}", 1},
		{"{\"version\": 1, \"down\": [{}, " GOOD "]}", 1},
		{"{\"version\": 1, \"down\": [{\"address\": \"x\", \"port\": 80, \"protocol\": 6, "
		 "\"service\": 5, \"since_ns\": 1, \"reason\": \"x\"}]}",
		 0},
		{"{\"version\": 1, \"down\": [{\"address\": \"10.0.0.1\", \"port\": 65536, "
		 "\"protocol\": 6, \"service\": 5, \"since_ns\": 1, \"reason\": \"x\"}]}",
		 0},
	};
	struct world *world = *state;

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autofree char *path = g_build_filename(world->path, "backend-health.json", NULL);
		g_autofree char *aside = g_strconcat(path, ".corrupt", NULL);

		assert_true(g_file_set_contents(path, bad[i].text, -1, NULL));
		halt(world);
		boot(world);
		assert_int_equal(world->problems->len, 1);
		assert_int_equal(table_n_rows(world->tables.backend_health), bad[i].n_rows);
		assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
		assert_true(g_file_test(aside, G_FILE_TEST_EXISTS));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(survives, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bad_files, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
