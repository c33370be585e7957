/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the running kernel has of what the datapath chooses by, and which of what it cannot do without are
 * missing. The first is asked at each start and costs two system calls; the second only when the
 * programs could not be loaded, for each costs a load of its own.
 */
#pragma once

#include <stdbool.h>
#include <glib.h>

struct kernel_features {
	char release[65]; /* "6.1.0-18-amd64"; empty: not asked */
	bool has_tcx;     /* 6.6 */
	/* BPF memory counts for the cgroup, not against RLIMIT_MEMLOCK (5.11). */
	bool has_memcg_accounting;
};

/* A program on connect() and sendmsg() can say with which error they fail (6.1). One system call or two. */
bool kernel_has_set_retval(void);

void kernel_features_read(struct kernel_features *ret_features);

/* What every configuration needs. */
struct kernel_requirement {
	const char *name;  /* "bpf_redirect_peer" */
	const char *since; /* "5.10" */
	const char *used_for;
};

/* NULL behind the last. */
const struct kernel_requirement *kernel_requirement_get(unsigned int i);
/* Appends ", "-separated sentences for those that this kernel, or our privileges, do not give. */
void kernel_requirements_append_missing(GString *text);
