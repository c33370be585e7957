// SPDX-License-Identifier: Apache-2.0
#include "test/services/reference_private.h"

#include <string.h>
#include "src/model/local_redirect.h"
#include "src/model/selector.h"
#include "src/model/service_request.h"

const char *reference_protocol_text(uint8_t protocol)
{
	return protocol == IPPROTO_TCP ? "TCP" : "UDP";
}

bool reference_has(const GArray *addrs, const struct addr *addr)
{
	for (unsigned int i = 0; addrs && i < addrs->len; i++)
		if (addr_equal(&g_array_index(addrs, struct addr, i), addr))
			return true;
	return false;
}

bool reference_is_dsr(const struct lb_world *world, int forwarding, uint8_t protocol)
{
	if ((world->config.lb_mode_annotation || world->config.lb_mode == LB_MODE_ANNOTATION) &&
	    forwarding)
		return forwarding == SERVICE_FORWARDING_DSR;
	return world->config.lb_mode == LB_MODE_DSR ||
	       (world->config.lb_mode == LB_MODE_HYBRID && protocol == IPPROTO_TCP);
}

const char *reference_algorithm_of(const struct lb_world *world, int choice)
{
	if (world->config.lb_algorithm_annotation && choice)
		return choice == SERVICE_CHOICE_MAGLEV ? "maglev" : "random";
	return world->config.lb_algorithm == LB_ALGORITHM_MAGLEV ? "maglev" : "random";
}

void reference_add_want(const struct question *question, int rank, char *take_key,
			unsigned int order, int type, char *take_answer)
{
	struct want want = {
		.rank = rank,
		.key = take_key,
		.order = order,
		.type = type,
		.answer = take_answer,
		.guards = true,
	};

	g_array_append_val(question->wants, want);
}

/* ---- services ---- */

static bool has_family(const GArray *addrs, bool v4)
{
	for (unsigned int i = 0; addrs && i < addrs->len; i++)
		if (addr_is_v4(&g_array_index(addrs, struct addr, i)) == v4)
			return true;
	return !addrs;
}

static bool is_exposed(const struct lb_world *world, const struct service *service)
{
	const struct label_set *labels = reference_own_labels(world);

	if (service->node_selector)
		return labels && selector_matches(service->node_selector, labels);
	return !service->node ||
	       (labels &&
		!g_strcmp0(label_set_find(labels, "k8s", "service.cilium.io/node"), service->node));
}

static bool shows(const struct service *service, int exposure)
{
	return !service->exposure || service->exposure == exposure;
}

static bool is_delegated(const struct lb_world *world, const struct service *service,
			 const GArray *all, uint8_t protocol)
{
	for (unsigned int i = 0; service->delegation && i < all->len; i++) {
		const struct behind *behind = &g_array_index(all, struct behind, i);

		if ((reference_rank_of(behind) < 2 || protocol != IPPROTO_UDP) &&
		    reference_is_own_addr(world, &behind->endpoint.addr))
			return true;
	}
	return false;
}

/* As what the address and port is the service's; 0: it is not. */
static int type_of(const struct lb_world *world, const struct service *service,
		   const struct service_port *port, const struct addr *addr, uint16_t number,
		   bool delegated)
{
	struct addr any4 = addr_from_v4((struct in_addr){0});
	bool is_any = addr_is_zero(addr) || addr_equal(addr, &any4);

	if (number == port->port && shows(service, SERVICE_EXPOSE_CLUSTER_IP) &&
	    reference_has(service->cluster_ips, addr))
		return LB_TYPE_CLUSTER_IP;
	if (!is_exposed(world, service))
		return 0;
	if (world->config.enable_node_port && port->node_port && number == port->node_port &&
	    shows(service, SERVICE_EXPOSE_NODE_PORT) &&
	    has_family(service->cluster_ips, addr_is_v4(addr)) &&
	    (is_any || reference_is_port_addr(world, addr)))
		return LB_TYPE_NODE_PORT;
	if (number != port->port || delegated)
		return 0;
	if (world->config.enable_node_port && service->type == SERVICE_LOAD_BALANCER &&
	    shows(service, SERVICE_EXPOSE_LOAD_BALANCER) &&
	    reference_has(service->ingress_ips, addr))
		return LB_TYPE_LOAD_BALANCER;
	if (world->config.enable_external_ips && !service->exposure &&
	    reference_has(service->external_ips, addr))
		return LB_TYPE_EXTERNAL_IP;
	return 0;
}

