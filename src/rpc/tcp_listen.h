/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "src/base/error.h"

/*
 * A listening TCP socket, close-on-exec, non-blocking, at "host:port": the host is an IPv4 address, an
 * IPv6 address in brackets, "localhost" (127.0.0.1), or missing: then every address of both families, or
 * of IPv4 alone where the kernel has no IPv6. Names are not looked up. Returns the descriptor, or −errno
 * with *error: −EINVAL, −EADDRINUSE, −EADDRNOTAVAIL, …
 */
NODISCARD int tcp_listen(const char *address, GError **error);
