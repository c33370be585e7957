/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "src/base/error.h"

/*
 * A listening unix socket of the given type (SOCK_STREAM, SOCK_SEQPACKET), close-on-exec,
 * non-blocking, at path with mode 0660; missing directories are made. A socket that nobody listens
 * on any more is replaced; −EADDRINUSE where somebody does. Returns the descriptor, or −errno with
 * *error.
 */
NODISCARD int unix_listen(const char *path, int type, GError **error);
