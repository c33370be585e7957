/* SPDX-License-Identifier: Apache-2.0 */
#include "src/base/trusted_dir.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <glib/gstdio.h>
#include <cmocka.h>
#include "src/base/remove_tree.h"

#define FOREIGN_UID 12345

static char *root;

static int set_up(void **state)
{
	umask(022);
	root = g_dir_make_tmp("trusted_dir_XXXXXX", NULL);
	return root ? 0 : -1;
}

static int tear_down(void **state)
{
	int err = remove_tree(root, NULL);

	g_free(root);
	return err;
}

static char *below(const char *name)
{
	return g_build_filename(root, name, NULL);
}

static void make(const char *name, mode_t mode)
{
	g_autofree char *path = below(name);

	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static int try_open(const char *name, mode_t mode)
{
	g_autofree char *path = below(name);
	g_autoptr(GError) error = NULL;
	int fd = trusted_dir_open(path, mode, &error);

	if (fd < 0) {
		/* Whoever reads it knows which path was wanted. */
		assert_non_null(strstr(error->message, path));
		assert_int_equal(error->code, -fd);
		return fd;
	}
	close(fd);
	return 0;
}

static mode_t mode_of(const char *name)
{
	g_autofree char *path = below(name);
	struct stat info;

	assert_int_equal(lstat(path, &info), 0);
	return info.st_mode & 07777;
}

static void makes_what_is_missing(void **state)
{
	assert_int_equal(try_open("a/b/c", 0), -ENOENT);
	assert_int_equal(try_open("a/b/c", 0750), 0);
	assert_int_equal(mode_of("a/b"), 0755);
	assert_int_equal(mode_of("a/b/c"), 0750);
	assert_int_equal(try_open("a/b/c/", 0), 0);
	assert_int_equal(try_open("a//b/./c", 0), 0);
}

static void refuses_what_others_can_write(void **state)
{
	make("open", 0777);
	make("open/in", 0700);
	make("sticky", 01777);
	make("sticky/in", 0700);
	assert_int_equal(try_open("open", 0), -EPERM);
	assert_int_equal(try_open("open/in", 0), -EPERM);
	assert_int_equal(try_open("open/new", 0700), -EPERM);
	/* In a sticky directory nobody can replace what is another's; but they can add to it. */
	assert_int_equal(try_open("sticky", 0), -EPERM);
	assert_int_equal(try_open("sticky/in", 0), 0);
}

static void shared_may_be_sticky(void **state)
{
	g_autofree char *sticky = below("sticky");
	g_autofree char *open_path = below("open");
	int fd;

	make("sticky", 01777);
	make("open", 0777);
	fd = trusted_dir_open_shared(sticky, 0, NULL);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(trusted_dir_open_shared(open_path, 0, NULL), -EPERM);
}

static void follows_own_links_alone(void **state)
{
	g_autofree char *link = below("link");
	g_autofree char *loop = below("loop");
	g_autofree char *relative = below("sticky/relative");

	make("a", 0700);
	make("a/b", 0700);
	make("sticky", 01777);
	assert_int_equal(symlink(root, link), 0);
	assert_int_equal(symlink("../a", relative), 0);
	assert_int_equal(symlink("loop", loop), 0);
	assert_int_equal(try_open("link/a/b", 0), 0);
	assert_int_equal(try_open("link", 0), 0);
	assert_int_equal(try_open("sticky/relative/b", 0), 0);
	assert_int_equal(try_open("loop", 0), -ELOOP);
	if (geteuid() != 0)
		skip();
	/* As /proc/sys/fs/protected_symlinks has it, and also where that is off. */
	assert_int_equal(lchown(relative, FOREIGN_UID, 0), 0);
	assert_int_equal(try_open("sticky/relative/b", 0), -EPERM);
}

static void refuses_a_foreign_owner(void **state)
{
	g_autofree char *path = below("a");

	make("a", 0700);
	make("a/b", 0700);
	if (geteuid() != 0)
		skip();
	assert_int_equal(chown(path, FOREIGN_UID, 0), 0);
	assert_int_equal(try_open("a", 0), -EPERM);
	assert_int_equal(try_open("a/b", 0), -EPERM);
}

static void refuses_a_foreign_group(void **state)
{
	g_autofree char *path = below("a");

	make("a", 0700);
	if (geteuid() != 0)
		skip();
	assert_int_equal(chown(path, 0, FOREIGN_UID), 0);
	assert_int_equal(try_open("a", 0), 0);
	assert_int_equal(chmod(path, 0770), 0);
	assert_int_equal(try_open("a", 0), -EPERM);
}

static void refuses_files(void **state)
{
	g_autofree char *path = below("file");

	assert_true(g_file_set_contents(path, "x", 1, NULL));
	assert_int_equal(try_open("file", 0700), -ENOTDIR);
	assert_int_equal(try_open("file/below", 0700), -ENOTDIR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(makes_what_is_missing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refuses_what_others_can_write, set_up, tear_down),
		cmocka_unit_test_setup_teardown(shared_may_be_sticky, set_up, tear_down),
		cmocka_unit_test_setup_teardown(follows_own_links_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refuses_a_foreign_owner, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refuses_a_foreign_group, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refuses_files, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
