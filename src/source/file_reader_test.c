// SPDX-License-Identifier: Apache-2.0
/* When and how files are read: long ones, restless ones, and what is no file. */
#include "src/source/directory_test.h"

#include <errno.h>
#include <fcntl.h>

/* Writes a long file again and again, faster than it can be read. */
static void *rewrite(void *data)
{
	int64_t end_ns = clock_monotonic_ns() + 3 * NSEC_PER_SEC;
	g_autoptr(GString) text = g_string_new(NULL);

	for (unsigned int i = 0; i < 1000; i++)
		g_string_append_printf(
			text, "apiVersion: v1\nkind: Pod\nmetadata: {name: p%u}\n---\n", i);
	for (unsigned int i = 0; clock_monotonic_ns() < end_ns; i++) {
		g_string_append_printf(text, "# %u\n", i);
		if (!g_file_set_contents("m/.x", text->str, text->len, NULL) ||
		    g_rename("m/.x", "m/x.yaml"))
			return GINT_TO_POINTER(errno);
	}
	return NULL;
}

static void a_busy_writer_does_not_keep_the_loop(void **state)
{
	struct fixture *f = *state;
	int64_t begin_ns;
	GThread *writer;

	run("mkdir m && pod a 1 > m/a.yaml");
	start(f);
	writer = g_thread_new("writer", rewrite, NULL);
	g_usleep(200 * 1000);
	begin_ns = clock_monotonic_ns();
	uv_run(&f->loop, UV_RUN_NOWAIT);
	assert_true(clock_monotonic_ns() - begin_ns < 2 * NSEC_PER_SEC);
	assert_null(g_thread_join(writer));
	for (begin_ns = clock_monotonic_ns(); table_n_rows(f->tables.pods) < 1001;) {
		assert_true(clock_monotonic_ns() - begin_ns < LATE_NS);
		uv_run(&f->loop, UV_RUN_NOWAIT);
	}
	wait_for(f, "a=1", 0);
}

/* Writes a List of so many pods, p0 and up, and a last one: name=app. */
static void write_big_file(const char *path, unsigned int n_pods, const char *name, const char *app)
{
	g_autoptr(GString) text = g_string_new("kind: List\napiVersion: v1\nitems:\n");

	for (unsigned int i = 0; i < n_pods; i++)
		g_string_append_printf(text,
				       "- {apiVersion: v1, kind: Pod, metadata: {name: p%u}}\n", i);
	g_string_append_printf(
		text, "- {apiVersion: v1, kind: Pod, metadata: {name: %s, labels: {app: '%s'}}}\n",
		name, app);
	assert_true(g_file_set_contents("m/.big", text->str, text->len, NULL));
	assert_int_equal(g_rename("m/.big", path), 0);
}

static void a_long_file_does_not_hold_up_the_loop(void **state)
{
	struct fixture *f = *state;
	unsigned int n_turns = 0;

	run("mkdir m && pod a 1 > m/a.yaml");
	start(f);
	write_big_file("m/big.yaml", 20000, "b", "1");
	/* Others have their turns while it is read, and see all of it or nothing. */
	while (table_n_rows(f->tables.pods) == 1) {
		uv_run(&f->loop, UV_RUN_NOWAIT);
		g_usleep(100);
		assert_true(++n_turns < 1000 * 1000);
	}
	assert_true(n_turns > 10);
	assert_int_equal(table_n_rows(f->tables.pods), 20002);
	wait_for(f, "a=1 b=1", 0);
	/* What comes meanwhile comes after it. */
	write_big_file("m/big.yaml", 20000, "c", "2");
	uv_run(&f->loop, UV_RUN_NOWAIT);
	run("pod a 2 > m/.a && mv m/.a m/a.yaml && rm m/big.yaml");
	wait_for(f, "a=2", LATE_NS);
	assert_int_equal(table_n_rows(f->tables.pods), 1);
	/* A syntax error at its end keeps what it says no more. */
	write_big_file("m/big.yaml", 20000, "d", "1");
	wait_for(f, "a=2 d=1", LATE_NS);
	write_big_file("m/big.yaml", 10000, "e: [}", "1");
	while (!table_n_rows(f->tables.source_problems))
		uv_run(&f->loop, UV_RUN_ONCE);
	wait_for(f, "a=2 d=1", 0);
	assert_int_equal(table_n_rows(f->tables.pods), 20002);
	/* Left in the middle: the end of the test frees it. */
	write_big_file("m/big.yaml", 20000, "d", "3");
	for (int i = 0; i < 10; i++)
		uv_run(&f->loop, UV_RUN_NOWAIT);
}

