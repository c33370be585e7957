// SPDX-License-Identifier: Apache-2.0
#include "src/datapath/real_private.h"

#include <bpf/bpf.h>
#include <stdio.h>
#include <unistd.h>
#include "src/sys/bpffs.h"

static char *devices_dir(const struct real *real)
{
	return g_build_filename(real->bpf_root, "cilium", "devices", NULL);
}

/* bpffs has no names with a dot, and no name of a device has a colon. */
char *real_link_path(const struct real *real, const struct plan_attachment *attachment)
{
	g_autofree char *device = g_strdelimit(g_strdup(attachment->ifname), ".", ':');

	return g_build_filename(real->bpf_root, "cilium", "devices", device, "links",
				program_name(attachment->program), NULL);
}

void real_link_unpin(const char *path)
{
	g_autofree char *links_dir = g_path_get_dirname(path);
	g_autofree char *device_dir = g_path_get_dirname(links_dir);

	unlink(path);
	/* Both stay where they are not empty. */
	rmdir(links_dir);
	rmdir(device_dir);
}

/* Reads what a pin is about, or removes it where its device is gone. */
static int read_pin(const char *path, struct tcx_link_info *ret_info)
{
	int fd = bpffs_open_pin(path);
	int err;

	if (fd < 0)
		return fd;
	err = tcx_link_get(fd, ret_info);
	close(fd);
	if (!err && ret_info->ifindex)
		return 0;
	real_link_unpin(path);
	return -ENODEV;
}

static GPtrArray *list_dir(const char *path)
{
	GPtrArray *paths = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir)))
		g_ptr_array_add(paths, g_build_filename(path, name, NULL));
	return paths;
}

GPtrArray *real_link_list(const struct real *real, enum plan_program program)
{
	g_autofree char *root = devices_dir(real);
	g_autoptr(GPtrArray) devices = list_dir(root);
	GPtrArray *paths = g_ptr_array_new_with_free_func(g_free);

	for (guint i = 0; i < devices->len; i++) {
		char *path =
			g_build_filename(devices->pdata[i], "links", program_name(program), NULL);

		if (access(path, F_OK) == 0)
			g_ptr_array_add(paths, path);
		else
			g_free(path);
	}
	return paths;
}

static bool is_of_xdp(const char *path)
{
	g_autofree char *name = g_path_get_basename(path);

	return g_str_equal(name, program_name(PLAN_PROGRAM_XDP_ENTRY));
}

void real_link_foreach(struct real *real, void (*fn)(const struct real_link *link, void *data),
		       void *data)
{
	g_autofree char *root = devices_dir(real);
	g_autoptr(GPtrArray) devices = list_dir(root);

	for (guint i = 0; i < devices->len; i++) {
		g_autofree char *links_dir = g_build_filename(devices->pdata[i], "links", NULL);
		g_autoptr(GPtrArray) pins = list_dir(links_dir);

		for (guint j = 0; j < pins->len; j++) {
			struct real_link link = {.path = pins->pdata[j]};

			if (!is_of_xdp(link.path) && !read_pin(link.path, &link.info))
				fn(&link, data);
		}
	}
}

struct search {
	struct plan_attachment_key key;
	char *path; /* of the link found */
};

static void match_link(const struct real_link *link, void *data)
{
	struct search *search = data;

	if (!search->path && link->info.ifindex == search->key.ifindex &&
	    (uint32_t)link->info.hook == search->key.hook)
		search->path = g_strdup(link->path);
}

static char *find_link(struct real *real, const struct plan_attachment_key *key)
{
	struct search search = {.key = *key};

	real_link_foreach(real, match_link, &search);
	return search.path;
}

int real_link_move(const char *from, const char *to)
{
	g_autofree char *to_dir = g_path_get_dirname(to);

	if (g_str_equal(from, to))
		return 0;
	if (g_mkdir_with_parents(to_dir, 0700) || rename(from, to))
		return -errno;
	real_link_unpin(from); /* its directories */
	return 0;
}

static int update_link(const char *path, const char *new_path, int program_fd)
{
	int fd = bpffs_open_pin(path);
	int err;

	if (fd < 0)
		return fd;
	err = bpf_link_update(fd, program_fd, NULL);
	close(fd);
	return err ? err : real_link_move(path, new_path);
}

int real_link_make_room(const char *path)
{
	g_autofree char *dir = g_path_get_dirname(path);

	if (g_mkdir_with_parents(dir, 0700))
		return -errno;
	/* That of a device which had the name before; or of our own link, on a bpffs that does not let us read it. */
	if (unlink(path) && errno != ENOENT)
		return -errno;
	return 0;
}

int real_link_pin(int take_fd, const char *path)
{
	int err = bpf_obj_pin(take_fd, path);

	close(take_fd);
	return err;
}

int real_link_end(int fd, const char *path)
{
	int err = bpf_link_detach(fd);

	if (!err)
		real_link_unpin(path);
	return err;
}

static int make_link(const struct plan_attachment_key *key, const char *path, int program_fd)
{
	int err = real_link_make_room(path);
	int fd;

	if (err)
		return err;
	fd = tcx_link_new(key->ifindex, key->hook, program_fd);
	if (fd < 0) {
		real_link_unpin(path); /* its directories */
		return fd;
	}
	return real_link_pin(fd, path);
}

int real_link_attach(struct real *real, const struct plan_attachment *attachment)
{
	g_autofree char *found = find_link(real, &attachment->key);
	g_autofree char *path = real_link_path(real, attachment);
	int program_fd = real->program_fds[attachment->program];

	if (found)
		return update_link(found, path, program_fd);
	return make_link(&attachment->key, path, program_fd);
}

int real_link_detach(struct real *real, const struct plan_attachment_key *key)
{
	g_autofree char *path = find_link(real, key);
	int err;
	int fd;

	if (!path)
		return -ENOENT;
	fd = bpffs_open_pin(path);
	if (fd < 0) {
		real_link_unpin(path);
		return 0;
	}
	err = real_link_end(fd, path);
	close(fd);
	return err;
}
