// SPDX-License-Identifier: Apache-2.0
/* Each step waits until the loop has nothing to do. */
#include "src/source/directory_test.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>

static void files_come_and_go(void **state)
{
	struct fixture *f = *state;

	run("mkdir m && pod a 1 > m/x.yaml");
	start(f);
	wait_for(f, "a=1", 0);
	run("pod b 1 > m/y.yml");
	wait_for(f, "a=1 b=1", SOON_NS);
	run("pod a 2 > m/.tmp && mv m/.tmp m/x.yaml");
	wait_for(f, "a=2 b=1", SOON_NS);
	run("mv m/y.yml m/y.yml~");
	wait_for(f, "a=2", SOON_NS);
	run("echo '{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\": {\"name\": \"c\", "
	    "\"labels\": {\"app\": \"3\"}}}' > m/c.json");
	wait_for(f, "a=2 c=3", SOON_NS);
	assert_int_equal(directory_n_files(f->directory), 2);
	run("rm m/*.yaml m/*.json");
	wait_for(f, "", SOON_NS);
	run("pod a 1 > m/.hidden.yaml && pod a 1 > m/readme.txt");
	assert_stays(f, "");
}

static void a_file_counts_when_it_is_closed(void **state)
{
	struct fixture *f = *state;
	static const char text[] =
		"apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: {app: '1'}}\n";
	int fd;

	run("mkdir m");
	start(f);
	fd = open("m/x.yaml", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, 40), 40);
	assert_stays(f, "");
	assert_int_equal(table_n_rows(f->tables.source_problems), 0);
	assert_int_equal(write(fd, text + 40, sizeof(text) - 41), sizeof(text) - 41);
	assert_stays(f, "");
	close(fd);
	wait_for(f, "a=1", SOON_NS);
}

static void subdirectories_one_level(void **state)
{
	struct fixture *f = *state;

	run("mkdir -p m/s/deep && pod a 1 > m/s/x.yaml && pod b 1 > m/s/deep/x.yaml");
	start(f);
	wait_for(f, "a=1", 0);
	run("pod a 2 > m/s/x.yaml");
	wait_for(f, "a=2", SOON_NS);
	run("mkdir m/t && pod c 1 > m/t/x.yaml");
	wait_for(f, "a=2 c=1", SOON_NS);
	run("pod c 2 > m/t/x.yaml");
	wait_for(f, "a=2 c=2", SOON_NS);
	run("mv m/t m/u && pod c 3 > m/u/x.yaml");
	wait_for(f, "a=2 c=3", SOON_NS);
	run("rm -r m/u");
	wait_for(f, "a=2", SOON_NS);
	run("mkdir out && pod d 1 > out/x.yaml && ln -s ../out m/link");
	assert_stays(f, "a=2");
}

static void mounted_config_maps(void **state)
{
	struct fixture *f = *state;

	run("mkdir -p m/..1 && pod a 1 > m/..1/x.yaml && ln -s ..1 m/..data && "
	    "ln -s ..data/x.yaml m/x.yaml");
	start(f);
	wait_for(f, "a=1", 0);
	run("mkdir m/..2 && pod a 2 > m/..2/x.yaml && ln -s ..2 m/..tmp && mv -T m/..tmp m/..data "
	    "&& rm -r m/..1");
	wait_for(f, "a=2", SOON_NS);
}

static void links_are_looked_at_from_time_to_time(void **state)
{
	struct fixture *f = *state;

	run("mkdir m && pod a 1 > x && ln -s ../x m/x.yaml");
	start(f);
	wait_for(f, "a=1", 0);
	run("pod a 2 > x");
	wait_for(f, "a=2", LATE_NS);
	run("ln x m/y.yaml && rm m/x.yaml");
	wait_for(f, "a=2", SOON_NS);
	assert_int_equal(directory_n_files(f->directory), 1);
}

static void the_directory_appears_late(void **state)
{
	struct fixture *f = *state;

	start(f);
	wait_for(f, "", 0);
	assert_int_equal(table_n_rows(f->tables.source_problems), 1);
	run("mkdir m");
	assert_stays(f, "");
	run("pod a 1 > m/x.yaml");
	wait_for(f, "a=1", SOON_NS);
	assert_int_equal(table_n_rows(f->tables.source_problems), 0);
}

