/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/privilege.h"

#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

/* Direct system calls: capset() is all there is to it, and it concerns one thread, with a library too. */

enum until {
	UNTIL_START,
	UNTIL_SOCKETS,
	UNTIL_ALWAYS,
};

static const struct privilege {
	int capability;
	enum until until;
	const char *name;
	const char *what;
} privileges[] = {
#define PRIVILEGE(name, until, what) {CAP_##name, UNTIL_##until, "CAP_" #name, what},
#include "src/agent/privilege.def"
#undef PRIVILEGE
};

/* What the agent began with. */
static uint64_t begun_with;

static uint64_t bit(int capability)
{
	return UINT64_C(1) << capability;
}

static uint64_t wanted(enum until from)
{
	uint64_t set = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(privileges); i++)
		if (privileges[i].until >= from)
			set |= bit(privileges[i].capability);
	return set;
}

static int get_permitted(uint64_t *ret_set)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data))
		return -errno;
	*ret_set = data[0].permitted | (uint64_t)data[1].permitted << 32;
	return 0;
}

/* Effective and permitted; nothing is inheritable, and so nothing ambient. */
static int set_permitted(uint64_t set)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
		{.effective = set, .permitted = set},
		{.effective = set >> 32, .permitted = set >> 32},
	};

	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

/*
 * Needs CAP_SETPCAP, which a container seldom has. Without it the bounding set stays, and says nothing any
 * more: no_new_privs keeps an executed program from getting what its caller has not.
 */
static void lower_bounding_set(uint64_t set)
{
	for (int capability = 0; prctl(PR_CAPBSET_READ, capability) >= 0; capability++)
		if (!(set & bit(capability)))
			(void)prctl(PR_CAPBSET_DROP, capability);
}

static int drop(uint64_t set)
{
	lower_bounding_set(set);
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return set_permitted(set);
}

static bool has_old_kernel(void)
{
	struct utsname name;
	int major, minor;

	return !uname(&name) && sscanf(name.release, "%d.%d", &major, &minor) == 2 &&
	       (major < 5 || (major == 5 && minor < 11));
}

static bool is_memory_limited(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_MEMLOCK, &limit) || limit.rlim_max != RLIM_INFINITY;
}

/* Whether something here would need the capability that is not there. */
static bool is_needed(int capability, bool sockets_have_group)
{
	uint64_t bpf = bit(CAP_BPF) | bit(CAP_PERFMON);

	switch (capability) {
	case CAP_BPF:
	case CAP_PERFMON:
		/* One without the other is of no use; both missing is SYS_ADMIN's matter. */
		return !(begun_with & bit(CAP_SYS_ADMIN)) && (begun_with & bpf);
	case CAP_SYS_PTRACE:
		/* Container runtimes name namespaces by files; whoever meets another name says so. */
		return false;
	case CAP_CHOWN:
		return sockets_have_group;
	case CAP_SYS_RESOURCE:
		return has_old_kernel() && is_memory_limited();
	default:
		return true;
	}
}

static bool can_use_bpf(void)
{
	uint64_t bpf = bit(CAP_BPF) | bit(CAP_PERFMON);

	return (begun_with & bit(CAP_SYS_ADMIN)) || (begun_with & bpf) == bpf;
}

static int check_essential(GError **error)
{
	if (!(begun_with & bit(CAP_NET_ADMIN)))
		return error_set(
			error, EPERM,
			"without CAP_NET_ADMIN nothing works: network devices, routes and the "
			"programs on devices need it");
	if (!can_use_bpf())
		return error_set(error, EPERM,
				 "without CAP_SYS_ADMIN, or CAP_BPF and CAP_PERFMON in its place, "
				 "nothing works: BPF programs and maps need it");
	return 0;
}

int privilege_begin(GError **error)
{
	int err = get_permitted(&begun_with);

	if (!err)
		err = drop(begun_with & wanted(UNTIL_START));
	if (!err && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		err = -errno;
	if (err)
		return error_set_errno(error, -err, "giving up capabilities");
	return check_essential(error);
}

/* Threads that are there already keep what they have: none may have more. */
static int check_threads(uint64_t set, GError **error)
{
	g_autoptr(GDir) tasks = g_dir_open("/proc/self/task", 0, NULL);
	const char *name;

	if (!tasks)
		return error_set(error, ENOENT,
				 "giving up capabilities: /proc/self/task, which shows that every "
				 "thread has, cannot be read: mount /proc");
	while ((name = g_dir_read_name(tasks))) {
		g_autofree char *path = g_build_filename("/proc/self/task", name, "status", NULL);
		g_autofree char *text = NULL;
		const char *line;

		/* It has ended meanwhile. */
		if (!g_file_get_contents(path, &text, NULL, NULL))
			continue;
		line = strstr(text, "\nCapPrm:");
		if (line && g_ascii_strtoull(line + strlen("\nCapPrm:"), NULL, 16) & ~set)
			return error_set(error, EPERM,
					 "giving up capabilities: thread %s has more than is kept",
					 name);
	}
	return 0;
}

int privilege_finish(bool ends_sockets, GError **error)
{
	uint64_t set = begun_with & wanted(ends_sockets ? UNTIL_SOCKETS : UNTIL_ALWAYS);
	int err = drop(set);

	if (err)
		return error_set_errno(error, -err, "giving up capabilities");
	return check_threads(set, error);
}

bool privilege_can_chown(void)
{
	return begun_with & bit(CAP_CHOWN);
}

void privilege_foreach_lack(bool sockets_have_group,
			    void (*fn)(const struct privilege_lack *lack, void *data), void *data)
{
	for (size_t i = 0; i < G_N_ELEMENTS(privileges); i++) {
		const struct privilege *privilege = &privileges[i];
		const struct privilege_lack lack = {privilege->name, privilege->what};

		if (!(begun_with & bit(privilege->capability)) &&
		    is_needed(privilege->capability, sockets_have_group))
			fn(&lack, data);
	}
}

char *privilege_format_held(void)
{
	GString *text = g_string_new(NULL);
	uint64_t set = 0;

	if (get_permitted(&set))
		set = 0;
	for (size_t i = 0; i < G_N_ELEMENTS(privileges); i++)
		if (set & bit(privileges[i].capability))
			g_string_append_printf(text, "%s%s", text->len ? " " : "",
					       privileges[i].name);
	return g_string_free(text, FALSE);
}
