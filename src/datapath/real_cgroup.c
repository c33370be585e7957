// SPDX-License-Identifier: Apache-2.0
/* Programs on sockets: links on the root of the cgroup hierarchy, each pinned by the program's name. */
#include "src/datapath/real_private.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>
#include "src/base/trusted_dir.h"
#include "src/sys/bpffs.h"
#include "src/sys/cgroup.h"

#define LINKS_DIR "cilium/socketlb/links/cgroup"
/* Where the hierarchy is, when it was us who mounted it. */
#define STATE_FILE "cgroup"

static const uint32_t attach_types[] = {
	[PLAN_HOOK_SOCK4_CONNECT - PLAN_HOOK_SOCK__FIRST] = BPF_CGROUP_INET4_CONNECT,
	[PLAN_HOOK_SOCK6_CONNECT - PLAN_HOOK_SOCK__FIRST] = BPF_CGROUP_INET6_CONNECT,
	[PLAN_HOOK_SOCK4_SENDMSG - PLAN_HOOK_SOCK__FIRST] = BPF_CGROUP_UDP4_SENDMSG,
	[PLAN_HOOK_SOCK6_SENDMSG - PLAN_HOOK_SOCK__FIRST] = BPF_CGROUP_UDP6_SENDMSG,
	[PLAN_HOOK_SOCK4_RECVMSG - PLAN_HOOK_SOCK__FIRST] = BPF_CGROUP_UDP4_RECVMSG,
	[PLAN_HOOK_SOCK6_RECVMSG - PLAN_HOOK_SOCK__FIRST] = BPF_CGROUP_UDP6_RECVMSG,
	[PLAN_HOOK_SOCK4_GETPEERNAME - PLAN_HOOK_SOCK__FIRST] = BPF_CGROUP_INET4_GETPEERNAME,
	[PLAN_HOOK_SOCK6_GETPEERNAME - PLAN_HOOK_SOCK__FIRST] = BPF_CGROUP_INET6_GETPEERNAME,
	[PLAN_HOOK_SOCK4_POST_BIND - PLAN_HOOK_SOCK__FIRST] = BPF_CGROUP_INET4_POST_BIND,
	[PLAN_HOOK_SOCK6_POST_BIND - PLAN_HOOK_SOCK__FIRST] = BPF_CGROUP_INET6_POST_BIND,
	[PLAN_HOOK_SOCK_RELEASE - PLAN_HOOK_SOCK__FIRST] = BPF_CGROUP_INET_SOCK_RELEASE,
};
G_STATIC_ASSERT(G_N_ELEMENTS(attach_types) == PLAN_HOOK__MAX - PLAN_HOOK_SOCK__FIRST);

static char *links_dir(const struct real *real)
{
	return g_build_filename(real->bpf_root, LINKS_DIR, NULL);
}

static char *link_path(const struct real *real, enum plan_program program)
{
	return g_build_filename(real->bpf_root, LINKS_DIR, program_name(program), NULL);
}

/* PLAN_HOOK__MAX: none of ours. */
static enum plan_hook hook_of(uint32_t attach_type)
{
	for (size_t i = 0; i < G_N_ELEMENTS(attach_types); i++)
		if (attach_types[i] == attach_type)
			return PLAN_HOOK_SOCK__FIRST + i;
	return PLAN_HOOK__MAX;
}

static int open_root(struct real *real, const char *root, GError **error)
{
	int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err;

	if (fd < 0)
		return error_set_errno(error, errno, "opening %s", root);
	err = cgroup_get_id(fd, &real->cgroup_id);
	if (err) {
		close(fd);
		return error_set_errno(error, -err, "%s", root);
	}
	real->cgroup_fd = fd;
	return 0;
}

