// SPDX-License-Identifier: Apache-2.0
#include "src/derive/lb_reference_test.h"

#include <linux/rtnetlink.h>
#include <string.h>
#include "abi/lb.h"
#include "src/model/backend_health.h"
#include "src/model/device.h"
#include "src/model/endpoint.h"
#include "src/model/local_redirect.h"
#include "src/model/node.h"
#include "src/model/pod.h"
#include "src/model/selector.h"
#include "src/model/service.h"
#include "src/model/service_request.h"

#define ROW(world, kind, i, noun) ((const struct noun *)(world)->rows[kind][i])

/* Somebody who wants the address and port, and how it would answer. */
struct want {
	int rank;
	char *key;
	unsigned int order; /* of the ports of one owner */
	int type;
	char *answer;
	bool guards;
};

static const char *protocol_text(uint8_t protocol)
{
	return protocol == IPPROTO_TCP ? "TCP" : "UDP";
}

/* ---- the node ---- */

static bool is_enabled(const struct lb_world *world, const struct addr *addr)
{
	return addr_is_v4(addr) ? world->config.enable_ipv4 : world->config.enable_ipv6;
}

static const struct node *find_node(const struct lb_world *world, const char *key)
{
	for (int i = 0; i < LB_WORLD_N_KEYS; i++) {
		const struct node *node = ROW(world, LB_WORLD_NODE, i, node);

		if (node && !strcmp(node->meta.key, key))
			return node;
	}
	return NULL;
}

static bool node_has(const struct node *node, const struct addr *addr)
{
	for (unsigned int i = 0; node && i < node->addresses->len; i++)
		if (addr_equal(&g_array_index(node->addresses, struct node_address, i).addr, addr))
			return true;
	return false;
}

static bool device_has(const struct device *device, const struct addr *addr)
{
	for (unsigned int i = 0; i < device->addresses->len; i++) {
		const struct device_address *address =
			&g_array_index(device->addresses, struct device_address, i);

		if (address->scope < RT_SCOPE_LINK && addr_equal(&address->addr, addr))
			return true;
	}
	return false;
}

static bool is_own_addr(const struct lb_world *world, const struct addr *addr)
{
	for (int i = 0; i < LB_WORLD_N_KEYS; i++) {
		const struct device *device = ROW(world, LB_WORLD_DEVICE, i, device);

		if (device && strncmp(device->name, "lxc", 3) != 0 && device_has(device, addr))
			return true;
	}
	return false;
}

static bool is_node_addr(const struct lb_world *world, const struct addr *addr)
{
	for (int i = 0; i < LB_WORLD_N_KEYS; i++)
		if (node_has(ROW(world, LB_WORLD_NODE, i, node), addr))
			return true;
	return is_own_addr(world, addr);
}

/* A device that leads out: it has the default route, or an address that a manifest says is this node's. */
static bool leads_out(const struct lb_world *world, const struct device *device)
{
	if (strncmp(device->name, "eth", 3) != 0 && strcmp(device->name, "docker0") != 0)
		return false;
	for (unsigned int i = 0; i < device->addresses->len; i++) {
		const struct addr *addr =
			&g_array_index(device->addresses, struct device_address, i).addr;

		if (node_has(find_node(world, "Node/node1"), addr) ||
		    node_has(find_node(world, "CiliumNode/node1"), addr))
			return true;
	}
	return device->default_route;
}

static bool is_port_addr(const struct lb_world *world, const struct addr *addr)
{
	for (int i = 0; i < LB_WORLD_N_KEYS; i++) {
		const struct device *device = ROW(world, LB_WORLD_DEVICE, i, device);

		if (device && leads_out(world, device) && device_has(device, addr))
			return is_enabled(world, addr);
	}
	return false;
}

static const struct label_set *own_labels(const struct lb_world *world)
{
	const struct node *node = find_node(world, "Node/node1");

	node = node ? node : find_node(world, "CiliumNode/node1");
	return node ? node->meta.labels : NULL;
}

