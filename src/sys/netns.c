// SPDX-License-Identifier: Apache-2.0
#include "src/sys/netns.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>

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

int netns_open_pid(int pid, GError **error)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/ns/net", pid);

	return netns_open_path(path, error);
}

int netns_open_name(const char *name, GError **error)
{
	g_autofree char *path = g_strdup_printf(NETNS_DIRECTORY "/%s", name);

	return netns_open_path(path, error);
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

/* Names become file names: one component, and not one that leads elsewhere. */
static int check_name(const char *name, GError **error)
{
	if (!*name || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
		return error_set(error, EINVAL,
				 "network namespace: got name \"%s\", want a file name", name);
	return 0;
}

/*
 * The mount of a namespace is to be seen in every mount namespace that shares the directory, so the
 * directory is made a mount point of its own that propagates, as ip netns does.
 */
static int ensure_directory(GError **error)
{
	if (g_mkdir_with_parents(NETNS_DIRECTORY, 0755))
		return error_set_errno(error, errno, "making " NETNS_DIRECTORY);
	if (!mount("", NETNS_DIRECTORY, "none", MS_SHARED | MS_REC, NULL))
		return 0;
	if (errno != EINVAL ||
	    mount(NETNS_DIRECTORY, NETNS_DIRECTORY, "none", MS_BIND | MS_REC, NULL) ||
	    mount("", NETNS_DIRECTORY, "none", MS_SHARED | MS_REC, NULL))
		return error_set_errno(error, errno, "mounting " NETNS_DIRECTORY);
	return 0;
}

int netns_create_named(const char *name, GError **error)
{
	g_autofree char *path = g_strdup_printf(NETNS_DIRECTORY "/%s", name);
	char source[64];
	int status = check_name(name, error);
	int fd;

	if (!status)
		status = ensure_directory(error);
	if (status)
		return status;
	fd = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);
	if (fd < 0)
		return error_set_errno(error, errno, "making %s", path);
	close(fd);
	fd = netns_create(error);
	if (fd < 0) {
		unlink(path);
		return fd;
	}
	g_snprintf(source, sizeof(source), "/proc/self/fd/%d", fd);
	if (mount(source, path, "none", MS_BIND, NULL)) {
		status = error_set_errno(error, errno, "mounting %s", path);
		close(fd);
		unlink(path);
		return status;
	}
	return fd;
}

int netns_remove_named(const char *name, GError **error)
{
	g_autofree char *path = g_strdup_printf(NETNS_DIRECTORY "/%s", name);
	int status = check_name(name, error);

	if (status)
		return status;
	/* Not mounted: left behind by somebody who was killed between making and mounting. */
	if (umount2(path, MNT_DETACH) && errno != EINVAL)
		return error_set_errno(error, errno, "unmounting %s", path);
	if (unlink(path))
		return error_set_errno(error, errno, "removing %s", path);
	return 0;
}
