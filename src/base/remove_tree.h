/* SPDX-License-Identifier: Apache-2.0 */
/* Removes what a directory holds, and nothing else. */
#pragma once

#include "src/base/error.h"

/*
 * Removes the file or the directory with everything in it; a path that is not there is success. A
 * symbolic link is removed, never followed; what is mounted in the tree is left alone, and then named
 * in *error (−EBUSY). Devices do not tell where a mount begins: on an overlay, as in a container,
 * files have other ones than their directory.
 */
NODISCARD int remove_tree(const char *path, GError **error);
