// SPDX-License-Identifier: Apache-2.0
#include "src/datapath/real_private.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "src/sys/sysctl.h"

/* Lines of "name before ours". */
#define STATE_FILE "sysctls"

struct saved_sysctl {
	char *name;
	int before;
	int ours;
};

static void saved_sysctl_free(void *data)
{
	struct saved_sysctl *saved = data;

	g_free(saved->name);
	g_free(saved);
}

void real_sysctl_free(struct real *real)
{
	g_clear_pointer(&real->sysctls, g_ptr_array_unref);
}

static void add_saved(struct real *real, const char *name, int before, int ours)
{
	struct saved_sysctl *saved = g_new(struct saved_sysctl, 1);

	*saved = (struct saved_sysctl){.name = g_strdup(name), .before = before, .ours = ours};
	g_ptr_array_add(real->sysctls, saved);
}

static bool is_saved(const struct real *real, const char *name)
{
	for (guint i = 0; i < real->sysctls->len; i++)
		if (strcmp(((struct saved_sysctl *)real->sysctls->pdata[i])->name, name) == 0)
			return true;
	return false;
}

static void parse_state(struct real *real, const char *text)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	for (char **line = lines; *line; line++) {
		char name[128];
		int before, ours;

		if (sscanf(*line, "%127s %d %d", name, &before, &ours) == 3)
			add_saved(real, name, before, ours);
	}
}

static int load_state(struct real *real, GError **error)
{
	g_autofree char *text = NULL;
	int err;

	if (real->sysctls)
		return 0;
	err = real_state_read(real, STATE_FILE, &text, error);
	if (err)
		return err;
	real->sysctls = g_ptr_array_new_with_free_func(saved_sysctl_free);
	if (text)
		parse_state(real, text);
	return 0;
}

static int save_state(const struct real *real, GError **error)
{
	g_autoptr(GString) text = g_string_new(NULL);

	for (guint i = 0; i < real->sysctls->len; i++) {
		const struct saved_sysctl *saved = real->sysctls->pdata[i];

		g_string_append_printf(text, "%s %d %d\n", saved->name, saved->before, saved->ours);
	}
	return real_state_write(real, STATE_FILE, text->str, error);
}

static int put(const char *name, int value, int before, GString *repaired, GError **error)
{
	int err = sysctl_put(name, value);

	if (err)
		return error_set_errno(error, -err, "setting %s to %d", name, value);
	real_note(repaired, "%s was %d", name, before);
	return 0;
}

/* A number of the node: what it was is on record before it is changed. */
static int change(struct real *real, const char *name, int value, GString *repaired, GError **error)
{
	int before;
	int err = sysctl_get(name, &before);

	/* A kernel without the family, or a device that went, needs no setting. */
	if (err == -ENOENT || (!err && before == value))
		return 0;
	if (err)
		return error_set_errno(error, -err, "reading %s", name);
	if (!is_saved(real, name)) {
		add_saved(real, name, before, value);
		err = save_state(real, error);
	}
	return err ? err : put(name, value, before, repaired, error);
}

/* Devices of the family that are neither ours nor an endpoint's. */
static GPtrArray *list_foreign_devices(const char *family)
{
	g_autofree char *path = g_strdup_printf("/proc/sys/net/%s/conf", family);
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		if (strcmp(name, "all") == 0 || strcmp(name, "default") == 0 ||
		    strcmp(name, "lo") == 0 || g_str_has_prefix(name, "lxc") ||
		    g_str_has_prefix(name, "cilium_"))
			continue;
		g_ptr_array_add(names, g_strdup(name));
	}
	return names;
}

static char *device_sysctl(const char *family, const char *ifname, const char *number)
{
	return g_strdup_printf("net/%s/conf/%s/%s", family, ifname, number);
}

static int get_or_zero(const char *family, const char *ifname, const char *number)
{
	g_autofree char *name = device_sysctl(family, ifname, number);
	int value;

	return sysctl_get(name, &value) ? 0 : value;
}

/*
 * Forwarding on all devices. Writing "all" writes every device, so those that forwarded before are put
 * on record: switching it off again would switch them off too. A device that takes its IPv6 routes from
 * advertisements goes on doing so only with accept_ra 2.
 */
