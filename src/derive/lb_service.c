// SPDX-License-Identifier: Apache-2.0
#include "src/derive/lb_service.h"

#include <string.h>
#include "src/model/connection_text.h"
#include "src/model/selector.h"

#define LABEL_PROXY_NAME "service.kubernetes.io/service-proxy-name"
#define LABEL_HEADLESS   "service.kubernetes.io/headless"
#define LABEL_NODE       "service.cilium.io/node"

/* One port in one family, on its way to be a draft. */
struct build {
	const struct derive_config *config;
	const struct lb_node *node;
	const struct service *service;
	const struct service_port *port;
	struct lb_draft *draft;
	bool v4;
};

/* What stands for an address of any node: 0.0.0.0 and ::. */
static struct addr surrogate_addr(bool v4)
{
	static const struct addr any6;

	return v4 ? addr_from_v4((struct in_addr){0}) : any6;
}

bool lb_service_has_node_ports(const struct service *service)
{
	for (unsigned int i = 0; service->ports && i < service->ports->len; i++)
		if (g_array_index(service->ports, struct service_port, i).node_port)
			return true;
	return false;
}

bool lb_service_asks_node(const struct service *service)
{
	return service->node || service->node_selector || service->delegation ||
	       service->distribution;
}

/* ---- whether at all ---- */

/* Somebody else's, as the label says; without a name of our own, whatever it says. */
static bool is_foreign(const struct derive_config *config, const struct service *service)
{
	const char *wanted = config->service_proxy_name;
	const char *name = label_set_find(service->meta.labels, NULL, LABEL_PROXY_NAME);

	return g_strcmp0(name, wanted && *wanted ? wanted : NULL) != 0;
}

/* Front ends that clients outside use are on all nodes, unless the service says on which. */
static bool is_exposed_here(const struct lb_node *node, const struct service *service)
{
	const struct label_set *labels = lb_node_get_labels(node);

	if (service->node_selector)
		return labels && selector_matches(service->node_selector, labels);
	if (service->node)
		return labels &&
		       !g_strcmp0(label_set_find(labels, NULL, LABEL_NODE), service->node);
	return true;
}

static bool is_exposed_as(const struct service *service, enum service_exposure as)
{
	return service->exposure == SERVICE_EXPOSE_ALL || service->exposure == as;
}

/* ---- front ends ---- */

static bool is_dsr(const struct build *build)
{
	const struct derive_config *config = build->config;

	if (build->service->forwarding &&
	    (config->lb_mode_annotation || config->lb_mode == LB_MODE_ANNOTATION))
		return build->service->forwarding == SERVICE_FORWARDING_DSR;
	return config->lb_mode == LB_MODE_DSR ||
	       (config->lb_mode == LB_MODE_HYBRID && build->port->protocol == IPPROTO_TCP);
}

static uint16_t range_flags(const struct build *build, enum lb_type type)
{
	const struct service *service = build->service;

	if (!service->source_ranges || build->config->ignore_source_ranges ||
	    (type != LB_TYPE_LOAD_BALANCER && !build->config->source_range_all_types))
		return 0;
	return LB_FRONTEND_F_SOURCE_RANGES | (service->deny_ranges ? LB_FRONTEND_F_DENY_RANGES : 0);
}

/*
 * internalTrafficPolicy is about cluster addresses, wherever their clients are; what pods send to the others goes to
 * any back end, whatever externalTrafficPolicy says.
 */
static uint16_t flags_of(const struct build *build, enum lb_type type)
{
	uint16_t flags = range_flags(build, type);
	bool is_cluster_ip = type == LB_TYPE_CLUSTER_IP;

	if (is_cluster_ip && build->draft->fields.internal_local)
		flags |= LB_FRONTEND_F_INTERNAL_LOCAL | LB_FRONTEND_F_EXTERNAL_LOCAL;
	if (!is_cluster_ip && build->service->external_local)
		flags |= LB_FRONTEND_F_EXTERNAL_LOCAL;
	if (is_cluster_ip && !build->config->external_cluster_ip)
		return flags;
	return flags | LB_FRONTEND_F_EXTERNAL | (is_dsr(build) ? LB_FRONTEND_F_DSR : 0);
}

static void add_frontends(const struct build *build, const GArray *addrs, uint16_t port,
			  enum lb_type type)
{
	for (unsigned int i = 0; addrs && i < addrs->len; i++) {
		const struct addr *addr = &g_array_index(addrs, struct addr, i);

		if (addr_is_v4(addr) == build->v4)
			lb_draft_add_frontend(build->draft, addr, port, type,
					      flags_of(build, type));
	}
}

