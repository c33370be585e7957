// SPDX-License-Identifier: Apache-2.0
/* kube-proxy-replacement: which services are served, how, and on which devices. */
#include "src/agent/status_private.h"

#include <linux/rtnetlink.h>
#include "src/agent/service_settings.h"
#include "src/model/device.h"
#include "src/sys/xdp.h"

static json_t *addresses_to_json(const struct device *device)
{
	json_t *list = json_array();
	char text[ADDR_TEXT_BYTES];

	for (unsigned int i = 0; device->addresses && i < device->addresses->len; i++) {
		const struct device_address *address =
			&g_array_index(device->addresses, struct device_address, i);

		if (address->scope < RT_SCOPE_HOST)
			json_array_append_new(list, json_string(addr_format(&address->addr, text)));
	}
	return list;
}

/* How the device runs what is there, whosever; NULL: it cannot be asked. */
static const char *xdp_text(uint32_t ifindex)
{
	static const char *const texts[XDP_MODE__MAX] = {
		[XDP_MODE_NONE] = "none",
		[XDP_MODE_NATIVE] = "native",
		[XDP_MODE_GENERIC] = "generic",
	};
	enum xdp_mode mode;

	return xdp_mode_get(ifindex, &mode) ? NULL : texts[mode];
}

struct devices {
	const struct agent *agent;
	json_t *list;
	/* The first with a default route, where answers of other nodes come in; NULL: none. */
	const char *direct;
};

static bool append_device(const struct row *row, void *data)
{
	const struct plan_attachment *attachment = (const struct plan_attachment *)row;
	struct devices *devices = data;
	const struct device *device;

	if (attachment->program != PLAN_PROGRAM_TO_NETDEV)
		return true;
	device = (const struct device *)table_get(devices->agent->tables.devices,
						  &attachment->key.ifindex,
						  sizeof(attachment->key.ifindex));
	json_array_append_new(devices->list,
			      json_pack("{s:s, s:o, s:s*}", "name", attachment->ifname, "ip",
					device ? addresses_to_json(device) : json_array(), "xdp",
					xdp_text(attachment->key.ifindex)));
	if (!devices->direct && device && device->default_route)
		devices->direct = attachment->ifname;
	return true;
}

json_t *status_devices_to_json(const struct agent *agent)
{
	struct devices devices = {.agent = agent, .list = json_array()};

	table_foreach (agent->tables.plan_attachments, append_device, &devices)
		;
	return devices.list;
}

static const char *acceleration_text(enum acceleration_word word)
{
	static const char *const texts[] = {
		[ACCELERATION_WORD_DISABLED] = "Disabled",
		[ACCELERATION_WORD_NATIVE] = "Native",
		[ACCELERATION_WORD_BEST_EFFORT] = "Best-Effort",
		[ACCELERATION_WORD_TESTING_ONLY] = "Generic",
		[ACCELERATION_WORD_GENERIC] = "Generic",
	};

	return texts[word];
}

static json_t *node_port_to_json(const struct settings *settings,
				 const struct service_settings *services)
{
	static const char *const modes[] = {
		[FORWARDING_SNAT] = "SNAT",
		[FORWARDING_DSR] = "DSR",
		[FORWARDING_HYBRID] = "Hybrid",
	};
	bool maglev = services->algorithm == CHOICE_MAGLEV;
	json_t *object =
		json_pack("{s:b, s:s, s:s, s:s, s:i, s:i}", "enabled", services->node_port, "mode",
			  modes[services->mode], "algorithm", maglev ? "Maglev" : "Random",
			  "acceleration", acceleration_text(services->acceleration), "portMin",
			  settings->node_port_range.min, "portMax", settings->node_port_range.max);

	if (maglev)
		json_object_set_new(object, "lutSize", json_integer(services->maglev_size));
	if (services->mode != FORWARDING_SNAT)
		json_object_set_new(object, "dsrMode",
				    json_string(settings->bpf_lb_dsr_dispatch == DISPATCH_IPIP
							? "IPIP"
							: "IP Option/Extension"));
	return object;
}

/* Of services, that count with these settings. */
static json_t *annotations_to_json(const struct settings *settings)
{
	static const char *const always[] = {
		"axoneme.io/health-check",
		"service.cilium.io/node",
		"service.cilium.io/node-selector",
		"service.cilium.io/proxy-delegation",
		"service.cilium.io/src-ranges-policy",
		"service.cilium.io/type",
	};
	json_t *list = json_array();

	for (size_t i = 0; i < G_N_ELEMENTS(always); i++)
		json_array_append_new(list, json_string(always[i]));
	if (settings->bpf_lb_mode_annotation)
		json_array_append_new(list, json_string("service.cilium.io/forwarding-mode"));
	if (settings->bpf_lb_algorithm_annotation)
		json_array_append_new(list, json_string("service.cilium.io/lb-algorithm"));
	if (settings->enable_service_topology)
		json_array_append_new(list, json_string("service.kubernetes.io/topology-mode"));
	return list;
}

static json_t *on_off(bool on)
{
	return json_pack("{s:b}", "enabled", on);
}

static json_t *features_to_json(const struct settings *settings)
{
	struct service_settings services;
	json_t *features = json_object();

	service_settings_get(settings, &services);
	json_object_set_new(features, "annotations", annotations_to_json(settings));
	json_object_set_new(features, "bpfSocketLBHostnsOnly",
			    json_boolean(settings->bpf_lb_sock_hostns_only));
	json_object_set_new(features, "externalIPs", on_off(services.external_ips));
	json_object_set_new(features, "gracefulTermination", on_off(true));
	json_object_set_new(features, "hostPort", on_off(services.host_port));
	json_object_set_new(features, "hostReachableServices", on_off(services.socket_lb));
	json_object_set_new(features, "nat46X64",
			    json_pack("{s:b, s:{s:b}, s:{s:b}}", "enabled", 0, "gateway", "enabled",
				      0, "service", "enabled", 0));
	json_object_set_new(features, "nodePort", node_port_to_json(settings, &services));
	json_object_set_new(features, "sessionAffinity", on_off(services.session_affinity));
	json_object_set_new(features, "socketLB", on_off(services.socket_lb));
	json_object_set_new(features, "socketLBTracing", on_off(false));
	return features;
}

json_t *status_kube_proxy_to_json(const struct agent *agent)
{
	struct devices devices = {.agent = agent, .list = json_array()};
	json_t *names = json_array(), *device;
	struct service_settings services;
	size_t i;

	service_settings_get(agent->settings, &services);
	table_foreach (agent->tables.plan_attachments, append_device, &devices)
		;
	json_array_foreach(devices.list, i, device)
		json_array_append(names, json_object_get(device, "name"));
	return json_pack("{s:s, s:o, s:o, s:s*, s:o}", "mode",
			 services.replaces_kube_proxy ? "True" : "False", "devices", names,
			 "deviceList", devices.list, "directRoutingDevice", devices.direct,
			 "features", features_to_json(agent->settings));
}
