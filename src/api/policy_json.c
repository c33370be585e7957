/* SPDX-License-Identifier: Apache-2.0 */
#include "src/api/policy_json.h"

#include <netinet/in.h>
#include <string.h>
#include "src/model/connection_text.h"

/* ---- labels and selectors ---- */

json_t *policy_labels_to_json(const struct label_set *labels)
{
	json_t *list = json_array();

	for (size_t i = 0; labels && i < label_set_n(labels); i++) {
		const struct label *label = label_set_get(labels, i);

		json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "key", label->key, "value",
						      label->value, "source", label->source));
	}
	return list;
}

static char *requirement_key(const struct requirement *requirement)
{
	return g_strdup_printf("%s:%s", requirement->source ? requirement->source : "any",
			       requirement->key);
}

static json_t *requirement_to_json(const struct requirement *requirement, const char *key)
{
	static const char *const names[] = {
		[REQUIREMENT_IN] = "In",
		[REQUIREMENT_NOT_IN] = "NotIn",
		[REQUIREMENT_EXISTS] = "Exists",
		[REQUIREMENT_NOT_EXISTS] = "DoesNotExist",
	};
	json_t *json = json_pack("{s:s, s:s}", "key", key, "operator", names[requirement->op]);
	json_t *values;

	if (!requirement->values)
		return json;
	values = json_array();
	for (const char *const *value = requirement->values; *value; value++)
		json_array_append_new(values, json_string(*value));
	json_object_set_new(json, "values", values);
	return json;
}

json_t *policy_selector_to_json(const struct selector *selector)
{
	json_t *labels = json_object(), *expressions = json_array(), *json = json_object();

	for (size_t i = 0; i < selector_n_requirements(selector); i++) {
		const struct requirement *requirement = selector_get_requirement(selector, i);
		g_autofree char *key = requirement_key(requirement);

		/* One value says the same as a label; a key stands there once. */
		if (requirement->op == REQUIREMENT_IN && requirement->values[0] &&
		    !requirement->values[1] && !json_object_get(labels, key))
			json_object_set_new(labels, key, json_string(requirement->values[0]));
		else
			json_array_append_new(expressions, requirement_to_json(requirement, key));
	}
	if (json_object_size(labels))
		json_object_set(json, "matchLabels", labels);
	if (json_array_size(expressions))
		json_object_set(json, "matchExpressions", expressions);
	json_decref(labels);
	json_decref(expressions);
	return json;
}

/* ---- peers: each kind has its member ---- */

static json_t *cidr_to_json(const struct cidr *cidr)
{
	char text[CIDR_TEXT_BYTES];

	/* cidr_format() leaves the length of a single address away. */
	cidr_format(cidr, text);
	return strchr(text, '/') ? json_string(text)
				 : json_sprintf("%s/%u", text, cidr_text_len(cidr));
}

static void add_excepts(json_t *json, const GArray *excepts)
{
	json_t *list = json_array();

	for (guint i = 0; excepts && i < excepts->len; i++)
		json_array_append_new(list, cidr_to_json(&g_array_index(excepts, struct cidr, i)));
	if (json_array_size(list))
		json_object_set(json, "except", list);
	json_decref(list);
}

static json_t *cidr_set_to_json(const struct selector *peer)
{
	const char *name =
		selector_get_kind(peer) == SELECTOR_CIDR_GROUP ? selector_get_name(peer) : NULL;
	json_t *json = json_object();

	if (selector_get_kind(peer) == SELECTOR_CIDR)
		json_object_set_new(json, "cidr", cidr_to_json(selector_get_cidr(peer)));
	else if (name)
		json_object_set_new(json, "cidrGroupRef", json_string(name));
	else
		json_object_set_new(json, "cidrGroupSelector",
				    policy_selector_to_json(selector_get_labels(peer)));
	add_excepts(json, selector_get_excepts(peer));
	return json;
}

static json_t *service_to_json(const struct selector *peer)
{
	const char *name = selector_get_name(peer), *namespace = selector_get_namespace(peer);

	if (name)
		return json_pack("{s:{s:s, s:s*}}", "k8sService", "serviceName", name, "namespace",
				 namespace);
	return json_pack("{s:{s:o, s:s*}}", "k8sServiceSelector", "selector",
			 policy_selector_to_json(selector_get_labels(peer)), "namespace",
			 namespace);
}

