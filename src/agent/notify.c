/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/notify.h"

#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int notify_send(const char *text, GError **error)
{
	const char *path = g_getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, err = 0;

	if (!path || !*path)
		return 0;
	if (strlen(path) >= sizeof(address.sun_path))
		return error_set(error, EINVAL, "NOTIFY_SOCKET: %s is too long", path);
	memcpy(address.sun_path, path, strlen(path));
	if (*path == '@') /* in the abstract name space */
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&address,
			     offsetof(struct sockaddr_un, sun_path) + strlen(path)) < 0)
		err = error_set_errno(error, errno, "NOTIFY_SOCKET %s", path);
	if (fd >= 0)
		close(fd);
	return err;
}