static const char *own_zone(const struct lb_world *world)
{
	const struct label_set *labels = own_labels(world);

	return labels ? label_set_find(labels, "k8s", "topology.kubernetes.io/zone") : NULL;
}

/* ---- back ends ---- */

struct behind {
	struct slice_endpoint endpoint;
	uint16_t port;
	bool ready, draining, sick, near;
};

static int rank_of(const struct behind *behind)
{
	return behind->ready ? 0 : behind->draining ? 1 : 2;
}

static bool is_better(const struct behind *a, const struct behind *b)
{
	if (rank_of(a) != rank_of(b))
		return rank_of(a) < rank_of(b);
	if (a->endpoint.weight != b->endpoint.weight)
		return a->endpoint.weight > b->endpoint.weight;
	for (int i = 0; i < 4; i++) {
		const char *const texts_a[] = {a->endpoint.node, a->endpoint.zone,
					       a->endpoint.zones, a->endpoint.nodes};
		const char *const texts_b[] = {b->endpoint.node, b->endpoint.zone,
					       b->endpoint.zones, b->endpoint.nodes};
		int order = g_strcmp0(texts_a[i], texts_b[i]);

		if (order)
			return order > 0;
	}
	return a->endpoint.flags > b->endpoint.flags;
}

static void put_behind(GArray *all, const struct behind *behind)
{
	for (unsigned int i = 0; i < all->len; i++) {
		struct behind *other = &g_array_index(all, struct behind, i);

		if (addr_equal(&other->endpoint.addr, &behind->endpoint.addr) &&
		    other->port == behind->port) {
			if (is_better(behind, other))
				*other = *behind;
			return;
		}
	}
	g_array_append_val(all, *behind);
}

static bool is_sick(const struct lb_world *world, const struct service *service,
		    const struct behind *behind, uint8_t protocol)
{
	for (int i = 0; service->health && i < LB_WORLD_N_KEYS; i++) {
		const struct backend_health *health =
			ROW(world, LB_WORLD_HEALTH, i, backend_health);
		struct backend_health_key wanted = backend_health_key_new(
			&behind->endpoint.addr, behind->port, protocol, service->meta.key);

		if (health && !memcmp(&health->key, &wanted, sizeof(wanted)))
			return true;
	}
	return false;
}

static GArray *find_behind(const struct lb_world *world, const struct service *service,
			   const struct service_port *port, bool v4)
{
	GArray *all = g_array_new(false, true, sizeof(struct behind));

	for (int s = 0; s < LB_WORLD_N_KEYS; s++) {
		const struct endpoint_slice *slice = ROW(world, LB_WORLD_SLICE, s, endpoint_slice);

		if (!slice || g_strcmp0(slice->service, service->meta.name))
			continue;
		for (unsigned int i = 0; i < slice->ports->len * slice->endpoints->len; i++) {
			const struct slice_port *slice_port = &g_array_index(
				slice->ports, struct slice_port, i / slice->endpoints->len);
			struct behind behind = {
				.endpoint = g_array_index(slice->endpoints, struct slice_endpoint,
							  i % slice->endpoints->len),
				.port = slice_port->port,
			};
			uint8_t flags = behind.endpoint.flags;

			if (!slice_port->port || g_strcmp0(slice_port->name, port->name) ||
			    slice_port->protocol != port->protocol ||
			    slice_port->group != behind.endpoint.group ||
			    addr_is_v4(&behind.endpoint.addr) != v4)
				continue;
			behind.ready = (flags & SLICE_ENDPOINT_READY) || service->publish_not_ready;
			behind.draining = !behind.ready && (flags & SLICE_ENDPOINT_SERVING) &&
					  (flags & SLICE_ENDPOINT_TERMINATING);
			behind.sick = is_sick(world, service, &behind, port->protocol);
			put_behind(all, &behind);
		}
	}
	return all;
}

static bool is_for(const char *list, const char *word)
{
	g_auto(GStrv) words = g_strsplit(list ? list : "", ",", -1);

	return word && g_strv_contains((const char *const *)words, word);
}

