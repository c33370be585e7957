// SPDX-License-Identifier: Apache-2.0
#include "src/join/delete_queue.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "src/base/atomic_file.h"
#include "src/base/trusted_dir.h"

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

	fd = trusted_dir_open(directory, 0700, error);
	if (fd < 0)
		return fd;
	file_name(attachment, name);
	status = atomic_file_write(fd, name, id, strlen(id), ATOMIC_FILE_SYNC, error);
	close(fd);
	return status;
}

void delete_queue_remove(const char *directory, const struct attachment *attachment)
{
	int fd = trusted_dir_open(directory, 0, NULL);
	char name[NAME_MAX + 1];

	if (fd < 0)
		return;
	file_name(attachment, name);
	unlinkat(fd, name, 0);
	close(fd);
}

static bool process_file(int dir_fd, const char *name,
			 bool (*fn)(const char *endpoint_id, void *data), void *data)
{
	g_autofree char *id = NULL;
	size_t n_bytes;

	return !atomic_file_read(dir_fd, name, FILE_MAX_BYTES, &id, &n_bytes, NULL) &&
	       fn(id, data) && !unlinkat(dir_fd, name, 0);
}

int delete_queue_process(const char *directory, bool (*fn)(const char *endpoint_id, void *data),
			 void *data, GError **error)
{
	g_autoptr(GError) problem = NULL;
	int fd = trusted_dir_open(directory, 0, &problem);
	const struct dirent *entry;
	int n_removed = 0;
	DIR *stream;

	if (fd == -ENOENT)
		return 0;
	if (fd < 0) {
		g_propagate_error(error, g_steal_pointer(&problem));
		return fd;
	}
	stream = fdopendir(fd);
	g_assert(stream); /* a directory that is open */
	while ((entry = readdir(stream)))
		if (g_str_has_suffix(entry->d_name, SUFFIX) &&
		    process_file(fd, entry->d_name, fn, data))
			n_removed++;
	closedir(stream);
	return n_removed;
}
