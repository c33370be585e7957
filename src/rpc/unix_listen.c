/* SPDX-License-Identifier: Apache-2.0 */
#include "src/rpc/unix_listen.h"

#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "src/base/trusted_dir.h"

#define SOCKET_MODE 0660
#define OWNER_MODE  0600

/* Whether the socket at the address has a listener. A full backlog (EAGAIN) means that it has. */
static bool has_listener(const struct sockaddr_un *sun, int type)
{
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool listens;

	if (fd < 0)
		return false;
	listens = connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) == 0 || errno == EAGAIN;
	close(fd);
	return listens;
}

/* Removes a dead agent's socket; leaves anything that is not a socket alone. */
static int remove_stale(const struct sockaddr_un *sun, int type, GError **error)
{
	struct stat info;

	if (lstat(sun->sun_path, &info) < 0)
		return 0; /* bind says what is wrong with it, if anything */
	if (!S_ISSOCK(info.st_mode))
		return error_set(error, EEXIST, "%s is in the way: it is not a socket; remove it",
				 sun->sun_path);
	if (has_listener(sun, type))
		return error_set(error, EADDRINUSE, "another program listens on %s: stop it first",
				 sun->sun_path);
	if (unlink(sun->sun_path) < 0 && errno != ENOENT)
		return error_set_errno(error, errno, "remove the old socket %s", sun->sun_path);
	return 0;
}

static int bind_and_listen(int fd, const struct sockaddr_un *sun, gid_t group, GError **error)
{
	/* Narrow first, then the group, then wide: the group's mode is never that of another group. */
	if (fchmod(fd, OWNER_MODE) < 0)
		return error_set_errno(error, errno, "chmod of the socket for %s", sun->sun_path);
	if (bind(fd, (const struct sockaddr *)sun, sizeof(*sun)) < 0)
		return error_set_errno(error, errno, "bind %s", sun->sun_path);
	if (group != UNIX_LISTEN_NO_GROUP && lchown(sun->sun_path, (uid_t)-1, group) < 0)
		return error_set_errno(error, errno, "give %s to the group %u", sun->sun_path,
				       group);
	if (chmod(sun->sun_path, SOCKET_MODE) < 0)
		return error_set_errno(error, errno, "chmod %s", sun->sun_path);
	if (listen(fd, SOMAXCONN) < 0)
		return error_set_errno(error, errno, "listen on %s", sun->sun_path);
	return 0;
}

int unix_listen(const char *path, int type, gid_t group, GError **error)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	g_autofree char *directory = g_path_get_dirname(path);
	int fd, err;

	if (strlen(path) >= sizeof(sun.sun_path))
		return error_set(error, ENAMETOOLONG, "%s: a socket's path has at most %zu bytes",
				 path, sizeof(sun.sun_path) - 1);
	strcpy(sun.sun_path, path);
	fd = trusted_dir_open_shared(directory, 0755, error);
	if (fd < 0)
		return fd;
	close(fd);
	err = remove_stale(&sun, type, error);
	if (err < 0)
		return err;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set_errno(error, errno, "making the socket for %s", path);
	err = bind_and_listen(fd, &sun, group, error);
	if (err < 0) {
		close(fd);
		return err;
	}
	return fd;
}
