/* SPDX-License-Identifier: Apache-2.0 */
/* The file system in which maps, programs and links are pinned. */
#pragma once

#include <stdbool.h>
#include "src/base/error.h"

/* Where a bpffs goes when something else is mounted on the default place. */
#define BPFFS_DEFAULT_ROOT  "/sys/fs/bpf"
#define BPFFS_FALLBACK_ROOT "/run/cilium/bpffs"

/* True where path is in a bpffs. */
bool bpffs_is_mounted(const char *path);

/* A descriptor of what is pinned at path, to close; −ELOOP where it is a symbolic link. */
NODISCARD int bpffs_open_pin(const char *path);

/*
 * The directory to use for a configured root: root itself, or, where root is the default and not a
 * bpffs but the fallback is one, the fallback. Static, or root.
 */
const char *bpffs_find(const char *root);

/*
 * Makes root a bpffs: mounts one where there is none; where that fails and root is the default, on the
 * fallback. 0 with *ret_root as bpffs_find() will say; *ret_mounted tells whether it had to mount.
 */
NODISCARD int bpffs_ensure(const char *root, const char **ret_root, bool *ret_mounted,
			   GError **error);