/* Hints count when all that are ready have them and one is for us. */
static bool mark_near(GArray *all, bool by_node, const char *word)
{
	bool found = false;

	for (unsigned int i = 0; i < all->len; i++) {
		struct behind *behind = &g_array_index(all, struct behind, i);
		const char *list = by_node ? behind->endpoint.nodes : behind->endpoint.zones;

		behind->near = is_for(list, word);
		if (behind->ready && !list)
			return false;
		found |= behind->ready && behind->near;
	}
	return found;
}

static void set_near(const struct lb_world *world, const struct service *service, GArray *all)
{
	bool counts = world->config.enable_service_topology &&
		      service->distribution != SERVICE_DISTRIBUTION_ANY;

	if (counts && service->distribution == SERVICE_DISTRIBUTION_SAME_NODE &&
	    mark_near(all, true, "node1"))
		return;
	if (counts && own_zone(world) && mark_near(all, false, own_zone(world)))
		return;
	for (unsigned int i = 0; i < all->len; i++)
		g_array_index(all, struct behind, i).near = true;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted and joined. Takes the texts. */
static char *join(GPtrArray *take_texts)
{
	char *text;

	g_ptr_array_sort(take_texts, compare_texts);
	g_ptr_array_add(take_texts, NULL);
	text = g_strjoinv(",", (char **)take_texts->pdata);
	g_ptr_array_unref(take_texts);
	return text;
}

/* Those for which what is asked is so, of this node alone where local says so. */
static char *list_behind(const GArray *all, bool local, bool ready, bool well, bool near)
{
	GPtrArray *texts = g_ptr_array_new_with_free_func(g_free);

	for (unsigned int i = 0; i < all->len; i++) {
		const struct behind *behind = &g_array_index(all, struct behind, i);
		char addr[ADDR_TEXT_BYTES];

		if (!behind->endpoint.weight || (ready ? !behind->ready : !behind->draining) ||
		    (local && g_strcmp0(behind->endpoint.node, "node1")) ||
		    (well && behind->sick) || (near && !behind->near))
			continue;
		g_ptr_array_add(texts,
				g_strdup_printf("%s-%u", addr_format(&behind->endpoint.addr, addr),
						behind->port));
	}
	return join(texts);
}

static char *choose(const GArray *all, bool local)
{
	for (int ready = 1; ready >= 0; ready--)
		for (int well = 1; well >= 0; well--)
			for (int near = well && ready && !local; near >= 0; near--) {
				char *text = list_behind(all, local, ready, well, near);

				if (*text)
					return text;
				g_free(text);
			}
	return g_strdup("nobody");
}

/* ---- services ---- */

static bool has(const GArray *addrs, const struct addr *addr)
{
	for (unsigned int i = 0; addrs && i < addrs->len; i++)
		if (addr_equal(&g_array_index(addrs, struct addr, i), addr))
			return true;
	return false;
}

static bool has_family(const GArray *addrs, bool v4)
{
	for (unsigned int i = 0; addrs && i < addrs->len; i++)
		if (addr_is_v4(&g_array_index(addrs, struct addr, i)) == v4)
			return true;
	return !addrs;
}

static bool is_exposed(const struct lb_world *world, const struct service *service)
{
	const struct label_set *labels = own_labels(world);

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

		if ((rank_of(behind) < 2 || protocol != IPPROTO_UDP) &&
		    is_own_addr(world, &behind->endpoint.addr))
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
	    has(service->cluster_ips, addr))
		return LB_TYPE_CLUSTER_IP;
	if (!is_exposed(world, service))
		return 0;
	if (world->config.enable_node_port && port->node_port && number == port->node_port &&
	    shows(service, SERVICE_EXPOSE_NODE_PORT) &&
	    has_family(service->cluster_ips, addr_is_v4(addr)) &&
	    (is_any || is_port_addr(world, addr)))
		return LB_TYPE_NODE_PORT;
	if (number != port->port || delegated)
		return 0;
	if (world->config.enable_external_ips && !service->exposure &&
	    has(service->external_ips, addr))
		return LB_TYPE_EXTERNAL_IP;
	if (world->config.enable_node_port && service->type == SERVICE_LOAD_BALANCER &&
	    shows(service, SERVICE_EXPOSE_LOAD_BALANCER) && has(service->ingress_ips, addr))
		return LB_TYPE_LOAD_BALANCER;
	return 0;
}

