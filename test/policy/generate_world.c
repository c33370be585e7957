/* SPDX-License-Identifier: Apache-2.0 */
#include "test/policy/generate.h"

#include <string.h>
#include "test/policy/world.h"

const char *const generate_addresses[] = {
	"198.51.100.7", "198.51.100.200", "203.0.113.5",   "10.9.1.1",
	"192.0.2.77",   "2001:db8:2::7",  "2001:db8:3::1", NULL,
};
const char *const generate_namespaces[3] = {"default", "dev", "prod"};

static const char *const apps[] = {"web", "db", "cache"};
static const char *const tiers[] = {"front", "back"};
static const char *const envs[] = {"dev", "prod"};
static const char *const teams[] = {"a", "b"};

json_t *generate_labels(struct generate *generate)
{
	struct random *random = &generate->random;
	json_t *labels = json_object();

	if (random_chance(random, 85))
		json_object_set_new(labels, "app", json_string(random_pick(random, apps)));
	if (random_chance(random, 50))
		json_object_set_new(labels, "tier", json_string(random_pick(random, tiers)));
	return labels;
}

static json_t *generate_namespace_labels(struct generate *generate)
{
	struct random *random = &generate->random;
	json_t *labels = json_object();

	if (random_chance(random, 70))
		json_object_set_new(labels, "env", json_string(random_pick(random, envs)));
	if (random_chance(random, 50))
		json_object_set_new(labels, "team", json_string(random_pick(random, teams)));
	return labels;
}

static void add_port(json_t *ports, const char *name, int number, const char *protocol)
{
	json_t *port = json_pack("{s:i}", "containerPort", number);

	if (name)
		json_object_set_new(port, "name", json_string(name));
	if (protocol)
		json_object_set_new(port, "protocol", json_string(protocol));
	json_array_append_new(ports, port);
}

static json_t *generate_container(struct generate *generate, bool is_first)
{
	struct random *random = &generate->random;
	json_t *ports = json_array();

	/* A name is used once in a pod. */
	if (is_first && random_chance(random, 60))
		add_port(ports, "http", random_chance(random, 50) ? 80 : 8080, NULL);
	if (is_first && random_chance(random, 30))
		add_port(ports, "dns", 53, random_chance(random, 50) ? "UDP" : "TCP");
	if (!is_first && random_chance(random, 50))
		add_port(ports, "signal", 8085, "SCTP");
	if (random_chance(random, 20))
		add_port(ports, NULL, 443, "TCP");
	return json_pack("{s:s, s:o}", "name", is_first ? "main" : "side", "ports", ports);
}

static json_t *generate_pod(struct generate *generate, unsigned int number)
{
	struct random *random = &generate->random;
	g_autofree char *name = g_strdup_printf("p%u", number);
	json_t *containers = json_array();
	json_t *spec = json_pack("{s:s, s:o}", "nodeName", WORLD_NODE, "containers", containers);

	json_array_append_new(containers, generate_container(generate, true));
	if (random_chance(random, 30))
		json_array_append_new(containers, generate_container(generate, false));
	if (random_chance(random, 30))
		json_object_set_new(spec, "serviceAccountName", json_string("reader"));
	return json_pack("{s:s, s:s, s:{s:s, s:s, s:o}, s:o}", "apiVersion", "v1", "kind", "Pod",
			 "metadata", "name", name, "namespace",
			 random_pick(random, generate_namespaces), "labels",
			 generate_labels(generate), "spec", spec);
}

static void add_endpoint(struct generate *generate, json_t *world, const char *pod,
			 const char *label)
{
	json_t *endpoints = json_object_get(world, "endpoints");
	unsigned int number = 10 + json_array_size(endpoints);
	g_autofree char *ipv4 = g_strdup_printf("10.1.0.%u", number);
	g_autofree char *ipv6 = g_strdup_printf("fd01::%u", number);
	json_t *endpoint = json_pack("{s:s}", "ipv4", ipv4);

	if (generate->ipv6)
		json_object_set_new(endpoint, "ipv6", json_string(ipv6));
	if (pod)
		json_object_set_new(endpoint, "pod", json_string(pod));
	if (label)
		json_object_set_new(endpoint, "labels", json_pack("[s]", label));
	json_array_append_new(endpoints, endpoint);
}

