/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of kube-proxy-replacement. */
#include "src/cli/status_text_private.h"

#include <string.h>
#include "src/cli/json_get.h"

static const json_t *replacement(const struct status_text *text)
{
	return json_get(text->status, "kube-proxy-replacement", NULL);
}

static bool has_devices(const struct status_text *text)
{
	return json_array_size(json_get(replacement(text), "deviceList", NULL)) > 0;
}

/* "eth0   192.0.2.1 2001:db8::1 (Direct Routing), eth1   …" */
static void append_devices(struct status_text *text)
{
	const json_t *object = replacement(text);
	const char *direct = json_get_text(object, "directRoutingDevice", NULL);
	json_t *device, *ip;
	size_t i, j;

	json_array_foreach(json_get(object, "deviceList", NULL), i, device)
	{
		const char *name = json_get_text(device, "name", NULL);

		g_string_append_printf(text->out, "%s%s", i ? ", " : "", name);
		json_array_foreach(json_get(device, "ip", NULL), j, ip) g_string_append_printf(
			text->out, "%s%s", j ? " " : "   ", json_string_value(ip));
		if (!strcmp(direct, name))
			g_string_append(text->out, " (Direct Routing)");
	}
}

void status_append_kube_proxy(struct status_text *text)
{
	const char *mode = json_get_text(replacement(text), "mode", NULL);

	if (!*mode)
		return;
	g_string_append_printf(text->out, "KubeProxyReplacement:\t%s\t", mode);
	if (!strcmp(mode, "True") && has_devices(text)) {
		g_string_append_c(text->out, '[');
		append_devices(text);
		g_string_append_c(text->out, ']');
	}
	g_string_append_c(text->out, '\n');
}

static const char *switch_text(const json_t *features, const char *feature)
{
	return json_is_true(json_get(features, feature, "enabled", NULL)) ? "Enabled" : "Disabled";
}

static void append_sockets(struct status_text *text, const json_t *features)
{
	bool on = !strcmp(switch_text(features, "socketLB"), "Enabled");

	g_string_append_printf(text->out, "  Socket LB:\t%s\n", switch_text(features, "socketLB"));
	if (!on)
		return;
	g_string_append_printf(text->out, "  Socket LB Tracing:\t%s\n  Socket LB Coverage:\t%s\n",
			       switch_text(features, "socketLBTracing"),
			       json_is_true(json_get(features, "bpfSocketLBHostnsOnly", NULL))
				       ? "Hostns-only"
				       : "Full");
}

/* "Best-Effort   [eth0: native, eth1: none]": what is wanted, and what the devices do. */
static void append_xdp(struct status_text *text, const char *acceleration)
{
	const json_t *list = json_get(replacement(text), "deviceList", NULL);
	json_t *device;
	size_t i, n = 0;

	g_string_append_printf(text->out, "  XDP Acceleration:\t%s", acceleration);
	json_array_foreach(list, i, device)
	{
		const char *mode = json_get_text(device, "xdp", NULL);

		if (*mode && strcmp(acceleration, "Disabled") != 0)
			g_string_append_printf(text->out, "%s%s: %s", n++ ? ", " : "   [",
					       json_get_text(device, "name", NULL), mode);
	}
	g_string_append(text->out, n ? "]\n" : "\n");
}

static void append_node_port(struct status_text *text, const json_t *features)
{
	const json_t *node_port = json_get(features, "nodePort", NULL);
	const char *dispatch = json_get_text(node_port, "dsrMode", NULL);
	long long size = json_get_number(node_port, "lutSize", NULL);

	if (json_is_true(json_get(node_port, "enabled", NULL))) {
		if (has_devices(text)) {
			g_string_append(text->out, "  Devices:\t");
			append_devices(text);
			g_string_append_c(text->out, '\n');
		}
		g_string_append_printf(text->out, "  Mode:\t%s\n",
				       json_get_text(node_port, "mode", NULL));
		if (*dispatch)
			g_string_append_printf(text->out, "    DSR Dispatch Mode:\t%s\n", dispatch);
	}
	g_string_append_printf(text->out, "  Backend Selection:\t%s",
			       json_get_text(node_port, "algorithm", NULL));
	if (size)
		g_string_append_printf(text->out, " (Table Size: %lld)", size);
	g_string_append_printf(text->out, "\n  Session Affinity:\t%s\n",
			       switch_text(features, "sessionAffinity"));
	g_string_append_printf(text->out, "  NAT46/64 Support:\t%s\n",
			       switch_text(features, "nat46X64"));
	append_xdp(text, json_get_text(node_port, "acceleration", NULL));
}

static void append_kinds(struct status_text *text, const json_t *features)
{
	const char *node_port = switch_text(features, "nodePort");

	g_string_append_printf(text->out, "  Services:\n  - ClusterIP:\tEnabled\n  - NodePort:\t%s",
			       node_port);
	if (!strcmp(node_port, "Enabled"))
		g_string_append_printf(text->out, " (Range: %lld-%lld)",
				       json_get_number(features, "nodePort", "portMin", NULL),
				       json_get_number(features, "nodePort", "portMax", NULL));
	g_string_append_printf(
		text->out, "\n  - LoadBalancer:\t%s\n  - externalIPs:\t%s\n  - HostPort:\t%s\n",
		node_port, switch_text(features, "externalIPs"), switch_text(features, "hostPort"));
}

static void append_annotations(struct status_text *text, const json_t *list)
{
	json_t *annotation;
	size_t i;

	g_string_append_printf(text->out, "  Annotations:%s\n",
			       json_array_size(list) ? "" : "\t(n/a)");
	json_array_foreach(list, i, annotation)
		g_string_append_printf(text->out, "  - %s\n", json_string_value(annotation));
}

void status_append_kube_proxy_details(struct status_text *text)
{
	const json_t *features = json_get(replacement(text), "features", NULL);

	if (!features || !text->format->verbose)
		return;
	g_string_append_printf(text->out, "KubeProxyReplacement Details:\n  Status:\t%s\n",
			       json_get_text(replacement(text), "mode", NULL));
	append_sockets(text, features);
	append_node_port(text, features);
	append_kinds(text, features);
	append_annotations(text, json_get(features, "annotations", NULL));
}
