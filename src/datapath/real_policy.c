// SPDX-License-Identifier: Apache-2.0
/* What policy needs of the kernel besides entries of maps: one store that is seen at once, and a wait. */
#include "src/datapath/real_private.h"

#include <bpf/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

#define ENDPOINTS_BYTES (POLICY_ENDPOINTS_MAX * sizeof(struct policy_endpoint))

int real_policy_open(struct real *real, GError **error)
{
	const struct bpf_map_ref *inner = &real->maps[PLAN_MAP_cilium_runtime_config];
	LIBBPF_OPTS(bpf_map_create_opts, options, .inner_map_fd = inner->fd);
	void *memory = mmap(NULL, ENDPOINTS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
			    real->maps[PLAN_MAP_cilium_policy_endpoint].fd, 0);

	if (memory == MAP_FAILED)
		return error_set_errno(error, errno, "mapping cilium_policy_endpoint");
	real->policy_endpoints = memory;
	real->grace_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "cilium_grace",
					sizeof(uint32_t), sizeof(uint32_t), 1, &options);
	if (real->grace_fd < 0)
		return error_set_errno(error, -real->grace_fd, "making the map cilium_grace");
	return 0;
}

void real_policy_close(struct real *real)
{
	if (real->policy_endpoints)
		munmap(real->policy_endpoints, ENDPOINTS_BYTES);
	if (real->grace_fd >= 0)
		close(real->grace_fd);
}

struct policy_endpoint real_policy_get(struct datapath *dp, uint16_t endpoint_id)
{
	struct policy_endpoint element;

	__atomic_load(&real_get(dp)->policy_endpoints[endpoint_id], &element, __ATOMIC_RELAXED);
	return element;
}

void real_policy_set(struct datapath *dp, uint16_t endpoint_id,
		     const struct policy_endpoint *element)
{
	struct policy_endpoint value = *element;

	/* The entries that it leads to are there before it: system calls made them. */
	__atomic_store(&real_get(dp)->policy_endpoints[endpoint_id], &value, __ATOMIC_RELEASE);
}

/*
 * The kernel answers the change of a map of maps when no program can be using the old one
 * (maybe_wait_bpf_programs() since 4.18): that is the wait, whatever the map holds. membarrier() is no
 * such promise, and refuses on kernels with nohz_full.
 */
int real_wait_programs(struct datapath *dp)
{
	const struct real *real = real_get(dp);
	const uint32_t first = 0;
	const int inner_fd = real->maps[PLAN_MAP_cilium_runtime_config].fd;

	return bpf_map_update_elem(real->grace_fd, &first, &inner_fd, BPF_ANY);
}
