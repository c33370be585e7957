// SPDX-License-Identifier: Apache-2.0
#include "src/sys/bpffs.h"

#include <bpf/bpf.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

bool bpffs_is_mounted(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == BPF_FS_MAGIC;
}

const char *bpffs_find(const char *root)
{
	if (strcmp(root, BPFFS_DEFAULT_ROOT) == 0 && !bpffs_is_mounted(root) &&
	    bpffs_is_mounted(BPFFS_FALLBACK_ROOT))
		return BPFFS_FALLBACK_ROOT;
	return root;
}

int bpffs_open_pin(const char *path)
{
	struct stat info;
	int fd;

	if (lstat(path, &info) < 0)
		return -errno;
	if (S_ISLNK(info.st_mode))
		return -ELOOP;
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

static int mount_at(const char *root, GError **error)
{
	if (g_mkdir_with_parents(root, 0755))
		return error_set_errno(error, errno, "making the directory %s", root);
	/* Where the parent is a bpffs, the directory just made is in it. */
	if (bpffs_is_mounted(root))
		return 0;
	if (mount("bpf", root, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700"))
		return error_set_errno(error, errno, "mounting a BPF file system on %s", root);
	return 0;
}

int bpffs_ensure(const char *root, const char **ret_root, bool *ret_mounted, GError **error)
{
	g_autoptr(GError) first = NULL;
	int err;

	*ret_root = bpffs_find(root);
	*ret_mounted = !bpffs_is_mounted(*ret_root);
	if (!*ret_mounted)
		return 0;
	err = mount_at(root, &first);
	if (err && strcmp(root, BPFFS_DEFAULT_ROOT) == 0) {
		*ret_root = BPFFS_FALLBACK_ROOT;
		err = mount_at(*ret_root, error);
	} else if (err) {
		g_propagate_error(error, g_steal_pointer(&first));
	}
	return err;
}