static void a_file_emptied_in_place_is_waited_for(void **state)
{
	struct fixture *f = *state;

	run("mkdir m && pod a 1 > m/x.yaml && pod b 1 > m/y.yaml");
	start(f);
	run("truncate -s 0 m/x.yaml");
	assert_stays(f, "a=1 b=1");
	run("pod a 2 >> m/x.yaml");
	wait_for(f, "a=2 b=1", SOON_NS);
	/* One that stays empty says nothing; so does one that is moved in empty, at once. */
	run("truncate -s 0 m/x.yaml");
	wait_for(f, "b=1", LATE_NS);
	run("touch m/.y && mv m/.y m/y.yaml");
	wait_for(f, "", SOON_NS);
}

static void half_of_a_file_takes_nothing_away(void **state)
{
	struct fixture *f = *state;
	static const char text[] = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n";
	int fd;

	run("mkdir m && { pod a 1; pod b 1; } > m/x.yaml && pod c 1 > m/y.yaml");
	start(f);
	/* Its writer is in the middle: whatever leads to a look at the file. */
	fd = open("m/x.yaml", O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_true(fd >= 0);
	run("chmod 640 m/x.yaml && mkdir m/s && rmdir m/s");
	assert_stays(f, "a=1 b=1 c=1");
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	run("mkdir m/s");
	assert_stays(f, "a=1 b=1 c=1");
	run("{ pod a 2; pod b 2; } > m/x.yaml");
	close(fd);
	wait_for(f, "a=2 b=2 c=1", SOON_NS);
}

static void what_is_no_file_is_a_problem(void **state)
{
	struct fixture *f = *state;

	run("mkdir m && ln -s /dev/ptmx m/x.yaml && ln -s . m/loop && ln -s self.yaml m/self.yaml "
	    "&& "
	    "pod a 1 > m/y.yaml");
	start(f);
	wait_for(f, "a=1", 0);
	assert_int_equal(table_n_rows(f->tables.source_problems), 2);
}

static bool collect(const struct row *row, void *data)
{
	g_ptr_array_add(data, (void *)row);
	return true;
}

/* What a person reads of a file: of its name too, which may hold any byte. */
static void names_are_shown_readably(void **state)
{
	struct fixture *f = *state;
	const struct source_problem *problem;
	const char *const names[] = {"m/\x1b[31mred.yaml", "m/\xff.yaml", "m/a\nb.yaml"};
	g_autoptr(GPtrArray) rows = g_ptr_array_new();

	run("mkdir m && truncate -s 33M m/long.yaml");
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		assert_true(g_file_set_contents(names[i], "kind: [", -1, NULL));
	start(f);
	assert_int_equal(table_n_rows(f->tables.source_problems), G_N_ELEMENTS(names) + 1);
	table_foreach (f->tables.source_problems, collect, rows)
		;
	for (unsigned int i = 0; i < rows->len; i++) {
		problem = g_ptr_array_index(rows, i);
		assert_true(g_utf8_validate(problem->file, -1, NULL));
		assert_null(strchr(problem->file, '\x1b'));
		assert_null(strchr(problem->file, '\n'));
		if (strstr(problem->file, "long.yaml"))
			assert_non_null(strstr(problem->reason, "split it"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_busy_writer_does_not_keep_the_loop, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_long_file_does_not_hold_up_the_loop, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_file_emptied_in_place_is_waited_for, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(half_of_a_file_takes_nothing_away, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(names_are_shown_readably, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_no_file_is_a_problem, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
