/* SPDX-License-Identifier: Apache-2.0 */
/* Services made by hand over restarts: a real directory of state, agents that come and go. */
#include "src/agent/service_requests.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <cmocka.h>
#include <glib/gstdio.h>
#include "src/api/service_spec.h"

struct world {
	char *path;
	uv_loop_t loop;
	struct tables tables;
	struct store *store;
	GPtrArray *problems;
	struct service_requests *requests;
};

static void boot(struct world *world)
{
	g_autoptr(GError) error = NULL;

	uv_loop_init(&world->loop);
	world->store = tables_new(&world->tables);
	world->problems = g_ptr_array_new_with_free_func(g_free);
	world->requests = service_requests_new(&world->loop, world->store, &world->tables,
					       world->path, world->problems, &error);
	if (!world->requests)
		fail_msg("%s", error->message);
	assert_true(table_synced(world->tables.service_requests));
}

static void halt(struct world *world)
{
	service_requests_free(world->requests);
	uv_run(&world->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&world->loop), 0);
	store_free(world->store);
	g_ptr_array_unref(world->problems);
}

static void restart(struct world *world)
{
	halt(world);
	boot(world);
}

static int set_up(void **state)
{
	struct world *world = g_new0(struct world, 1);

	world->path = g_dir_make_tmp("service_requests_test_XXXXXX", NULL);
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

static int put(struct world *world, uint32_t id, const char *ip, uint16_t weight, bool *ret_created)
{
	g_autofree char *body = g_strdup_printf(
		"{\"frontend-address\": {\"ip\": \"%s\", \"port\": 80}, \"backend-addresses\": "
		"[{\"ip\": \"10.0.0.9\", \"port\": 1, \"weight\": %u}]}",
		ip, weight);
	struct service_request *request;
	g_autoptr(GError) error = NULL;
	int err;

	assert_int_equal(service_spec_decode(id, body, strlen(body), &request, &error), 0);
	err = service_requests_put(world->requests, request, ret_created, &error);
	assert_int_equal(!!err, !!error);
	return err;
}

/* The weight of the one back end; −1: there is no such service. */
static int get_weight(const struct world *world, uint32_t id)
{
	const struct service_request *request = (const struct service_request *)table_get(
		world->tables.service_requests, &id, sizeof(id));

	return request ? g_array_index(request->backends, struct service_request_backend, 0).weight
		       : -1;
}

static void write_file(const struct world *world, const char *name, const char *text)
{
	g_autofree char *path = g_build_filename(world->path, name, NULL);

	assert_true(g_file_set_contents(path, text, -1, NULL));
}

static bool has_file(const struct world *world, const char *name)
{
	g_autofree char *path = g_build_filename(world->path, name, NULL);

	return g_file_test(path, G_FILE_TEST_EXISTS);
}

static void are_kept(void **state)
{
	struct world *world = *state;
	bool created;

	assert_int_equal(put(world, 5, "10.0.0.1", 1, &created), 0);
	assert_true(created);
	assert_int_equal(put(world, 6, "10.0.0.2", 2, &created), 0);
	assert_true(created);
	assert_int_equal(put(world, 5, "10.0.0.1", 3, &created), 0);
	assert_false(created);
	restart(world);
	assert_int_equal(world->problems->len, 0);
	assert_int_equal(get_weight(world, 5), 3);
	assert_int_equal(get_weight(world, 6), 2);
	assert_int_equal(service_requests_remove(world->requests, 5, NULL), 0);
	assert_int_equal(get_weight(world, 5), -1);
	assert_int_equal(service_requests_remove(world->requests, 5, NULL), -ENOENT);
	restart(world);
	assert_int_equal(get_weight(world, 5), -1);
	assert_int_equal(get_weight(world, 6), 2);
}

static void belong_to_one(void **state)
{
	struct world *world = *state;
	bool created;

	assert_int_equal(put(world, 5, "10.0.0.1", 1, &created), 0);
	assert_int_equal(put(world, 5, "10.0.0.2", 1, &created), -EEXIST);
	assert_int_equal(put(world, 6, "10.0.0.1", 1, &created), -EEXIST);
	assert_false(has_file(world, "6.json"));
	assert_int_equal(get_weight(world, 6), -1);
	restart(world);
	assert_int_equal(put(world, 6, "10.0.0.1", 1, &created), -EEXIST);
	assert_int_equal(service_requests_remove(world->requests, 5, NULL), 0);
	assert_int_equal(put(world, 6, "10.0.0.1", 1, &created), 0);
}

#define FILE_OF(ip)                                                                            \
	"{\"version\": 1, \"service\": {\"frontend-address\": {\"ip\": \"" ip "\", \"port\": " \
	"80}, \"backend-addresses\": [{\"ip\": \"10.0.0.9\", \"port\": 1}]}}"

static void bad_files_are_set_aside(void **state)
{
	static const struct {
		const char *name, *text;
	} bad[] = {
		{"1.json", "{"},
		{"2.json", "{\"version\": 1}"},
		{"3.json", "{\"version\": 1, \"service\": {}}"},
		{"07.json", FILE_OF("10.0.0.7")},
		{"x.json", FILE_OF("10.0.0.8")},
		/* The one before has the front end. */
		{"9.json", FILE_OF("10.0.0.4")},
	};
	struct world *world = *state;

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		write_file(world, bad[i].name, bad[i].text);
	write_file(world, "4.json", FILE_OF("10.0.0.4"));
	restart(world);
	assert_int_equal(world->problems->len, G_N_ELEMENTS(bad));
	assert_int_equal(table_n_rows(world->tables.service_requests), 1);
	assert_int_equal(get_weight(world, 4), 100);
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autofree char *aside = g_strconcat(bad[i].name, ".corrupt", NULL);

		assert_true(has_file(world, aside));
		assert_false(has_file(world, bad[i].name));
	}
	restart(world);
	assert_int_equal(world->problems->len, 0);
	assert_int_equal(get_weight(world, 4), 100);
}

static void of_a_newer_agent(void **state)
{
	struct world *world = *state;
	g_autoptr(GError) error = NULL;

	write_file(world, "4.json", "{\"version\": 99, \"service\": {}}");
	assert_null(service_requests_new(&world->loop, world->store, &world->tables, world->path,
					 world->problems, &error));
	assert_non_null(error);
	assert_true(has_file(world, "4.json"));
}

/* What cannot be kept is not done either. */
static void full_disk(void **state)
{
	struct world *world = *state;
	struct rlimit before, none;
	bool created;
	int err;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	err = put(world, 5, "10.0.0.1", 1, &created);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(err, -EFBIG);
	assert_int_equal(get_weight(world, 5), -1);
	service_requests_run(world->requests);
	assert_int_equal(put(world, 5, "10.0.0.1", 1, &created), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(are_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(belong_to_one, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bad_files_are_set_aside, set_up, tear_down),
		cmocka_unit_test_setup_teardown(of_a_newer_agent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(full_disk, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
