// SPDX-License-Identifier: Apache-2.0
#include "src/sys/xdp.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>

/* The kernel's own number, which drivers return and no C library knows. */
#define KERNEL_ENOTSUPP 524

int xdp_link_new(uint32_t ifindex, enum xdp_mode mode, int program_fd)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts,
		    .flags = mode == XDP_MODE_NATIVE ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE);
	char name[IF_NAMESIZE];
	int fd = bpf_link_create(program_fd, (int)ifindex, BPF_XDP, &opts);

	if (fd == -KERNEL_ENOTSUPP)
		return -EOPNOTSUPP;
	/* So says the kernel also where there is no such device. */
	return fd == -EINVAL && !if_indextoname(ifindex, name) ? -ENODEV : fd;
}

int xdp_link_get(int link_fd, struct xdp_link_info *ret_info)
{
	struct bpf_link_info info = {0};
	uint32_t n_bytes = sizeof(info);
	int err = bpf_obj_get_info_by_fd(link_fd, &info, &n_bytes);

	if (err)
		return err;
	if (info.type != BPF_LINK_TYPE_XDP)
		return -EINVAL;
	*ret_info = (struct xdp_link_info){
		.ifindex = info.xdp.ifindex,
		.program_id = info.prog_id,
	};
	return 0;
}

int xdp_mode_get(uint32_t ifindex, enum xdp_mode *ret_mode)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, opts);
	int err = bpf_xdp_query((int)ifindex, 0, &opts);

	if (err)
		return err;
	switch (opts.attach_mode) {
	case XDP_ATTACHED_NONE:
		*ret_mode = XDP_MODE_NONE;
		return 0;
	case XDP_ATTACHED_SKB:
		*ret_mode = XDP_MODE_GENERIC;
		return 0;
	default: /* in the driver, in the hardware, or several, of which one is generic */
		*ret_mode = XDP_MODE_NATIVE;
		return 0;
	}
}
