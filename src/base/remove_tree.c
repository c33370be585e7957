/* SPDX-License-Identifier: Apache-2.0 */
#include "src/base/remove_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Each level holds a descriptor. */
#define DEPTH_MAX 64

static int remove_at(int dir_fd, const char *name, const char *path, unsigned int depth,
		     GError **error);

static bool is_mount(int fd)
{
	struct statx info;

	return statx(fd, "", AT_EMPTY_PATH, 0, &info) == 0 &&
	       (info.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

/* Takes fd. */
static int empty_directory(int fd, const char *path, unsigned int depth, GError **error)
{
	DIR *dir = fdopendir(fd);
	const struct dirent *entry;
	int err = 0;

	if (!dir) {
		err = error_set_errno(error, errno, "read %s", path);
		close(fd);
		return err;
	}
	while (!err && (errno = 0, entry = readdir(dir))) {
		g_autofree char *entry_path = NULL;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		entry_path = g_build_filename(path, entry->d_name, NULL);
		err = remove_at(fd, entry->d_name, entry_path, depth + 1, error);
	}
	if (!err && errno)
		err = error_set_errno(error, errno, "read %s", path);
	closedir(dir);
	return err;
}

static int remove_directory(int dir_fd, const char *name, const char *path, unsigned int depth,
			    GError **error)
{
	int fd, err;

	if (depth >= DEPTH_MAX)
		return error_set(error, ELOOP, "remove %s: more than %d directories deep", path,
				 DEPTH_MAX);
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : error_set_errno(error, errno, "open %s", path);
	if (is_mount(fd)) {
		close(fd);
		return error_set(error, EBUSY,
				 "%s is a mount: unmount it, what is in it may be somebody else's",
				 path);
	}
	err = empty_directory(fd, path, depth, error);
	if (!err && unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		err = error_set_errno(error, errno, "remove %s", path);
	return err;
}

static int remove_at(int dir_fd, const char *name, const char *path, unsigned int depth,
		     GError **error)
{
	if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	/* POSIX says EPERM for a directory, Linux EISDIR. */
	if (errno != EISDIR && errno != EPERM)
		return error_set_errno(error, errno, "remove %s", path);
	return remove_directory(dir_fd, name, path, depth, error);
}

int remove_tree(const char *path, GError **error)
{
	return remove_at(AT_FDCWD, path, path, 0, error);
}
