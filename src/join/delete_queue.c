// SPDX-License-Identifier: Apache-2.0
#include "src/join/delete_queue.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "src/base/atomic_file.h"

#define SUFFIX ".delete"
/* Container ids come from root, and are short: what is longer is not ours. */
#define FILE_MAX_BYTES 4096

char *delete_queue_directory(const char *socket_path)
{
	g_autofree char *parent = NULL;

	if (g_str_has_prefix(socket_path, "unix://"))
		socket_path += strlen("unix://");
	parent = g_path_get_dirname(socket_path);
	return g_build_filename(parent, "deleteQueue", NULL);
}

/* The host's interface name: short and of harmless letters, whatever the container is called. */
static void file_name(const struct attachment *attachment, char ret_name[static NAME_MAX + 1])
{
	char ifname[IFNAMSIZ];

	attachment_host_ifname(attachment, ifname);
	g_snprintf(ret_name, NAME_MAX + 1, "%s" SUFFIX, ifname);
}

int delete_queue_put(const char *directory, const struct attachment *attachment, GError **error)
{
	g_autofree char *id = attachment_endpoint_id(attachment);
	char name[NAME_MAX + 1];
	int status;
	int fd;

	if (g_mkdir_with_parents(directory, 0700))
		return error_set_errno(error, errno, "making %s", directory);
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_set_errno(error, errno, "%s", directory);
	file_name(attachment, name);
	status = atomic_file_write(fd, name, id, strlen(id), ATOMIC_FILE_SYNC, error);
	close(fd);
	return status;
}

void delete_queue_remove(const char *directory, const struct attachment *attachment)
{
	g_autofree char *path = NULL;
	char name[NAME_MAX + 1];

	file_name(attachment, name);
	path = g_build_filename(directory, name, NULL);
	unlink(path);
}

static bool process_file(const char *path, bool (*fn)(const char *endpoint_id, void *data),
			 void *data)
{
	g_autofree char *id = NULL;
	size_t n_bytes;

	if (!g_file_get_contents(path, &id, &n_bytes, NULL))
		return false;
	return n_bytes <= FILE_MAX_BYTES && fn(id, data) && !unlink(path);
}

int delete_queue_process(const char *directory, bool (*fn)(const char *endpoint_id, void *data),
			 void *data, GError **error)
{
	g_autoptr(GError) problem = NULL;
	g_autoptr(GDir) dir = g_dir_open(directory, 0, &problem);
	int n_removed = 0;
	const char *name;

	if (!dir && !g_error_matches(problem, G_FILE_ERROR, G_FILE_ERROR_NOENT))
		return error_set(error, EIO, "%s", problem->message);
	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(directory, name, NULL);

		if (g_str_has_suffix(name, SUFFIX) && process_file(path, fn, data))
			n_removed++;
	}
	return n_removed;
}
