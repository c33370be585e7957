// SPDX-License-Identifier: Apache-2.0
#include "src/model/service.h"

#include <string.h>
#include "src/base/intern.h"
#include "src/source/decode_private.h"
#include "src/source/syntax.h"

#define DEFAULT_AFFINITY_S (3 * 3600)
#define MAX_AFFINITY_S     (24 * 3600)
/* Of a kind: each is compared with all before it. */
#define MAX_ADDRS 1024
/* As many as a row of lb_services holds. */
#define MAX_RANGES UINT16_MAX

static uint16_t decode_optional_port(const struct field *field)
{
	int64_t number = 0;

	field_int(field, 0, UINT16_MAX, &number);
	return number;
}

static void check_port(const struct field *item, const struct service_port *port,
		       const struct service *service)
{
	for (unsigned int i = 0; service->ports && i < service->ports->len; i++) {
		const struct service_port *other =
			&g_array_index(service->ports, struct service_port, i);

		if (port->name && !g_strcmp0(other->name, port->name))
			field_add_problem(item, "has the name of a port before it, \"%s\"",
					  port->name);
		if (other->protocol != port->protocol)
			continue;
		if (other->port == port->port)
			field_add_problem(item, "has protocol and number of a port before it, %u",
					  port->port);
		if (port->node_port && other->node_port == port->node_port)
			field_add_problem(item, "has protocol and nodePort of a port before it, %u",
					  port->node_port);
	}
}

static void decode_port(const struct field *item, bool is_alone, struct service *service)
{
	struct field name_field = field_member(item, "name");
	struct field number = field_member(item, "port");
	struct field protocol = field_member(item, "protocol");
	struct field node_port = field_member(item, "nodePort");
	const char *name = field_text(&name_field);
	struct service_port port = {
		.name = name && *name ? name : NULL,
		.protocol = decode_protocol(&protocol),
		.port = decode_port_number(&number),
		.node_port = decode_optional_port(&node_port),
	};

	if (port.name && !syntax_is_dns_label(port.name))
		field_want(&name_field, "1 to 63 of a-z, 0-9 and '-' (RFC 1123)");
	else if (!port.name && !is_alone)
		field_add_problem(&name_field, "is missing: several ports need names");
	if (port.node_port && service->type != SERVICE_NODE_PORT &&
	    service->type != SERVICE_LOAD_BALANCER)
		field_add_problem(&node_port, "is only for the types NodePort and LoadBalancer");
	check_port(item, &port, service);
	service_add_port(service, &port);
}

static void decode_ports(const struct field *spec, struct service *service)
{
	struct field ports = field_member(spec, "ports");
	struct field first = field_first(&ports);

	if (!decode_check_length(&ports, DECODE_PORTS_MAX))
		return;
	for (struct field item = first; item.value; item = field_next(&item))
		decode_port(&item, !first.value->next, service);
}

static void add_addr(GArray **addrs, const struct addr *addr)
{
	if (!*addrs)
		*addrs = g_array_sized_new(FALSE, FALSE, sizeof(*addr), 1);
	for (unsigned int i = 0; i < (*addrs)->len; i++)
		if (addr_equal(&g_array_index(*addrs, struct addr, i), addr))
			return;
	g_array_append_val(*addrs, *addr);
}

/* "" waits for an address, and "None" wants none. */
static bool is_no_address(const char *text)
{
	return !*text || strcmp(text, "None") == 0;
}

static void decode_cluster_ip(const struct field *field, struct service *service)
{
	const char *text = field_text(field);
	const GArray *others = service->cluster_ips;
	struct addr addr;

	if (text && strcmp(text, "None") == 0)
		service->headless = true;
	if (!text || is_no_address(text) || !decode_host_address(field, &addr))
		return;
	for (unsigned int i = 0; others && i < others->len; i++) {
		if (addr_is_v4(&g_array_index(others, struct addr, i)) != addr_is_v4(&addr))
			continue;
		field_add_problem(field, "is the second of its family: want one of each at most");
		return;
	}
	add_addr(&service->cluster_ips, &addr);
}

/* clusterIP repeats the first of clusterIPs; alone it counts. */
static void decode_cluster_ips(const struct field *spec, struct service *service)
{
	struct field single = field_member(spec, "clusterIP");
	struct field list = field_member(spec, "clusterIPs");
	struct field first = field_first(&list);
	const char *text = field_text(&single);

	if (!first.value) {
		decode_cluster_ip(&single, service);
		return;
	}
	if (text && *text && g_strcmp0(text, field_text(&first)) != 0)
		field_add_problem(&single, "is \"%.50s\", which is not the first of clusterIPs",
				  text);
	for (struct field item = first; item.value; item = field_next(&item))
		decode_cluster_ip(&item, service);
}

static void decode_external_ips(const struct field *spec, struct service *service)
{
	struct field list = field_member(spec, "externalIPs");
	struct addr addr;

	if (!decode_check_length(&list, MAX_ADDRS))
		return;
	for (struct field item = field_first(&list); item.value; item = field_next(&item))
		if (decode_host_address(&item, &addr))
			add_addr(&service->external_ips, &addr);
}

