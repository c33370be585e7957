/* SPDX-License-Identifier: Apache-2.0 */
#include "test/policy/generate.h"

#include <string.h>

static const char *const namespace_values[] = {"dev", "prod", "a", "b"};

static json_t *text_new(const char *text)
{
	return json_string(text);
}

static void require(json_t *selector, const char *key, const char *value)
{
	json_t *labels = json_object_get(selector, "matchLabels");

	if (!labels) {
		labels = json_object();
		json_object_set_new(selector, "matchLabels", labels);
	}
	json_object_set_new(labels, key, text_new(value));
}

/* Beside labels: a namespace, its labels, a service account, or what is reserved. */
static json_t *generate_peer(struct generate *generate)
{
	static const char *const reserved[] = {"reserved:host", "reserved:world-ipv4",
					       "reserved:remote-node", "reserved:init"};
	struct random *random = &generate->random;
	json_t *selector = generate_selector(generate, false);
	unsigned int what = random_below(random, 12);

	if (what == 0)
		require(selector, "k8s:io.kubernetes.pod.namespace",
			random_pick(random, generate_namespaces));
	else if (what == 1)
		require(selector, "io.kubernetes.pod.namespace",
			random_pick(random, generate_namespaces));
	else if (what == 2)
		require(selector, "k8s:io.cilium.k8s.namespace.labels.env",
			random_pick(random, namespace_values));
	else if (what == 3)
		require(selector, "io.cilium.k8s.policy.serviceaccount", "reader");
	else if (what == 4)
		json_object_set_new(selector, "matchExpressions",
				    json_pack("[{s:s, s:s}]", "key",
					      "k8s:io.kubernetes.pod.namespace", "operator",
					      "Exists"));
	else if (what == 5) {
		json_decref(selector);
		selector = json_pack("{s:{s:s}}", "matchLabels", random_pick(random, reserved), "");
	} else if (what == 6)
		json_object_set_new(selector, "matchExpressions",
				    json_pack("[{s:s, s:s}]", "key", random_pick(random, reserved),
					      "operator", "DoesNotExist"));
	return selector;
}

static const char *const prefixes[] = {
	"0.0.0.0/0",         "::/0",           "198.51.100.0/24", "198.51.100.0/25",
	"198.51.100.7/32",   "203.0.113.0/24", "10.0.0.0/8",      "10.1.0.0/24",
	"192.168.0.0/16",    "192.0.2.64/26",  "2001:db8::/32",   "2001:db8:2::/48",
	"2001:db8:2::7/128",
};

static json_t *generate_except(struct generate *generate, const char *prefix)
{
	static const char *const inner[][2] = {
		{"0.0.0.0/0", "198.51.100.0/25"},
		{"0.0.0.0/0", "10.0.0.0/8"},
		{"::/0", "2001:db8:2::/48"},
		{"198.51.100.0/24", "198.51.100.7/32"},
		{"198.51.100.0/24", "198.51.100.128/25"},
		{"2001:db8::/32", "2001:db8:3::/48"},
		{"192.168.0.0/16", "192.168.8.0/24"},
	};
	json_t *list = json_array();

	for (unsigned int i = 0; i < G_N_ELEMENTS(inner); i++)
		if (!strcmp(inner[i][0], prefix) && random_chance(&generate->random, 60))
			json_array_append_new(list, text_new(inner[i][1]));
	return list;
}

static json_t *generate_cidr_rule(struct generate *generate)
{
	struct random *random = &generate->random;
	const char *prefix = random_pick(random, prefixes);
	json_t *rule, *except;

	if (random_chance(random, 15))
		return json_pack("{s:s}", "cidrGroupRef",
				 random_chance(random, 80) ? "group1" : "nogroup");
	if (random_chance(random, 15))
		return json_pack("{s:o}", "cidrGroupSelector", generate_selector(generate, true));
	rule = json_pack("{s:s}", "cidr", prefix);
	except = generate_except(generate, prefix);
	if (json_array_size(except))
		json_object_set_new(rule, "except", except);
	else
		json_decref(except);
	return rule;
}

static json_t *generate_service(struct generate *generate)
{
	struct random *random = &generate->random;
	const char *namespace = random_pick(random, generate_namespaces);

	if (random_chance(random, 70))
		return json_pack("{s:{s:s, s:s}}", "k8sService", "serviceName",
				 random_chance(random, 50) ? "inside" : "outside", "namespace",
				 namespace);
	return json_pack("{s:{s:o, s:s}}", "k8sServiceSelector", "selector",
			 generate_selector(generate, true), "namespace", namespace);
}