static void add_pods(struct generate *generate, json_t *world)
{
	unsigned int n = generate->is_live ? 6 : 2 + random_below(&generate->random, 5);
	json_t *objects = json_object_get(world, "objects");

	for (unsigned int i = 0; i < n; i++) {
		json_t *pod = generate_pod(generate, i);
		g_autofree char *name = object_name(pod);

		json_array_append_new(objects, pod);
		add_endpoint(generate, world, name, NULL);
	}
	if (generate->is_live)
		return;
	if (random_chance(&generate->random, 15))
		add_endpoint(generate, world, NULL, "container:app=web");
	if (random_chance(&generate->random, 15))
		add_endpoint(generate, world, NULL, NULL);
}

/* One of another node; without named ports, of which the agent knows those of its own pods alone. */
static void add_remote_pod(struct generate *generate, json_t *objects)
{
	json_t *pod = generate_pod(generate, 50);

	json_object_set_new(json_object_get(pod, "spec"), "nodeName", json_string("node2"));
	json_object_del(json_object_get(pod, "spec"), "containers");
	json_object_set_new(pod, "status",
			    json_pack("{s:s, s:[{s:s}, {s:s}]}", "phase", "Running", "podIPs", "ip",
				      "10.2.0.50", "ip", "fd02::50"));
	json_array_append_new(objects, pod);
}

static json_t *cilium_node(const char *name, json_t *labels, const char *ipv4, const char *ipv6)
{
	return json_pack("{s:s, s:s, s:{s:s, s:o}, s:{s:[{s:s, s:s}, {s:s, s:s}]}}", "apiVersion",
			 "cilium.io/v2", "kind", "CiliumNode", "metadata", "name", name, "labels",
			 labels, "spec", "addresses", "type", "InternalIP", "ip", ipv4, "type",
			 "InternalIP", "ip", ipv6);
}

static void add_nodes(struct generate *generate, json_t *objects)
{
	json_t *own = cilium_node(WORLD_NODE, generate_namespace_labels(generate), WORLD_NODE_IPV4,
				  WORLD_NODE_IPV6);

	json_object_set_new(json_object_get(own, "spec"), "ipam",
			    json_pack("{s:[s, s]}", "podCIDRs", "10.1.0.0/24", "fd01::/112"));
	json_array_append_new(objects, own);
	if (random_chance(&generate->random, 70))
		json_array_append_new(objects,
				      cilium_node("node2", generate_namespace_labels(generate),
						  "192.168.7.3", "fd07::3"));
	if (random_chance(&generate->random, 40))
		json_array_append_new(objects,
				      cilium_node("node3", generate_namespace_labels(generate),
						  "192.168.8.4", "fd08::4"));
}

static json_t *object_new(const char *api, const char *kind, const char *namespace,
			  const char *name)
{
	json_t *object = json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", api, "kind", kind,
				   "metadata", "name", name);

	if (namespace)
		json_object_set_new(json_object_get(object, "metadata"), "namespace",
				    json_string(namespace));
	return object;
}

static json_t *slice_new(const char *namespace, const char *service, const char *address)
{
	json_t *slice = object_new("discovery.k8s.io/v1", "EndpointSlice", namespace, service);

	json_object_set_new(json_object_get(slice, "metadata"), "labels",
			    json_pack("{s:s}", "kubernetes.io/service-name", service));
	json_object_set_new(slice, "addressType",
			    json_string(strchr(address, ':') ? "IPv6" : "IPv4"));
	json_object_set_new(slice, "endpoints", json_pack("[{s:[s]}]", "addresses", address));
	return slice;
}

