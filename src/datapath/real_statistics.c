// SPDX-License-Identifier: Apache-2.0
#include "src/datapath/real_private.h"

#include <linux/bpf.h>
#include "src/base/clock.h"
#include "src/sys/fdinfo.h"

void real_count(struct real *real, enum plan_map map, enum datapath_map_op op, int64_t started_ns,
		int err)
{
	struct datapath_statistics *statistics = &real->statistics;
	int64_t duration_ns = clock_monotonic_ns() - started_ns;

	if (err && err != -ENOENT) {
		statistics->maps[map].n_failed[op]++;
		histogram_add_ns(&statistics->failed_times[op], duration_ns);
	} else {
		statistics->maps[map].n_done[op]++;
		histogram_add_ns(&statistics->done_times[op], duration_ns);
	}
}

const struct datapath_statistics *real_get_statistics(struct datapath *dp)
{
	struct real *real = real_get(dp);

	for (enum plan_map map = 0; map < PLAN_MAP__MAX; map++) {
		real->statistics.maps[map].max_entries = real->maps[map].max_entries;
		/* Programs fill them, and the kernel empties them. */
		if (real->maps[map].type == BPF_MAP_TYPE_LRU_HASH)
			real_map_estimate(real, map);
	}
	return &real->statistics;
}

static int add_memory(int fd, uint64_t *sum_bytes)
{
	uint64_t n_bytes = 0;
	int err = fd < 0 ? 0 : fdinfo_get(fd, "memlock", &n_bytes);

	*sum_bytes += n_bytes;
	return err;
}

int real_get_memory(struct datapath *dp, uint64_t *ret_map_bytes, uint64_t *ret_program_bytes)
{
	const struct real *real = real_get(dp);
	uint64_t map_bytes = 0, program_bytes = 0;
	int err = 0;

	for (enum plan_map map = 0; !err && map < PLAN_MAP__MAX; map++)
		err = add_memory(real->maps[map].fd, &map_bytes);
	for (enum plan_program program = 0; !err && program < PLAN_PROGRAM__MAX; program++)
		err = add_memory(real->program_fds[program], &program_bytes);
	if (err)
		return err;
	*ret_map_bytes = map_bytes;
	*ret_program_bytes = program_bytes;
	return 0;
}