static json_t *generate_fqdn(struct generate *generate)
{
	return random_chance(&generate->random, 50)
		       ? json_pack("{s:s}", "matchName", "example.com")
		       : json_pack("{s:s}", "matchPattern", "*.example.com");
}

static json_t *generate_entity(struct generate *generate)
{
	static const char *const entities[] = {
		"all",    "world",   "cluster",   "host", "remote-node", "kube-apiserver",
		"health", "ingress", "unmanaged", "init", "none",
	};

	return text_new(random_pick(&generate->random, entities));
}

static json_t *generate_node_selector(struct generate *generate)
{
	return generate_namespace_selector(generate);
}

static json_t *generate_address_or_prefix(struct generate *generate)
{
	if (random_chance(&generate->random, 20))
		return text_new(generate_addresses[random_below(&generate->random, 7)]);
	return text_new(random_pick(&generate->random, prefixes));
}

/* At most one member says who the peers are. */
static void add_peers(struct generate *generate, json_t *rule, bool is_ingress, bool is_deny)
{
	static const struct {
		const char *name;
		json_t *(*make)(struct generate *generate);
		unsigned int percent;
	} members[] = {
		{"Endpoints", generate_peer, 40},     {"CIDR", generate_address_or_prefix, 12},
		{"CIDRSet", generate_cidr_rule, 15},  {"Entities", generate_entity, 18},
		{"Nodes", generate_node_selector, 5}, {"Services", generate_service, 6},
		{"FQDNs", generate_fqdn, 4},
	};
	struct random *random = &generate->random;
	unsigned int roll = random_below(random, 115), i;
	g_autofree char *name = NULL;
	json_t *list;

	for (i = 0; i < G_N_ELEMENTS(members) && roll >= members[i].percent; i++)
		roll -= members[i].percent;
	if (i == G_N_ELEMENTS(members) || (!strcmp(members[i].name, "Nodes") && !generate->nodes) ||
	    (!strcmp(members[i].name, "Services") && is_ingress) ||
	    (!strcmp(members[i].name, "FQDNs") && (is_ingress || is_deny)))
		return;
	list = json_array();
	if (i >= 5 || !random_chance(random, 5))
		json_array_append_new(list, members[i].make(generate));
	if (json_array_size(list) && random_chance(random, 25))
		json_array_append_new(list, members[i].make(generate));
	name = g_strconcat(is_ingress ? "from" : "to", members[i].name, NULL);
	json_object_set_new(rule, name, list);
}

static json_t *generate_port(struct generate *generate, const char *protocol)
{
	static const char *const ports[] = {"80",   "443", "8080", "53",   "0",
					    "http", "dns", "81",   "http", "signal"};
	static const char *const protocols[] = {"TCP", "UDP", "SCTP", "ANY", "TCP", "tcp"};
	struct random *random = &generate->random;
	const char *text = random_pick(random, ports);
	json_t *port = json_pack("{s:s}", "port", text);

	if (protocol)
		json_object_set_new(port, "protocol", text_new(protocol));
	else if (random_chance(random, 80))
		json_object_set_new(port, "protocol", text_new(random_pick(random, protocols)));
	if (g_ascii_isdigit(*text) && *text != '0' && random_chance(random, 30))
		json_object_set_new(port, "endPort",
				    json_integer(random_chance(random, 70) ? 8090 : 65535));
	return port;
}

static void add_needs(struct generate *generate, json_t *element, bool is_ingress)
{
	switch (random_below(&generate->random, is_ingress ? 5 : 6)) {
	case 0:
		json_object_set_new(element, "rules",
				    json_pack("{s:[{s:s}]}", "http", "method", "GET"));
		break;
	case 1:
		json_object_set_new(element, "rules", json_pack("{s:[{}]}", "http"));
		break;
	case 2:
		json_object_set_new(element, "rules", json_pack("{s:[]}", "http"));
		break;
	case 3:
		json_object_set_new(element, "rules", json_object());
		break;
	case 4:
		json_object_set_new(element, "serverNames", json_pack("[s]", "example.com"));
		break;
	default:
		json_object_set_new(element, "rules",
				    json_pack("{s:[{s:s}]}", "dns", "matchPattern", "*"));
	}
}

