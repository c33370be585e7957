// SPDX-License-Identifier: Apache-2.0
#include "src/datapath/explain.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "src/sys/bpffs.h"
#include "datapath.skel.h"
#include "src/datapath/libbpf_text.h"
#include "src/datapath/real_private.h"

#define MAPS_OF_PROGRAM_MAX 64

struct explainer {
	struct bpf_map_ref maps[PLAN_MAP__MAX];
	struct node_config config;
	struct datapath_bpf *skeletons[EXPLAIN_PROGRAM__MAX]; /* NULL: not loaded yet */
};

static const struct {
	const char *name, *attached;
} programs[EXPLAIN_PROGRAM__MAX] = {
	[EXPLAIN_CONTAINER] = {"cil_explain_container", "cil_from_container"},
	[EXPLAIN_HOST] = {"cil_explain_host", "cil_from_host"},
	[EXPLAIN_NETDEV] = {"cil_explain_netdev", "cil_from_netdev"},
	[EXPLAIN_TO_NETDEV] = {"cil_explain_to_netdev", "cil_to_netdev"},
};

const char *explain_program_name(enum explain_program program)
{
	return programs[program].attached;
}

/* ---- what is in force ---- */

static int open_maps(struct explainer *explainer, const char *bpf_root, GError **error)
{
	for (enum plan_map map = 0; map < PLAN_MAP__MAX; map++) {
		int err = bpf_map_open(bpf_root, map_layout_get(map)->name, &explainer->maps[map],
				       error);

		if (err < 0)
			return err;
	}
	return 0;
}

/* Reads the constants out of the map if it is the program's .rodata, of the size of ours. */
static bool read_constants(uint32_t map_id, void *bytes, size_t n_bytes)
{
	struct bpf_map_info info = {0};
	uint32_t n_info_bytes = sizeof(info), zero = 0;
	int fd = bpf_map_get_fd_by_id(map_id);
	bool is_read = false;

	if (fd < 0)
		return false;
	if (!bpf_obj_get_info_by_fd(fd, &info, &n_info_bytes) &&
	    g_str_has_suffix(info.name, ".rodata") && info.value_size == n_bytes)
		is_read = !bpf_map_lookup_elem(fd, &zero, bytes);
	close(fd);
	return is_read;
}

static bool read_program_constants(const char *path, void *bytes, size_t n_bytes)
{
	uint32_t map_ids[MAPS_OF_PROGRAM_MAX];
	struct bpf_prog_info info = {
		.nr_map_ids = MAPS_OF_PROGRAM_MAX,
		.map_ids = (uintptr_t)map_ids,
	};
	uint32_t n_info_bytes = sizeof(info);
	int fd = bpffs_open_pin(path);
	bool is_read = false;

	if (fd < 0)
		return false;
	if (bpf_obj_get_info_by_fd(fd, &info, &n_info_bytes))
		info.nr_map_ids = 0;
	for (uint32_t i = 0; i < MIN(info.nr_map_ids, MAPS_OF_PROGRAM_MAX) && !is_read; i++)
		is_read = read_constants(map_ids[i], bytes, n_bytes);
	close(fd);
	return is_read;
}

/*
 * Programs are pinned under a digest of their code, their constants and their maps: where our code with
 * the constants that were read and the pinned maps gives the same, what runs is what we have.
 */
static bool is_our_set(struct explainer *explainer, const char *directory, const char *digest)
{
	g_autofree char *path =
		g_build_filename(directory, digest, programs[EXPLAIN_CONTAINER].attached, NULL);
	struct datapath_bpf *skeleton = explainer->skeletons[0];
	g_autofree char *ours = NULL;
	size_t n_elf_bytes;
	const void *elf = datapath_bpf__elf_bytes(&n_elf_bytes);

	if (!read_program_constants(path, (void *)skeleton->rodata,
				    bpf_map__value_size(skeleton->maps.rodata)))
		return false;
	memcpy(&explainer->config, (const void *)&skeleton->rodata->node_config,
	       sizeof(explainer->config));
	ours = real_program_digest(explainer->maps, elf, n_elf_bytes, &explainer->config);
	return !strcmp(ours, digest);
}

static int find_set(struct explainer *explainer, const char *bpf_root, GError **error)
{
	g_autofree char *path = g_build_filename(bpf_root, "cilium", "programs", NULL);
	g_autoptr(GDir) directory = g_dir_open(path, 0, NULL);
	const char *digest = NULL;
	unsigned int n_sets = 0;

	while (directory && (digest = g_dir_read_name(directory))) {
		if (is_our_set(explainer, path, digest))
			return 0;
		n_sets++;
	}
	if (!n_sets)
		return error_set(error, ENOENT,
				 "no programs are pinned in %s: no agent has run since the boot",
				 path);
	return error_set(
		error, EPROTO,
		"the programs in force are not those of this version, or an upgrade goes on: "
		"use the cilium of the agent that runs, or restart the agent");
}

/* ---- loading ---- */

