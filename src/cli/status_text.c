/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/status_text_private.h"

#include <string.h>
#include "src/base/clock.h"
#include "src/cli/json_get.h"
#include "src/cli/status_config.h"
#include "src/model/addr.h"

static const char *enabled_text(bool enabled)
{
	return enabled ? "Enabled" : "Disabled";
}

/* ---- one function a line, in the order of the table below; a line without data is left out ---- */

static void append_state(struct status_text *text, const char *label, const json_t *state)
{
	if (state)
		g_string_append_printf(text->out, "%s:\t%s\t%s\n", label,
				       json_get_text(state, "state", NULL),
				       json_get_text(state, "msg", NULL));
}

static void append_kvstore(struct status_text *text)
{
	append_state(text, "KVStore", json_get(text->status, "kvstore", NULL));
	append_state(text, "ContainerRuntime", json_get(text->status, "container-runtime", NULL));
	append_state(text, "Kubernetes", json_get(text->status, "kubernetes", NULL));
}

static void append_host_firewall(struct status_text *text, const char *mode)
{
	const json_t *devices = json_get(text->status, "host-firewall", "devices", NULL);
	json_t *device;
	size_t i;

	g_string_append_printf(text->out, "Host firewall:\t%s", mode);
	if (!strcmp(mode, "Enabled"))
		json_array_foreach(devices, i, device) g_string_append_printf(
			text->out, "%s%s%s", i ? ", " : "   [", json_string_value(device),
			i + 1 == json_array_size(devices) ? "]" : "");
	g_string_append_c(text->out, '\n');
}

static void append_modes(struct status_text *text)
{
	const json_t *srv6 = json_get(text->status, "srv6", NULL);
	const char *mode = json_get_text(text->status, "host-firewall", "mode", NULL);

	status_append_kube_proxy(text);
	if (*mode)
		append_host_firewall(text, mode);
	if (srv6)
		g_string_append_printf(text->out, "SRv6:\t%s\n",
				       enabled_text(json_is_true(json_get(srv6, "enabled", NULL))));
	mode = json_get_text(text->status, "cni-chaining", "mode", NULL);
	if (*mode)
		g_string_append_printf(text->out, "CNI Chaining:\t%s\n", mode);
	mode = json_get_text(text->status, "cni-file", "msg", NULL);
	if (*mode)
		g_string_append_printf(text->out, "CNI Config file:\t%s\n", mode);
}

static void append_cilium(struct status_text *text)
{
	g_string_append_printf(text->out, "Cilium:\t%s   %s\n",
			       json_get_text(text->status, "cilium", "state", NULL),
			       json_get_text(text->status, "cilium", "msg", NULL));
	status_append_stale(text);
}

static void append_monitor(struct status_text *text)
{
	const json_t *monitor = json_get(text->status, "nodeMonitor", NULL);

	if (!monitor) {
		g_string_append(text->out, "NodeMonitor:\tDisabled\n");
		return;
	}
	g_string_append_printf(
		text->out,
		"NodeMonitor:\tListening for events on %lld CPUs with %lldx%lld of shared memory\n",
		json_get_number(monitor, "cpus", NULL), json_get_number(monitor, "npages", NULL),
		json_get_number(monitor, "pagesize", NULL));
	if (json_get_number(monitor, "lost", NULL) || json_get_number(monitor, "unknown", NULL))
		g_string_append_printf(text->out,
				       "\t%lld events lost, %lld unknown notifications\n",
				       json_get_number(monitor, "lost", NULL),
				       json_get_number(monitor, "unknown", NULL));
}

static void append_health_daemon(struct status_text *text)
{
	append_state(text, "Cilium health daemon",
		     json_get(text->status, "cluster", "ciliumHealth", NULL));
}

/* IPv4 before IPv6, each in the order of numbers. */
static int compare_addresses(const void *a, const void *b)
{
	struct addr addr_a = {0}, addr_b = {0};

	(void)!addr_parse(*(const char *const *)a, &addr_a);
	(void)!addr_parse(*(const char *const *)b, &addr_b);
	if (addr_is_v4(&addr_a) != addr_is_v4(&addr_b))
		return addr_is_v4(&addr_a) ? -1 : 1;
	return addr_compare(&addr_a, &addr_b);
}