static json_t *fqdn_to_json(const struct selector *peer)
{
	const char *text = selector_get_name(peer);

	return json_pack("{s:s}", strchr(text, '*') ? "matchPattern" : "matchName", text);
}

/* Whether a fromNodes or toNodes made it: labels of nodes, and the label that only nodes have. */
static bool is_node_selector(const struct selector *peer)
{
	if (selector_n_requirements(peer) < 2)
		return false;
	for (size_t i = 0; i < selector_n_requirements(peer); i++) {
		const struct requirement *requirement = selector_get_requirement(peer, i);

		if (requirement->op == REQUIREMENT_EXISTS &&
		    !g_strcmp0(requirement->source, "reserved") &&
		    !strcmp(requirement->key, "remote-node"))
			return true;
	}
	return false;
}

struct member {
	const char *names[POLICY_DIRECTION__MAX]; /* NULL: the direction does not have it */
	json_t *(*to_json)(const struct selector *peer);
};

static json_t *plain_cidr_to_json(const struct selector *peer)
{
	return cidr_to_json(selector_get_cidr(peer));
}

static const struct member *member_of(const struct selector *peer)
{
	static const struct member endpoints = {{"fromEndpoints", "toEndpoints"},
						policy_selector_to_json};
	static const struct member nodes = {{"fromNodes", "toNodes"}, policy_selector_to_json};
	static const struct member cidrs = {{"fromCIDR", "toCIDR"}, plain_cidr_to_json};
	static const struct member cidr_sets = {{"fromCIDRSet", "toCIDRSet"}, cidr_set_to_json};
	static const struct member services = {{"toServices", "toServices"}, service_to_json};
	static const struct member names = {{"toFQDNs", "toFQDNs"}, fqdn_to_json};

	switch (selector_get_kind(peer)) {
	case SELECTOR_LABELS:
		return is_node_selector(peer) ? &nodes : &endpoints;
	case SELECTOR_CIDR:
		return selector_get_excepts(peer) ? &cidr_sets : &cidrs;
	case SELECTOR_CIDR_GROUP:
		return &cidr_sets;
	case SELECTOR_SERVICE:
		return &services;
	case SELECTOR_FQDN:
		return &names;
	case SELECTOR_NOBODY: /* an entity */
		break;
	}
	g_assert_not_reached();
}

/* ---- entities: decoding has made labels of them ---- */

/* "host" of a selector for reserved:host and nothing else; NULL: it is another. */
static const char *reserved_name(const struct selector *peer)
{
	const struct requirement *requirement;

	if (selector_get_kind(peer) != SELECTOR_LABELS || selector_n_requirements(peer) != 1)
		return NULL;
	requirement = selector_get_requirement(peer, 0);
	if (g_strcmp0(requirement->source, "reserved") || requirement->op != REQUIREMENT_IN)
		return NULL;
	return requirement->key;
}

static bool is_of_cluster(const struct selector *peer)
{
	return selector_get_kind(peer) == SELECTOR_LABELS && selector_n_requirements(peer) == 1 &&
	       !strcmp(selector_get_requirement(peer, 0)->key, "io.cilium.k8s.policy.cluster");
}

/* Whether the peers from i on are these reserved ones, in this order. */
static bool are_reserved(const GPtrArray *peers, guint i, const char *const *names, guint n)
{
	if (peers->len - i < n)
		return false;
	for (guint j = 0; j < n; j++)
		if (g_strcmp0(reserved_name(peers->pdata[i + j]), names[j]))
			return false;
	return true;
}

/* The entity that begins at the i-th peer, and of how many it is; NULL: none. */
static const char *find_entity(const GPtrArray *peers, guint i, guint *ret_n)
{
	static const char *const world[] = {"world", "world-ipv4", "world-ipv6"};
	static const char *const cluster[] = {"host",   "remote-node", "init",          "ingress",
					      "health", "unmanaged",   "kube-apiserver"};
	const guint n_cluster = G_N_ELEMENTS(cluster);

	*ret_n = G_N_ELEMENTS(world);
	if (are_reserved(peers, i, world, G_N_ELEMENTS(world)))
		return "world";
	*ret_n = n_cluster + 1;
	if (are_reserved(peers, i, cluster, n_cluster) && peers->len - i > n_cluster &&
	    is_of_cluster(peers->pdata[i + n_cluster]))
		return "cluster";
	*ret_n = 1;
	if (selector_is_all(peers->pdata[i]))
		return "all";
	return selector_get_kind(peers->pdata[i]) == SELECTOR_NOBODY
		       ? "none"
		       : reserved_name(peers->pdata[i]);
}

