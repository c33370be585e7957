// SPDX-License-Identifier: Apache-2.0
#include "src/datapath/real_private.h"

#include <limits.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>
#include "src/base/atomic_file.h"
#include "src/base/trusted_dir.h"
#include "src/sys/bpffs.h"

/* In the state directory: the root, when it was us who mounted it. */
#define STATE_FILE "bpffs"

static int remember_mount(const struct real *real, const char *root, GError **error)
{
	int dir_fd = real_open_state_dir(real, error);
	int err;

	if (dir_fd < 0)
		return dir_fd;
	err = atomic_file_write(dir_fd, STATE_FILE, root, strlen(root), 0, error);
	close(dir_fd);
	return err;
}

int real_bpffs_ensure(struct real *real, GString *repaired, GError **error)
{
	/* Pins are named by path: nobody else may put anything there. */
	static const char *const dirs[] = {"tc/globals", "cilium/devices", "cilium/programs"};
	const char *root;
	bool mounted;
	int err = bpffs_ensure(real->configured_root, &root, &mounted, error);

	if (!err && mounted) {
		real_note(repaired, "%s was not mounted", root);
		err = remember_mount(real, root, error);
	}
	if (err)
		return err;
	g_free(real->bpf_root);
	real->bpf_root = g_strdup(root);
	for (size_t i = 0; i < G_N_ELEMENTS(dirs); i++) {
		g_autofree char *path = g_build_filename(root, dirs[i], NULL);

		int fd = trusted_dir_open(path, 0700, error);

		if (fd < 0)
			return fd;
		close(fd);
	}
	return 0;
}

static bool is_empty(const char *root)
{
	g_autoptr(GDir) dir = g_dir_open(root, 0, NULL);
	const char *name;

	/* The kernel puts two files into each BPF file system itself: maps.debug and progs.debug. */
	while (dir && (name = g_dir_read_name(dir)))
		if (!g_str_has_suffix(name, ".debug"))
			return false;
	return dir;
}

int real_bpffs_purge(struct real *real, GError **error)
{
	int dir_fd = trusted_dir_open(real->state_dir, 0, NULL);
	g_autofree char *mounted = NULL;
	size_t n_bytes;
	int err = 0;

	if (dir_fd < 0)
		return 0;
	if (!atomic_file_read(dir_fd, STATE_FILE, PATH_MAX, &mounted, &n_bytes, NULL)) {
		if (g_str_equal(mounted, real->bpf_root) && bpffs_is_mounted(mounted) &&
		    is_empty(mounted) && umount2(mounted, UMOUNT_NOFOLLOW))
			err = error_set_errno(error, errno, "unmounting %s", mounted);
		else
			err = atomic_file_remove(dir_fd, STATE_FILE, 0, error);
	}
	close(dir_fd);
	return err;
}