static void the_directory_is_replaced(void **state)
{
	struct fixture *f = *state;

	run("mkdir m && pod a 1 > m/x.yaml && pod b 1 > m/y.yaml");
	start(f);
	run("mv m old");
	assert_stays(f, "a=1 b=1");
	run("mkdir new && pod a 2 > new/x.yaml && mv new m");
	wait_for(f, "a=2", SOON_NS);
	/* The old one is not ours any more. */
	run("pod c 1 > old/z.yaml");
	assert_stays(f, "a=2");
	run("pod a 3 > m/x.yaml");
	wait_for(f, "a=3", SOON_NS);
	run("rm -r m");
	/* Its files were removed one by one before it: that is said at once. */
	wait_for(f, "", SOON_NS);
}

static void a_directory_that_is_away_keeps_what_was_read(void **state)
{
	struct fixture *f = *state;

	run("mkdir m && pod a 1 > m/x.yaml && pod b 1 > b && ln -s ../b m/b.yaml");
	start(f);
	run("mv m old");
	/* Longer than until the directory, and what is behind the link, are looked at again. */
	for (int i = 0; i < 210; i++)
		assert_stays(f, "a=1 b=1");
	run("rm old/x.yaml && mv old m");
	wait_for(f, "b=1", SOON_NS);
}

static void touching_reads_but_changes_nothing(void **state)
{
	struct fixture *f = *state;
	uint64_t revision;

	run("mkdir m && pod a 1 > m/x.yaml");
	start(f);
	revision = store_revision(f->store);
	run("touch m/x.yaml && chmod 600 m/x.yaml && cp m/x.yaml y && mv y m/x.yaml");
	assert_stays(f, "a=1");
	assert_int_equal(store_revision(f->store), revision);
}

static void strange_things_are_problems(void **state)
{
	struct fixture *f = *state;

	run("mkdir m && mkfifo m/pipe.yaml && ln -s nowhere m/dangling.yaml && mkdir m/dir.yaml && "
	    "truncate -s 100M m/huge.yaml && pod a 1 > m/x.yaml");
	start(f);
	wait_for(f, "a=1", 0);
	assert_int_equal(table_n_rows(f->tables.source_problems), 2);
}

static void the_first_name_wins(void **state)
{
	struct fixture *f = *state;

	run("mkdir m && pod a 2 > m/y.yaml && pod a 1 > m/x.yaml");
	start(f);
	wait_for(f, "a=1", 0);
	run("rm m/x.yaml");
	wait_for(f, "a=2", SOON_NS);
}

/* Nothing is gone because it cannot be looked at. */
static void without_descriptors_everything_stays(void **state)
{
	struct fixture *f = *state;
	struct rlimit before, none;
	int free_fd;

	run("mkdir -p m/s && pod a 1 > m/x.yaml && pod b 1 > m/s/y.yaml");
	start(f);
	free_fd = dup(0);
	close(free_fd);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){.rlim_cur = free_fd, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(mkdir("m/t", 0755), 0);
	assert_stays(f, "a=1 b=1");
	assert_int_equal(table_n_rows(f->tables.source_problems), 1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	run("rm m/x.yaml");
	wait_for(f, "b=1", SOON_NS);
	for (int64_t end_ns = clock_monotonic_ns() + LATE_NS;
	     table_n_rows(f->tables.source_problems) && clock_monotonic_ns() < end_ns;)
		uv_run(&f->loop, UV_RUN_ONCE);
	assert_int_equal(table_n_rows(f->tables.source_problems), 0);
}

/* In a user namespace of its own, whose limits are nobody else's: the last test of this process. */
static void without_watches_it_is_looked_at_from_time_to_time(void **state)
{
	struct fixture *f = *state;

	if (unshare(CLONE_NEWUSER) ||
	    !g_file_set_contents_full("/proc/sys/user/max_inotify_watches", "0", -1,
				      G_FILE_SET_CONTENTS_NONE, 0, NULL))
		skip();
	run("mkdir m && pod a 1 > m/x.yaml");
	start(f);
	wait_for(f, "a=1", 0);
	assert_int_equal(table_n_rows(f->tables.source_problems), 1);
	run("pod a 2 > m/x.yaml && mkdir m/s && pod b 1 > m/s/y.yaml");
	wait_for(f, "a=2 b=1", LATE_NS);
	run("rm m/x.yaml");
	wait_for(f, "b=1", LATE_NS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(files_come_and_go, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_file_counts_when_it_is_closed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(subdirectories_one_level, set_up, tear_down),
		cmocka_unit_test_setup_teardown(mounted_config_maps, set_up, tear_down),
		cmocka_unit_test_setup_teardown(links_are_looked_at_from_time_to_time, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(the_directory_appears_late, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_directory_is_replaced, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_directory_that_is_away_keeps_what_was_read,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(touching_reads_but_changes_nothing, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(strange_things_are_problems, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_first_name_wins, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_descriptors_everything_stays, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(without_watches_it_is_looked_at_from_time_to_time,
						set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