static void append_ipam(struct status_text *text)
{
	const json_t *ipam = json_get(text->status, "ipam", NULL);
	g_autoptr(GPtrArray) ips = g_ptr_array_new();
	const char *ip;
	json_t *owner;

	if (!ipam)
		return;
	g_string_append_printf(text->out, "IPAM:\t%s\n", json_get_text(ipam, "status", NULL));
	if (!text->format->all_addresses)
		return;
	g_string_append(text->out, "Allocated addresses:\n");
	json_object_foreach(json_get(ipam, "allocations", NULL), ip, owner)
		g_ptr_array_add(ips, (void *)ip);
	g_ptr_array_sort(ips, compare_addresses);
	for (guint i = 0; i < ips->len; i++)
		g_string_append_printf(text->out, "  %s (%s)\n", (const char *)ips->pdata[i],
				       json_get_text(ipam, "allocations", ips->pdata[i], NULL));
}

static void append_switch(struct status_text *text, const char *label, const char *member)
{
	const json_t *object = json_get(text->status, member, NULL);

	if (object)
		g_string_append_printf(
			text->out, "%s:\t%s\n", label,
			enabled_text(json_is_true(json_get(object, "enabled", NULL))));
}

static void append_switches(struct status_text *text)
{
	append_switch(text, "IPv4 BIG TCP", "ipv4-big-tcp");
	append_switch(text, "IPv6 BIG TCP", "ipv6-big-tcp");
	append_switch(text, "BandwidthManager", "bandwidth-manager");
}

static void append_attach_mode(struct status_text *text, const char *devices)
{
	const char *pods = json_get_text(text->status, "axoneme", "pod-attach-mode", NULL);

	g_string_append_printf(text->out, "Attach Mode:\t%s",
			       strcmp(devices, "tcx") ? "Legacy TC" : "TCX");
	if (text->format->verbose)
		status_append_reason(text, "tcx");
	if (text->format->verbose && *pods)
		g_string_append_printf(text->out, "   Pods: %s",
				       strcmp(pods, "tcx") ? "Legacy TC" : "TCX");
	g_string_append_c(text->out, '\n');
}

static void append_routing(struct status_text *text)
{
	const json_t *routing = json_get(text->status, "routing", NULL);
	const char *tunnel = json_get_text(routing, "tunnel-protocol", NULL);
	const char *attach = json_get_text(text->status, "attach-mode", NULL);
	const char *device = json_get_text(text->status, "datapath-mode", NULL);

	if (routing)
		g_string_append_printf(text->out, "Routing:\tNetwork: %s%s%s%s   Host: %s\n",
				       json_get_text(routing, "inter-host-routing-mode", NULL),
				       *tunnel ? " [" : "", tunnel, *tunnel ? "]" : "",
				       json_get_text(routing, "intra-host-routing-mode", NULL));
	if (*attach)
		append_attach_mode(text, attach);
	if (*device)
		g_string_append_printf(text->out, "Device Mode:\t%s\n", device);
}

static void append_devices(struct status_text *text, const json_t *list)
{
	json_t *device;
	size_t i;

	if (!json_array_size(list))
		return;
	json_array_foreach(list, i, device) g_string_append_printf(
		text->out, "%s%s", i ? ", " : "   [", json_get_text(device, "name", NULL));
	g_string_append_c(text->out, ']');
}

static void append_masquerading(struct status_text *text)
{
	const json_t *object = json_get(text->status, "masquerading", NULL);
	const char *cidr4 = json_get_text(object, "snat-exclusion-cidr-v4", NULL);
	const char *cidr6 = json_get_text(object, "snat-exclusion-cidr-v6", NULL);

	if (!object)
		return;
	if (!json_is_true(json_get(object, "enabled", NULL))) {
		g_string_append(text->out, "Masquerading:\tDisabled\n");
		return;
	}
	g_string_append_printf(
		text->out, "Masquerading:\t%s%s", json_get_text(object, "mode", NULL),
		json_is_true(json_get(object, "ip-masq-agent", NULL)) ? " (ip-masq-agent)" : "");
	append_devices(text, json_get(text->status, "kube-proxy-replacement", "deviceList", NULL));
	if (*cidr4 || *cidr6)
		g_string_append_printf(text->out, "   %s%s%s", cidr4, *cidr4 && *cidr6 ? " " : "",
				       cidr6);
	g_string_append_printf(
		text->out, " [IPv4: %s, IPv6: %s]\n",
		enabled_text(json_is_true(json_get(object, "enabledProtocols", "ipv4", NULL))),
		enabled_text(json_is_true(json_get(object, "enabledProtocols", "ipv6", NULL))));
}

