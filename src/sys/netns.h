/* SPDX-License-Identifier: Apache-2.0 */
/* Network namespaces. */
#pragma once

#include "src/sys/netlink.h"

/* Opens the namespace behind a path. Owned descriptor, or −errno; −EINVAL: not a network namespace.
 */
NODISCARD int netns_open_path(const char *path, GError **error);
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

/*
 * The number by which BPF programs know the namespace of a socket: never another's as long as the machine is
 * up. −ENOPROTOOPT before Linux 5.14.
 */
NODISCARD int netns_socket_cookie(int socket_fd, uint64_t *ret_cookie);
/* Of the calling thread's. */
NODISCARD int netns_get_cookie(uint64_t *ret_cookie);

/* A netlink socket that works in the namespace, for good. NULL and *error on failure. */
struct netlink *netns_netlink_new(int netns_fd, GError **error);

/* A new namespace that lives as long as its last process or descriptor. Owned descriptor or −errno.
 */
NODISCARD int netns_create(GError **error);