/* One with a selector, one whose addresses are written down. */
static void add_services(struct generate *generate, json_t *objects)
{
	struct random *random = &generate->random;
	const char *namespace = random_pick(random, generate_namespaces);
	json_t *inside = object_new("v1", "Service", namespace, "inside");
	json_t *outside = object_new("v1", "Service", namespace, "outside");

	json_object_set_new(json_object_get(inside, "metadata"), "labels",
			    json_pack("{s:s}", "app", random_pick(random, apps)));
	json_object_set_new(inside, "spec",
			    json_pack("{s:{s:s}, s:[{s:i}]}", "selector", "app",
				      random_pick(random, apps), "ports", "port", 80));
	json_object_set_new(outside, "spec", json_pack("{s:[{s:i}]}", "ports", "port", 80));
	json_object_set_new(json_object_get(outside, "metadata"), "labels",
			    json_pack("{s:s}", "app", random_pick(random, apps)));
	json_array_append_new(objects, inside);
	json_array_append_new(objects, outside);
	json_array_append_new(objects, slice_new(namespace, "outside", generate_addresses[0]));
}

static void add_groups(struct generate *generate, json_t *objects)
{
	static const char *const prefixes[] = {"198.51.100.0/25", "203.0.113.0/24", "10.0.0.0/8",
					       "2001:db8:2::/48"};

	for (unsigned int i = 0; i < 2; i++) {
		json_t *group = object_new("cilium.io/v2alpha1", "CiliumCIDRGroup", NULL,
					   i ? "group2" : "group1");
		json_t *cidrs = json_array();

		for (unsigned int k = 0; k < G_N_ELEMENTS(prefixes); k++)
			if (random_chance(&generate->random, 40))
				json_array_append_new(cidrs, json_string(prefixes[k]));
		if (!json_array_size(cidrs))
			json_array_append_new(cidrs, json_string(prefixes[i]));
		json_object_set_new(json_object_get(group, "metadata"), "labels",
				    generate_labels(generate));
		json_object_set_new(group, "spec", json_pack("{s:o}", "externalCIDRs", cidrs));
		json_array_append_new(objects, group);
	}
}

static void add_api_server(struct generate *generate, json_t *objects)
{
	static const char *const addresses[] = {"192.168.7.3", "198.51.100.200", WORLD_NODE_IPV4};

	if (random_chance(&generate->random, 40))
		json_array_append_new(objects,
				      slice_new("default", "kubernetes",
						random_pick(&generate->random, addresses)));
}

static void set(json_t *config, const char *key, const char *value)
{
	json_object_set_new(config, key, json_string(value));
}

static json_t *generate_config(struct generate *generate)
{
	static const char *const modes[] = {"always", "never", "default"};
	static const char *const localhost[] = {"auto", "always", "policy"};
	struct random *random = &generate->random;
	json_t *config = json_object();

	if (random_chance(random, 25))
		set(config, "enable-policy", random_pick(random, modes));
	if (random_chance(random, 60))
		set(config, "allow-localhost", random_pick(random, localhost));
	if (random_chance(random, 30))
		set(config, "enable-host-firewall", "true");
	if (random_chance(random, 50))
		set(config, "policy-init-endpoints", "always");
	if (generate->is_live)
		return config;
	if (random_chance(random, 10))
		set(config, "policy-cidr-match-mode", "nodes");
	if (random_chance(random, 5))
		set(config, "enable-non-default-deny-policies", "false");
	generate->nodes = random_chance(random, 40);
	if (generate->nodes)
		set(config, "enable-node-selector-labels", "true");
	generate->ipv6 = !random_chance(random, 10);
	if (!generate->ipv6)
		set(config, "enable-ipv6", "false");
	return config;
}