int real_cgroup_open(struct real *real, GString *repaired, GError **error)
{
	g_autofree char *pins = links_dir(real);
	g_autofree char *root = NULL;
	bool mounted;
	int err;
	int fd;

	if (!real->config.node.enable_socket_lb && !real->config.node.protect_node_ports)
		return 0;
	err = cgroup_ensure(real->config.cgroup_root, &root, &mounted, error);
	if (!err && mounted) {
		real_note(repaired, "%s was not mounted", root);
		err = real_state_write(real, STATE_FILE, root, error);
	}
	if (!err && real->cgroup_fd < 0)
		err = open_root(real, root, error);
	if (err)
		return err;
	real->config.cgroup_is_container = !cgroup_is_of_machine(root);
	/* Pins are named by path: nobody else may put anything there. */
	fd = trusted_dir_open(pins, 0700, error);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

void real_cgroup_close(struct real *real)
{
	if (real->cgroup_fd >= 0)
		close(real->cgroup_fd);
	real->cgroup_fd = -1;
}

int real_cgroup_purge(struct real *real, GError **error)
{
	g_autofree char *mounted = NULL;
	int err = real_state_read(real, STATE_FILE, &mounted, error);

	real_cgroup_close(real);
	if (err || !mounted)
		return err;
	/* Where somebody works in it by now, it stays. */
	if (cgroup_is_mounted(mounted) && umount2(mounted, UMOUNT_NOFOLLOW) && errno != EBUSY)
		return error_set_errno(error, errno, "unmounting %s", mounted);
	return real_state_remove(real, STATE_FILE, error);
}

/* A link that the pin holds and that is on a cgroup; a pin of one that is on none goes. */
static int open_link(const char *path, struct cgroup_link_info *ret_info)
{
	int fd = bpffs_open_pin(path);
	int err;

	if (fd < 0)
		return fd;
	err = cgroup_link_get(fd, ret_info);
	if (!err && ret_info->cgroup_id)
		return fd;
	close(fd);
	unlink(path);
	return -ENOENT;
}

static enum plan_program program_of(const struct real *real, const struct cgroup_link_info *info)
{
	enum plan_program program = 0;

	/* On another directory than the one that is configured now: to be attached anew. */
	if (info->cgroup_id != real->cgroup_id)
		return PLAN_PROGRAM__MAX;
	while (program < PLAN_PROGRAM__MAX && real->program_ids[program] != info->program_id)
		program++;
	return program;
}

void real_cgroup_foreach(struct real *real,
			 void (*fn)(const struct plan_attachment_key *key,
				    enum plan_program program, void *data),
			 void *data)
{
	g_autofree char *pins = links_dir(real);
	g_autoptr(GDir) dir = g_dir_open(pins, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(pins, name, NULL);
		struct cgroup_link_info info;
		struct plan_attachment_key key = {0};
		int fd = open_link(path, &info);

		if (fd < 0)
			continue;
		close(fd);
		key.hook = hook_of(info.attach_type);
		if (key.hook < PLAN_HOOK__MAX)
			fn(&key, program_of(real, &info), data);
	}
}

static int make_link(struct real *real, const struct plan_attachment *attachment, const char *path)
{
	int program_fd = real->program_fds[attachment->program];
	enum bpf_attach_type type = attach_types[attachment->key.hook - PLAN_HOOK_SOCK__FIRST];
	int fd = bpf_link_create(program_fd, real->cgroup_fd, type, NULL);
	int err;

	if (fd < 0)
		return fd;
	if (unlink(path) && errno != ENOENT)
		err = -errno;
	else
		err = bpf_obj_pin(fd, path); /* without it the link ends with its descriptor */
	close(fd);
	return err;
}

int real_cgroup_attach(struct real *real, const struct plan_attachment *attachment)
{
	g_autofree char *path = link_path(real, attachment->program);
	struct cgroup_link_info info;
	int err;
	int fd;

	if (real->cgroup_fd < 0 || real->program_fds[attachment->program] < 0)
		return -EINVAL;
	fd = open_link(path, &info);
	if (fd >= 0 && info.cgroup_id == real->cgroup_id) {
		err = bpf_link_update(fd, real->program_fds[attachment->program], NULL);
		close(fd);
		return err;
	}
	/* The new one first: there is never none. */
	err = make_link(real, attachment, path);
	if (fd >= 0) {
		if (!err)
			err = bpf_link_detach(fd);
		close(fd);
	}
	return err;
}

int real_cgroup_detach(struct real *real, const struct plan_attachment_key *key)
{
	enum plan_program program = PLAN_PROGRAM_SOCK__FIRST + (key->hook - PLAN_HOOK_SOCK__FIRST);
	g_autofree char *path = link_path(real, program);
	struct cgroup_link_info info;
	int fd = open_link(path, &info);
	int err;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	/* At once: without this the program runs until the kernel gets to the last unpin. */
	err = bpf_link_detach(fd);
	close(fd);
	if (!err && unlink(path))
		err = -errno;
	return err;
}