static int open_skeleton(struct explainer *explainer, enum explain_program program, GError **error)
{
	struct datapath_bpf *skeleton = datapath_bpf__open();
	struct bpf_program *each;
	int err = 0;

	if (!skeleton)
		return libbpf_text_error(error, -errno, "opening the BPF programs");
	explainer->skeletons[program] = skeleton;
	bpf_object__for_each_program(each, skeleton->obj) bpf_program__set_autoload(
		each, !strcmp(bpf_program__name(each), programs[program].name));
	for (enum plan_map map = 0; map < PLAN_MAP__MAX && !err; map++) {
		const char *name = map_layout_get(map)->name;

		err = bpf_map__reuse_fd(bpf_object__find_map_by_name(skeleton->obj, name),
					explainer->maps[map].fd);
		if (err)
			error_set_errno(error, -err, "reusing the map %s", name);
	}
	return err;
}

static int load(struct explainer *explainer, enum explain_program program, GError **error)
{
	const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	struct datapath_bpf *skeleton = explainer->skeletons[program];
	int err;

	memcpy((void *)&skeleton->rodata->node_config, &explainer->config,
	       sizeof(explainer->config));
	/* Kernels before 5.11 count maps against this limit; where it may not be raised, it may be enough. */
	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	err = datapath_bpf__load(skeleton);
	return err ? libbpf_text_error(error, err, "loading the program that explains") : 0;
}

static void close_skeleton(struct explainer *explainer, enum explain_program program)
{
	g_clear_pointer(&explainer->skeletons[program], datapath_bpf__destroy);
}

/* Opened and loaded, or neither. */
static int ensure_loaded(struct explainer *explainer, enum explain_program program, GError **error)
{
	int err;

	if (explainer->skeletons[program])
		return 0;
	libbpf_text_begin();
	err = open_skeleton(explainer, program, error);
	if (!err)
		err = load(explainer, program, error);
	if (err)
		close_skeleton(explainer, program);
	libbpf_text_end();
	return err;
}

struct explainer *explainer_new(const char *bpf_root, GError **error)
{
	struct explainer *explainer = g_new0(struct explainer, 1);
	int err;

	for (enum plan_map map = 0; map < PLAN_MAP__MAX; map++)
		explainer->maps[map].fd = -1;
	err = open_maps(explainer, bpf_root, error);
	libbpf_text_begin();
	/* Only to see how large its constants are; each program is opened anew. */
	if (!err)
		err = open_skeleton(explainer, 0, error);
	if (!err)
		err = find_set(explainer, bpf_root, error);
	close_skeleton(explainer, 0);
	libbpf_text_end();
	if (!err)
		return explainer;
	explainer_free(explainer);
	return NULL;
}

void explainer_free(struct explainer *explainer)
{
	if (!explainer)
		return;
	for (enum explain_program program = 0; program < EXPLAIN_PROGRAM__MAX; program++)
		close_skeleton(explainer, program);
	for (enum plan_map map = 0; map < PLAN_MAP__MAX; map++)
		bpf_map_close(&explainer->maps[map]);
	g_free(explainer);
}

const struct node_config *explainer_get_config(const struct explainer *explainer)
{
	return &explainer->config;
}

/* ---- running ---- */

static int program_fd(const struct datapath_bpf *skeleton, enum explain_program program)
{
	const struct bpf_program *const by_program[EXPLAIN_PROGRAM__MAX] = {
		[EXPLAIN_CONTAINER] = skeleton->progs.cil_explain_container,
		[EXPLAIN_HOST] = skeleton->progs.cil_explain_host,
		[EXPLAIN_NETDEV] = skeleton->progs.cil_explain_netdev,
		[EXPLAIN_TO_NETDEV] = skeleton->progs.cil_explain_to_netdev,
	};

	return bpf_program__fd(by_program[program]);
}

int explainer_run(struct explainer *explainer, enum explain_program program,
		  const struct explain_packet *packet, struct explain *ret_explain, GError **error)
{
	/* The program writes into what it is given. */
	uint8_t out[EXPLAIN_FRAME_BYTES_MAX + 256];
	struct __sk_buff context = {.ifindex = packet->ifindex, .mark = packet->mark};
	struct bpf_test_run_opts options = {
		.sz = sizeof(options),
		.data_in = packet->frame,
		.data_size_in = packet->n_bytes,
		.data_out = out,
		.data_size_out = sizeof(out),
		.ctx_in = &context,
		.ctx_size_in = sizeof(context),
		.repeat = 1,
	};
	const struct datapath_bpf *skeleton;
	uint32_t zero = 0;
	int err = ensure_loaded(explainer, program, error);

	if (err)
		return err;
	skeleton = explainer->skeletons[program];
	err = bpf_prog_test_run_opts(program_fd(skeleton, program), &options);
	if (err)
		return error_set_errno(error, -err, "running %s on the packet",
				       programs[program].name);
	if (bpf_map_lookup_elem(bpf_map__fd(skeleton->maps.cilium_explain), &zero, ret_explain))
		return error_set_errno(error, errno, "reading cilium_explain");
	return 0;
}
