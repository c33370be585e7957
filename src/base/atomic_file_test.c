// SPDX-License-Identifier: Apache-2.0
#include "src/base/atomic_file.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <glib/gstdio.h>
#include <cmocka.h>

static char *path;
static int dir_fd;

static int set_up(void **state)
{
	path = g_dir_make_tmp("atomic_file_XXXXXX", NULL);
	dir_fd = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	return dir_fd < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	static const char *const names[] = {"a", "b", "link", "pipe", ".a.tmp"};

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		unlinkat(dir_fd, names[i], 0);
	close(dir_fd);
	/* Fails where a call left anything else behind. */
	if (g_rmdir(path) < 0)
		return -1;
	g_free(path);
	return 0;
}

static void assert_content(const char *name, const char *expected)
{
	g_autofree char *data = NULL;
	size_t n_bytes;

	assert_int_equal(atomic_file_read(dir_fd, name, 100, &data, &n_bytes, NULL), 0);
	assert_int_equal(n_bytes, strlen(expected));
	assert_string_equal(data, expected);
}

static int write_text(const char *name, const char *text, unsigned int flags)
{
	return atomic_file_write(dir_fd, name, text, strlen(text), flags, NULL);
}

static void write_replaces(void **state)
{
	struct stat status;

	assert_int_equal(write_text("a", "one", ATOMIC_FILE_SYNC), 0);
	assert_content("a", "one");
	assert_int_equal(fstatat(dir_fd, "a", &status, 0), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	assert_int_equal(write_text("a", "", ATOMIC_FILE_PUBLIC), 0);
	assert_content("a", "");
	assert_int_equal(fstatat(dir_fd, "a", &status, 0), 0);
	assert_int_equal(status.st_mode & 0777, 0644);
}

static void a_dead_writer_s_rest_does_no_harm(void **state)
{
	assert_int_equal(write_text("b", "kept", 0), 0);
	assert_int_equal(symlinkat("b", dir_fd, ".a.tmp"), 0);
	assert_int_equal(write_text("a", "new", 0), 0);
	assert_content("a", "new");
	assert_content("b", "kept");
	assert_int_equal(faccessat(dir_fd, ".a.tmp", F_OK, AT_SYMLINK_NOFOLLOW), -1);
}

static void links_are_not_followed(void **state)
{
	g_autofree char *data = NULL;
	size_t n_bytes;
	struct stat status;

	assert_int_equal(write_text("b", "target", 0), 0);
	assert_int_equal(symlinkat("b", dir_fd, "link"), 0);
	assert_int_equal(atomic_file_read(dir_fd, "link", 100, &data, &n_bytes, NULL), -ELOOP);
	assert_int_equal(write_text("link", "new", 0), 0);
	assert_content("b", "target");
	assert_int_equal(fstatat(dir_fd, "link", &status, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISREG(status.st_mode));
}

static void read_is_bounded(void **state)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *data = NULL;
	size_t n_bytes;

	assert_int_equal(write_text("a", "12345", 0), 0);
	assert_int_equal(atomic_file_read(dir_fd, "a", 4, &data, &n_bytes, &error), -EFBIG);
	assert_string_equal(error->message, "reading a: longer than 4 bytes");
	assert_int_equal(atomic_file_read(dir_fd, "a", 5, &data, &n_bytes, NULL), 0);
	assert_int_equal(n_bytes, 5);
}

static void only_regular_files_of_the_directory(void **state)
{
	g_autofree char *data = NULL;
	size_t n_bytes;

	assert_int_equal(mkfifoat(dir_fd, "pipe", 0600), 0);
	assert_int_equal(atomic_file_read(dir_fd, "pipe", 4, &data, &n_bytes, NULL), -EINVAL);
	assert_int_equal(atomic_file_read(dir_fd, "../x", 4, &data, &n_bytes, NULL), -EINVAL);
	assert_int_equal(atomic_file_read(dir_fd, "..", 4, &data, &n_bytes, NULL), -EINVAL);
	assert_int_equal(atomic_file_read(dir_fd, "absent", 4, &data, &n_bytes, NULL), -ENOENT);
	assert_int_equal(write_text("x/y", "", 0), -EINVAL);
}

static void remove_is_idempotent(void **state)
{
	assert_int_equal(write_text("a", "1", 0), 0);
	assert_int_equal(atomic_file_remove(dir_fd, "a", ATOMIC_FILE_SYNC, NULL), 0);
	assert_int_equal(atomic_file_remove(dir_fd, "a", 0, NULL), 0);
	assert_int_equal(faccessat(dir_fd, "a", F_OK, 0), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(write_replaces, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_dead_writer_s_rest_does_no_harm, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(links_are_not_followed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(read_is_bounded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(only_regular_files_of_the_directory, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(remove_is_idempotent, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
