// SPDX-License-Identifier: Apache-2.0
#include "src/sys/netns.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>
#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* Of Linux 5.14; the headers that this is built with may be older. */
#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

int netns_open_path(const char *path, GError **error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return error_set_errno(error, errno, "network namespace %s", path);
	/* A file that is no namespace answers ENOTTY. */
	if (ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET) {
		close(fd);
		return error_set(error, EINVAL, "%s is not a network namespace", path);
	}
	return fd;
}

int netns_open_own(GError **error)
{
	return netns_open_path("/proc/thread-self/ns/net", error);
}

bool netns_equal(int netns_fd, int other_fd)
{
	struct stat one, other;

	return !fstat(netns_fd, &one) && !fstat(other_fd, &other) && one.st_dev == other.st_dev &&
	       one.st_ino == other.st_ino;
}

int netns_socket_cookie(int socket_fd, uint64_t *ret_cookie)
{
	socklen_t n_bytes = sizeof(*ret_cookie);

	return getsockopt(socket_fd, SOL_SOCKET, SO_NETNS_COOKIE, ret_cookie, &n_bytes) ? -errno
											: 0;
}

int netns_get_cookie(uint64_t *ret_cookie)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	err = netns_socket_cookie(fd, ret_cookie);
	close(fd);
	return err;
}

static void go_back(int own_fd)
{
	if (setns(own_fd, CLONE_NEWNET))
		g_error("cannot return to the network namespace of this process: %s",
			g_strerror(errno));
	close(own_fd);
}

int netns_run(int netns_fd, int (*fn)(void *data, GError **error), void *data, GError **error)
{
	int own_fd = netns_open_own(error);
	int status;

	if (own_fd < 0)
		return own_fd;
	if (setns(netns_fd, CLONE_NEWNET)) {
		status = error_set_errno(error, errno, "entering the network namespace");
		close(own_fd);
		return status;
	}
	status = fn(data, error);
	go_back(own_fd);
	return status;
}

static int open_netlink(void *data, GError **error)
{
	struct netlink **ret_nl = data;

	*ret_nl = netlink_new(error);
	return 0;
}

struct netlink *netns_netlink_new(int netns_fd, GError **error)
{
	struct netlink *nl = NULL;

	return netns_run(netns_fd, open_netlink, &nl, error) ? NULL : nl;
}

int netns_create(GError **error)
{
	int own_fd = netns_open_own(error);
	int fd;

	if (own_fd < 0)
		return own_fd;
	if (unshare(CLONE_NEWNET)) {
		fd = error_set_errno(error, errno, "making a network namespace");
		close(own_fd);
		return fd;
	}
	fd = netns_open_own(error);
	go_back(own_fd);
	return fd;
}