/* A service without any cluster address, as without a cluster, is of both families. */
static bool is_of_family(const struct service *service, bool v4)
{
	for (unsigned int i = 0; service->cluster_ips && i < service->cluster_ips->len; i++)
		if (addr_is_v4(&g_array_index(service->cluster_ips, struct addr, i)) == v4)
			return true;
	return !service->cluster_ips;
}

static void add_node_port(const struct build *build)
{
	const struct service *service = build->service;
	struct addr surrogate = surrogate_addr(build->v4);

	if (!build->config->enable_node_port || !build->port->node_port ||
	    !is_exposed_as(service, SERVICE_EXPOSE_NODE_PORT) || !is_of_family(service, build->v4))
		return;
	add_frontends(build, lb_node_get_port_addrs(build->node, build->v4), build->port->node_port,
		      LB_TYPE_NODE_PORT);
	lb_draft_add_frontend(build->draft, &surrogate, build->port->node_port, LB_TYPE_NODE_PORT,
			      flags_of(build, LB_TYPE_NODE_PORT));
}

static void add_all_frontends(const struct build *build)
{
	const struct service *service = build->service;
	const struct derive_config *config = build->config;
	uint16_t port = build->port->port;

	if (is_exposed_as(service, SERVICE_EXPOSE_CLUSTER_IP))
		add_frontends(build, service->cluster_ips, port, LB_TYPE_CLUSTER_IP);
	if (!is_exposed_here(build->node, service))
		return;
	add_node_port(build);
	if (config->enable_external_ips && service->exposure == SERVICE_EXPOSE_ALL)
		add_frontends(build, service->external_ips, port, LB_TYPE_EXTERNAL_IP);
	if (config->enable_node_port && service->type == SERVICE_LOAD_BALANCER &&
	    is_exposed_as(service, SERVICE_EXPOSE_LOAD_BALANCER))
		add_frontends(build, service->ingress_ips, port, LB_TYPE_LOAD_BALANCER);
}

/*
 * proxy-delegation: a back end at an address of this node is a proxy that wants the packets as they came, so
 * that here there is no such front end.
 */
static void delegate(const struct build *build)
{
	const GArray *backends = build->draft->backends;
	GArray *frontends = build->draft->frontends;
	bool is_here = false;

	for (unsigned int i = 0; i < backends->len; i++)
		is_here |= lb_node_is_own_addr(
			build->node, &g_array_index(backends, struct lb_plan_backend, i).addr);
	for (unsigned int i = frontends->len; is_here && i > 0; i--) {
		uint8_t type = g_array_index(frontends, struct lb_plan_frontend, i - 1).type;

		if (type == LB_TYPE_LOAD_BALANCER || type == LB_TYPE_EXTERNAL_IP)
			g_array_remove_index(frontends, i - 1);
	}
}

/* ---- a row ---- */

static void add_source_ranges(const struct build *build)
{
	const GArray *ranges = build->service->source_ranges;
	struct lb_draft *draft = build->draft;
	bool counts = false;

	for (unsigned int i = 0; i < draft->frontends->len; i++)
		counts |= !!(g_array_index(draft->frontends, struct lb_plan_frontend, i).flags &
			     LB_FRONTEND_F_SOURCE_RANGES);
	if (!counts)
		return;
	draft->source_ranges = g_array_new(false, false, sizeof(struct cidr));
	for (unsigned int i = 0; i < ranges->len; i++) {
		const struct cidr *range = &g_array_index(ranges, struct cidr, i);

		if (cidr_is_v4(range) == build->v4)
			g_array_append_vals(draft->source_ranges, range, 1);
	}
}

/* Where all nodes serve, nobody has to ask which do. */
static bool may_be_asked(const struct service *service)
{
	return service->type == SERVICE_LOAD_BALANCER && service->external_local;
}

static void set_fields(const struct build *build)
{
	const struct service *service = build->service;
	const struct derive_config *config = build->config;
	struct lb_service *fields = &build->draft->fields;

	fields->namespace = service->meta.namespace;
	fields->name = service->meta.name;
	fields->port_name = build->port->name;
	fields->affinity_timeout = config->ignore_session_affinity ? 0 : service->affinity_timeout;
	if (may_be_asked(service))
		fields->health_check_node_port = service->health_check_node_port;
	fields->algorithm = config->lb_algorithm;
	if (config->lb_algorithm_annotation && service->choice)
		fields->algorithm = service->choice == SERVICE_CHOICE_MAGLEV ? LB_ALGORITHM_MAGLEV
									     : LB_ALGORITHM_RANDOM;
	fields->external_local = service->external_local;
	fields->internal_local = service->internal_local && config->enable_internal_traffic_policy;
	build->draft->guards_addrs = true;
}

