/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers below /proc/sys. Names are paths ("net/ipv4/conf/eth0.5/rp_filter"), as the name of an
 * interface may have a dot in it. What is below net is that of the caller's network namespace.
 */
#pragma once

#include <stdint.h>
#include "src/base/error.h"

/* 0; −ENOENT where this kernel has no such number; −EINVAL where it is none; or what open said. */
NODISCARD int sysctl_get(const char *name, int *ret_value);
NODISCARD int sysctl_put(const char *name, int value);

/* A list of all ports that stand alone has 192 KiB. */
#define SYSCTL_TEXT_MAX_BYTES (256 * 1024)

/* Those that are no number; without the end of the line. *ret_text: g_free. −E2BIG: it is longer. */
NODISCARD int sysctl_get_text(const char *name, char **ret_text);
NODISCARD int sysctl_put_text(const char *name, const char *text);
