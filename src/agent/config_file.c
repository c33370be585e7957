/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/config_file.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "src/base/atomic_file.h"

static int open_directory(const char *path, GError **error)
{
	int fd;

	if (!*path)
		return error_set(
			error, EINVAL,
			"the agent has no config-dir to write to: start it with "
			"--config-dir DIRECTORY, or change its command line or environment");
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	if (errno == ELOOP || errno == ENOTDIR)
		return error_set(error, EPERM,
				 "%s: not a directory but a symbolic link or file, which is not "
				 "written through; give the directory itself as config-dir",
				 path);
	return error_set_errno(error, errno, "%s", path);
}

/* *ret_is_public: readable by all, as a new file is. */
static int check_target(int dir_fd, const char *directory, const char *key, bool *ret_is_public,
			GError **error)
{
	struct stat status;

	/* How Kubernetes mounts one: each key is a link into ..data, itself a link that is swapped. */
	if (fstatat(dir_fd, "..data", &status, AT_SYMLINK_NOFOLLOW) == 0)
		return error_set(error, EPERM,
				 "%s is a mounted ConfigMap: change %s there (\"kubectl -n "
				 "kube-system edit configmap cilium-config\"); when the change is "
				 "mounted, \"cilium config reload\"",
				 directory, key);
	*ret_is_public = true;
	if (fstatat(dir_fd, key, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : error_set_errno(error, errno, "%s/%s", directory, key);
	if (S_ISLNK(status.st_mode))
		return error_set(error, EPERM,
				 "%s/%s is a symbolic link, which is not written through: change "
				 "what it leads to, then \"cilium config reload\"",
				 directory, key);
	if (!S_ISREG(status.st_mode))
		return error_set(error, EPERM, "%s/%s is not a regular file: remove it first",
				 directory, key);
	*ret_is_public = status.st_mode & S_IROTH;
	return 0;
}

int config_file_write(const char *directory, const char *key, const char *text, GError **error)
{
	g_autofree char *line = g_strconcat(text, "\n", NULL);
	int dir_fd = open_directory(directory, error);
	bool is_public = false;
	int err;

	if (dir_fd < 0)
		return dir_fd;
	err = check_target(dir_fd, directory, key, &is_public, error);
	if (!err) {
		err = atomic_file_write(dir_fd, key, line, strlen(line),
					ATOMIC_FILE_SYNC | (is_public ? ATOMIC_FILE_PUBLIC : 0),
					error);
		if (err)
			error_prefix(error, "%s", directory);
	}
	close(dir_fd);
	return err;
}
