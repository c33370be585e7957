// SPDX-License-Identifier: Apache-2.0
#include "src/source/masquerade_file.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>
#include "src/model/masquerade_range.h"

#define N_BUILTIN 13

struct fixture {
	uv_loop_t loop;
	struct tables tables;
	struct store *store;
	char *dir, *path;
	struct masquerade_file *file;
	unsigned int n_reported;
};

static void on_problem(const struct source_problem *problem, void *data)
{
	((struct fixture *)data)->n_reported++;
}

static int set_up(void **state)
{
	struct fixture *f = g_new0(struct fixture, 1);

	uv_loop_init(&f->loop);
	f->store = tables_new(&f->tables);
	f->dir = g_dir_make_tmp("axoneme-masquerade-XXXXXX", NULL);
	f->path = g_build_filename(f->dir, "ip-masq-agent", NULL);
	f->file = masquerade_file_new(&f->loop, f->store, &f->tables, f->path, on_problem, f);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	const char *argv[] = {"rm", "-rf", f->dir, NULL};

	masquerade_file_free(f->file);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	store_free(f->store);
	g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL,
		     NULL);
	g_free(f->dir);
	g_free(f->path);
	g_free(f);
	return 0;
}

static bool has(const struct fixture *f, const char *text)
{
	struct cidr cidr;

	assert_int_equal(cidr_parse(text, &cidr), 0);
	return table_get(f->tables.masquerade_ranges, &cidr, CIDR_KEY_BYTES);
}

static unsigned int n_ranges(const struct fixture *f)
{
	return table_n_rows(f->tables.masquerade_ranges);
}

static void put(struct fixture *f, const char *text)
{
	masquerade_file_apply(f->store, &f->tables, f->path, text, strlen(text));
}

static bool keep_row(const struct row *row, void *data)
{
	*(const struct source_problem **)data = (const struct source_problem *)row;
	return true;
}

static const struct source_problem *problem(const struct fixture *f)
{
	const struct source_problem *found = NULL;

	table_foreach (f->tables.source_problems, keep_row, &found)
		;
	return found;
}

static void lists_are_read(void **state)
{
	struct fixture *f = *state;

	put(f, "");
	assert_int_equal(n_ranges(f), N_BUILTIN);
	assert_true(has(f, "172.16.0.0/12"));
	put(f, "nonMasqueradeCIDRs: [198.51.100.0/24, 'fd00::/8', 198.51.100.0/24]\n");
	assert_int_equal(n_ranges(f), 4);
	assert_true(has(f, "fd00::/8"));
	assert_true(has(f, "169.254.0.0/16"));
	put(f,
	    "{\"nonMasqueradeCIDRs\": [], \"masqLinkLocal\": true, \"resyncInterval\": \"60s\"}");
	assert_int_equal(n_ranges(f), 1);
	assert_true(has(f, "fe80::/10"));
	put(f, "masqLinkLocalIPv6: true\nmasqLinkLocal: true\n");
	assert_int_equal(n_ranges(f), 0);
	assert_null(problem(f));
}

static void a_bad_text_changes_nothing(void **state)
{
	static const struct {
		const char *text, *field;
		unsigned int line;
	} cases[] = {
		{"nonMasqueradeCIDRs:\n- 10.0.0.0/8\n- 10.0.0.1/8\n", "nonMasqueradeCIDRs[1]", 3},
		{"nonMasqueradeCIDRs: [10.0.0.0]\n", "nonMasqueradeCIDRs[0]", 1},
		{"nonMasqueradeCIDRs: 10.0.0.0/8\n", "nonMasqueradeCIDRs", 1},
		{"masqLinkLocal: perhaps\n", "masqLinkLocal", 1},
		{"- 10.0.0.0/8\n", NULL, 1},
		{"nonMasqueradeCIDRs: [10.0.0.0/8\n", NULL, 0},
		{"masqLinkLocal: true\n---\nmasqLinkLocal: false\n", NULL, 3},
	};
	struct fixture *f = *state;

	put(f, "nonMasqueradeCIDRs: [198.51.100.0/24]");
	for (unsigned int i = 0; i < G_N_ELEMENTS(cases); i++) {
		put(f, cases[i].text);
		assert_int_equal(n_ranges(f), 3);
		assert_true(has(f, "198.51.100.0/24"));
		assert_non_null(problem(f));
		assert_string_equal(problem(f)->file, f->path);
		if (cases[i].field)
			assert_string_equal(problem(f)->field, cases[i].field);
		if (cases[i].line)
			assert_int_equal(problem(f)->line, cases[i].line);
		put(f, "nonMasqueradeCIDRs: [198.51.100.0/24]");
		assert_null(problem(f));
	}
}

static void stop_loop(uv_timer_t *timer)
{
	uv_stop(timer->loop);
}

/* False when the number is not reached in time. */
static bool wait_for(struct fixture *f, unsigned int n_wanted)
{
	uv_timer_t timer;

	uv_timer_init(&f->loop, &timer);
	uv_timer_start(&timer, stop_loop, 10, 10);
	for (unsigned int i = 0; i < 1000 && n_ranges(f) != n_wanted; i++)
		uv_run(&f->loop, UV_RUN_DEFAULT);
	uv_close((uv_handle_t *)&timer, NULL);
	uv_run(&f->loop, UV_RUN_NOWAIT);
	return n_ranges(f) == n_wanted;
}

static void write_file(const char *path, const char *text)
{
	assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void changes_are_followed(void **state)
{
	struct fixture *f = *state;
	g_autofree char *real_path = g_build_filename(f->dir, "real", NULL);
	g_autofree char *gone = g_strconcat(f->dir, "-gone", NULL);

	masquerade_file_start(f->file);
	assert_int_equal(n_ranges(f), N_BUILTIN);
	write_file(f->path, "nonMasqueradeCIDRs: [198.51.100.0/24]");
	assert_true(wait_for(f, 3));
	write_file(f->path, "masqLinkLocal: [");
	write_file(real_path, "nonMasqueradeCIDRs: [fd00::/8, fc00::/8, 10.0.0.0/8]");
	assert_true(wait_for(f, 3));
	assert_int_equal(g_unlink(f->path), 0);
	assert_true(wait_for(f, N_BUILTIN));
	assert_int_equal(symlink(real_path, f->path), 0);
	assert_true(wait_for(f, 5));
	/* The folder is replaced, as an unmounted volume is. */
	assert_int_equal(rename(f->dir, gone), 0);
	assert_true(wait_for(f, N_BUILTIN));
	assert_int_equal(rename(gone, f->dir), 0);
	assert_true(wait_for(f, 5));
	write_file(f->path, "nonMasqueradeCIDRs: [");
	while (!f->n_reported)
		uv_run(&f->loop, UV_RUN_ONCE);
	assert_int_equal(n_ranges(f), 5);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(lists_are_read),
		TEST(a_bad_text_changes_nothing),
		TEST(changes_are_followed),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
