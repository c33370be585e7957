/* SPDX-License-Identifier: Apache-2.0 */
/* A key's file in the configuration directory, written by the agent for "cilium config set". */
#pragma once

#include "src/base/error.h"

/*
 * Writes text into the file of the key, whole or not at all; it is on the disk when this returns. Nothing
 * is written through a symbolic link, and not into a mounted ConfigMap: −EPERM. −EINVAL: no directory
 * is configured (""). Else −errno.
 */
NODISCARD int config_file_write(const char *directory, const char *key, const char *text,
				GError **error);