static void add_ports(struct generate *generate, json_t *rule, bool is_ingress, bool is_deny)
{
	struct random *random = &generate->random;
	bool has_needs = !is_deny && !generate->of_nodes && random_chance(random, 15);
	json_t *elements = json_array();
	unsigned int n = 1 + random_chance(random, 30);

	for (unsigned int i = 0; i < n; i++) {
		json_t *element = json_pack("{s:[]}", "ports");
		json_t *ports = json_object_get(element, "ports");

		if (has_needs)
			json_array_append_new(ports,
					      json_pack("{s:s, s:s}", "port",
							random_chance(random, 50) ? "80" : "8080",
							"protocol", "TCP"));
		else
			json_array_append_new(ports, generate_port(generate, NULL));
		if (!has_needs && random_chance(random, 30))
			json_array_append_new(ports, generate_port(generate, NULL));
		if (has_needs)
			add_needs(generate, element, is_ingress);
		json_array_append_new(elements, element);
	}
	json_object_set_new(rule, "toPorts", elements);
}

/* Nothing, said in different ways. */
static json_t *generate_no_ports(struct generate *generate)
{
	switch (random_below(&generate->random, 3)) {
	case 0:
		return json_null();
	case 1:
		return json_array();
	default:
		return json_pack("[{s:[]}]", "ports");
	}
}

static void add_icmps(struct generate *generate, json_t *rule)
{
	static const char *const names[] = {"EchoRequest", "TimeExceeded"};
	struct random *random = &generate->random;
	bool six = random_chance(random, 40);
	json_t *field = json_object();

	if (six || random_chance(random, 30))
		json_object_set_new(field, "family", text_new(six ? "IPv6" : "IPv4"));
	if (random_chance(random, 50))
		json_object_set_new(field, "type", text_new(random_pick(random, names)));
	else
		json_object_set_new(field, "type",
				    json_integer(random_chance(random, 70) ? (six ? 128 : 8) : 3));
	json_object_set_new(rule, "icmps", json_pack("[{s:[o]}]", "fields", field));
}

static json_t *generate_rule(struct generate *generate, bool is_ingress, bool is_deny)
{
	static const char *const modes[] = {"disabled", "required", "test-always-fail"};
	struct random *random = &generate->random;
	json_t *rule = json_object();

	if (random_chance(random, 6))
		return rule;
	add_peers(generate, rule, is_ingress, is_deny);
	if (random_chance(random, 55))
		add_ports(generate, rule, is_ingress, is_deny);
	else if (random_chance(random, 15))
		add_icmps(generate, rule);
	if (!json_object_get(rule, "toPorts") && !json_object_get(rule, "icmps") &&
	    random_chance(random, 4))
		json_object_set_new(rule, "toPorts", generate_no_ports(generate));
	if (random_chance(random, 4))
		json_object_set_new(rule, is_ingress ? "fromRequires" : "toRequires",
				    json_pack("[o]", generate_selector(generate, false)));
	if (!is_deny && random_chance(random, 4))
		json_object_set_new(rule, "authentication",
				    json_pack("{s:s}", "mode", random_pick(random, modes)));
	return rule;
}

static void add_list(struct generate *generate, json_t *spec, const char *name,
		     unsigned int percent)
{
	bool is_ingress = g_str_has_prefix(name, "ingress");
	bool is_deny = g_str_has_suffix(name, "Deny");
	json_t *list;

	if (!random_chance(&generate->random, percent))
		return;
	list = json_array();
	do
		json_array_append_new(list, generate_rule(generate, is_ingress, is_deny));
	while (random_chance(&generate->random, 40));
	json_object_set_new(spec, name, list);
}

static json_t *generate_spec(struct generate *generate, bool is_clusterwide)
{
	struct random *random = &generate->random;
	bool of_nodes = is_clusterwide && random_chance(random, generate->is_live ? 50 : 15);
	json_t *spec = json_object();

	generate->of_nodes = of_nodes;
	json_object_set_new(spec, of_nodes ? "nodeSelector" : "endpointSelector",
			    of_nodes ? generate_namespace_selector(generate)
				     : generate_selector(generate, false));
	add_list(generate, spec, "ingress", 60);
	add_list(generate, spec, "egress", 45);
	add_list(generate, spec, "ingressDeny", 20);
	add_list(generate, spec, "egressDeny", 15);
	if (json_object_size(spec) == 1)
		json_object_set_new(spec, "ingress",
				    json_pack("[o]", generate_rule(generate, true, false)));
	if (random_chance(random, 15))
		json_object_set_new(spec, "enableDefaultDeny",
				    json_pack("{s:b}",
					      random_chance(random, 50) ? "ingress" : "egress",
					      random_chance(random, 30)));
	return spec;
}

