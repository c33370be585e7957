// SPDX-License-Identifier: Apache-2.0
#include <string.h>
#include "src/base/intern.h"
#include "src/model/pod.h"
#include "src/source/decode_private.h"
#include "src/source/syntax.h"

/* The name of another object; NULL where there is none, or it is bad. */
static const char *decode_reference(const struct field *field)
{
	const char *text = field_text(field);

	if (!text || !*text)
		return NULL;
	if (!syntax_is_dns_subdomain(text)) {
		field_want(field, "at most 253 of a-z, 0-9, '-' and '.' (RFC 1123)");
		return NULL;
	}
	return text;
}

/* Behind an address of the node; one with the network of the host has its own ports there already. */
static void decode_host_port(const struct field *item, uint8_t protocol, uint16_t number,
			     struct pod *pod)
{
	struct field port_field = field_member(item, "hostPort");
	struct field ip_field = field_member(item, "hostIP");
	const char *ip = field_text(&ip_field);
	struct pod_host_port port = {.protocol = protocol, .number = number};
	int64_t host_port;

	if (ip && *ip && addr_parse(ip, &port.addr) < 0)
		field_want(&ip_field, "an IPv4 or IPv6 address");
	/* Either family's unspecified address is as none. */
	if (ip && (!strcmp(ip, "0.0.0.0") || !strcmp(ip, "::")))
		port.addr = (struct addr){};
	if (!field_int(&port_field, 0, UINT16_MAX, &host_port) || !host_port || pod->host_network)
		return;
	port.port = host_port;
	pod_add_host_port(pod, &port);
}

static void decode_ports(const struct field *container, struct pod *pod)
{
	struct field ports = field_member(container, "ports");

	for (struct field item = field_first(&ports); item.value; item = field_next(&item)) {
		struct field name_field = field_member(&item, "name");
		struct field number_field = field_member(&item, "containerPort");
		struct field protocol_field = field_member(&item, "protocol");
		const char *name = field_text(&name_field);
		uint16_t number = decode_port_number(&number_field);
		uint8_t protocol = decode_protocol(&protocol_field);

		decode_host_port(&item, protocol, number, pod);
		if (!name || !*name)
			continue;
		if (!syntax_is_port_name(name))
			field_want(&name_field, "at most 15 of a-z, 0-9 and '-' with a letter");
		else
			pod_add_port(pod, name, protocol, number);
	}
}

static void decode_containers(const struct field *spec, struct pod *pod)
{
	struct field containers = field_member(spec, "containers");
	struct field init_containers = field_member(spec, "initContainers");

	for (struct field item = field_first(&containers); item.value; item = field_next(&item))
		decode_ports(&item, pod);
	for (struct field item = field_first(&init_containers); item.value;
	     item = field_next(&item)) {
		struct field restart = field_member(&item, "restartPolicy");

		/* It runs as long as the others do: a sidecar. */
		if (g_strcmp0(field_text(&restart), "Always") == 0)
			decode_ports(&item, pod);
	}
}

/* A status is the cluster's to write: what makes no sense there is as if it were not said. */
static bool decode_address(const struct field *field, struct addr *ret_addr)
{
	const char *text = field_text(field);

	return text && *text && addr_parse(text, ret_addr) == 0;
}

static void take_address(const struct field *field, struct pod *pod)
{
	struct addr addr;

	if (!decode_address(field, &addr))
		return;
	if (addr_is_v4(&addr))
		pod->addr4 = addr;
	else
		pod->addr6 = addr;
}

/* One that has ended keeps its addresses in the status, and they are another's already. */
static bool has_ended(const struct field *status)
{
	struct field phase = field_member(status, "phase");
	const char *text = field_text(&phase);

	return text && (!strcmp(text, "Succeeded") || !strcmp(text, "Failed"));
}

/* Without a status nobody watches over it, and it is as good as its manifest says. */
static bool is_ready(const struct field *status)
{
	struct field conditions = field_member(status, "conditions");

	if (!field_is_set(status))
		return true;
	for (struct field item = field_first(&conditions); item.value; item = field_next(&item)) {
		struct field type = field_member(&item, "type");
		struct field value = field_member(&item, "status");

		if (g_strcmp0(field_text(&type), "Ready") == 0)
			return g_strcmp0(field_text(&value), "True") == 0;
	}
	return false;
}

static void decode_life(const struct field *object, struct pod *pod)
{
	struct field metadata = field_member(object, "metadata");
	struct field deletion = field_member(&metadata, "deletionTimestamp");
	struct field status = field_member(object, "status");

	pod->ended = has_ended(&status);
	pod->ready = !pod->ended && is_ready(&status);
	pod->terminating = field_is_set(&deletion);
}

static void decode_addresses(const struct field *object, struct pod *pod)
{
	struct field status = field_member(object, "status");
	struct field first = field_member(&status, "podIP");
	struct field list = field_member(&status, "podIPs");
	struct field host = field_member(&status, "hostIP");

	if (pod->ended)
		return;
	take_address(&first, pod);
	for (struct field item = field_first(&list); item.value; item = field_next(&item)) {
		struct field ip = field_member(&item, "ip");

		take_address(&ip, pod);
	}
	decode_address(&host, &pod->host);
}

struct object *decode_pod(const struct field *object, struct object_meta *take_meta)
{
	struct object *decoded = decode_new(&pod_class, take_meta);
	struct pod *pod = (struct pod *)decoded;
	struct field spec = field_member(object, "spec");
	struct field node_name = field_member(&spec, "nodeName");
	struct field service_account = field_member(&spec, "serviceAccountName");
	struct field host_network = field_member(&spec, "hostNetwork");

	pod->node_name = intern_new(decode_reference(&node_name));
	pod->service_account = intern_new(decode_reference(&service_account));
	pod->host_network = field_bool(&host_network, false);
	decode_containers(&spec, pod);
	pod_share_ports(pod);
	decode_life(object, pod);
	decode_addresses(object, pod);
	return decoded;
}
