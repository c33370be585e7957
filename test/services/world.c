// SPDX-License-Identifier: Apache-2.0
#include "test/services/world.h"

#include <linux/rtnetlink.h>
#include <string.h>
#include "src/base/intern.h"
#include "src/model/backend_health.h"
#include "src/model/device.h"
#include "src/model/endpoint.h"
#include "src/model/endpoint_slice.h"
#include "src/model/local_redirect.h"
#include "src/model/node.h"
#include "src/model/pod.h"
#include "src/model/service.h"
#include "src/model/service_request.h"

static const char *const vips[] = {"10.96.0.1", "10.96.0.2", "192.0.2.1", "fd96::1",
				   "fd96::2",   "10.9.0.1",  "10.9.0.2"};
static const char *const backends[] = {"10.1.0.1", "10.1.0.2", "10.2.0.1", "10.2.0.2",
				       "fd01::1",  "fd02::1",  "10.9.0.1"};
static const char *const node_addrs[] = {"10.9.0.1", "10.9.0.2", "10.9.0.3", "fd09::1",
					 "192.0.2.1"};
static const char *const nodes[] = {"node1", "node1", "node2", NULL};
static const char *const zones[] = {"a", "b", NULL};
static const char *const zone_hints[] = {",a,", ",b,", ",a,b,", ",a,", NULL};
static const char *const node_hints[] = {",node1,", ",node2,", ",node1,", NULL};
static const uint16_t ports[] = {80, 81};
static const char *const port_names[] = {"x", "y", NULL};
static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_TCP};

#define PICK(world, array)     random_pick(&(world)->random, array)
#define CHANCE(world, percent) random_chance(&(world)->random, percent)
#define BELOW(world, n)        random_below(&(world)->random, n)

static struct addr addr_of(const char *text)
{
	struct addr addr;

	if (addr_parse(text, &addr))
		g_error("%s", text);
	return addr;
}

/* A text that lives as long as somebody has it; the caller unrefs what it does not hand on. */
static void set_text(const char **ret_text, const char *text)
{
	*ret_text = intern_new(text);
}

/* One prefix. */
static GArray *cidrs_of(const char *text)
{
	GArray *cidrs = g_array_new(false, false, sizeof(struct cidr));
	struct cidr cidr;

	if (cidr_parse(text, &cidr))
		g_error("%s", text);
	g_array_append_val(cidrs, cidr);
	return cidrs;
}

static void set_lists(struct lb_world *world)
{
	static const char *const node_ports[] = {"10.9.0.0/31", "10.9.0.2/31", "fd09::/64"};
	static const char *const redirects[] = {"10.96.0.0/31", "192.0.2.0/24", "fd96::/64"};
	struct derive_config *config = &world->config;

	if (CHANCE(world, 30))
		config->node_port_cidrs = cidrs_of(PICK(world, node_ports));
	if (CHANCE(world, 20))
		config->redirect_cidrs = cidrs_of(PICK(world, redirects));
	if (CHANCE(world, 10))
		config->service_proxy_name = "other";
}

struct lb_world *lb_world_new(uint64_t seed)
{
	struct lb_world *world = g_new0(struct lb_world, 1);
	struct derive_config *config = &world->config;

	world->random.state = seed;
	*config = (struct derive_config){
		.node_name = "node1",
		.cluster_name = "default",
		.enable_ipv4 = CHANCE(world, 90),
		.enable_ipv6 = CHANCE(world, 90),
		.enable_node_port = CHANCE(world, 80),
		.enable_external_ips = CHANCE(world, 80),
		.enable_host_port = CHANCE(world, 80),
		.enable_local_redirect = CHANCE(world, 80),
		.enable_service_topology = CHANCE(world, 70),
		.enable_internal_traffic_policy = CHANCE(world, 90),
		.external_cluster_ip = CHANCE(world, 30),
		.source_range_all_types = CHANCE(world, 30),
		.lb_algorithm_annotation = CHANCE(world, 50),
		.lb_mode_annotation = CHANCE(world, 50),
		.lb_algorithm = CHANCE(world, 50) ? LB_ALGORITHM_RANDOM : LB_ALGORITHM_MAGLEV,
		.lb_mode = BELOW(world, 4),
		.node_port_min = 30000,
		.node_port_max = 30010,
		.ignore_session_affinity = CHANCE(world, 10),
		.ignore_source_ranges = CHANCE(world, 10),
	};
	set_lists(world);
	return world;
}