/* Where ipMode is Proxy, packets must reach the load balancer itself. */
static void decode_ingress(const struct field *object, struct service *service)
{
	static const char *const modes[] = {"VIP", "Proxy", NULL};
	struct field status = field_member(object, "status");
	struct field load_balancer = field_member(&status, "loadBalancer");
	struct field list = field_member(&load_balancer, "ingress");

	if (!decode_check_length(&list, MAX_ADDRS))
		return;
	for (struct field item = field_first(&list); item.value; item = field_next(&item)) {
		struct field ip = field_member(&item, "ip");
		struct field mode = field_member(&item, "ipMode");
		const char *text = field_text(&ip);
		bool is_proxy = decode_word(&mode, modes) == 1;
		struct addr addr;

		/* Without one it is a host name. */
		if (text && *text && decode_host_address(&ip, &addr) && !is_proxy)
			add_addr(&service->ingress_ips, &addr);
	}
}

/*
 * As in a policy, bits of the host have no meaning. Kubernetes accepts blanks around it.
 */
static bool parse_source_range(const char *text, struct cidr *cidr)
{
	g_autofree char *trimmed = g_strstrip(g_strdup(text));

	return strchr(trimmed, '/') && cidr_parse(trimmed, cidr) != -EINVAL;
}

static void decode_source_ranges(const struct field *spec, struct service *service)
{
	struct field list = field_member(spec, "loadBalancerSourceRanges");

	if (!decode_check_length(&list, MAX_RANGES))
		return;
	for (struct field item = field_first(&list); item.value; item = field_next(&item)) {
		const char *text = field_required_text(&item);
		struct cidr cidr;

		if (!text)
			continue;
		if (!parse_source_range(text, &cidr)) {
			field_want(&item, "an IPv4 or IPv6 prefix such as 10.0.0.0/24");
			continue;
		}
		if (!service->source_ranges)
			service->source_ranges = g_array_sized_new(FALSE, FALSE, sizeof(cidr), 1);
		g_array_append_val(service->source_ranges, cidr);
	}
}

static void decode_affinity(const struct field *spec, struct service *service)
{
	static const char *const kinds[] = {"None", "ClientIP", NULL};
	struct field kind = field_member(spec, "sessionAffinity");
	struct field config = field_member(spec, "sessionAffinityConfig");
	struct field client_ip = field_member(&config, "clientIP");
	struct field timeout = field_member(&client_ip, "timeoutSeconds");
	int64_t seconds = DEFAULT_AFFINITY_S;

	field_int(&timeout, 1, MAX_AFFINITY_S, &seconds);
	if (decode_word(&kind, kinds) == 1)
		service->affinity_timeout = seconds;
}

static void decode_distribution(const struct field *spec, struct service *service)
{
	static const char *const kinds[] = {"PreferClose", "PreferSameZone", "PreferSameNode",
					    NULL};
	struct field field = field_member(spec, "trafficDistribution");
	int kind = decode_word(&field, kinds);

	if (kind >= 0)
		service->distribution =
			kind == 2 ? SERVICE_DISTRIBUTION_SAME_NODE : SERVICE_DISTRIBUTION_SAME_ZONE;
}

static void decode_type(const struct field *spec, struct service *service)
{
	static const char *const types[] = {
		[SERVICE_CLUSTER_IP] = "ClusterIP",
		[SERVICE_NODE_PORT] = "NodePort",
		[SERVICE_LOAD_BALANCER] = "LoadBalancer",
		[SERVICE_EXTERNAL_NAME] = "ExternalName",
		NULL,
	};
	struct field field = field_member(spec, "type");
	int type = decode_word(&field, types);

	service->type = type < 0 ? SERVICE_CLUSTER_IP : type;
}

static void decode_policies(const struct field *spec, struct service *service)
{
	static const char *const policies[] = {"Cluster", "Local", NULL};
	struct field external = field_member(spec, "externalTrafficPolicy");
	struct field internal = field_member(spec, "internalTrafficPolicy");
	struct field not_ready = field_member(spec, "publishNotReadyAddresses");
	struct field health = field_member(spec, "healthCheckNodePort");

	service->external_local = decode_word(&external, policies) == 1;
	service->internal_local = decode_word(&internal, policies) == 1;
	service->publish_not_ready = field_bool(&not_ready, false);
	service->health_check_node_port = decode_optional_port(&health);
}

static char *decode_label_text(const struct field *labels)
{
	const struct label_set *set = decode_labels(labels);
	char *text = g_strdup(label_set_text(set));

	label_set_unref(set);
	return text;
}

struct object *decode_service(const struct field *object, struct object_meta *take_meta)
{
	struct object *decoded = decode_new(&service_class, take_meta);
	struct service *service = (struct service *)decoded;
	struct field metadata = field_member(object, "metadata");
	struct field annotations = field_member(&metadata, "annotations");
	struct field spec = field_member(object, "spec");
	struct field selector = field_member(&spec, "selector");

	/* An empty one is as none: somebody else says what is behind the service. */
	if (field_first_member(&selector).value)
		service->selector = decode_label_text(&selector);
	decode_type(&spec, service);
	decode_ports(&spec, service);
	decode_cluster_ips(&spec, service);
	decode_external_ips(&spec, service);
	decode_source_ranges(&spec, service);
	decode_ingress(object, service);
	decode_affinity(&spec, service);
	decode_distribution(&spec, service);
	decode_policies(&spec, service);
	decode_service_annotations(&annotations, service);
	/* Nobody asks for it, and there may be 30,000 of them. */
	g_clear_pointer(&service->meta.uid, g_free);
	service_share(service);
	return decoded;
}