/* Those that clients of the family can have, each once. */
static char *ranges_of(const struct lb_world *world, const struct service *service, int type,
		       bool v4)
{
	static const char *const sorted[] = {"10.0.0.0/8", "198.51.100.0/24", "2001:db8::/32"};
	GString *list;

	if (!service->source_ranges || world->config.ignore_source_ranges ||
	    (type != LB_TYPE_LOAD_BALANCER && !world->config.source_range_all_types))
		return g_strdup("");
	list = g_string_new(service->deny_ranges ? " not" : " only");
	for (unsigned int i = 0; i < G_N_ELEMENTS(sorted); i++) {
		bool found = false;

		for (unsigned int j = 0; j < service->source_ranges->len; j++) {
			char text[CIDR_TEXT_BYTES];

			cidr_format(&g_array_index(service->source_ranges, struct cidr, j), text);
			found |= !strcmp(text, sorted[i]);
		}
		if (found && !strchr(sorted[i], ':') == v4)
			g_string_append_printf(list, " %s", sorted[i]);
	}
	return g_string_free(list, false);
}

static char *answer_of(const struct question *question, const struct service *service,
		       const struct service_port *port, int type, const GArray *all)
{
	const struct lb_world *world = question->world;
	bool external = question->external;
	bool is_cluster_ip = type == LB_TYPE_CLUSTER_IP;
	bool internal_local =
		service->internal_local && world->config.enable_internal_traffic_policy;
	bool local = is_cluster_ip ? internal_local : external && service->external_local;
	g_autofree char *behind = reference_choose(all, local);
	g_autofree char *ranges = ranges_of(world, service, type, addr_is_v4(&question->addr));
	uint32_t affinity = world->config.ignore_session_affinity ? 0 : service->affinity_timeout;

	if (external && is_cluster_ip && !world->config.external_cluster_ip)
		return g_strdup_printf("type %d refused", type);
	if (!external)
		return g_strdup_printf("type %d %s affinity %u %s", type,
				       reference_algorithm_of(world, service->choice), affinity,
				       behind);
	return g_strdup_printf(
		"type %d %s affinity %u %s%s%s", type,
		reference_algorithm_of(world, service->choice), affinity, behind,
		reference_is_dsr(world, service->forwarding, port->protocol) ? " dsr" : "", ranges);
}

static bool is_repeated(const struct service *service, unsigned int n)
{
	const struct service_port *port = &g_array_index(service->ports, struct service_port, n);

	for (unsigned int i = 0; i < n; i++) {
		const struct service_port *before =
			&g_array_index(service->ports, struct service_port, i);

		if (before->port == port->port && before->protocol == port->protocol)
			return true;
	}
	return false;
}

static void ask_service(const struct question *question, const struct service *service)
{
	bool v4 = addr_is_v4(&question->addr);

	if (service->type == SERVICE_EXTERNAL_NAME || service->headless ||
	    label_set_find(service->meta.labels, NULL, "service.kubernetes.io/headless") ||
	    g_strcmp0(label_set_find(service->meta.labels, NULL,
				     "service.kubernetes.io/service-proxy-name"),
		      question->world->config.service_proxy_name) != 0)
		return;
	for (unsigned int i = 0; service->ports && i < service->ports->len; i++) {
		const struct service_port *port =
			&g_array_index(service->ports, struct service_port, i);
		g_autoptr(GArray) all = NULL;
		int type;

		if (port->protocol != question->protocol || is_repeated(service, i))
			continue;
		all = reference_find_behind(question->world, service, port, v4);
		reference_set_near(question->world, service, all);
		type = type_of(question->world, service, port, &question->addr, question->port,
			       is_delegated(question->world, service, all, port->protocol));
		if (type)
			reference_add_want(question, 1,
					   g_strdup_printf("%s:%u/%s/%c", service->meta.key,
							   port->port,
							   reference_protocol_text(port->protocol),
							   v4 ? '4' : '6'),
					   i, type, answer_of(question, service, port, type, all));
	}
}

/* ---- answers ---- */

static bool is_of_one_owner(const struct want *a, const struct want *b)
{
	size_t n_bytes = strcspn(a->key, ":");

	return a->rank == b->rank && n_bytes == strcspn(b->key, ":") &&
	       !strncmp(a->key, b->key, n_bytes);
}

