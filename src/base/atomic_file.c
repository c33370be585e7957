// SPDX-License-Identifier: Apache-2.0
#include "src/base/atomic_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a person should do about it, for errors that have an answer. */
static const char *advice(int err)
{
	switch (err) {
	case ENOSPC:
		return "; make room there, in bytes (df) or in files (df -i)";
	case EDQUOT:
		return "; raise the quota, or make room within it";
	case EROFS:
		return "; mount it for writing again";
	case EIO:
		return "; the disk fails: the kernel's log says more";
	case ELOOP:
		return "; it is a symbolic link, which nothing here is: remove it";
	default:
		return "";
	}
}

bool atomic_file_is_disk_error(int err)
{
	err = ABS(err);
	return err == ENOSPC || err == EDQUOT || err == EROFS || err == EIO;
}

int atomic_file_set_error(GError **error, int err, const char *what, const char *name)
{
	return error_set(error, err, "%s %s: %s%s", what, name, g_strerror(err), advice(err));
}

static int check_name(const char *name, GError **error)
{
	if (!*name || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return error_set(error, EINVAL, "\"%s\" is not the name of a file", name);
	return 0;
}

static int write_all(int fd, const char *data, size_t n_bytes)
{
	while (n_bytes) {
		ssize_t n = write(fd, data, n_bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		n_bytes -= n;
	}
	return 0;
}

/* Makes and fills the file beside the real one. 0 or −errno. */
static int write_temporary(int dir_fd, const char *name, const void *data, size_t n_bytes,
			   unsigned int flags)
{
	mode_t mode = flags & ATOMIC_FILE_PUBLIC ? 0644 : 0600;
	int r = 0;
	int fd;

	/* EXCL: what lies there is a dead writer's, or a trap; neither is written through. */
	if (unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return -errno;
	if (fchmod(fd, mode) < 0)
		r = -errno;
	if (r == 0)
		r = write_all(fd, data, n_bytes);
	if (r == 0 && (flags & ATOMIC_FILE_SYNC) && fdatasync(fd) < 0)
		r = -errno;
	if (close(fd) < 0 && r == 0)
		r = -errno;
	return r;
}

bool atomic_file_is_temporary(const char *name)
{
	return g_str_has_prefix(name, ".") && g_str_has_suffix(name, ".tmp");
}

int atomic_file_write(int dir_fd, const char *name, const void *data, size_t n_bytes,
		      unsigned int flags, GError **error)
{
	g_autofree char *temporary = g_strdup_printf(".%s.tmp", name);
	int r = check_name(name, error);

	if (r < 0)
		return r;
	r = write_temporary(dir_fd, temporary, data, n_bytes, flags);
	if (r == 0 && renameat(dir_fd, temporary, dir_fd, name) < 0)
		r = -errno;
	if (r < 0) {
		unlinkat(dir_fd, temporary, 0);
		return atomic_file_set_error(error, -r, "writing", name);
	}
	if ((flags & ATOMIC_FILE_SYNC) && fsync(dir_fd) < 0)
		return atomic_file_set_error(error, errno, "writing", name);
	return 0;
}

int atomic_file_read(int dir_fd, const char *name, size_t max_bytes, char **ret_data,
		     size_t *ret_n_bytes, GError **error)
{
	int r = check_name(name, error);
	int fd;

	if (r < 0)
		return r;
	/* NONBLOCK: opening a pipe must not wait for its writer. */
	fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return atomic_file_set_error(error, errno, "reading", name);
	r = atomic_file_read_fd(fd, name, max_bytes, ret_data, ret_n_bytes, error);
	close(fd);
	return r;
}

int atomic_file_read_fd(int fd, const char *path, size_t max_bytes, char **ret_data,
			size_t *ret_n_bytes, GError **error)
{
	g_autofree char *data = NULL;
	struct stat status;
	size_t n_room, n = 0;

	if (fstat(fd, &status) < 0)
		return atomic_file_set_error(error, errno, "reading", path);
	if (!S_ISREG(status.st_mode))
		return error_set(error, EINVAL, "reading %s: not a regular file", path);
	if (status.st_size > (off_t)max_bytes)
		return error_set(error, EFBIG, "reading %s: longer than %zu bytes", path,
				 max_bytes);
	/* The size is a hint only: a file in /proc says 0, another may be growing. */
	n_room = MIN((size_t)status.st_size, max_bytes) + 1;
	data = g_malloc(n_room + 1);
	for (;;) {
		ssize_t n_read = pread(fd, data + n, n_room - n, n);

		if (n_read < 0 && errno == EINTR)
			continue;
		if (n_read < 0)
			return atomic_file_set_error(error, errno, "reading", path);
		n += n_read;
		if (n > max_bytes)
			return error_set(error, EFBIG, "reading %s: longer than %zu bytes", path,
					 max_bytes);
		if (n_read == 0)
			break;
		if (n == n_room) {
			n_room = MIN(n_room * 2, max_bytes + 1);
			data = g_realloc(data, n_room + 1);
		}
	}
	data[n] = '\0';
	*ret_data = g_steal_pointer(&data);
	*ret_n_bytes = n;
	return 0;
}

int atomic_file_remove(int dir_fd, const char *name, unsigned int flags, GError **error)
{
	int r = check_name(name, error);

	if (r < 0)
		return r;
	if (unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT)
		return atomic_file_set_error(error, errno, "removing", name);
	if ((flags & ATOMIC_FILE_SYNC) && fsync(dir_fd) < 0)
		return atomic_file_set_error(error, errno, "removing", name);
	return 0;
}
