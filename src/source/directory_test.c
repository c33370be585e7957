// SPDX-License-Identifier: Apache-2.0
/* A real directory, a real loop. Each step waits until the loop has nothing to do. */
#include "src/source/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <glib/gstdio.h>
#include <cmocka.h>
#include "src/base/clock.h"
#include "src/model/pod.h"

struct fixture {
	uv_loop_t loop;
	struct tables tables;
	struct store *store;
	struct directory *directory;
	char *base; /* base/m is the directory of manifests */
};

static void ignore_problem(const struct source_problem *problem, void *data)
{
}

/* "pod a 1" writes the manifest of the pod a whose app is 1. */
#define POD_FUNCTION                                                                               \
	"pod() { printf 'apiVersion: v1\\nkind: Pod\\nmetadata: {name: %s, labels: {app: \"%s\"}}" \
	"\\n---\\n' $1 $2; }\n"

/* A shell script; the tests are about files, and a shell says it shortest. */
static void run(const char *script)
{
	g_autofree char *command = g_strconcat(POD_FUNCTION, script, NULL);

	assert_int_equal(system(command), 0);
}

static int set_up(void **state)
{
	struct fixture *f = g_new0(struct fixture, 1);

	f->base = g_dir_make_tmp("directory_test_XXXXXX", NULL);
	if (!f->base || g_chdir(f->base) < 0 || uv_loop_init(&f->loop))
		return -1;
	f->store = tables_new(&f->tables);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	directory_free(f->directory);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	if (uv_loop_close(&f->loop))
		return -1;
	store_free(f->store);
	if (g_chdir("/") < 0)
		return -1;
	g_setenv("BASE", f->base, TRUE);
	run("rm -r $BASE");
	g_free(f->base);
	g_free(f);
	return 0;
}

static void start(struct fixture *f)
{
	g_autofree char *path = g_build_filename(f->base, "m", NULL);

	f->directory =
		directory_new(&f->loop, f->store, &f->tables, path, ignore_problem, NULL, NULL);
	assert_non_null(f->directory);
	directory_start(f->directory);
	assert_true(table_synced(f->tables.pods));
}

static char *list_pods(const struct fixture *f)
{
	GString *found = g_string_new(NULL);

	for (int name = 'a'; name <= 'e'; name++) {
		g_autofree char *key = g_strdup_printf("default/%c", name);
		const struct pod *pod =
			(const struct pod *)table_get(f->tables.pods, key, strlen(key));

		if (pod)
			g_string_append_printf(found, "%s%c=%s", found->len ? " " : "", name,
					       label_set_find(pod->meta.labels, "k8s", "app"));
	}
	return g_string_free(found, FALSE);
}

/* Runs the loop until the pods are as expected, for at most max_ns. */
static void wait_for(struct fixture *f, const char *expected, int64_t max_ns)
{
	int64_t end_ns = clock_monotonic_ns() + max_ns;

	for (;;) {
		g_autofree char *found = list_pods(f);

		if (strcmp(found, expected) == 0)
			return;
		if (clock_monotonic_ns() > end_ns)
			fail_msg("got %s, want %s", found, expected);
		uv_run(&f->loop, UV_RUN_NOWAIT);
		g_usleep(200);
	}
}

/* What inotify tells has to be there soon; the checks of the timer come far later. */
#define SOON_NS (500 * NSEC_PER_MSEC)
#define LATE_NS (10 * NSEC_PER_SEC)

/* Nothing more is to come of what was done. */
static void assert_stays(struct fixture *f, const char *expected)
{
	for (int i = 0; i < 20; i++) {
		uv_run(&f->loop, UV_RUN_NOWAIT);
		g_usleep(1000);
	}
	wait_for(f, expected, 0);
}

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

static void a_directory_that_stays_away_is_empty(void **state)
{
	struct fixture *f = *state;

	run("mkdir m && pod a 1 > m/x.yaml");
	start(f);
	run("mv m old");
	assert_stays(f, "a=1");
	wait_for(f, "", LATE_NS);
	run("mv old m");
	wait_for(f, "a=1", SOON_NS);
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
	wait_for(f, "a=1", SOON_NS);
	assert_int_equal(table_n_rows(f->tables.pods), 1001);
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
		cmocka_unit_test_setup_teardown(a_directory_that_stays_away_is_empty, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(touching_reads_but_changes_nothing, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(strange_things_are_problems, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_first_name_wins, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_busy_writer_does_not_keep_the_loop, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(without_descriptors_everything_stays, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(without_watches_it_is_looked_at_from_time_to_time,
						set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
