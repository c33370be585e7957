// SPDX-License-Identifier: Apache-2.0
#include "src/agent/status_hint.h"

#include <string.h>

/* The word behind the other, as "dev" or "of", in the description of an object; g_free. NULL: none. */
static char *word_behind(const char *text, const char *word)
{
	g_autofree char *pattern = g_strdup_printf(" %s ", word);
	const char *found = strstr(text, pattern);

	if (!found)
		return NULL;
	found += strlen(pattern);
	return g_strndup(found, strcspn(found, " "));
}

static char *route_step(const char *object)
{
	g_autofree char *destination = g_strndup(object, strcspn(object, " "));

	return g_strdup_printf("Somebody else's route to the same destination is in the way: "
			       "`ip %s route show %s` shows it. Remove it, or give the pods "
			       "another range.",
			       strchr(destination, ':') ? "-6" : "-4", destination);
}

/* With tcx the kernel says this only of a program that stands there already: our own, without its pin. */
static char *attachment_step(const char *object, const char *bpf_root)
{
	g_autofree char *device = word_behind(object, "of");
	const char *hook = strstr(object, "egress") ? "egress" : "ingress";

	return g_strdup_printf(
		"Somebody else's qdisc or filter is in the place: `tc qdisc show "
		"dev %s` and `tc filter show dev %s %s` show it. Remove it, or use "
		"tcx (enable-tcx, pod-attach-mode), which needs no place. With tcx it "
		"is our own program, whose pin is out of sight: does `findmnt %s` "
		"show two mounts, unmount the upper one.",
		device ? device : "DEVICE", device ? device : "DEVICE", hook, bpf_root);
}

static char *map_step(const char *object)
{
	g_autofree char *map = g_strndup(object, strcspn(object, " "));

	return g_strdup_printf("The map is full: `cilium map get %s` shows what is in it. Fewer "
			       "objects make room; it is tried again by itself.",
			       map);
}

/* Whatever the kind of object; NULL: it is the object that matters. */
static char *common_step(int error, const char *bpf_root)
{
	switch (error) {
	case EPERM:
	case EACCES:
		return g_strdup("The agent may not: look at the capabilities that its unit or "
				"container gives (CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON, or "
				"CAP_SYS_ADMIN before Linux 5.8), and at the kernel's lockdown.");
	case EROFS:
		return g_strdup_printf(
			"The BPF file system is read-only: `mount -o remount,rw %s`.", bpf_root);
	case ENOMEM:
		return g_strdup("The kernel has no memory for it: `free` and the limits of the "
				"agent's cgroup; before Linux 5.11 RLIMIT_MEMLOCK.");
	case EMFILE:
	case ENFILE:
		return g_strdup("No descriptor is left: raise LimitNOFILE of the agent's unit.");
	case ENODEV:
	case ENXIO:
		return g_strdup("The interface is not there (any more): `ip link`. What belongs "
				"to it goes by itself.");
	default:
		return NULL;
	}
}

char *status_next_step(const struct reconciler_failure *failure, const char *bpf_root)
{
	char *step = common_step(failure->error, bpf_root);

	if (step)
		return step;
	if (failure->hint)
		return g_strdup_printf("%c%s. It is tried again by itself.",
				       g_ascii_toupper(failure->hint[0]), failure->hint + 1);
	if (failure->error == EEXIST && !strcmp(failure->reconciler, "routes"))
		return route_step(failure->object);
	if (failure->error == EEXIST && !strcmp(failure->reconciler, "attachments"))
		return attachment_step(failure->object, bpf_root);
	if ((failure->error == E2BIG || failure->error == ENOSPC) &&
	    !strcmp(failure->reconciler, "map-entries"))
		return map_step(failure->object);
	if (failure->error == ENOSPC && !strcmp(failure->reconciler, "policy"))
		return g_strdup("The maps of policy are full (`cilium status --verbose`), and the "
				"rules before stay in force: let policies select fewer peers or "
				"ports, or raise bpf-policy-map-max. It is tried again by itself.");
	return g_strdup("It is tried again by itself, at least every 30 s. If it stays, report "
			"it with `cilium debuginfo`.");
}

char *status_errno_name(int error)
{
	const char *name = strerrorname_np(error);

	return name ? g_strdup(name) : g_strdup_printf("%d", error);
}
