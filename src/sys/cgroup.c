// SPDX-License-Identifier: Apache-2.0
#include "src/sys/cgroup.h"

#include <bpf/bpf.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

bool cgroup_is_mounted(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

/* NULL: in none of the usual places. */
static const char *find(void)
{
	static const char *const places[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified",
					     CGROUP_FALLBACK_ROOT};

	for (size_t i = 0; i < G_N_ELEMENTS(places); i++)
		if (cgroup_is_mounted(places[i]))
			return places[i];
	return NULL;
}

int cgroup_ensure(const char *root, char **ret_root, bool *ret_mounted, GError **error)
{
	const char *path = root && *root ? root : find();

	path = path ? path : CGROUP_FALLBACK_ROOT;
	*ret_mounted = !cgroup_is_mounted(path);
	if (*ret_mounted && g_mkdir_with_parents(path, 0755))
		return error_set_errno(error, errno, "making the directory %s", path);
	if (*ret_mounted &&
	    mount("cgroup2", path, "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
		return error_set_errno(error, errno,
				       "mounting the cgroup 2 hierarchy on %s, for programs on "
				       "sockets (mount it yourself and name it with cgroup-root)",
				       path);
	*ret_root = g_strdup(path);
	return 0;
}

/* Of the namespace that the machine began with: PROC_CGROUP_INIT_INO. */
#define FIRST_NAMESPACE_INODE 0xeffffffbU

/* "36 25 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw": which directory of it is mounted on root. */
static char *mounted_directory(const char *root)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;
	char *directory = NULL;

	if (!g_file_get_contents("/proc/self/mountinfo", &text, NULL, NULL))
		return NULL;
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line; line++) {
		g_auto(GStrv) fields = g_strsplit(*line, " ", 6);

		/* The last one mounted there is the one that is seen. */
		if (g_strv_length(fields) == 6 && g_str_equal(fields[4], root)) {
			g_free(directory);
			directory = g_strdup(fields[3]);
		}
	}
	return directory;
}

bool cgroup_is_of_machine(const char *root)
{
	g_autofree char *directory = NULL;
	struct stat info;

	if (stat("/proc/self/ns/cgroup", &info) || info.st_ino == FIRST_NAMESPACE_INODE)
		return true;
	directory = mounted_directory(root);
	/* The directory is told from where this process is: the machine's is above that. */
	return directory && g_str_has_prefix(directory, "/..");
}

int cgroup_link_get(int link_fd, struct cgroup_link_info *ret_info)
{
	struct bpf_link_info info = {0};
	uint32_t n_bytes = sizeof(info);
	int err = bpf_obj_get_info_by_fd(link_fd, &info, &n_bytes);

	if (err)
		return err;
	if (info.type != BPF_LINK_TYPE_CGROUP)
		return -EINVAL;
	*ret_info = (struct cgroup_link_info){
		.cgroup_id = info.cgroup.cgroup_id,
		.attach_type = info.cgroup.attach_type,
		.program_id = info.prog_id,
	};
	return 0;
}

int cgroup_get_id(int dir_fd, uint64_t *ret_id)
{
	struct stat info;

	if (fstat(dir_fd, &info))
		return -errno;
	*ret_id = info.st_ino;
	return 0;
}
