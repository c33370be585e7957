/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>
#include "src/base/error.h"

/*
 * A number of /proc/self/fdinfo/<fd>, as "memlock": bytes that the kernel accounts a map or a program
 * with. 0; −ENOENT: there is no such line; or −errno.
 */
NODISCARD int fdinfo_get(int fd, const char *name, uint64_t *ret_number);
