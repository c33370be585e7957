/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A directory that nobody but root and the caller can change, nor any directory on the way to it. What
 * lies in it can then be named by path: nobody else can put a symbolic link there. Links on the way
 * (/var/run) are followed where they are root's or the caller's own.
 */
#pragma once

#include <sys/types.h>
#include "src/base/error.h"

/*
 * Opens the directory; where mode is not 0, it is made with that mode when it is missing, and what is
 * missing on the way to it with 0755. Returns a descriptor to close, or −errno: −EPERM where others
 * could change it, with what is wrong in *error.
 */
NODISCARD int trusted_dir_open(const char *path, mode_t mode, GError **error);

/*
 * The same for a directory that others may add to, as long as they cannot take away (/tmp): for a
 * socket, whose name is taken by whoever binds it.
 */
NODISCARD int trusted_dir_open_shared(const char *path, mode_t mode, GError **error);
