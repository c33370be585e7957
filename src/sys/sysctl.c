// SPDX-License-Identifier: Apache-2.0
#include "src/sys/sysctl.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int open_sysctl(const char *name, int flags)
{
	g_autofree char *path = g_strconcat("/proc/sys/", name, NULL);
	int fd = open(path, flags | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int sysctl_get(const char *name, int *ret_value)
{
	char text[32];
	int fd = open_sysctl(name, O_RDONLY);
	ssize_t n;
	char *end;
	long value;

	if (fd < 0)
		return fd;
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0) {
		int err = errno;

		close(fd);
		return -err;
	}
	close(fd);
	text[n] = '\0';
	errno = 0;
	value = strtol(text, &end, 10);
	if (errno || end == text || *g_strchug(end) || value < INT32_MIN || value > INT32_MAX)
		return -EINVAL;
	*ret_value = value;
	return 0;
}

int sysctl_put(const char *name, int value)
{
	char text[16];

	g_snprintf(text, sizeof(text), "%d", value);
	return sysctl_put_text(name, text);
}

/* In one call: the kernel has nothing to say to a second one. */
int sysctl_get_text(const char *name, char **ret_text)
{
	g_autofree char *text = g_malloc(SYSCTL_TEXT_MAX_BYTES + 1);
	int fd = open_sysctl(name, O_RDONLY);
	ssize_t n;
	int err;

	if (fd < 0)
		return fd;
	n = read(fd, text, SYSCTL_TEXT_MAX_BYTES + 1);
	err = n < 0 ? -errno : 0;
	close(fd);
	if (err)
		return err;
	if (n > SYSCTL_TEXT_MAX_BYTES)
		return -E2BIG;
	*ret_text = g_strchomp(g_strndup(text, n));
	return 0;
}

/* Of a list the kernel takes a page at a time, up to the end of a number; what follows adds to it. */
int sysctl_put_text(const char *name, const char *text)
{
	g_autofree char *line = g_strconcat(text, "\n", NULL);
	size_t n_bytes = strlen(line), n_done = 0;
	int fd = open_sysctl(name, O_WRONLY);
	int err = 0;

	if (fd < 0)
		return fd;
	while (!err && n_done < n_bytes) {
		ssize_t n = write(fd, line + n_done, n_bytes - n_done);

		if (n > 0)
			n_done += n;
		else
			err = n < 0 ? -errno : -EIO;
	}
	close(fd);
	return err;
}