static int ensure_forwarding(struct real *real, const char *family, GString *repaired,
			     GError **error)
{
	g_autoptr(GPtrArray) devices = list_foreign_devices(family);
	g_autofree char *all = device_sysctl(family, "all", "forwarding");
	int err = 0;

	if (get_or_zero(family, "all", "forwarding"))
		return 0;
	for (guint i = 0; !err && i < devices->len; i++) {
		g_autofree char *forwarding =
			device_sysctl(family, devices->pdata[i], "forwarding");
		g_autofree char *accept_ra = device_sysctl(family, devices->pdata[i], "accept_ra");

		if (get_or_zero(family, devices->pdata[i], "forwarding")) {
			if (!is_saved(real, forwarding))
				add_saved(real, forwarding, 1, 0);
		} else if (get_or_zero(family, devices->pdata[i], "accept_ra") == 1) {
			err = change(real, accept_ra, 2, repaired, error);
		}
	}
	return err ? err : change(real, all, 1, repaired, error);
}

/*
 * The strictest of "all" and the device's own filter applies. Strict filtering would drop what endpoints
 * send, as the route back to them is by cilium_host; the other devices keep it as their own.
 */
static int ensure_rp_filter(struct real *real, GString *repaired, GError **error)
{
	g_autoptr(GPtrArray) devices = list_foreign_devices("ipv4");
	int err = 0;

	if (get_or_zero("ipv4", "all", "rp_filter") != 1)
		return 0;
	for (guint i = 0; !err && i < devices->len; i++) {
		g_autofree char *name = device_sysctl("ipv4", devices->pdata[i], "rp_filter");

		if (get_or_zero("ipv4", devices->pdata[i], "rp_filter") == 0)
			err = change(real, name, 1, repaired, error);
	}
	return err ? err : change(real, "net/ipv4/conf/all/rp_filter", 0, repaired, error);
}

/* Without the file a cleanup would leave them changed. */
static int ensure_state(const struct real *real, GString *repaired, GError **error)
{
	g_autofree char *path = g_build_filename(real->state_dir, STATE_FILE, NULL);
	int err;

	if (!real->sysctls->len || !access(path, F_OK))
		return 0;
	err = save_state(real, error);
	if (!err)
		real_note(repaired, "%s was deleted", path);
	return err;
}

int real_sysctl_ensure_node(struct real *real, GString *repaired, GError **error)
{
	int err = load_state(real, error);
	int jit;

	if (!err)
		err = ensure_state(real, repaired, error);
	if (!err && real->config.node.enable_ipv4)
		err = ensure_forwarding(real, "ipv4", repaired, error);
	if (!err && real->config.node.enable_ipv4)
		err = ensure_rp_filter(real, repaired, error);
	if (!err && real->config.node.enable_ipv6)
		err = ensure_forwarding(real, "ipv6", repaired, error);
	/* Only the first network namespace has it; without it programs are interpreted. */
	if (!err && !sysctl_get("net/core/bpf_jit_enable", &jit) && jit == 0)
		err = change(real, "net/core/bpf_jit_enable", 1, repaired, error);
	return err;
}

int real_sysctl_ensure_device(const struct real *real, const char *ifname, GString *repaired,
			      GError **error)
{
	const struct {
		bool wanted;
		const char *family;
		const char *number;
		int value;
	} numbers[] = {
		{real->config.node.enable_ipv4, "ipv4", "forwarding", 1},
		{real->config.node.enable_ipv4, "ipv4", "rp_filter", 0},
		{real->config.node.enable_ipv6, "ipv6", "disable_ipv6", 0},
		{real->config.node.enable_ipv6, "ipv6", "forwarding", 1},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
		g_autofree char *name = device_sysctl(numbers[i].family, ifname, numbers[i].number);
		int before;
		int err;

		if (!numbers[i].wanted)
			continue;
		err = sysctl_get(name, &before);
		if (err == -ENOENT || (!err && before == numbers[i].value))
			continue;
		if (!err)
			err = put(name, numbers[i].value, before, repaired, error);
		if (err)
			return err;
	}
	return 0;
}

int real_sysctl_purge(struct real *real, GError **error)
{
	int err = load_state(real, error);

	if (err)
		return err;
	/* The last change first, and nothing that somebody has set otherwise since. */
	for (guint i = real->sysctls->len; i-- > 0;) {
		const struct saved_sysctl *saved = real->sysctls->pdata[i];
		int put_err;
		int now;

		if (sysctl_get(saved->name, &now) || now != saved->ours)
			continue;
		put_err = put(saved->name, saved->before, now, NULL, err ? NULL : error);
		err = err ? err : put_err;
	}
	if (!err)
		err = real_state_remove(real, STATE_FILE, error);
	g_ptr_array_set_size(real->sysctls, 0);
	return err;
}
