/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/status_text.h"

#include <string.h>
#include "src/base/clock.h"
#include "src/cli/json_get.h"
#include "src/cli/status_config.h"

struct status_text {
	GString *out;
	const json_t *status;
	const struct status_format *format;
};

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

static void append_modes(struct status_text *text)
{
	const json_t *srv6 = json_get(text->status, "srv6", NULL);
	const char *mode = json_get_text(text->status, "kube-proxy-replacement", "mode", NULL);

	if (*mode)
		g_string_append_printf(text->out, "KubeProxyReplacement:\t%s\t\n", mode);
	mode = json_get_text(text->status, "host-firewall", "mode", NULL);
	if (*mode)
		g_string_append_printf(text->out, "Host firewall:\t%s\n", mode);
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
	const json_t *stale = json_get(text->status, "stale", NULL);
	const char *name;
	json_t *since;

	g_string_append_printf(text->out, "Cilium:\t%s   %s\n",
			       json_get_text(text->status, "cilium", "state", NULL),
			       json_get_text(text->status, "cilium", "msg", NULL));
	json_object_foreach((json_t *)stale, name, since) g_string_append_printf(
		text->out, "Stale status:\t%s since %s\n", name, json_string_value(since));
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

static void append_ipam(struct status_text *text)
{
	const json_t *ipam = json_get(text->status, "ipam", NULL);
	const char *ip;
	json_t *owner;

	if (!ipam)
		return;
	g_string_append_printf(text->out, "IPAM:\t%s\n", json_get_text(ipam, "status", NULL));
	if (!text->format->all_addresses)
		return;
	g_string_append(text->out, "Allocated addresses:\n");
	json_object_foreach(json_get(ipam, "allocations", NULL), ip, owner)
		g_string_append_printf(text->out, "  %s (%s)\n", ip, json_string_value(owner));
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

	if (clock && text->format->verbose)
		g_string_append_printf(text->out, "Clock Source for BPF:\t%s\n",
				       json_get_text(clock, "mode", NULL));
}

/* "3s ago", "never". */
static void append_ago(struct status_text *text, const char *timestamp)
{
	g_autoptr(GDateTime) time =
		*timestamp ? g_date_time_new_from_iso8601(timestamp, NULL) : NULL;
	int64_t seconds;

	if (!time) {
		g_string_append(text->out, "never");
		return;
	}
	seconds = MAX(text->format->now_ns / NSEC_PER_SEC - g_date_time_to_unix(time), 0);
	if (seconds >= 3600)
		g_string_append_printf(text->out, "%" G_GINT64_FORMAT "h", seconds / 3600);
	if (seconds >= 60)
		g_string_append_printf(text->out, "%" G_GINT64_FORMAT "m", seconds / 60 % 60);
	g_string_append_printf(text->out, "%" G_GINT64_FORMAT "s ago", seconds % 60);
}

static void append_controllers(struct status_text *text)
{
	const json_t *list = json_get(text->status, "controllers", NULL);
	size_t n_healthy = 0, i;
	json_t *controller;

	if (!list)
		return;
	json_array_foreach(list, i, controller) n_healthy +=
		!json_get_number(controller, "status", "consecutive-failure-count", NULL);
	g_string_append_printf(text->out, "Controller Status:\t%zu/%zu healthy\n", n_healthy,
			       json_array_size(list));
	if (n_healthy < json_array_size(list) || text->format->all_controllers)
		g_string_append(text->out, "  Name\tLast success\tLast error\tCount\tMessage\n");
	json_array_foreach(list, i, controller)
	{
		const json_t *status = json_get(controller, "status", NULL);
		long long n = json_get_number(status, "consecutive-failure-count", NULL);

		if (!n && !text->format->all_controllers)
			continue;
		g_string_append_printf(text->out, "  %s\t",
				       json_get_text(controller, "name", NULL));
		append_ago(text, json_get_text(status, "last-success-timestamp", NULL));
		g_string_append_c(text->out, '\t');
		append_ago(text, json_get_text(status, "last-failure-timestamp", NULL));
		g_string_append_printf(text->out, "\t%lld\t%s\n", n,
				       n ? json_get_text(status, "last-failure-msg", NULL)
					 : "no error");
	}
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

/* ---- what only this agent has ---- */

static void append_nodes(struct status_text *text)
{
	json_t *node;
	size_t i;

	if (!text->format->all_nodes)
		return;
	g_string_append_printf(text->out, "Nodes:\t%zu\n",
			       json_array_size(json_get(text->status, "cluster", "nodes", NULL)));
	json_array_foreach(json_get(text->status, "cluster", "nodes", NULL), i, node)
		g_string_append_printf(text->out, "  %s\t%s\t%s\n",
				       json_get_text(node, "name", NULL),
				       json_get_text(node, "primary-address", "ipv4", "ip", NULL),
				       json_get_text(node, "primary-address", "ipv6", "ip", NULL));
}

static void append_problems(struct status_text *text, const json_t *own)
{
	const json_t *list = json_get(own, "source-problems", NULL);
	json_t *problem;
	size_t i;

	if (json_array_size(list))
		g_string_append_printf(text->out, "Source problems:\t%zu\n", json_array_size(list));
	json_array_foreach(list, i, problem)
	{
		const char *object = json_get_text(problem, "object", NULL);
		const char *field = json_get_text(problem, "field", NULL);
		long long line = json_get_number(problem, "line", NULL);

		g_string_append_printf(text->out, "  %s", json_get_text(problem, "file", NULL));
		if (line)
			g_string_append_printf(text->out, ":%lld", line);
		g_string_append_printf(text->out, ": %s%s%s%s%s\n", object, *object ? ": " : "",
				       field, *field ? ": " : "",
				       json_get_text(problem, "reason", NULL));
	}
	list = json_get(own, "state-problems", NULL);
	if (json_array_size(list))
		g_string_append_printf(text->out, "State problems:\t%zu\n", json_array_size(list));
	json_array_foreach(list, i, problem)
		g_string_append_printf(text->out, "  %s\n", json_string_value(problem));
}

static void append_privileges(struct status_text *text, const json_t *own)
{
	const json_t *list = json_get(own, "privileges", "lacking", NULL);
	json_t *lack;
	size_t i;

	if (text->format->verbose && own)
		g_string_append_printf(text->out, "Privileges:\t%s\n",
				       json_get_text(own, "privileges", "held", NULL));
	if (json_array_size(list))
		g_string_append_printf(text->out, "Missing privileges:\t%zu\n",
				       json_array_size(list));
	json_array_foreach(list, i, lack) g_string_append_printf(
		text->out, "  %s: %s\n", json_get_text(lack, "capability", NULL),
		json_get_text(lack, "for", NULL));
}

static void append_failing(struct status_text *text, const json_t *own)
{
	const json_t *list = json_get(own, "failing-objects", NULL);
	json_t *object;
	size_t i;

	if (!json_array_size(list))
		return;
	g_string_append_printf(text->out, "Failing objects:\t%zu\n", json_array_size(list));
	json_array_foreach(list, i, object) g_string_append_printf(
		text->out, "  %s: %s (%s, since %s, %lld tries)\n",
		json_get_text(object, "object", NULL), json_get_text(object, "error", NULL),
		json_get_text(object, "reconciler", NULL), json_get_text(object, "since", NULL),
		json_get_number(object, "tries", NULL));
}

static void append_keys(struct status_text *text, const json_t *own)
{
	const json_t *list = json_get(own, "without-effect", NULL);
	json_t *key;
	size_t i;

	if (json_array_size(list))
		g_string_append(text->out, "Keys without effect:\t");
	json_array_foreach(list, i, key) g_string_append_printf(text->out, "%s%s=%s", i ? ", " : "",
								json_get_text(key, "key", NULL),
								json_get_text(key, "value", NULL));
	if (json_array_size(list))
		g_string_append_c(text->out, '\n');
	list = json_get(own, "unknown-keys", NULL);
	if (json_array_size(list))
		g_string_append(text->out, "Unknown keys:\t");
	json_array_foreach(list, i, key)
		g_string_append_printf(text->out, "%s%s", i ? ", " : "", json_string_value(key));
	if (json_array_size(list))
		g_string_append_c(text->out, '\n');
}

static void append_metrics(struct status_text *text, const json_t *own)
{
	const char *error = json_get_text(own, "metrics-error", NULL);

	if (*error)
		g_string_append_printf(text->out, "Metrics:\tnot served: %s\n", error);
}

void status_append_text(GString *out, const json_t *status, const struct status_format *format)
{
	static void (*const lines[])(struct status_text *text) = {
		append_kvstore,       append_modes, append_cilium,      append_monitor,
		append_health_daemon, append_ipam,  append_switches,    append_routing,
		append_masquerading,  append_clock, append_controllers, append_rest,
		append_nodes,
	};
	struct status_text text = {.out = out, .status = status, .format = format};
	const json_t *own = json_get(status, "axoneme", NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(lines); i++)
		lines[i](&text);
	append_problems(&text, own);
	append_privileges(&text, own);
	append_failing(&text, own);
	append_metrics(&text, own);
	append_keys(&text, own);
	status_append_configuration(out, own);
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

		if (*message) {
			g_string_append_printf(text, "error: controller %s: %s\n",
					       json_get_text(controller, "name", NULL), message);
			return;
		}
	}
	g_string_append(text, "OK\n");
}
