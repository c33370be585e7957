/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <glib/gstdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "src/rpc/unix_listen.h"

static int set_up(void **state)
{
	*state = g_dir_make_tmp("unix_listen_XXXXXX", NULL);
	return *state ? 0 : -1;
}

static int tear_down(void **state)
{
	g_autofree char *directory = g_build_filename(*state, "run", NULL);
	g_autofree char *path = g_build_filename(directory, "test.sock", NULL);

	unlink(path);
	rmdir(directory);
	rmdir(*state);
	g_free(*state);
	return 0;
}

static void test_modes_and_stale(void **state)
{
	g_autofree char *path = g_build_filename(*state, "run", "test.sock", NULL);
	g_autoptr(GError) error = NULL;
	struct stat info;
	int fd;

	fd = unix_listen(path, SOCK_SEQPACKET, UNIX_LISTEN_NO_GROUP, &error);
	assert_true(fd >= 0);
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode & 07777, 0660);
	assert_true(S_ISSOCK(info.st_mode));

	assert_int_equal(unix_listen(path, SOCK_SEQPACKET, UNIX_LISTEN_NO_GROUP, &error),
			 -EADDRINUSE);
	g_clear_error(&error);

	close(fd); /* as after kill -9: the socket is still there */
	fd = unix_listen(path, SOCK_SEQPACKET, UNIX_LISTEN_NO_GROUP, &error);
	assert_true(fd >= 0);
	close(fd);
}

static void test_file_in_the_way(void **state)
{
	g_autofree char *directory = g_build_filename(*state, "run", NULL);
	g_autofree char *path = g_build_filename(directory, "test.sock", NULL);
	g_autoptr(GError) error = NULL;

	g_mkdir(directory, 0700);
	assert_true(g_file_set_contents(path, "precious", -1, NULL));
	assert_int_equal(unix_listen(path, SOCK_STREAM, UNIX_LISTEN_NO_GROUP, &error), -EEXIST);
	assert_true(g_file_test(path, G_FILE_TEST_IS_REGULAR));
}

static void test_long_path(void **state)
{
	g_autofree char *name = g_strnfill(120, 'x');
	g_autofree char *path = g_build_filename(*state, name, NULL);
	g_autoptr(GError) error = NULL;

	assert_int_equal(unix_listen(path, SOCK_STREAM, UNIX_LISTEN_NO_GROUP, &error),
			 -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_modes_and_stale, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_file_in_the_way, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_long_path, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
