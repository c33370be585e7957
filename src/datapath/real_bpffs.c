// SPDX-License-Identifier: Apache-2.0
#include "src/datapath/real_private.h"

#include <sys/mount.h>
#include <unistd.h>
#include "src/base/trusted_dir.h"
#include "src/sys/bpffs.h"

/* The root, when it was us who mounted it. */
#define STATE_FILE "bpffs"

int real_bpffs_ensure(struct real *real, GString *repaired, GError **error)
{
	/* Pins are named by path: nobody else may put anything there. */
	static const char *const dirs[] = {"tc/globals", "cilium/devices", "cilium/programs"};
	const char *root;
	bool mounted;
	int err = bpffs_ensure(real->configured_root, &root, &mounted, error);

	if (!err && mounted) {
		real_note(repaired, "%s was not mounted", root);
		err = real_state_write(real, STATE_FILE, root, error);
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
	g_autofree char *mounted = NULL;
	int err = real_state_read(real, STATE_FILE, &mounted, error);

	if (err || !mounted)
		return err;
	if (g_str_equal(mounted, real->bpf_root) && bpffs_is_mounted(mounted) &&
	    is_empty(mounted) && umount2(mounted, UMOUNT_NOFOLLOW))
		return error_set_errno(error, errno, "unmounting %s", mounted);
	return real_state_remove(real, STATE_FILE, error);
}