static bool is_dsr(const struct lb_world *world, int forwarding, uint8_t protocol)
{
	if (world->config.lb_mode_annotation && forwarding)
		return forwarding == SERVICE_FORWARDING_DSR;
	return world->config.lb_mode == LB_MODE_DSR ||
	       (world->config.lb_mode == LB_MODE_HYBRID && protocol == IPPROTO_TCP);
}

static const char *algorithm_of(const struct lb_world *world, int choice)
{
	if (world->config.lb_algorithm_annotation && choice)
		return choice == SERVICE_CHOICE_MAGLEV ? "maglev" : "random";
	return world->config.lb_algorithm == LB_ALGORITHM_MAGLEV ? "maglev" : "random";
}

static char *ranges_of(const struct lb_world *world, const struct service *service, int type)
{
	char text[CIDR_TEXT_BYTES];

	if (!service->source_ranges ||
	    (type != LB_TYPE_LOAD_BALANCER && !world->config.source_range_all_types))
		return g_strdup("");
	return g_strdup_printf(
		" %s %s", service->deny_ranges ? "not" : "only",
		cidr_format(&g_array_index(service->source_ranges, struct cidr, 0), text));
}

static char *answer_of(const struct lb_world *world, const struct service *service,
		       const struct service_port *port, int type, const GArray *all, bool external)
{
	bool is_cluster_ip = type == LB_TYPE_CLUSTER_IP;
	bool internal_local =
		service->internal_local && world->config.enable_internal_traffic_policy;
	bool local = is_cluster_ip ? internal_local : external && service->external_local;
	g_autofree char *behind = choose(all, local);
	g_autofree char *ranges = ranges_of(world, service, type);

	if (external && is_cluster_ip && !world->config.external_cluster_ip)
		return g_strdup_printf("type %d refused", type);
	if (!external)
		return g_strdup_printf("type %d %s affinity %u %s", type,
				       algorithm_of(world, service->choice),
				       service->affinity_timeout, behind);
	return g_strdup_printf(
		"type %d %s affinity %u %s%s%s", type, algorithm_of(world, service->choice),
		service->affinity_timeout, behind,
		is_dsr(world, service->forwarding, port->protocol) ? " dsr" : "", ranges);
}

struct question {
	const struct lb_world *world;
	struct addr addr;
	uint16_t port;
	uint8_t protocol;
	bool external;
	GArray *wants; /* struct want */
};

static void add_want(const struct question *question, int rank, char *take_key, unsigned int order,
		     int type, char *take_answer)
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

	if (service->type == SERVICE_EXTERNAL_NAME ||
	    label_set_find(service->meta.labels, NULL, "service.kubernetes.io/service-proxy-name"))
		return;
	for (unsigned int i = 0; service->ports && i < service->ports->len; i++) {
		const struct service_port *port =
			&g_array_index(service->ports, struct service_port, i);
		g_autoptr(GArray) all = NULL;
		int type;

		if (port->protocol != question->protocol || is_repeated(service, i))
			continue;
		all = find_behind(question->world, service, port, v4);
		set_near(question->world, service, all);
		type = type_of(question->world, service, port, &question->addr, question->port,
			       is_delegated(question->world, service, all, port->protocol));
		if (type)
			add_want(question, 1,
				 g_strdup_printf("%s:%u/%s/%c", service->meta.key, port->port,
						 protocol_text(port->protocol), v4 ? '4' : '6'),
				 i, type,
				 answer_of(question->world, service, port, type, all,
					   question->external));
	}
}

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
	return has_endpoint || !g_strcmp0(pod->node_name, "node1");
}