void lb_world_free(struct lb_world *world)
{
	for (int kind = 0; kind < LB_WORLD__MAX; kind++)
		for (int i = 0; i < LB_WORLD_N_KEYS; i++)
			row_unref(world->rows[kind][i]);
	g_clear_pointer((GArray **)&world->config.node_port_cidrs, g_array_unref);
	g_clear_pointer((GArray **)&world->config.redirect_cidrs, g_array_unref);
	g_free(world);
}

/* ---- random rows ---- */

static const struct label_set *random_labels(struct lb_world *world, bool node)
{
	struct label labels[3];
	size_t n = 0;
	const char *zone = PICK(world, zones);

	if (node && zone)
		labels[n++] = (struct label){"k8s", "topology.kubernetes.io/zone", zone};
	if (node && CHANCE(world, 50))
		labels[n++] = (struct label){"k8s", "service.cilium.io/node", "edge"};
	if (CHANCE(world, 50))
		labels[n++] = (struct label){"k8s", "app", "a"};
	return label_set_new(labels, n);
}

static void add_addrs(struct lb_world *world, GArray **addrs, unsigned int n_max)
{
	for (unsigned int n = BELOW(world, n_max + 1); n > 0; n--) {
		struct addr addr = addr_of(PICK(world, vips));

		if (!*addrs)
			*addrs = g_array_new(false, false, sizeof(struct addr));
		g_array_append_val(*addrs, addr);
	}
}

static void add_ranges(struct lb_world *world, struct service *service)
{
	static const char *const ranges[] = {"198.51.100.0/24", "2001:db8::/32", "10.0.0.0/8"};

	if (CHANCE(world, 70))
		return;
	service->source_ranges = cidrs_of(PICK(world, ranges));
	for (unsigned int n = BELOW(world, 3); n > 0; n--) {
		g_autoptr(GArray) more = cidrs_of(PICK(world, ranges));

		g_array_append_vals(service->source_ranges, more->data, 1);
	}
	service->deny_ranges = CHANCE(world, 50);
}

static const struct selector *app_selector(void)
{
	static const char *const values[] = {"a", NULL};
	const struct requirement requirement = {
		.key = "app", .op = REQUIREMENT_IN, .values = values};

	return selector_new_labels(&requirement, 1);
}

static void set_annotations(struct lb_world *world, struct service *service)
{
	service->exposure = CHANCE(world, 80) ? 0 : BELOW(world, 4);
	service->choice = BELOW(world, 3);
	service->forwarding = BELOW(world, 3);
	service->distribution = BELOW(world, 4);
	service->delegation = CHANCE(world, 15);
	if (CHANCE(world, 15))
		set_text(&service->node, "edge");
	if (CHANCE(world, 15))
		service->node_selector = app_selector();
	if (CHANCE(world, 30)) {
		service->health = g_new0(struct service_health, 1);
		service->health->probe = HEALTH_PROBE_TCP;
	}
}

static struct row *random_service(struct lb_world *world, unsigned int i)
{
	static const char *const names[] = {"a", "a-b", "b", "c", "d", "e"};
	static const char *const labels[] = {"service.kubernetes.io/service-proxy-name",
					     "service.kubernetes.io/service-proxy-name",
					     "service.kubernetes.io/headless"};
	static const char *const values[] = {"other", ""};
	struct service *service = (struct service *)row_new(&service_class);

	object_meta_init_namespaced(&service->meta, "default", names[i]);
	if (CHANCE(world, 10)) {
		struct label label = {"k8s", PICK(world, labels), PICK(world, values)};

		object_meta_take_labels(&service->meta, label_set_new(&label, 1));
	}
	service->headless = CHANCE(world, 5);
	service->type = CHANCE(world, 5) ? SERVICE_EXTERNAL_NAME : BELOW(world, 3);
	for (unsigned int n = BELOW(world, 4); n > 0; n--) {
		struct service_port port = {
			.name = PICK(world, port_names),
			.protocol = PICK(world, protocols),
			.port = PICK(world, ports),
			.node_port = CHANCE(world, 50) ? 30001 + BELOW(world, 2) : 0,
		};

		service_add_port(service, &port);
	}
	add_addrs(world, &service->cluster_ips, 2);
	add_addrs(world, &service->external_ips, 1);
	add_addrs(world, &service->ingress_ips, 2);
	add_ranges(world, service);
	set_annotations(world, service);
	service->affinity_timeout = CHANCE(world, 30) ? 100 : 0;
	service->external_local = CHANCE(world, 40);
	service->internal_local = CHANCE(world, 40);
	service->publish_not_ready = CHANCE(world, 10);
	return &service->row;
}

