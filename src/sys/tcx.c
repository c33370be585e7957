// SPDX-License-Identifier: Apache-2.0
#include "src/sys/tc.h"

#include <bpf/bpf.h>
#include <string.h>

/* Of Linux 6.6; the headers that this is built with may be older. */
#define ATTACH_TCX_INGRESS 46
#define ATTACH_TCX_EGRESS  47
#define LINK_TYPE_TCX      11

/* Of struct bpf_link_info, of which older headers lack the last two members. */
struct tcx_kernel_info {
	uint32_t type;
	uint32_t id;
	uint32_t program_id;
	uint32_t pad;
	uint32_t ifindex;
	uint32_t attach_type;
};

static enum bpf_attach_type attach_type(enum tc_hook hook)
{
	return (enum bpf_attach_type)(hook == TC_HOOK_INGRESS ? ATTACH_TCX_INGRESS
							      : ATTACH_TCX_EGRESS);
}

bool tcx_is_supported(void)
{
	const uint32_t loopback_ifindex = 1; /* of every network namespace */
	uint32_t n_programs = 0;
	uint32_t flags = 0;
	int err = bpf_prog_query(loopback_ifindex, attach_type(TC_HOOK_INGRESS), 0, &flags, NULL,
				 &n_programs);

	/* An older kernel does not know the number. */
	return err == 0 || err == -ENOENT;
}

int tcx_link_new(uint32_t ifindex, enum tc_hook hook, int program_fd)
{
	return bpf_link_create(program_fd, (int)ifindex, attach_type(hook), NULL);
}

int tcx_link_get(int link_fd, struct tcx_link_info *ret_info)
{
	/* At least as large as any kernel's, so that nothing is cut off. */
	union {
		struct tcx_kernel_info tcx;
		uint8_t room[256];
	} info = {0};
	uint32_t n_bytes = sizeof(info);
	int err = bpf_obj_get_info_by_fd(link_fd, &info, &n_bytes);

	if (err)
		return err;
	if (info.tcx.type != LINK_TYPE_TCX)
		return -EINVAL;
	*ret_info = (struct tcx_link_info){
		.ifindex = info.tcx.ifindex,
		.hook = info.tcx.attach_type == ATTACH_TCX_INGRESS ? TC_HOOK_INGRESS
								   : TC_HOOK_EGRESS,
		.program_id = info.tcx.program_id,
	};
	return 0;
}
