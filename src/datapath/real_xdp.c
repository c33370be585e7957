// SPDX-License-Identifier: Apache-2.0
#include "src/datapath/real_private.h"

#include <bpf/bpf.h>
#include <unistd.h>
#include "src/sys/bpffs.h"
#include "src/sys/xdp.h"

static enum xdp_mode wanted_mode(const struct real *real)
{
	return real->config.xdp == DATAPATH_XDP_GENERIC ? XDP_MODE_GENERIC : XDP_MODE_NATIVE;
}

/* The pinned link, which is opened; −ENOENT where there is none on a device: then its pin goes. */
static int open_link(const char *path, struct xdp_link_info *ret_info)
{
	int fd = bpffs_open_pin(path);
	int err;

	if (fd < 0)
		return fd;
	err = xdp_link_get(fd, ret_info);
	if (!err && ret_info->ifindex)
		return fd;
	close(fd);
	if (!err)
		real_link_unpin(path);
	return -ENOENT;
}

/* A pinned link that is on a device. */
struct found {
	char *path;
	int fd;
	struct xdp_link_info info;
};

static void found_clear(struct found *found)
{
	g_clear_pointer(&found->path, g_free);
	if (found->fd >= 0)
		close(found->fd);
	found->fd = -1;
}

/* Those of all devices, or of one (ifindex not 0). fn may take what is found, leaving path NULL and fd −1. */
static void foreach_found(struct real *real, uint32_t ifindex,
			  void (*fn)(struct found *found, void *data), void *data)
{
	g_autoptr(GPtrArray) paths = real_link_list(real, PLAN_PROGRAM_XDP_ENTRY);

	for (guint i = 0; i < paths->len; i++) {
		struct found found = {.path = g_strdup(paths->pdata[i])};

		found.fd = open_link(found.path, &found.info);
		if (found.fd >= 0 && (!ifindex || found.info.ifindex == ifindex))
			fn(&found, data);
		found_clear(&found);
	}
}

static void take_found(struct found *found, void *data)
{
	struct found *taken = data;

	found_clear(taken);
	*taken = *found;
	*found = (struct found){.fd = -1};
}

/* False: there is none. */
static bool find_link(struct real *real, uint32_t ifindex, struct found *ret_found)
{
	*ret_found = (struct found){.fd = -1};
	foreach_found(real, ifindex, take_found, ret_found);
	return ret_found->fd >= 0;
}

static void forget_refusal(struct real *real, uint32_t ifindex)
{
	g_hash_table_remove(real->xdp_refusals, GUINT_TO_POINTER(ifindex));
}

/* With best effort a device that cannot is no failure: it counts as served, until it is new. */
static int refused(struct real *real, uint32_t ifindex, int err)
{
	switch (-err) {
	case EPERM:
	case ENODEV:
	case ENOMEM:
		return err;
	}
	if (real->config.xdp != DATAPATH_XDP_BEST_EFFORT)
		return err;
	g_hash_table_insert(real->xdp_refusals, GUINT_TO_POINTER(ifindex), GINT_TO_POINTER(-err));
	return 0;
}

static int make_link(struct real *real, const struct plan_attachment *attachment)
{
	g_autofree char *path = real_link_path(real, attachment);
	int err = real_link_make_room(path);
	int fd;

	if (err)
		return err;
	fd = xdp_link_new(attachment->key.ifindex, wanted_mode(real),
			  real->program_fds[attachment->program]);
	if (fd < 0) {
		real_link_unpin(path); /* its directories */
		return refused(real, attachment->key.ifindex, fd);
	}
	return real_link_pin(fd, path);
}

int real_xdp_attach(struct real *real, const struct plan_attachment *attachment)
{
	g_autofree char *path = real_link_path(real, attachment);
	uint32_t ifindex = attachment->key.ifindex;
	int program_fd = real->program_fds[attachment->program];
	struct found found;
	enum xdp_mode mode;
	int err;

	if (program_fd < 0)
		return -EINVAL;
	forget_refusal(real, ifindex);
	if (!find_link(real, ifindex, &found))
		return make_link(real, attachment);
	err = xdp_mode_get(ifindex, &mode);
	if (!err && mode == wanted_mode(real)) {
		err = bpf_link_update(found.fd, program_fd, NULL);
		if (!err)
			err = real_link_move(found.path, path);
	} else if (!err) {
		/* One device runs programs in one mode: services go by way of tc meanwhile. */
		err = real_link_end(found.fd, found.path);
		if (!err)
			err = make_link(real, attachment);
	}
	found_clear(&found);
	return err;
}

int real_xdp_detach(struct real *real, uint32_t ifindex)
{
	struct found found;
	int err;

	forget_refusal(real, ifindex);
	if (!find_link(real, ifindex, &found))
		return 0;
	err = real_link_end(found.fd, found.path);
	found_clear(&found);
	return err;
}

struct reading {
	struct real *real;
	void (*fn)(const struct plan_attachment_key *key, enum plan_program program, void *data);
	void *data;
};

static void read_found(struct found *found, void *data)
{
	struct reading *reading = data;
	struct real *real = reading->real;
	struct plan_attachment_key key = {found->info.ifindex, PLAN_HOOK_XDP};
	enum xdp_mode mode;
	bool is_current = real->program_ids[PLAN_PROGRAM_XDP_ENTRY] == found->info.program_id &&
			  !xdp_mode_get(key.ifindex, &mode) && mode == wanted_mode(real);

	reading->fn(&key, is_current ? PLAN_PROGRAM_XDP_ENTRY : PLAN_PROGRAM__MAX, reading->data);
}

void real_xdp_foreach(struct real *real,
		      void (*fn)(const struct plan_attachment_key *key, enum plan_program program,
				 void *data),
		      void *data)
{
	struct reading reading = {.real = real, .fn = fn, .data = data};
	GHashTableIter iter;
	void *ifindex;

	foreach_found(real, 0, read_found, &reading);
	g_hash_table_iter_init(&iter, real->xdp_refusals);
	while (g_hash_table_iter_next(&iter, &ifindex, NULL)) {
		struct plan_attachment_key key = {GPOINTER_TO_UINT(ifindex), PLAN_HOOK_XDP};

		fn(&key, PLAN_PROGRAM_XDP_ENTRY, data);
	}
}
