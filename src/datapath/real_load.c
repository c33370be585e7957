// SPDX-License-Identifier: Apache-2.0
#include "src/datapath/real_private.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "datapath.skel.h"
#include "src/base/atomic_file.h"
#include "src/datapath/libbpf_text.h"
#include "src/sys/netns.h"

/* Kernels before 5.11 count maps against this limit. Where it may not be raised, the load may fail. */
static void raise_memlock(struct datapath_config *config)
{
	const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};

	if (!config->kernel.has_memcg_accounting && setrlimit(RLIMIT_MEMLOCK, &unlimited))
		config->memlock_error = errno;
}

/* The configuration as the programs read it. */
static struct node_config node_in_ticks(const struct real *real)
{
	struct node_config node = real->config.node;
	uint32_t *const timeouts[] = {&node.ct_timeout_tcp, &node.ct_timeout_tcp_syn,
				      &node.ct_timeout_tcp_fin, &node.ct_timeout_any};

	for (size_t i = 0; i < G_N_ELEMENTS(timeouts); i++)
		*timeouts[i] = jiffies_ticks_from_seconds(&real->clock, *timeouts[i]);
	return node;
}

/* Descriptors of our own: the object, and the memory that libbpf needs for it, goes after the load. */
static int keep_fd(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	return copy < 0 ? -errno : copy;
}

static int keep_maps(struct real *real, struct bpf_object *object, GError **error)
{
	for (enum plan_map map = 0; map < PLAN_MAP__MAX; map++) {
		struct bpf_map *declared;
		int err;

		if (real->maps[map].fd >= 0)
			continue;
		declared = bpf_object__find_map_by_name(object, map_layout_get(map)->name);
		err = bpf_map_open_fd(keep_fd(bpf_map__fd(declared)), &real->maps[map]);
		if (err)
			return error_set_errno(error, -err, "opening the map %s",
					       map_layout_get(map)->name);
	}
	return 0;
}

static int keep_programs(struct real *real, struct bpf_object *object, GError **error)
{
	for (enum plan_program program = 0; program < PLAN_PROGRAM__MAX; program++) {
		const char *name = program_name(program);
		struct bpf_program *loaded = bpf_object__find_program_by_name(object, name);
		int fd;

		g_assert(loaded);
		if (!real_program_is_wanted(real, program))
			continue;
		fd = keep_fd(bpf_program__fd(loaded));
		if (fd < 0)
			return error_set_errno(error, -fd, "keeping the program %s", name);
		real->program_fds[program] = fd;
	}
	return 0;
}

/* Makes the maps and programs that were not there. */
static int load_object(struct real *real, struct bpf_object *object, GError **error)
{
	int err = bpf_object__load(object);

	if (err)
		return libbpf_text_error(error, err, "loading the BPF programs");
	err = keep_maps(real, object, error);
	return err ? err : keep_programs(real, object, error);
}

static int read_program_ids(struct real *real, GError **error)
{
	for (enum plan_program program = 0; program < PLAN_PROGRAM__MAX; program++) {
		struct bpf_prog_info info = {0};
		uint32_t n_bytes = sizeof(info);
		int err;

		real->program_ids[program] = 0;
		if (real->program_fds[program] < 0)
			continue;
		err = bpf_obj_get_info_by_fd(real->program_fds[program], &info, &n_bytes);
		if (err)
			return error_set_errno(error, -err, "asking for the program %s",
					       program_name(program));
		real->program_ids[program] = info.id;
	}
	return 0;
}

/*
 * Programs that are no attachment's: whoever wants one loads it for itself. And those that would be
 * attached nowhere: the kernel may lack what they need.
 */
static void leave_out_others(const struct real *real, const struct bpf_object *object)
{
	struct bpf_program *declared;

	bpf_object__for_each_program(declared, object)
	{
		bool is_ours = false;

		for (enum plan_program program = 0; program < PLAN_PROGRAM__MAX; program++)
			is_ours |= real_program_is_wanted(real, program) &&
				   !strcmp(bpf_program__name(declared), program_name(program));
		bpf_program__set_autoload(declared, is_ours);
	}
}

static int open_set(struct real *real, struct datapath_bpf *skeleton, GError **error)
{
	struct node_config node = node_in_ticks(real);
	size_t n_elf_bytes;
	const void *elf = datapath_bpf__elf_bytes(&n_elf_bytes);
	bool is_again = real->maps[0].fd >= 0; /* the maps are in use by the set before */
	int err;

	memcpy((void *)&skeleton->rodata->node_config, &node, sizeof(node));
	leave_out_others(real, skeleton->obj);
	err = real_adopt_open(real, skeleton->obj, error);
	if (err)
		return err;
	if (real_adopt_fits(real, skeleton->obj)) {
		real->digest = real_program_digest(real->maps, elf, n_elf_bytes, &node);
		/* These very programs, made for these very maps: no layout can be another. */
		if (!real_program_open(real, real->digest))
			return read_program_ids(real, error);
	}
	if (!is_again)
		err = real_adopt_maps(real, skeleton->obj, error);
	if (!err)
		err = load_object(real, skeleton->obj, error);
	if (err)
		return err;
	g_free(real->digest);
	real->digest = real_program_digest(real->maps, elf, n_elf_bytes, &node);
	err = real_program_pin(real, real->digest, error);
	return err ? err : read_program_ids(real, error);
}

