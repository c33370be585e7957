/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sys/types.h>
#include "src/base/error.h"

/*
 * A listening unix socket of the given type (SOCK_STREAM, SOCK_SEQPACKET), close-on-exec,
 * non-blocking, at path: the caller's and the group's, mode 0660; with UNIX_LISTEN_NO_GROUP the
 * caller's own group. At no time may anybody else connect. Missing directories are made. A socket that
 * nobody listens on any more is replaced; −EADDRINUSE where somebody does, −EPERM where others could
 * put theirs in its place. Returns the descriptor, or −errno with *error.
 */
#define UNIX_LISTEN_NO_GROUP ((gid_t) - 1)
NODISCARD int unix_listen(const char *path, int type, gid_t group, GError **error);
