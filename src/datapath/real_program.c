// SPDX-License-Identifier: Apache-2.0
#include "src/datapath/real_private.h"

#include <bpf/bpf.h>
#include <string.h>
#include <unistd.h>
#include "src/sys/bpffs.h"

char *real_program_digest(const struct bpf_map_ref maps[PLAN_MAP__MAX], const void *elf,
			  size_t n_elf_bytes, const struct node_config *node)
{
	g_autoptr(GChecksum) digest = g_checksum_new(G_CHECKSUM_SHA256);

	g_checksum_update(digest, elf, n_elf_bytes);
	g_checksum_update(digest, (const guchar *)node, sizeof(*node));
	for (enum plan_map map = 0; map < PLAN_MAP__MAX; map++)
		g_checksum_update(digest, (const guchar *)&maps[map].id, sizeof(maps[map].id));
	return g_strdup(g_checksum_get_string(digest));
}

bool real_program_is_wanted(const struct real *real, enum plan_program program)
{
	if (program == PLAN_PROGRAM_SOCK4_POST_BIND || program == PLAN_PROGRAM_SOCK6_POST_BIND)
		return real->config.node.protect_node_ports;
	if (program >= PLAN_PROGRAM_SOCK__FIRST && program <= PLAN_PROGRAM_SOCK_RELEASE)
		return real->config.node.enable_socket_lb;
	if (program == PLAN_PROGRAM_XDP_ENTRY)
		return real->config.xdp != DATAPATH_XDP_OFF;
	return true;
}

static char *programs_dir(const struct real *real)
{
	return g_build_filename(real->bpf_root, "cilium", "programs", NULL);
}

static char *program_path(const struct real *real, const char *digest, enum plan_program program)
{
	return g_build_filename(real->bpf_root, "cilium", "programs", digest, program_name(program),
				NULL);
}

int real_program_open(struct real *real, const char *digest)
{
	int fds[PLAN_PROGRAM__MAX];
	int n_open;

	for (n_open = 0; n_open < PLAN_PROGRAM__MAX; n_open++) {
		g_autofree char *path = program_path(real, digest, n_open);

		fds[n_open] = -1;
		if (!real_program_is_wanted(real, n_open))
			continue;
		fds[n_open] = bpffs_open_pin(path);
		if (fds[n_open] < 0)
			break;
	}
	if (n_open == PLAN_PROGRAM__MAX) {
		memcpy(real->program_fds, fds, sizeof(fds));
		return 0;
	}
	while (n_open--)
		if (fds[n_open] >= 0)
			close(fds[n_open]);
	return -ENOENT;
}

bool real_program_is_pinned(const struct real *real, const char *digest)
{
	for (enum plan_program program = 0; program < PLAN_PROGRAM__MAX; program++) {
		g_autofree char *path = program_path(real, digest, program);

		if (real_program_is_wanted(real, program) && !g_file_test(path, G_FILE_TEST_EXISTS))
			return false;
	}
	return true;
}

int real_program_pin(struct real *real, const char *digest, GError **error)
{
	for (enum plan_program program = 0; program < PLAN_PROGRAM__MAX; program++) {
		g_autofree char *path = program_path(real, digest, program);
		g_autofree char *dir = g_path_get_dirname(path);
		int err = 0;

		if (!real_program_is_wanted(real, program))
			continue;
		/* One that is there was left by a start that did not get to the end of the set. */
		unlink(path);
		if (g_mkdir_with_parents(dir, 0700))
			err = -errno;
		if (!err)
			err = bpf_obj_pin(real->program_fds[program], path);
		if (err)
			return error_set_errno(error, -err, "pinning %s", path);
	}
	return 0;
}

static void remove_set(const char *path)
{
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *pin = g_build_filename(path, name, NULL);

		unlink(pin);
	}
	rmdir(path);
}

void real_program_prune(const struct real *real, const char *digest)
{
	g_autofree char *path = programs_dir(real);
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *set = g_build_filename(path, name, NULL);

		if (g_strcmp0(name, digest) != 0)
			remove_set(set);
	}
}
