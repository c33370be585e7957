/* SPDX-License-Identifier: Apache-2.0 */
#include "src/base/remove_tree.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char directory[] = "/tmp/remove_tree_test.XXXXXX";

static void make_file(const char *format, ...)
{
	g_autofree char *path = NULL;
	va_list args;
	int fd;

	va_start(args, format);
	path = g_strdup_vprintf(format, args);
	va_end(args);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
}

static bool exists(const char *name)
{
	g_autofree char *path = g_build_filename(directory, name, NULL);
	struct stat info;

	return lstat(path, &info) == 0;
}

static int remove_name(const char *name, GError **error)
{
	g_autofree char *path = g_build_filename(directory, name, NULL);

	return remove_tree(path, error);
}

static void test_tree(void **state)
{
	g_autofree char *deep = g_build_filename(directory, "tree/a/b/c", NULL);

	assert_int_equal(g_mkdir_with_parents(deep, 0700), 0);
	for (int i = 0; i < 300; i++)
		make_file("%s/tree/a/%d", directory, i);
	make_file("%s/tree/a/b/c/.hidden", directory);
	assert_int_equal(remove_name("tree", NULL), 0);
	assert_false(exists("tree"));
	assert_int_equal(remove_name("tree", NULL), 0);
}

static void test_single_file(void **state)
{
	make_file("%s/file", directory);
	assert_int_equal(remove_name("file", NULL), 0);
	assert_false(exists("file"));
}

/* Neither at the top nor inside. */
static void test_links_are_not_followed(void **state)
{
	g_autofree char *kept = g_build_filename(directory, "kept", NULL);
	g_autofree char *tree = g_build_filename(directory, "tree", NULL);
	g_autofree char *inside = g_build_filename(directory, "tree/link", NULL);
	g_autofree char *top = g_build_filename(directory, "top", NULL);

	assert_int_equal(mkdir(kept, 0700), 0);
	make_file("%s/kept/file", directory);
	assert_int_equal(mkdir(tree, 0700), 0);
	assert_int_equal(symlink(kept, inside), 0);
	assert_int_equal(symlink(kept, top), 0);
	assert_int_equal(remove_name("tree", NULL), 0);
	assert_int_equal(remove_name("top", NULL), 0);
	assert_false(exists("tree") || exists("top"));
	assert_true(exists("kept/file"));
	assert_int_equal(remove_name("kept", NULL), 0);
}

static void test_too_deep(void **state)
{
	g_autoptr(GString) path = g_string_new(directory);
	g_autoptr(GError) error = NULL;

	g_string_append(path, "/deep");
	for (int i = 0; i < 100; i++)
		g_string_append(path, "/d");
	assert_int_equal(g_mkdir_with_parents(path->str, 0700), 0);
	assert_int_equal(remove_name("deep", &error), -ELOOP);
	assert_non_null(strstr(error->message, "directories deep"));
	/* From the middle on it goes. */
	g_string_truncate(path, path->len - (size_t)(2 * 60));
	assert_int_equal(remove_tree(path->str, NULL), 0);
	assert_int_equal(remove_name("deep", NULL), 0);
}

static void test_what_cannot_be_removed_is_named(void **state)
{
	g_autoptr(GError) error = NULL;

	assert_int_equal(remove_tree("/proc/self/status", &error) < 0, 1);
	assert_non_null(strstr(error->message, "/proc/self/status"));
	g_clear_error(&error);
	assert_int_equal(remove_tree("/proc", &error), -EBUSY);
	assert_non_null(strstr(error->message, "/proc is a mount"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree),
		cmocka_unit_test(test_single_file),
		cmocka_unit_test(test_links_are_not_followed),
		cmocka_unit_test(test_too_deep),
		cmocka_unit_test(test_what_cannot_be_removed_is_named),
	};
	int status;

	if (!mkdtemp(directory))
		return EXIT_FAILURE;
	status = cmocka_run_group_tests(tests, NULL, NULL);
	return rmdir(directory) < 0 ? EXIT_FAILURE : status;
}