static void append_to(json_t *json, const char *member, json_t *take_value)
{
	json_t *list = json_object_get(json, member);

	if (!list) {
		list = json_array();
		json_object_set_new(json, member, list);
	}
	json_array_append_new(list, take_value);
}

/*
 * Who names no peer: without ports an empty element means nobody, and everybody is whom an empty selector
 * selects; with ports it is the other way round.
 */
static void add_nameless(json_t *json, const struct policy_rule *rule)
{
	const char *member = rule->direction == POLICY_INGRESS ? "fromEndpoints" : "toEndpoints";
	bool has_ports = rule->ports->len || rule->no_ports;

	if (rule->any_peer && !has_ports)
		append_to(json, member, json_object());
	else if (!rule->any_peer && !rule->peers->len && has_ports)
		json_object_set_new(json, member, json_array());
}

static void add_peers(json_t *json, const struct policy_rule *rule)
{
	bool is_ingress = rule->direction == POLICY_INGRESS;

	for (guint i = 0, n = 1; i < rule->peers->len; i += n) {
		const struct selector *peer = rule->peers->pdata[i];
		/* fromEndpoints may name reserved labels too. */
		const char *entity = rule->narrowed ? NULL : find_entity(rule->peers, i, &n);
		const struct member *member = entity ? NULL : member_of(peer);

		if (entity) {
			append_to(json, is_ingress ? "fromEntities" : "toEntities",
				  json_string(entity));
			continue;
		}
		n = 1;
		append_to(json, member->names[rule->direction], member->to_json(peer));
	}
	add_nameless(json, rule);
	for (guint i = 0; i < rule->requires->len; i++)
		append_to(json, is_ingress ? "fromRequires" : "toRequires",
			  policy_selector_to_json(rule->requires->pdata[i]));
}

/* ---- ports ---- */

const char *policy_protocol_name(uint8_t protocol)
{
	return protocol ? protocol_format(protocol) : "ANY";
}

static bool is_icmp(const struct policy_port *port)
{
	return port->protocol == IPPROTO_ICMP || port->protocol == IPPROTO_ICMPV6;
}

char *policy_needs_format(uint8_t needs)
{
	static const struct {
		enum policy_need need;
		const char *text;
	} texts[] = {
		{POLICY_NEEDS_L7, "L7 rules"},
		{POLICY_NEEDS_TLS, "TLS"},
		{POLICY_NEEDS_LISTENER, "a listener"},
		{POLICY_NEEDS_AUTH, "authentication"},
	};
	GString *text = g_string_new(NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
		if (needs & texts[i].need)
			g_string_append_printf(text, "%s%s", text->len ? ", " : "", texts[i].text);
	return g_string_free(text, !text->len);
}

static bool is_same_port(const struct policy_port *a, const struct policy_port *b)
{
	return a->port == b->port && a->end_port == b->end_port && a->all_ports == b->all_ports &&
	       a->needs == b->needs && a->name == b->name;
}

/* Decoding has made TCP, UDP and SCTP of an ANY; the number of ports that are one of the manifest. */
static unsigned int n_of_any(const GArray *ports, guint i)
{
	static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP};
	const struct policy_port *first = &g_array_index(ports, struct policy_port, i);

	if (ports->len - i < G_N_ELEMENTS(protocols))
		return 1;
	for (guint j = 0; j < G_N_ELEMENTS(protocols); j++) {
		const struct policy_port *port = &g_array_index(ports, struct policy_port, i + j);

		if (port->protocol != protocols[j] || !is_same_port(first, port))
			return 1;
	}
	return G_N_ELEMENTS(protocols);
}

static json_t *port_to_json(const struct policy_port *port, bool is_any)
{
	json_t *json = json_object();

	json_object_set_new(json, "port",
			    port->name ? json_string(port->name)
				       : json_sprintf("%u", port->all_ports ? 0 : port->port));
	if (port->end_port > port->port && !port->all_ports)
		json_object_set_new(json, "endPort", json_integer(port->end_port));
	json_object_set_new(json, "protocol",
			    json_string(is_any ? "ANY" : policy_protocol_name(port->protocol)));
	return json;
}