static void append_clock(struct status_text *text)
{
	const json_t *clock = json_get(text->status, "clock-source", NULL);
	long long hertz = json_get_number(clock, "hertz", NULL);

	if (!clock || !text->format->verbose)
		return;
	g_string_append_printf(text->out, "Clock Source for BPF:\t%s",
			       json_get_text(clock, "mode", NULL));
	if (hertz)
		g_string_append_printf(text->out, " [%lld Hz]", hertz);
	g_string_append_c(text->out, '\n');
}

static void append_rest(struct status_text *text)
{
	const json_t *range = json_get(text->status, "identity-range", NULL);
	const char *encryption = json_get_text(text->status, "encryption", "mode", NULL);

	g_string_append(text->out, "Proxy Status:\tNo managed proxy redirect\n");
	if (range)
		g_string_append_printf(text->out, "Global Identity Range:\tmin %lld, max %lld\n",
				       json_get_number(range, "min-identity", NULL),
				       json_get_number(range, "max-identity", NULL));
	if (json_get(text->status, "hubble", NULL))
		g_string_append_printf(text->out, "Hubble:\t%s\n",
				       json_get_text(text->status, "hubble", "state", NULL));
	status_append_kube_proxy_details(text);
	if (text->format->verbose) {
		const json_t *maps = json_get(text->status, "bpf-maps", NULL);
		double ratio = json_number_value(json_get(maps, "dynamic-size-ratio", NULL));
		json_t *map;
		size_t i;

		if (ratio > 0)
			g_string_append_printf(
				text->out, "BPF Maps:\tdynamic sizing: on (ratio: %f)\n", ratio);
		else
			g_string_append(text->out, "BPF Maps:\tdynamic sizing: off\n");
		g_string_append(text->out, "  Name\tSize\n");
		json_array_foreach(json_get(maps, "maps", NULL), i, map) g_string_append_printf(
			text->out, "  %s\t%lld\n", json_get_text(map, "name", NULL),
			json_get_number(map, "size", NULL));
	}
	if (*encryption)
		g_string_append_printf(text->out, "Encryption:\t%s\n", encryption);
}

/* Of the connections between nodes; its table comes with what measures them. */
static void append_cluster_health(struct status_text *text)
{
	if (!strcmp(json_get_text(text->status, "cluster", "ciliumHealth", "state", NULL),
		    "Disabled"))
		g_string_append(text->out, "Cluster health:\tProbe disabled\n");
}

void status_append_text(GString *out, const json_t *status, const struct status_format *format)
{
	static void (*const lines[])(struct status_text *text) = {
		append_kvstore,
		append_modes,
		append_cilium,
		append_monitor,
		append_health_daemon,
		append_ipam,
		append_switches,
		append_routing,
		append_masquerading,
		append_clock,
		status_append_controllers,
		append_rest,
		append_cluster_health,
		status_append_modules,
		status_append_own,
	};
	struct status_text text = {.out = out, .status = status, .format = format};

	for (size_t i = 0; i < G_N_ELEMENTS(lines); i++)
		lines[i](&text);
	status_append_configuration(out, json_get(status, "axoneme", NULL));
}

static bool is_bad(const char *state)
{
	return *state && strcmp(state, "Ok") && strcmp(state, "Warning") &&
	       strcmp(state, "Disabled");
}

bool status_is_healthy(const json_t *status)
{
	const char *state = json_get_text(status, "cilium", "state", NULL);

	return *state && !is_bad(state);
}

void status_append_brief(GString *text, const json_t *status)
{
	static const char *const parts[] = {"kvstore", "container-runtime", "kubernetes", "cilium"};
	json_t *controller;
	size_t i;

	for (i = 0; i < G_N_ELEMENTS(parts); i++)
		if (is_bad(json_get_text(status, parts[i], "state", NULL))) {
			g_string_append_printf(text, "error: %s: %s\n", parts[i],
					       json_get_text(status, parts[i], "msg", NULL));
			return;
		}
	json_array_foreach(json_get(status, "controllers", NULL), i, controller)
	{
		const char *message = json_get_text(controller, "status", "last-failure-msg", NULL);

		if (json_get_number(controller, "status", "consecutive-failure-count", NULL)) {
			g_string_append_printf(text, "error: controller %s: %s\n",
					       json_get_text(controller, "name", NULL), message);
			return;
		}
	}
	g_string_append(text, "OK\n");
}