static struct lb_draft *derive_port(const struct lb_backend_source *source,
				    const struct service *service, const struct service_port *port,
				    bool v4)
{
	const struct lb_owner owner = {LB_OWNER_SERVICE, service->meta.key};
	char port_text[8];
	struct build build = {
		.config = source->config,
		.node = source->node,
		.service = service,
		.port = port,
		.v4 = v4,
	};

	g_snprintf(port_text, sizeof(port_text), "%u", port->port);
	build.draft = lb_draft_new(&owner, port_text, port->protocol, v4);
	set_fields(&build);
	add_all_frontends(&build);
	if (build.draft->frontends->len)
		lb_backends_add(build.draft, source, service, port, v4);
	if (service->delegation == SERVICE_DELEGATE_IF_LOCAL)
		delegate(&build);
	add_source_ranges(&build);
	build.draft->fields.needs_maglev = lb_draft_needs_maglev(build.draft);
	return build.draft;
}

/* The same number and protocol twice: the first counts. */
static bool is_repeated(const GArray *ports, unsigned int i)
{
	const struct service_port *port = &g_array_index(ports, struct service_port, i);

	for (unsigned int j = 0; j < i; j++) {
		const struct service_port *before = &g_array_index(ports, struct service_port, j);

		if (before->port == port->port && before->protocol == port->protocol)
			return true;
	}
	return false;
}

/* kube-proxy and Cilium pass over the label too, whatever its value and whether there is a clusterIP. */
static bool wants_nothing(const struct service *service)
{
	return service->type == SERVICE_EXTERNAL_NAME || service->headless ||
	       label_set_find(service->meta.labels, NULL, LABEL_HEADLESS);
}

void lb_service_derive(const struct lb_backend_source *source, const struct service *service,
		       GPtrArray *drafts)
{
	const struct derive_config *config = source->config;

	if (wants_nothing(service) || is_foreign(config, service))
		return;
	for (unsigned int i = 0; service->ports && i < service->ports->len; i++) {
		const struct service_port *port =
			&g_array_index(service->ports, struct service_port, i);

		if (is_repeated(service->ports, i))
			continue;
		for (int v4 = 1; v4 >= 0; v4--) {
			struct lb_draft *draft;

			if (!(v4 ? config->enable_ipv4 : config->enable_ipv6))
				continue;
			draft = derive_port(source, service, port, v4);
			if (draft->frontends->len)
				g_ptr_array_add(drafts, draft);
			else
				lb_draft_free(draft);
		}
	}
}

void lb_service_add_keys(const struct service *service, GPtrArray *keys)
{
	for (unsigned int i = 0; service->ports && i < service->ports->len; i++) {
		const struct service_port *port =
			&g_array_index(service->ports, struct service_port, i);

		for (const char *family = "46"; *family; family++)
			g_ptr_array_add(
				keys, g_strdup_printf("%s:%u/%s/%c", service->meta.key, port->port,
						      protocol_format(port->protocol), *family));
	}
}

/* In a cluster the API server gives addresses; in a directory of manifests nobody does. */
static void check_reachable(const struct service *service, GPtrArray *problems)
{
	if (!service->ports)
		g_ptr_array_add(problems, g_strdup_printf("Service %s has no ports, so nobody "
							  "reaches it: write spec.ports",
							  service->meta.key));
	else if (!service->cluster_ips && !service->external_ips && !service->ingress_ips &&
		 !lb_service_has_node_ports(service))
		g_ptr_array_add(problems,
				g_strdup_printf("Service %s has no address, so nobody reaches it: "
						"write spec.clusterIP, or a nodePort, or "
						"status.loadBalancer.ingress",
						service->meta.key));
}

void lb_service_check(const struct derive_config *config, const struct service *service,
		      GPtrArray *problems)
{
	const GArray *ports = service->ports;

	if (wants_nothing(service) || is_foreign(config, service))
		return;
	check_reachable(service, problems);
	for (unsigned int i = 0; config->enable_node_port && ports && i < ports->len; i++) {
		uint16_t port = g_array_index(ports, struct service_port, i).node_port;

		if (!port || (port >= config->node_port_min && port <= config->node_port_max))
			continue;
		g_ptr_array_add(
			problems,
			g_strdup_printf("Service %s: nodePort %u is outside node-port-range "
					"%u,%u: it is served on addresses of this node "
					"alone, and not kept free for it; widen the range",
					service->meta.key, port, config->node_port_min,
					config->node_port_max));
	}
	if (service->health_check_node_port && !may_be_asked(service))
		g_ptr_array_add(problems,
				g_strdup_printf("Service %s: healthCheckNodePort %u has no effect: "
						"only a LoadBalancer with externalTrafficPolicy "
						"Local has one",
						service->meta.key,
						service->health_check_node_port));
}