/* The element of toPorts for the port: ports with the same needs share one. */
static json_t *find_port_rule(json_t *rules, const struct policy_port *port)
{
	g_autofree char *refused = policy_needs_format(port->needs);
	json_t *rule;
	size_t i;

	json_array_foreach(
		rules, i,
		rule) if (!g_strcmp0(json_string_value(json_object_get(rule, "axoneme-refused")),
				     refused)) return rule;
	/* What this version refuses is not kept, only what kind of thing it is. */
	rule = json_pack("{s:[], s:s*}", "ports", "axoneme-refused", refused);
	json_array_append_new(rules, rule);
	return rule;
}

static void add_ports(json_t *json, const struct policy_rule *rule)
{
	json_t *rules = json_array(), *fields = json_array();

	for (guint i = 0, n; i < rule->ports->len; i += n) {
		const struct policy_port *port = &g_array_index(rule->ports, struct policy_port, i);

		n = n_of_any(rule->ports, i);
		if (is_icmp(port))
			json_array_append_new(
				fields, json_pack("{s:s, s:i}", "family",
						  port->protocol == IPPROTO_ICMP ? "IPv4" : "IPv6",
						  "type", port->port));
		else
			json_array_append_new(json_object_get(find_port_rule(rules, port), "ports"),
					      port_to_json(port, n > 1 || !port->protocol));
	}
	if (json_array_size(rules) || rule->no_ports)
		json_object_set(json, "toPorts", rules);
	if (json_array_size(fields))
		json_object_set_new(json, "icmps", json_pack("[{s:O}]", "fields", fields));
	json_decref(rules);
	json_decref(fields);
}

/* ---- rules ---- */

static json_t *rule_to_json(const struct policy_rule *rule)
{
	json_t *json = json_object();

	add_peers(json, rule);
	add_ports(json, rule);
	if (rule->needs & POLICY_NEEDS_AUTH)
		json_object_set_new(json, "authentication", json_pack("{s:s}", "mode", "required"));
	return json;
}

static bool has_rules(const struct policy_spec *spec, enum policy_direction direction)
{
	for (guint i = 0; i < spec->rules->len; i++)
		if (((const struct policy_rule *)spec->rules->pdata[i])->direction == direction)
			return true;
	return false;
}

static void add_rules(json_t *json, const struct policy_spec *spec, const char *name,
		      enum policy_direction direction, bool deny)
{
	json_t *list = json_array();

	for (guint i = 0; i < spec->rules->len; i++) {
		const struct policy_rule *rule = g_ptr_array_index(spec->rules, i);

		if (rule->direction == direction && rule->deny == deny)
			json_array_append_new(list, rule_to_json(rule));
	}
	/* That nothing is allowed is an element that allows nothing. */
	if (!deny && spec->default_deny[direction] && !has_rules(spec, direction))
		json_array_append_new(list, json_object());
	if (json_array_size(list))
		json_object_set(json, name, list);
	json_decref(list);
}

json_t *policy_spec_to_json(const struct policy_spec *spec)
{
	json_t *json = json_object();

	json_object_set_new(json, spec->selects_nodes ? "nodeSelector" : "endpointSelector",
			    policy_selector_to_json(spec->subject));
	add_rules(json, spec, "ingress", POLICY_INGRESS, false);
	add_rules(json, spec, "ingressDeny", POLICY_INGRESS, true);
	add_rules(json, spec, "egress", POLICY_EGRESS, false);
	add_rules(json, spec, "egressDeny", POLICY_EGRESS, true);
	json_object_set_new(json, "labels", policy_labels_to_json(spec->labels));
	json_object_set_new(json, "enableDefaultDeny",
			    json_pack("{s:b, s:b}", "ingress", spec->default_deny[POLICY_INGRESS],
				      "egress", spec->default_deny[POLICY_EGRESS]));
	if (spec->description)
		json_object_set_new(json, "description", json_string(spec->description));
	if (spec->log)
		json_object_set_new(json, "log", json_pack("{s:s}", "value", spec->log));
	return json;
}
