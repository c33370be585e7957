/* SPDX-License-Identifier: Apache-2.0 */
#include "src/datapath/real_private.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include "src/base/atomic_file.h"
#include "src/base/log.h"

static struct bpf_map *declared_map(const struct bpf_object *object, enum plan_map map)
{
	struct bpf_map *declared = bpf_object__find_map_by_name(object, map_layout_get(map)->name);

	/* abi/map.def and bpf/lib/maps.h are one list. */
	g_assert(declared);
	return declared;
}

static int open_map(struct real *real, enum plan_map map, struct bpf_map *declared, GError **error)
{
	g_autofree char *path = real_map_path(real, map);
	int err = 0;

	if (real->config.max_entries[map])
		err = bpf_map__set_max_entries(declared, real->config.max_entries[map]);
	if (err)
		return error_set_errno(error, -err, "sizing the map %s", map_layout_get(map)->name);
	if (real->maps[map].fd >= 0) {
		err = bpf_map__reuse_fd(declared, real->maps[map].fd);
		return err ? error_set_errno(error, -err, "reusing the map %s", path) : 0;
	}
	err = bpf_map_open_path(path, &real->maps[map]);
	if (err && err != -ENOENT)
		return atomic_file_set_error(error, -err, "opening the map", path);
	return 0;
}

int real_adopt_open(struct real *real, struct bpf_object *object, GError **error)
{
	for (enum plan_map map = 0; map < PLAN_MAP__MAX; map++) {
		int err = open_map(real, map, declared_map(object, map), error);

		if (err)
			return err;
	}
	return 0;
}

static bool fits(const struct bpf_map_ref *pinned, const struct bpf_map *declared)
{
	return pinned->fd >= 0 && pinned->type == (uint32_t)bpf_map__type(declared) &&
	       pinned->n_key_bytes == bpf_map__key_size(declared) &&
	       pinned->n_value_bytes == bpf_map__value_size(declared) &&
	       pinned->max_entries == bpf_map__max_entries(declared) &&
	       pinned->flags == bpf_map__map_flags(declared);
}

bool real_adopt_fits(const struct real *real, const struct bpf_object *object)
{
	for (enum plan_map map = 0; map < PLAN_MAP__MAX; map++)
		if (!fits(&real->maps[map], declared_map(object, map)))
			return false;
	return true;
}

/* The kernel's BTF of maps, of which all of one object have the same. */
struct kernel_btf {
	uint32_t id;
	struct btf *btf; /* NULL: not readable */
};

static const struct btf *read_btf(struct kernel_btf *kernel, uint32_t id)
{
	if (id != kernel->id) {
		btf__free(kernel->btf);
		kernel->btf = id ? btf__load_from_kernel_by_id(id) : NULL;
		kernel->id = id;
	}
	return kernel->btf;
}

/* The indexes of an array are ours, and so is what they stand for: another length is another meaning. */
static bool is_other_array(const struct bpf_map_ref *pinned, const struct bpf_map *declared)
{
	return (pinned->type == BPF_MAP_TYPE_ARRAY || pinned->type == BPF_MAP_TYPE_PERCPU_ARRAY) &&
	       pinned->max_entries != bpf_map__max_entries(declared);
}

/* Makes the pinned map an old one, whose place a new one takes. */
static void retire(struct real *real, enum plan_map map, struct conversion *conversion)
{
	if (real->maps[map].type != BPF_MAP_TYPE_RINGBUF)
		log_info("datapath", "A map takes the place of another version's",
			 "map=%s entries=%s", map_layout_get(map)->name,
			 conversion ? "kept" : "anew");
	real->old_maps[map] = real->maps[map];
	real->maps[map].fd = -1;
	real->conversions[map] = conversion;
}

static void judge(struct real *real, enum plan_map map, const struct bpf_object *object,
		  struct kernel_btf *kernel)
{
	const struct bpf_map *declared = declared_map(object, map);
	const struct bpf_map_ref *pinned = &real->maps[map];
	const struct map_types to = {bpf_object__btf(object), bpf_map__btf_key_type_id(declared),
				     bpf_map__btf_value_type_id(declared)};
	const struct map_types from = {read_btf(kernel, pinned->btf_id), pinned->btf_key_id,
				       pinned->btf_value_id};
	bool is_known = from.btf && from.key_id && from.value_id;
	bool is_same = is_known && conversion_is_identity(&from, &to);
	bool is_kept;

	/* Nothing tells the layout of what is in a ring: programs of another set get another one. */
	if (is_same && fits(pinned, declared))
		return;
	/* What the plan fills is made from the plan; of the rest, what another version can say. */
	is_kept = is_known && (is_same || map_layout_get(map)->filler != MAP_FILLED_BY_ENTRIES) &&
		  pinned->type == (uint32_t)bpf_map__type(declared) &&
		  !is_other_array(pinned, declared);
	retire(real, map, is_kept ? conversion_new(&from, &to) : NULL);
}

int real_adopt_maps(struct real *real, struct bpf_object *object, GError **error)
{
	struct kernel_btf kernel = {0};
	int err = 0;

	for (enum plan_map map = 0; !err && map < PLAN_MAP__MAX; map++) {
		if (real->maps[map].fd >= 0)
			judge(real, map, object, &kernel);
		if (real->maps[map].fd >= 0)
			err = bpf_map__reuse_fd(declared_map(object, map), real->maps[map].fd);
		if (err)
			error_set_errno(error, -err, "reusing the map %s",
					map_layout_get(map)->name);
	}
	btf__free(kernel.btf);
	return err;
}
