// SPDX-License-Identifier: Apache-2.0
#include "test/services/reference_private.h"

#include <string.h>
#include "src/model/endpoint.h"
#include "src/model/local_redirect.h"
#include "src/model/pod.h"
#include "src/model/service_request.h"

/* ---- pods ---- */

struct local {
	const struct pod *pod;
	struct addr addr;
};

static bool find_local(const struct lb_world *world, unsigned int i, bool v4, struct local *ret)
{
	const struct pod *pod = ROW(world, LB_WORLD_POD, i, pod);
	bool has_endpoint = false;

	if (!pod || pod->ended)
		return false;
	ret->pod = pod;
	ret->addr = v4 ? pod->addr4 : pod->addr6;
	for (int j = 0; j < LB_WORLD_N_KEYS; j++) {
		const struct endpoint *endpoint = ROW(world, LB_WORLD_ENDPOINT, j, endpoint);

		if (!endpoint || g_strcmp0(endpoint->pod_name, pod->meta.name))
			continue;
		has_endpoint = true;
		ret->addr = v4 ? endpoint->addr4 : endpoint->addr6;
	}
	return pod->node_name ? !strcmp(pod->node_name, "node1") : has_endpoint;
}

static bool is_loopback(const struct addr *addr)
{
	char text[ADDR_TEXT_BYTES];

	addr_format(addr, text);
	return g_str_has_prefix(text, "127.") || !strcmp(text, "::1");
}

void reference_ask_host_ports(const struct question *question, unsigned int n)
{
	const struct lb_world *world = question->world;
	const struct derive_config *config = &world->config;
	bool v4 = addr_is_v4(&question->addr);
	struct local local;

	if (!config->enable_host_port || !find_local(world, n, v4, &local) ||
	    addr_is_zero(&local.addr) || local.pod->host_network)
		return;
	for (unsigned int i = 0; local.pod->host_ports && i < local.pod->host_ports->len; i++) {
		const struct pod_host_port *port =
			&g_array_index(local.pod->host_ports, struct pod_host_port, i);
		bool any = addr_is_zero(&port->addr), loopback = is_loopback(&question->addr);
		char own[ADDR_TEXT_BYTES], text[ADDR_TEXT_BYTES];

		if (port->protocol != question->protocol || port->port != question->port ||
		    (config->enable_node_port && port->port >= 30000 && port->port <= 30010))
			continue;
		if (any ? !loopback && !reference_is_port_addr(world, &question->addr)
			: !addr_equal(&port->addr, &question->addr))
			continue;
		reference_add_want(
			question, 2,
			g_strdup_printf("hostport/%s:%u%s%s/%s/%c", local.pod->meta.key, port->port,
					any ? "" : "@", any ? "" : addr_format(&port->addr, text),
					reference_protocol_text(port->protocol), v4 ? '4' : '6'),
			i, LB_TYPE_HOST_PORT,
			question->external && loopback
				? g_strdup_printf("type %d refused", LB_TYPE_HOST_PORT)
				: g_strdup_printf("type %d %s affinity 0 %s-%u", LB_TYPE_HOST_PORT,
						  reference_algorithm_of(world, 0),
						  addr_format(&local.addr, own), port->number));
	}
}

/* ---- redirects ---- */

static const struct redirect_port *pair(const struct local_redirect *redirect, const char *name,
					uint8_t protocol, bool alone)
{
	for (unsigned int i = 0; i < redirect->backend_ports->len; i++) {
		const struct redirect_port *port =
			&g_array_index(redirect->backend_ports, struct redirect_port, i);

		if (port->protocol == protocol && ((alone && redirect->backend_ports->len == 1) ||
						   (name && !g_strcmp0(name, port->name))))
			return port;
	}
	return NULL;
}

static const struct redirect_port *pair_named(const struct local_redirect *redirect,
					      uint16_t number, uint8_t protocol)
{
	const GArray *ports = redirect->frontend_ports;

	for (unsigned int i = 0; i < ports->len; i++) {
		const struct redirect_port *port = &g_array_index(ports, struct redirect_port, i);
		const struct redirect_port *found;

		if (port->port != number || port->protocol != protocol)
			continue;
		found = pair(redirect, port->name, protocol, ports->len == 1);
		/* Of a service the first that names the port decides. */
		if (found || redirect->service)
			return found;
	}
	return NULL;
}

static const struct redirect_port *pair_service(const struct question *question,
						const struct local_redirect *redirect)
{
	for (int s = 0; s < LB_WORLD_N_KEYS; s++) {
		const struct service *service = ROW(question->world, LB_WORLD_SERVICE, s, service);

		if (!service || strcmp(service->meta.name, redirect->service) != 0 ||
		    service->type != SERVICE_CLUSTER_IP ||
		    !reference_has(service->cluster_ips, &question->addr))
			continue;
		for (unsigned int i = 0; service->ports && i < service->ports->len; i++) {
			const struct service_port *port =
				&g_array_index(service->ports, struct service_port, i);
			const struct redirect_port *found;

			if (port->port != question->port || port->protocol != question->protocol)
				continue;
			found = redirect->frontend_ports
					? pair_named(redirect, port->port, port->protocol)
					: pair(redirect, port->name, port->protocol,
					       service->ports->len == 1);
			if (found)
				return found;
		}
	}
	return NULL;
}