/* Of its own wants an owner has the one of its first port. */
static bool is_surpassed(const GArray *wants, const struct want *want)
{
	for (unsigned int i = 0; i < wants->len; i++) {
		const struct want *other = &g_array_index(wants, struct want, i);

		if (is_of_one_owner(other, want) && other->order < want->order)
			return true;
	}
	return false;
}

/* What the cluster has given goes before what anybody may write. */
static int strength_of(int type)
{
	return type == LB_TYPE_EXTERNAL_IP                              ? 3
	       : type == LB_TYPE_LOAD_BALANCER                          ? 2
	       : type == LB_TYPE_NODE_PORT || type == LB_TYPE_HOST_PORT ? 1
									: 0;
}

static bool comes_first(const struct want *a, const struct want *b)
{
	if (a->rank != b->rank)
		return a->rank < b->rank;
	if (strength_of(a->type) != strength_of(b->type))
		return strength_of(a->type) < strength_of(b->type);
	return strcmp(a->key, b->key) < 0;
}

static void clear_want(void *pointer)
{
	struct want *want = pointer;

	g_free(want->key);
	g_free(want->answer);
}

static void ask_all(const struct question *question)
{
	const struct lb_world *world = question->world;

	for (unsigned int i = 0; i < LB_WORLD_N_KEYS; i++) {
		if (world->rows[LB_WORLD_SERVICE][i])
			ask_service(question, ROW(world, LB_WORLD_SERVICE, i, service));
		if (world->rows[LB_WORLD_REDIRECT][i])
			reference_ask_redirect(question,
					       ROW(world, LB_WORLD_REDIRECT, i, local_redirect));
		if (world->rows[LB_WORLD_REQUEST][i])
			reference_ask_request(question,
					      ROW(world, LB_WORLD_REQUEST, i, service_request));
		reference_ask_host_ports(question, i);
	}
}

/* *ret_guards: the rest of the address's ports is refused because of this one. */
static char *ask(const struct lb_world *world, const struct addr *addr, uint16_t port,
		 uint8_t protocol, bool external, bool *ret_guards)
{
	g_autoptr(GArray) wants = g_array_new(false, false, sizeof(struct want));
	const struct question question = {world, *addr, port, protocol, external, wants};
	const struct want *first = NULL;

	*ret_guards = false;
	if (!reference_is_enabled(world, addr))
		return g_strdup("nobody");
	g_array_set_clear_func(wants, clear_want);
	ask_all(&question);
	for (unsigned int i = 0; i < wants->len; i++) {
		const struct want *want = &g_array_index(wants, struct want, i);

		if (!is_surpassed(wants, want) && (!first || comes_first(want, first)))
			first = want;
	}
	if (!first)
		return g_strdup("nobody");
	*ret_guards = first->guards && first->type != LB_TYPE_NODE_PORT &&
		      first->type != LB_TYPE_HOST_PORT;
	return g_strdup_printf("%s %s", first->key, first->answer);
}

static bool is_guarded(const struct lb_world *world, const struct addr *addr)
{
	static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP};

	for (unsigned int i = 0; i < G_N_ELEMENTS(protocols); i++)
		for (uint16_t port = 80; port < 82; port++) {
			bool guards;

			g_free(ask(world, addr, port, protocols[i], false, &guards));
			if (guards)
				return !reference_is_node_addr(world, addr);
		}
	return false;
}

char *lb_reference_answer(const struct lb_world *world, const struct addr *addr, uint16_t port,
			  uint8_t protocol, bool external)
{
	bool guards;

	if (!port)
		return g_strdup(is_guarded(world, addr) ? "wildcard" : "nobody");
	return ask(world, addr, port, protocol, external, &guards);
}

GArray *lb_reference_addrs(void)
{
	static const char *const texts[] = {
		"10.96.0.1", "10.96.0.2", "192.0.2.1", "fd96::1", "fd96::2",   "10.9.0.1",
		"10.9.0.2",  "10.9.0.3",  "fd09::1",   "::1",     "127.0.0.1", "10.1.0.1",
	};
	GArray *addrs = g_array_new(false, false, sizeof(struct addr));
	struct addr any4 = addr_from_v4((struct in_addr){0}), any6 = {0}, addr;

	for (unsigned int i = 0; i < G_N_ELEMENTS(texts); i++)
		if (!addr_parse(texts[i], &addr))
			g_array_append_val(addrs, addr);
	g_array_append_val(addrs, any4);
	g_array_append_val(addrs, any6);
	return addrs;
}