static void add_endpoints(struct lb_world *world, struct endpoint_slice *slice)
{
	for (unsigned int n = BELOW(world, 5); n > 0; n--) {
		struct slice_endpoint endpoint = {
			.addr = addr_of(PICK(world, backends)),
			.node = PICK(world, nodes),
			.zone = PICK(world, zones),
			.zones = PICK(world, zone_hints),
			.nodes = PICK(world, node_hints),
			.weight = CHANCE(world, 80) ? SLICE_DEFAULT_WEIGHT : BELOW(world, 3),
			.group = CHANCE(world, 10),
			.flags = CHANCE(world, 50) ? SLICE_ENDPOINT_READY | SLICE_ENDPOINT_SERVING
						   : BELOW(world, 8),
		};

		endpoint_slice_add(slice, &endpoint);
	}
}

static struct row *random_slice(struct lb_world *world, unsigned int i)
{
	static const char *const services[] = {"a", "a-b", "b", "c", "d", NULL};
	g_autofree char *name = g_strdup_printf("EndpointSlice/default/s%u", i);
	struct endpoint_slice *slice = (struct endpoint_slice *)row_new(&endpoint_slice_class);

	/* As the decoder makes it: the kind in front of the key of a namespaced object. */
	object_meta_init_namespaced(&slice->meta, "default", strrchr(name, '/') + 1);
	g_free(slice->meta.key);
	slice->meta.key = g_strdup(name);
	slice->meta.name = strrchr(slice->meta.key, '/') + 1;
	endpoint_slice_init(slice, PICK(world, services));
	add_endpoints(world, slice);
	for (unsigned int n = BELOW(world, 4); n > 0; n--) {
		struct slice_port port = {
			.name = PICK(world, port_names),
			.protocol = PICK(world, protocols),
			.port = CHANCE(world, 95) ? 8080 + BELOW(world, 2) : 0,
			.group = CHANCE(world, 10),
		};

		endpoint_slice_add_port(slice, &port);
	}
	return &slice->row;
}

static struct row *random_node(struct lb_world *world, unsigned int i)
{
	static const char *const kinds[] = {"Node", "CiliumNode"};
	g_autofree char *name = g_strdup_printf("node%u", 1 + i / 2);
	struct node *node = node_new(kinds[i % 2], name);

	object_meta_take_labels(&node->meta, random_labels(world, true));
	for (unsigned int n = BELOW(world, 3); n > 0; n--) {
		struct node_address address = {NODE_ADDRESS_INTERNAL,
					       addr_of(PICK(world, node_addrs))};

		g_array_append_val(node->addresses, address);
	}
	return &node->row;
}

static struct row *random_device(struct lb_world *world, unsigned int i)
{
	static const char *const names[] = {"eth0", "eth1", "lo", "cilium_host", "lxc1", "docker0"};
	struct device *device = (struct device *)row_new(&device_class);

	device->ifindex = i + 1;
	device->name = g_strdup(names[i]);
	device->up = true;
	device->default_route = i < 2 && CHANCE(world, 80);
	device->addresses = g_array_new(false, true, sizeof(struct device_address));
	for (unsigned int n = BELOW(world, 3); n > 0; n--) {
		struct device_address address = {
			.addr = addr_of(PICK(world, node_addrs)),
			.prefix_len = 120,
			.scope = CHANCE(world, 90) ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
		};

		g_array_append_val(device->addresses, address);
	}
	return &device->row;
}

static struct row *random_pod(struct lb_world *world, unsigned int i)
{
	g_autofree char *name = g_strdup_printf("p%u", i);
	struct pod *pod = (struct pod *)row_new(&pod_class);

	object_meta_init_namespaced(&pod->meta, "default", name);
	object_meta_take_labels(&pod->meta, random_labels(world, false));
	set_text(&pod->node_name, PICK(world, nodes));
	pod->host_network = CHANCE(world, 10);
	pod->ready = CHANCE(world, 80);
	pod->terminating = CHANCE(world, 10);
	pod->ended = CHANCE(world, 10);
	if (CHANCE(world, 80))
		pod->addr4 = addr_of("10.1.0.9");
	if (CHANCE(world, 60))
		pod->addr6 = addr_of("fd01::9");
	for (unsigned int n = BELOW(world, 3); n > 0; n--) {
		static const char *const hosts[] = {"10.9.0.1", "127.0.0.1", "::1"};
		struct pod_host_port port = {
			.protocol = PICK(world, protocols),
			.port = CHANCE(world, 80) ? 80 : 30005,
			.number = 8080 + BELOW(world, 2),
		};

		if (CHANCE(world, 30))
			port.addr = addr_of(PICK(world, hosts));
		pod_add_host_port(pod, &port);
	}
	return &pod->row;
}

