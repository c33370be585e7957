// SPDX-License-Identifier: Apache-2.0
#include "src/datapath/real_private.h"

#include <string.h>
#include <unistd.h>
#include "src/base/atomic_file.h"
#include "src/base/trusted_dir.h"

#define FILE_MAX_BYTES (1024 * 1024)

static char *boot_id(void)
{
	char *text = NULL;

	if (!g_file_get_contents("/proc/sys/kernel/random/boot_id", &text, NULL, NULL))
		return g_strdup("unknown");
	return g_strstrip(text);
}

/* What is below its first line, where that is of this boot. */
static char *find_content(const char *text)
{
	g_autofree char *boot = boot_id();
	size_t n_bytes = strlen(boot);

	if (strncmp(text, boot, n_bytes) != 0 || text[n_bytes] != '\n')
		return NULL;
	return g_strdup(text + n_bytes + 1);
}

int real_state_read(const struct real *real, const char *name, char **ret_text, GError **error)
{
	g_autoptr(GError) cause = NULL;
	g_autofree char *text = NULL;
	int dir_fd = trusted_dir_open(real->state_dir, 0, &cause);
	size_t n_bytes;
	int err = dir_fd;

	*ret_text = NULL;
	if (dir_fd >= 0) {
		err = atomic_file_read(dir_fd, name, FILE_MAX_BYTES, &text, &n_bytes, &cause);
		close(dir_fd);
	}
	if (err == -ENOENT)
		return 0;
	if (err)
		g_propagate_error(error, g_steal_pointer(&cause));
	else
		*ret_text = find_content(text);
	return err;
}

int real_state_write(const struct real *real, const char *name, const char *text, GError **error)
{
	g_autofree char *boot = boot_id();
	g_autofree char *content = g_strconcat(boot, "\n", text, NULL);
	int dir_fd = trusted_dir_open(real->state_dir, 0755, error);
	int err;

	if (dir_fd < 0)
		return dir_fd;
	/* What matters is this boot: the file need not survive the machine's death. */
	err = atomic_file_write(dir_fd, name, content, strlen(content), 0, error);
	close(dir_fd);
	return err;
}

int real_state_remove(const struct real *real, const char *name, GError **error)
{
	g_autoptr(GError) cause = NULL;
	int dir_fd = trusted_dir_open(real->state_dir, 0, &cause);
	int err = dir_fd;

	if (dir_fd >= 0) {
		err = atomic_file_remove(dir_fd, name, 0, &cause);
		close(dir_fd);
	}
	if (err == -ENOENT)
		return 0;
	if (err)
		g_propagate_error(error, g_steal_pointer(&cause));
	return err;
}
