/* SPDX-License-Identifier: Apache-2.0 */
#include "src/sys/fdinfo.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* More than any of the kernel's for what we have open. */
#define FDINFO_MAX_BYTES 2048

int fdinfo_get(int fd, const char *name, uint64_t *ret_number)
{
	char path[64], text[FDINFO_MAX_BYTES];
	size_t n_name = strlen(name);
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n < 0)
		return -EIO;
	text[n] = '\0';
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, n_name) || line[n_name] != ':')
			continue;
		*ret_number = g_ascii_strtoull(line + n_name + 1, NULL, 10);
		return 0;
	}
	return -ENOENT;
}