static bool is_loopback(const struct addr *addr)
{
	char text[ADDR_TEXT_BYTES];

	addr_format(addr, text);
	return g_str_has_prefix(text, "127.") || !strcmp(text, "::1");
}

static void ask_host_ports(const struct question *question, unsigned int n)
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
		if (any ? !loopback && !is_port_addr(world, &question->addr)
			: !addr_equal(&port->addr, &question->addr))
			continue;
		add_want(question, 2,
			 g_strdup_printf("hostport/%s:%u%s%s/%s/%c", local.pod->meta.key,
					 port->port, any ? "" : "@",
					 any ? "" : addr_format(&port->addr, text),
					 protocol_text(port->protocol), v4 ? '4' : '6'),
			 i, LB_TYPE_HOST_PORT,
			 question->external && loopback
				 ? g_strdup_printf("type %d refused", LB_TYPE_HOST_PORT)
				 : g_strdup_printf("type %d %s affinity 0 %s-%u", LB_TYPE_HOST_PORT,
						   algorithm_of(world, 0),
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
		    !has(service->cluster_ips, &question->addr))
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

static void ask_redirect(const struct question *question, const struct local_redirect *redirect)
{
	const struct redirect_port *port = NULL;
	GPtrArray *texts = g_ptr_array_new_with_free_func(g_free);
	bool v4 = addr_is_v4(&question->addr);
	g_autofree char *behind = NULL;

	if (redirect->service)
		port = pair_service(question, redirect);
	else if (addr_equal(&redirect->addr, &question->addr))
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
	behind = join(texts);
	if (!*behind || !question->world->config.enable_local_redirect)
		return;
	add_want(question, 0,
		 g_strdup_printf("redirect/%s:%u/%s/%c", redirect->meta.key, question->port,
				 protocol_text(question->protocol), v4 ? '4' : '6'),
		 0, LB_TYPE_LOCAL_REDIRECT,
		 question->external
			 ? g_strdup_printf("type %d refused", LB_TYPE_LOCAL_REDIRECT)
			 : g_strdup_printf("type %d %s affinity 0 %s", LB_TYPE_LOCAL_REDIRECT,
					   algorithm_of(question->world, 0), behind));
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
	return is_own_addr(world, addr);
}

static void ask_request(const struct question *question, const struct service_request *request)
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
	behind = choose(all, local);
	if (question->external && cluster_ip && !world->config.external_cluster_ip)
		answer = g_strdup_printf("type %d refused", request->type);
	else
		answer = g_strdup_printf(
			"type %d %s affinity 0 %s%s", request->type, algorithm_of(world, 0), behind,
			question->external && is_dsr(world, 0, request->protocol) ? " dsr" : "");
	add_want(question, 3, g_strdup_printf("request/%u", request->id), 0, request->type, answer);
}

/* ---- answers ---- */

static bool comes_first(const struct want *a, const struct want *b)
{
	g_autofree char *owner_a = g_strndup(a->key, strcspn(a->key, ":"));
	g_autofree char *owner_b = g_strndup(b->key, strcspn(b->key, ":"));
	int order;

	if (a->rank != b->rank)
		return a->rank < b->rank;
	if (!strcmp(owner_a, owner_b) && a->order != b->order)
		return a->order < b->order;
	order = strcmp(a->key, b->key);
	return order ? order < 0 : a->type < b->type;
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
			ask_redirect(question, ROW(world, LB_WORLD_REDIRECT, i, local_redirect));
		if (world->rows[LB_WORLD_REQUEST][i])
			ask_request(question, ROW(world, LB_WORLD_REQUEST, i, service_request));
		ask_host_ports(question, i);
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
	if (!is_enabled(world, addr))
		return g_strdup("nobody");
	g_array_set_clear_func(wants, clear_want);
	ask_all(&question);
	for (unsigned int i = 0; i < wants->len; i++) {
		const struct want *want = &g_array_index(wants, struct want, i);

		if (!first || comes_first(want, first))
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
				return !is_node_addr(world, addr);
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
