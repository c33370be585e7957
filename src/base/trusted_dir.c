/* SPDX-License-Identifier: Apache-2.0 */
#include "src/base/trusted_dir.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_LINKS 16

struct walk {
	const char *path; /* as given: for messages */
	mode_t mode;
	bool is_shared;
	char *rest; /* what is still to be walked; owned */
	int fd;     /* of the directory reached, O_PATH */
	int n_links;
};

static bool is_foreign(const struct stat *info)
{
	return info->st_uid != 0 && info->st_uid != geteuid();
}

static bool others_can_write(const struct stat *info)
{
	return (info->st_mode & S_IWOTH) ||
	       ((info->st_mode & S_IWGRP) && info->st_gid != 0 && info->st_gid != getegid());
}

/* Takes the first component off rest. Owned; NULL at the end. */
static char *walk_next(struct walk *walk)
{
	const char *start = walk->rest + strspn(walk->rest, "/");
	size_t n_bytes = strcspn(start, "/");
	char *name = n_bytes ? g_strndup(start, n_bytes) : NULL;
	char *rest = g_strdup(start + n_bytes + strspn(start + n_bytes, "/"));

	g_free(walk->rest);
	walk->rest = rest;
	return name;
}

static int check(const struct walk *walk, const char *name, const struct stat *info, GError **error)
{
	bool is_last = !*walk->rest;
	bool is_sticky = info->st_mode & S_ISVTX;

	if (is_foreign(info))
		return error_set(error, EPERM,
				 "%s: \"%s\" belongs to the user %u, who could put anything in its "
				 "place; it must be root's",
				 walk->path, name, info->st_uid);
	if (!S_ISDIR(info->st_mode) || !others_can_write(info) ||
	    (is_sticky && (!is_last || walk->is_shared)))
		return 0;
	return error_set(
		error, EPERM,
		"%s: others than root can write to \"%s\" (mode %04o, group %u); take that "
		"away: chmod go-w",
		walk->path, name, info->st_mode & 07777, info->st_gid);
}

/* O_PATH descriptor of the component, made where that is wanted, or −errno. */
static int open_component(struct walk *walk, const char *name)
{
	mode_t mode = *walk->rest ? 0755 : walk->mode;
	int fd = openat(walk->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0 || errno != ENOENT || !walk->mode)
		return fd < 0 ? -errno : fd;
	if (mkdirat(walk->fd, name, mode) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(walk->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int set_fd(struct walk *walk, int fd)
{
	if (fd < 0)
		return -errno;
	close(walk->fd);
	walk->fd = fd;
	return 0;
}

/* Puts where the link leads in front of what is still to be walked. */
static int follow(struct walk *walk, int link_fd)
{
	char target[PATH_MAX];
	ssize_t n_bytes = readlinkat(link_fd, "", target, sizeof(target) - 1);
	char *rest;

	if (n_bytes < 0)
		return -errno;
	if (++walk->n_links > MAX_LINKS)
		return -ELOOP;
	target[n_bytes] = '\0';
	rest = g_strconcat(target, "/", walk->rest, NULL);
	g_free(walk->rest);
	walk->rest = rest;
	return *target == '/' ? set_fd(walk, open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)) : 0;
}

static int step(struct walk *walk, const char *name, GError **error)
{
	int fd = open_component(walk, name);
	struct stat info;
	int err;

	if (fd < 0 || fstat(fd, &info) < 0) {
		err = fd < 0 ? -fd : errno;
		if (fd >= 0)
			close(fd);
		return error_set_errno(error, err, "%s", walk->path);
	}
	err = check(walk, name, &info, error);
	if (!err && S_ISLNK(info.st_mode)) {
		err = follow(walk, fd);
		if (err)
			error_set_errno(error, -err, "%s: \"%s\"", walk->path, name);
	} else if (!err && S_ISDIR(info.st_mode)) {
		return set_fd(walk, fd);
	} else if (!err) {
		err = error_set(error, ENOTDIR, "%s: \"%s\" is no directory", walk->path, name);
	}
	close(fd);
	return err;
}

static int walk_run(struct walk *walk, GError **error)
{
	int err = 0;

	while (!err) {
		g_autofree char *name = walk_next(walk);
		int fd;

		if (name) {
			err = step(walk, name, error);
			continue;
		}
		fd = openat(walk->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		return fd < 0 ? error_set_errno(error, errno, "%s", walk->path) : fd;
	}
	return err;
}

static int open_dir(const char *path, mode_t mode, bool is_shared, GError **error)
{
	struct walk walk = {
		.path = path,
		.mode = mode,
		.is_shared = is_shared,
		.rest = g_canonicalize_filename(path, NULL),
		.fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC),
	};
	int fd;

	if (walk.fd < 0)
		fd = error_set_errno(error, errno, "/");
	else
		fd = walk_run(&walk, error);
	if (walk.fd >= 0)
		close(walk.fd);
	g_free(walk.rest);
	return fd;
}

int trusted_dir_open(const char *path, mode_t mode, GError **error)
{
	return open_dir(path, mode, false, error);
}

int trusted_dir_open_shared(const char *path, mode_t mode, GError **error)
{
	return open_dir(path, mode, true, error);
}
