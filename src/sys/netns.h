/* SPDX-License-Identifier: Apache-2.0 */
/* Network namespaces. */
#pragma once

#include "src/sys/netlink.h"

#define NETNS_DIRECTORY "/var/run/netns"

/* Opens the namespace behind a path. Owned descriptor, or −errno; −EINVAL: not a network namespace.
 */
NODISCARD int netns_open_path(const char *path, GError **error);
/* Of a process. */
NODISCARD int netns_open_pid(int pid, GError **error);
/* Named as by ip netns. */
NODISCARD int netns_open_name(const char *name, GError **error);
/* Of the calling thread. */
NODISCARD int netns_open_own(GError **error);
/* The same namespace behind both descriptors? */
bool netns_equal(int netns_fd, int other_fd);

/*
 * Calls fn with the calling thread inside the namespace and comes back. Returns fn's value, or
 * −errno when the namespace cannot be entered. Not being able to come back aborts: a thread that
 * goes on in the wrong namespace would configure somebody else's network.
 */
NODISCARD int netns_run(int netns_fd, int (*fn)(void *data, GError **error), void *data,
			GError **error);

/* A netlink socket that works in the namespace, for good. NULL and *error on failure. */
struct netlink *netns_netlink_new(int netns_fd, GError **error);

/* A new namespace that lives as long as its last process or descriptor. Owned descriptor or −errno.
 */
NODISCARD int netns_create(GError **error);
/* A new namespace under NETNS_DIRECTORY/name, as ip netns add. Owned descriptor or −errno. */
NODISCARD int netns_create_named(const char *name, GError **error);
/* Takes the name away, as ip netns delete. 0 or −errno; −ENOENT. */
NODISCARD int netns_remove_named(const char *name, GError **error);
