// SPDX-License-Identifier: Apache-2.0
#include "src/sys/kernel_features.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "src/sys/tc.h"

/* Of Linux 5.11; the headers that this is built with may be older. */
#define FUNC_KTIME_GET_COARSE_NS 160

/* The change that made BPF memory the cgroup's came with a helper, which can be asked for. */
static bool has_memcg_accounting(void)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_JMP | BPF_CALL, .imm = FUNC_KTIME_GET_COARSE_NS},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, NULL, "GPL", insns, G_N_ELEMENTS(insns),
			       NULL);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

bool kernel_has_set_retval(void)
{
	return libbpf_probe_bpf_helper(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_FUNC_set_retval, NULL) ==
	       1;
}

void kernel_features_read(struct kernel_features *ret_features)
{
	struct utsname name;

	*ret_features = (struct kernel_features){
		.has_tcx = tcx_is_supported(),
		.has_memcg_accounting = has_memcg_accounting(),
	};
	if (!uname(&name))
		g_strlcpy(ret_features->release, name.release, sizeof(ret_features->release));
}

static const struct requirement {
	struct kernel_requirement shown;
	enum bpf_func_id helper; /* 0: the map */
	enum bpf_map_type map;
} requirements[] = {
	{{"BPF ring buffer", "5.8", "events"}, 0, BPF_MAP_TYPE_RINGBUF},
	{{"BPF prefix map", "4.11", "identities of address ranges"}, 0, BPF_MAP_TYPE_LPM_TRIE},
	{{"bpf_jiffies64", "5.6", "the age of connections"}, BPF_FUNC_jiffies64, 0},
	{{"bpf_fib_lookup", "4.18", "the way out of the node"}, BPF_FUNC_fib_lookup, 0},
	{{"bpf_redirect_neigh", "5.10", "leaving by a device of the node"},
	 BPF_FUNC_redirect_neigh,
	 0},
	{{"bpf_redirect_peer", "5.10", "delivery into a pod, past the host's stack"},
	 BPF_FUNC_redirect_peer,
	 0},
	{{"bpf_skc_lookup_tcp", "5.2", "ports that the host itself uses"},
	 BPF_FUNC_skc_lookup_tcp,
	 0},
};

const struct kernel_requirement *kernel_requirement_get(unsigned int i)
{
	return i < G_N_ELEMENTS(requirements) ? &requirements[i].shown : NULL;
}

void kernel_requirements_append_missing(GString *text)
{
	for (size_t i = 0; i < G_N_ELEMENTS(requirements); i++) {
		const struct requirement *requirement = &requirements[i];
		int found = requirement->helper ? libbpf_probe_bpf_helper(BPF_PROG_TYPE_SCHED_CLS,
									  requirement->helper, NULL)
						: libbpf_probe_bpf_map_type(requirement->map, NULL);

		if (found == 1)
			continue;
		g_string_append_printf(text, "%s%s (Linux %s or newer; for %s)",
				       text->len ? ", " : "", requirement->shown.name,
				       requirement->shown.since, requirement->shown.used_for);
	}
}
