/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/pid_file.h"

#include <string.h>
#include <unistd.h>
#include "src/base/atomic_file.h"
#include "src/base/trusted_dir.h"

int pid_file_write(const char *state_dir, GError **error)
{
	g_autofree char *text = g_strdup_printf("%d\n", getpid());
	int fd = trusted_dir_open(state_dir, 0755, error);
	int err;

	if (fd < 0)
		return fd;
	err = atomic_file_write(fd, PID_FILE_NAME, text, strlen(text), ATOMIC_FILE_PUBLIC, error);
	close(fd);
	return err;
}