static int load_set(struct real *real, GError **error)
{
	struct datapath_bpf *skeleton;
	int err;

	libbpf_text_begin();
	skeleton = datapath_bpf__open();
	if (skeleton)
		err = open_set(real, skeleton, error);
	else
		err = libbpf_text_error(error, -errno, "opening the BPF programs");
	datapath_bpf__destroy(skeleton);
	libbpf_text_end();
	return err;
}

static void close_programs(const int fds[PLAN_PROGRAM__MAX])
{
	for (enum plan_program program = 0; program < PLAN_PROGRAM__MAX; program++)
		if (fds[program] >= 0)
			close(fds[program]);
}

int real_load_programs_again(struct real *real, GError **error)
{
	struct real before = *real;
	int err;

	real->digest = NULL;
	for (enum plan_program program = 0; program < PLAN_PROGRAM__MAX; program++)
		real->program_fds[program] = -1;
	err = load_set(real, error);
	if (!err) {
		close_programs(before.program_fds);
		g_free(before.digest);
		real_program_prune(real, real->digest);
		return 0;
	}
	close_programs(real->program_fds);
	g_free(real->digest);
	memcpy(real->program_fds, before.program_fds, sizeof(real->program_fds));
	memcpy(real->program_ids, before.program_ids, sizeof(real->program_ids));
	real->digest = before.digest;
	return err;
}

/*
 * A map that takes another's place gets its pin when its entries are complete; but nothing is carried
 * over into a ring, and its reader opens it by its pin.
 */
static bool is_pinned_at_once(const struct real *real, enum plan_map map)
{
	g_autofree char *path = real_map_path(real, map);

	if (real->old_maps[map].fd >= 0)
		return real->maps[map].type == BPF_MAP_TYPE_RINGBUF;
	return !g_file_test(path, G_FILE_TEST_EXISTS);
}

static int fill_maps(struct real *real, GError **error)
{
	for (enum plan_map map = 0; map < PLAN_MAP__MAX; map++) {
		int err = real_map_carry(real, map, false, error);

		if (!err && is_pinned_at_once(real, map))
			err = real_map_pin(real, map, error);
		if (err)
			return err;
	}
	return 0;
}

/* What the programs on sockets have to know of this kernel and of the agent's namespace. */
static void read_socket_features(struct node_config *node)
{
	uint64_t cookie;

	node->has_set_retval = node->enable_socket_lb && kernel_has_set_retval();
	/* Without it the programs take the machine's first namespace for the agent's. */
	node->host_netns_cookie = netns_get_cookie(&cookie) ? 0 : cookie;
}

int real_load(struct datapath *dp, struct datapath_config *config, GError **error)
{
	struct real *real = real_get(dp);
	g_autoptr(GString) made = g_string_new(NULL);
	int err = real_open(real, error);

	if (err)
		return err;
	real->config = *config;
	real->config.node.host_ifindex = 0;
	kernel_features_read(&real->config.kernel);
	if (!real->config.kernel.has_tcx)
		real->config.enable_tcx = real->config.enable_pod_tcx = false;
	raise_memlock(&real->config);
	err = jiffies_clock_init(&real->clock, error);
	if (!err)
		err = real_node_ensure(real, made, error);
	if (!err)
		err = real_cgroup_open(real, made, error);
	read_socket_features(&real->config.node);
	real->config.node.ct_tick_shift = real->clock.tick_shift;
	real->config.jiffies_hz = real->clock.hz;
	if (!err)
		err = load_set(real, error);
	if (!err)
		err = fill_maps(real, error);
	if (!err)
		err = real_policy_open(real, error);
	if (!err) {
		err = real_set_runtime(dp, &config->runtime);
		if (err)
			error_set_errno(error, -err, "writing cilium_runtime_config");
	}
	if (!err)
		*config = real->config;
	return err;
}

int real_load_catch_up(struct datapath *dp, GError **error)
{
	struct real *real = real_get(dp);
	int err = 0;

	for (enum plan_map map = 0; !err && map < PLAN_MAP__MAX; map++)
		/* What the reconcilers fill is as they want it: no old entry may come back. */
		if (real->old_maps[map].fd >= 0 &&
		    map_layout_get(map)->filler == MAP_FILLED_BY_PROGRAMS)
			err = real_map_carry(real, map, true, error);
	return err;
}

int real_load_finish(struct datapath *dp, GError **error)
{
	struct real *real = real_get(dp);
	int err = real_load_catch_up(dp, error);

	if (err)
		return err;
	for (enum plan_map map = 0; map < PLAN_MAP__MAX; map++) {
		if (real->old_maps[map].fd < 0)
			continue;
		err = real_map_pin(real, map, error);
		if (err)
			return err;
		bpf_map_close(&real->old_maps[map]);
		g_clear_pointer(&real->conversions[map], conversion_free);
	}
	real_program_prune(real, real->digest);
	return 0;
}