static json_t *generate_kubernetes_peer(struct generate *generate)
{
	struct random *random = &generate->random;
	const char *prefix = random_pick(random, prefixes);
	json_t *peer = json_object(), *except;

	if (random_chance(random, 25)) {
		json_object_set_new(peer, "ipBlock", json_pack("{s:s}", "cidr", prefix));
		except = generate_except(generate, prefix);
		if (json_array_size(except))
			json_object_set(json_object_get(peer, "ipBlock"), "except", except);
		json_decref(except);
		return peer;
	}
	if (random_chance(random, 50))
		json_object_set_new(peer, "namespaceSelector",
				    generate_namespace_selector(generate));
	if (!json_object_size(peer) || random_chance(random, 50))
		json_object_set_new(peer, "podSelector", generate_selector(generate, true));
	return peer;
}

static json_t *generate_kubernetes_port(struct generate *generate)
{
	static const char *const protocols[] = {"TCP", "UDP", "SCTP"};
	static const char *const names[] = {"http", "dns", "signal"};
	static const int numbers[] = {80, 443, 8080, 53};
	struct random *random = &generate->random;
	json_t *port = json_object();

	if (random_chance(random, 70))
		json_object_set_new(port, "protocol", text_new(random_pick(random, protocols)));
	if (random_chance(random, 25))
		json_object_set_new(port, "port", text_new(random_pick(random, names)));
	else if (random_chance(random, 80))
		json_object_set_new(port, "port", json_integer(random_pick(random, numbers)));
	if (json_is_integer(json_object_get(port, "port")) && random_chance(random, 25))
		json_object_set_new(port, "endPort", json_integer(8090));
	return port;
}

static json_t *generate_kubernetes_rules(struct generate *generate, const char *peers)
{
	struct random *random = &generate->random;
	json_t *rules = json_array();

	while (random_chance(random, 60)) {
		json_t *rule = json_object();

		if (random_chance(random, 75))
			json_object_set_new(rule, peers,
					    json_pack("[o]", generate_kubernetes_peer(generate)));
		if (json_object_size(rule) && random_chance(random, 25))
			json_array_append_new(json_object_get(rule, peers),
					      generate_kubernetes_peer(generate));
		if (random_chance(random, 5))
			json_object_set_new(rule, peers, json_array());
		if (random_chance(random, 55))
			json_object_set_new(rule, "ports",
					    json_pack("[o]", generate_kubernetes_port(generate)));
		else if (random_chance(random, 10))
			json_object_set_new(rule, "ports", json_array());
		json_array_append_new(rules, rule);
	}
	return rules;
}

static json_t *generate_kubernetes(struct generate *generate)
{
	static const char *const types[] = {"Ingress", "Egress"};
	struct random *random = &generate->random;
	json_t *spec = json_pack("{s:o}", "podSelector", generate_selector(generate, true));

	if (random_chance(random, 70))
		json_object_set_new(spec, "ingress", generate_kubernetes_rules(generate, "from"));
	if (random_chance(random, 50))
		json_object_set_new(spec, "egress", generate_kubernetes_rules(generate, "to"));
	if (random_chance(random, 30))
		json_object_set_new(spec, "policyTypes", json_pack("[s, s]", types[0], types[1]));
	else if (random_chance(random, 60))
		json_object_set_new(spec, "policyTypes",
				    json_pack("[s]", random_pick(random, types)));
	return spec;
}

static json_t *generate_cilium(struct generate *generate, json_t *policy, bool is_clusterwide)
{
	json_t *specs;

	if (random_chance(&generate->random, 80))
		json_object_set_new(policy, "spec", generate_spec(generate, is_clusterwide));
	if (json_object_get(policy, "spec") && random_chance(&generate->random, 85))
		return policy;
	specs = json_array();
	do
		json_array_append_new(specs, generate_spec(generate, is_clusterwide));
	while (random_chance(&generate->random, 50));
	json_object_set_new(policy, "specs", specs);
	return policy;
}

json_t *generate_policy(struct generate *generate)
{
	struct random *random = &generate->random;
	const char *namespace = random_pick(random, generate_namespaces);
	g_autofree char *name = g_strdup_printf("policy%u", generate->n_names++);
	unsigned int roll = random_below(random, 100);
	json_t *policy = json_pack("{s:{s:s}}", "metadata", "name", name);
	const char *kind = roll < 30   ? "NetworkPolicy"
			   : roll < 75 ? "CiliumNetworkPolicy"
				       : "CiliumClusterwideNetworkPolicy";

	json_object_set_new(policy, "apiVersion",
			    text_new(roll < 30 ? "networking.k8s.io/v1" : "cilium.io/v2"));
	json_object_set_new(policy, "kind", text_new(kind));
	if (roll < 75)
		json_object_set_new(json_object_get(policy, "metadata"), "namespace",
				    text_new(namespace));
	if (roll >= 30)
		return generate_cilium(generate, policy, roll >= 75);
	json_object_set_new(policy, "spec", generate_kubernetes(generate));
	return policy;
}