static bool may_take(const struct lb_world *world, const struct addr *addr)
{
	const GArray *cidrs = world->config.redirect_cidrs;

	return !cidrs || cidr_contains(&g_array_index(cidrs, struct cidr, 0), addr);
}

void reference_ask_redirect(const struct question *question, const struct local_redirect *redirect)
{
	const struct redirect_port *port = NULL;
	GPtrArray *texts = g_ptr_array_new_with_free_func(g_free);
	bool v4 = addr_is_v4(&question->addr);
	g_autofree char *behind = NULL;

	if (redirect->service)
		port = pair_service(question, redirect);
	else if (addr_equal(&redirect->addr, &question->addr) &&
		 may_take(question->world, &redirect->addr))
		port = pair_named(redirect, question->port, question->protocol);
	for (unsigned int i = 0; port && i < LB_WORLD_N_KEYS; i++) {
		struct local local;
		char addr[ADDR_TEXT_BYTES];
		char *text;

		if (!find_local(question->world, i, v4, &local) || addr_is_zero(&local.addr) ||
		    !local.pod->ready || local.pod->terminating ||
		    g_strcmp0(label_set_find(local.pod->meta.labels, "k8s", "app"), "a"))
			continue;
		text = g_strdup_printf("%s-%u", addr_format(&local.addr, addr), port->port);
		if (g_ptr_array_find_with_equal_func(texts, text, g_str_equal, NULL))
			g_free(text);
		else
			g_ptr_array_add(texts, text);
	}
	behind = reference_join(texts);
	if (!*behind || !question->world->config.enable_local_redirect)
		return;
	reference_add_want(
		question, 0,
		g_strdup_printf("redirect/%s:%u/%s/%c", redirect->meta.key, question->port,
				reference_protocol_text(question->protocol), v4 ? '4' : '6'),
		0, LB_TYPE_LOCAL_REDIRECT,
		question->external
			? g_strdup_printf("type %d refused", LB_TYPE_LOCAL_REDIRECT)
			: g_strdup_printf("type %d %s affinity 0 %s", LB_TYPE_LOCAL_REDIRECT,
					  reference_algorithm_of(question->world, 0), behind));
	g_array_index(question->wants, struct want, question->wants->len - 1).guards =
		redirect->service != NULL;
}

/* ---- requests ---- */

static bool is_here(const struct lb_world *world, const struct addr *addr)
{
	for (int i = 0; i < LB_WORLD_N_KEYS; i++) {
		const struct endpoint *endpoint = ROW(world, LB_WORLD_ENDPOINT, i, endpoint);

		if (endpoint &&
		    (addr_equal(&endpoint->addr4, addr) || addr_equal(&endpoint->addr6, addr)))
			return true;
	}
	return reference_is_own_addr(world, addr);
}

void reference_ask_request(const struct question *question, const struct service_request *request)
{
	const struct lb_world *world = question->world;
	bool cluster_ip = request->type == LB_TYPE_CLUSTER_IP;
	bool local = cluster_ip ? request->internal_local
				: question->external && request->external_local;
	g_autoptr(GArray) all = g_array_new(false, true, sizeof(struct behind));
	g_autofree char *behind = NULL;
	char *answer;

	if (!addr_equal(&request->addr, &question->addr) || request->port != question->port ||
	    request->protocol != question->protocol)
		return;
	for (unsigned int i = 0; i < request->backends->len; i++) {
		const struct service_request_backend *asked =
			&g_array_index(request->backends, struct service_request_backend, i);
		struct behind one = {
			.endpoint = {.addr = asked->addr,
				     .weight = asked->weight,
				     .node = is_here(world, &asked->addr) ? "node1" : NULL},
			.port = asked->port,
			.ready = asked->state == LB_BACKEND_ACTIVE ||
				 asked->state == LB_BACKEND_QUARANTINED,
			.draining = asked->state == LB_BACKEND_TERMINATING,
			.sick = asked->state == LB_BACKEND_QUARANTINED,
			.near = true,
		};

		if (addr_is_v4(&asked->addr) == addr_is_v4(&request->addr))
			g_array_append_val(all, one);
	}
	behind = reference_choose(all, local);
	if (question->external && cluster_ip && !world->config.external_cluster_ip)
		answer = g_strdup_printf("type %d refused", request->type);
	else
		answer = g_strdup_printf(
			"type %d %s affinity 0 %s%s", request->type,
			reference_algorithm_of(world, 0), behind,
			question->external && reference_is_dsr(world, 0, request->protocol) ? " dsr"
											    : "");
	reference_add_want(question, 3, g_strdup_printf("request/%u", request->id), 0,
			   request->type, answer);
}