json_t *generate_world(struct generate *generate)
{
	json_t *objects = json_array();
	json_t *world;
	unsigned int n;

	generate->ipv6 = true;
	world = json_pack("{s:o, s:o, s:[]}", "config", generate_config(generate), "objects",
			  objects, "endpoints");
	for (unsigned int i = 0; i < G_N_ELEMENTS(generate_namespaces); i++) {
		json_t *namespace = object_new("v1", "Namespace", NULL, generate_namespaces[i]);

		json_object_set_new(json_object_get(namespace, "metadata"), "labels",
				    generate_namespace_labels(generate));
		json_array_append_new(objects, namespace);
	}
	add_pods(generate, world);
	if (generate->is_live) {
		/* Its addresses are those that it has. */
		json_array_append_new(objects,
				      json_pack("{s:s, s:s, s:{s:s, s:o}, s:{}}", "apiVersion",
						"cilium.io/v2", "kind", "CiliumNode", "metadata",
						"name", WORLD_NODE, "labels",
						generate_namespace_labels(generate), "spec"));
	} else {
		add_nodes(generate, objects);
		add_api_server(generate, objects);
		if (random_chance(&generate->random, 40))
			add_remote_pod(generate, objects);
	}
	add_services(generate, objects);
	add_groups(generate, objects);
	n = random_below(&generate->random, 7);
	for (unsigned int i = 0; i < n; i++)
		json_array_append_new(objects, generate_policy(generate));
	return world;
}

/* An object of one of the kinds whose name ends so; its index, or the number of objects. */
static size_t pick_object(struct generate *generate, const json_t *objects, const char *kind)
{
	size_t n = json_array_size(objects);
	size_t first = n ? random_below(&generate->random, n) : 0;

	for (size_t i = 0; i < n; i++) {
		size_t k = (first + i) % n;

		if (g_str_has_suffix(object_text(json_array_get(objects, k), "kind", NULL), kind))
			return k;
	}
	return n;
}

static void change_policy(struct generate *generate, json_t *objects, bool goes)
{
	size_t i = pick_object(generate, objects, "NetworkPolicy");
	json_t *policy;

	if (i == json_array_size(objects))
		return;
	if (goes) {
		json_array_remove(objects, i);
		return;
	}
	/* What it says is another's: a change under one name, where the kinds are the same. */
	policy = generate_policy(generate);
	if (g_strcmp0(object_text(policy, "kind", NULL),
		      object_text(json_array_get(objects, i), "kind", NULL)) == 0)
		json_object_set(policy, "metadata",
				json_object_get(json_array_get(objects, i), "metadata"));
	json_array_set_new(objects, i, policy);
}

static void change_labels(struct generate *generate, json_t *objects, const char *kind,
			  json_t *take_labels)
{
	size_t i = pick_object(generate, objects, kind);

	if (i == json_array_size(objects))
		json_decref(take_labels);
	else
		json_object_set_new(json_object_get(json_array_get(objects, i), "metadata"),
				    "labels", take_labels);
}

static void change_pods(struct generate *generate, json_t *world)
{
	json_t *objects = json_object_get(world, "objects");
	json_t *endpoints = json_object_get(world, "endpoints");
	unsigned int number = json_array_size(endpoints);
	g_autofree char *name = NULL;
	json_t *pod;

	/* Numbers are addresses too, so only the last one goes. */
	if (number > 2 && random_chance(&generate->random, 50)) {
		json_array_remove(endpoints, number - 1);
		return;
	}
	pod = generate_pod(generate, 100 + generate->n_names++);
	name = object_name(pod);
	json_array_append_new(objects, pod);
	add_endpoint(generate, world, name, NULL);
}

void generate_change(struct generate *generate, json_t *world)
{
	json_t *objects = json_object_get(world, "objects");

	switch (random_below(&generate->random, 10)) {
	case 0:
	case 1:
	case 2:
		json_array_append_new(objects, generate_policy(generate));
		break;
	case 3:
	case 4:
		change_policy(generate, objects, true);
		break;
	case 5:
	case 6:
		change_policy(generate, objects, false);
		break;
	case 7:
		change_labels(generate, objects, "Pod", generate_labels(generate));
		break;
	case 8:
		change_labels(generate, objects, "Namespace", generate_namespace_labels(generate));
		break;
	default:
		change_pods(generate, world);
	}
}
