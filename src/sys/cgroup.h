/* SPDX-License-Identifier: Apache-2.0 */
/* The unified cgroup hierarchy (cgroup 2), and BPF links on a directory of it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "src/base/error.h"

/* Where it is mounted when it is nowhere else. */
#define CGROUP_FALLBACK_ROOT "/run/cilium/cgroupv2"

/* True where path is a directory of the hierarchy. */
bool cgroup_is_mounted(const char *path);

/*
 * The hierarchy's directory for a configured root: root itself, where it is mounted if it is not; or,
 * with an empty root, where it is found, else mounted on CGROUP_FALLBACK_ROOT. 0 with *ret_root, to
 * free; *ret_mounted tells whether it had to mount.
 */
NODISCARD int cgroup_ensure(const char *root, char **ret_root, bool *ret_mounted, GError **error);

/*
 * Whether the directory, where the hierarchy is mounted, has the cgroups of the whole machine. Not so what a
 * container mounts that has a cgroup namespace of its own: that begins at the container.
 */
bool cgroup_is_of_machine(const char *root);

struct cgroup_link_info {
	uint64_t cgroup_id; /* 0: the cgroup is gone, or somebody has detached the link */
	uint32_t attach_type;
	uint32_t program_id;
};

/* 0; −EINVAL where the descriptor is not that of a link on a cgroup. */
NODISCARD int cgroup_link_get(int link_fd, struct cgroup_link_info *ret_info);
/* What cgroup_link_info has of a directory's descriptor. 0 or −errno. */
NODISCARD int cgroup_get_id(int dir_fd, uint64_t *ret_id);