static struct row *random_endpoint(struct lb_world *world, unsigned int i)
{
	struct endpoint *endpoint = endpoint_new();

	endpoint->id = i + 1;
	endpoint->generation = i + 1;
	if (CHANCE(world, 90)) {
		endpoint->namespace = g_strdup("default");
		endpoint->pod_name = g_strdup_printf("p%u", BELOW(world, LB_WORLD_N_KEYS));
	}
	endpoint->addr4 = addr_of(i % 2 ? "10.1.0.1" : "10.1.0.2");
	if (CHANCE(world, 70))
		endpoint->addr6 = addr_of("fd01::1");
	return &endpoint->row;
}

static GArray *random_redirect_ports(struct lb_world *world, unsigned int n)
{
	GArray *list = redirect_ports_new();

	for (unsigned int i = 0; i < n; i++) {
		struct redirect_port port = {
			.protocol = PICK(world, protocols),
			.port = PICK(world, ports),
		};

		set_text(&port.name, n > 1 || CHANCE(world, 30) ? port_names[i] : NULL);
		g_array_append_val(list, port);
	}
	return list;
}

static struct row *random_redirect(struct lb_world *world, unsigned int i)
{
	g_autofree char *name = g_strdup_printf("r%u", i);
	struct local_redirect *redirect = (struct local_redirect *)row_new(&local_redirect_class);
	static const char *const services[] = {"a", "a-b", "b"};

	object_meta_init_namespaced(&redirect->meta, "default", name);
	if (CHANCE(world, 50)) {
		redirect->addr = addr_of(PICK(world, vips));
	} else {
		set_text(&redirect->service, PICK(world, services));
	}
	if (!redirect->service || CHANCE(world, 60))
		redirect->frontend_ports = random_redirect_ports(world, 1 + BELOW(world, 2));
	redirect->backend_ports = random_redirect_ports(world, 1 + BELOW(world, 2));
	redirect->backend = app_selector();
	redirect->skip_from_backend = CHANCE(world, 40);
	return &redirect->row;
}

static struct row *random_request(struct lb_world *world, unsigned int i)
{
	struct service_request *request = (struct service_request *)row_new(&service_request_class);

	request->id = i + 1;
	request->addr = addr_of(PICK(world, vips));
	request->port = PICK(world, ports);
	request->protocol = PICK(world, protocols);
	request->type = 1 + BELOW(world, 5);
	request->external_local = CHANCE(world, 30);
	request->internal_local = CHANCE(world, 30);
	request->backends = g_array_new(false, false, sizeof(struct service_request_backend));
	for (unsigned int n = BELOW(world, 4); n > 0; n--) {
		struct service_request_backend backend = {
			.addr = addr_of(PICK(world, backends)),
			.port = 8080 + n,
			.weight = CHANCE(world, 80) ? 100 : 0,
			.state = CHANCE(world, 60) ? 0 : BELOW(world, 4),
		};

		g_array_append_val(request->backends, backend);
	}
	return &request->row;
}

static struct row *random_health(struct lb_world *world, unsigned int i)
{
	static const char *const services[] = {"default/a", "default/a-b", "default/b"};
	struct backend_health *health = (struct backend_health *)row_new(&backend_health_class);
	struct addr addr = addr_of(backends[i]);

	health->key = backend_health_key_new(&addr, 8080, IPPROTO_TCP, services[i % 3]);
	health->reason = g_strdup("x");
	return &health->row;
}

void lb_world_change(struct lb_world *world)
{
	static struct row *(*const make[LB_WORLD__MAX])(struct lb_world *world, unsigned int i) = {
		[LB_WORLD_SERVICE] = random_service,   [LB_WORLD_SLICE] = random_slice,
		[LB_WORLD_NODE] = random_node,         [LB_WORLD_DEVICE] = random_device,
		[LB_WORLD_POD] = random_pod,           [LB_WORLD_ENDPOINT] = random_endpoint,
		[LB_WORLD_REDIRECT] = random_redirect, [LB_WORLD_REQUEST] = random_request,
		[LB_WORLD_HEALTH] = random_health,
	};
	/* Services and their slices half of the time. */
	unsigned int kind = CHANCE(world, 50) ? BELOW(world, 2) : BELOW(world, LB_WORLD__MAX);
	unsigned int i = BELOW(world, kind == LB_WORLD_NODE ? 4 : LB_WORLD_N_KEYS);
	struct row **row = &world->rows[kind][i];

	row_unref(*row);
	*row = CHANCE(world, 20) ? NULL : make[kind](world, i);
}
