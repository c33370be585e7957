// SPDX-License-Identifier: Apache-2.0
/*
 * NetworkPolicy of Kubernetes. Unlike in Cilium's policies, "from" and "ports" that are missing or empty mean
 * everybody and every port, and one rule may have peers of all sorts.
 */
#include <string.h>
#include "src/base/intern.h"
#include "src/source/decode_policy.h"
#include "src/source/syntax.h"

#define KEY_NAMESPACE       "io.kubernetes.pod.namespace"
#define PREFIX_NAMESPACE    "io.cilium.k8s.namespace.labels."
#define ANNOTATION_NAME     "policy.cilium.io/name"
#define ANNOTATION_NAME_OLD "io.cilium.name"

static void decode_ip_block(const struct policy_decoder *decoder, const struct field *block,
			    GPtrArray *peers)
{
	static const char *const members[] = {"cidr", "except", NULL};
	struct field cidr_field = field_member(block, "cidr");
	struct field except_field = field_member(block, "except");
	g_autoptr(GArray) excepts = NULL;
	struct cidr cidr;

	decode_policy_members(block, members);
	if (!decode_policy_cidr(decoder, &cidr_field, false, &cidr))
		return;
	excepts = decode_policy_excepts(decoder, &except_field, &cidr);
	g_ptr_array_add(peers, (void *)selector_new_cidr(&cidr, excepts));
}

static void decode_pod_peer(const struct policy_decoder *decoder, const struct field *peer,
			    GPtrArray *peers)
{
	struct field namespace_field = field_member(peer, "namespaceSelector");
	struct field pod_field = field_member(peer, "podSelector");
	struct label_selector selector;

	label_selector_init(&selector);
	if (!field_is_set(&namespace_field)) {
		label_selector_add(&selector, "k8s", KEY_NAMESPACE,
				   decoder->policy->meta.namespace);
	} else {
		decode_label_selector(decoder, &namespace_field, "k8s", PREFIX_NAMESPACE,
				      &selector);
		/* Pods of namespaces, and nothing that is in none: the world, nodes. */
		if (!label_selector_is_positive(&selector))
			label_selector_add(&selector, "k8s", KEY_NAMESPACE, NULL);
	}
	if (field_is_set(&pod_field))
		decode_label_selector(decoder, &pod_field, "k8s", "", &selector);
	g_ptr_array_add(peers, (void *)label_selector_end(decoder, peer, &selector));
	label_selector_fini(&selector);
}

static void decode_peer(const struct policy_decoder *decoder, const struct field *peer,
			GPtrArray *peers)
{
	static const char *const members[] = {"podSelector", "namespaceSelector", "ipBlock", NULL};
	struct field block = field_member(peer, "ipBlock");
	struct field namespace_field = field_member(peer, "namespaceSelector");
	struct field pod_field = field_member(peer, "podSelector");
	bool has_pods = field_is_set(&namespace_field) || field_is_set(&pod_field);

	decode_policy_members(peer, members);
	if (field_is_set(&block) == has_pods)
		field_add_problem(peer, has_pods
						? "has ipBlock and a selector: make two peers of it"
						: "want podSelector, namespaceSelector or ipBlock");
	else if (has_pods)
		decode_pod_peer(decoder, peer, peers);
	else
		decode_ip_block(decoder, &block, peers);
}

/* The number of the port, or its name. False, with a problem noted. */
static bool decode_port_value(const struct field *field, struct policy_port *port)
{
	g_autofree char *lower = NULL;

	if (field->value->type == VALUE_INT) {
		port->port = port->end_port = decode_port_number(field);
		return port->port;
	}
	if (field->value->type != VALUE_STRING || !syntax_is_port_name(field->value->text)) {
		field_want(field, "a number from 1 to 65535, or the name of a port: at most 15 of "
				  "a-z, 0-9 and '-' with a letter");
		return false;
	}
	lower = g_ascii_strdown(field->value->text, -1);
	port->name = intern_new(lower);
	return true;
}

static void decode_end_port(const struct field *field, struct policy_port *port)
{
	int64_t end;

	if (!field_int(field, 1, UINT16_MAX, &end))
		return;
	if (!port->port)
		field_add_problem(field, "wants a port that is a number");
	else if (end < port->port)
		field_add_problem(field, "got %d, which is less than port, %u", (int)end,
				  port->port);
	else
		port->end_port = end;
}

static void decode_port(const struct field *item, struct policy_rule *rule)
{
	static const char *const members[] = {"protocol", "port", "endPort", NULL};
	struct field protocol_field = field_member(item, "protocol");
	struct field port_field = field_member(item, "port");
	struct field end_field = field_member(item, "endPort");
	struct policy_port port = {.protocol = decode_protocol(&protocol_field)};

	decode_policy_members(item, members);
	if (!field_is_set(&port_field))
		port.all_ports = true;
	else if (!decode_port_value(&port_field, &port))
		return;
	decode_end_port(&end_field, &port);
	decode_policy_add_port(item, rule, &port);
}

static void decode_rule(const struct policy_decoder *decoder, const struct field *item,
			struct policy_spec *spec, enum policy_direction direction)
{
	static const char *const ingress_members[] = {"from", "ports", NULL};
	static const char *const egress_members[] = {"to", "ports", NULL};
	bool is_ingress = direction == POLICY_INGRESS;
	struct field peers = field_member(item, is_ingress ? "from" : "to");
	struct field ports = field_member(item, "ports");
	struct policy_rule *rule = decode_policy_rule(decoder, spec, item, direction, false);

	decode_policy_members(item, is_ingress ? ingress_members : egress_members);
	for (struct field peer = decode_policy_first(&peers); peer.value; peer = field_next(&peer))
		decode_peer(decoder, &peer, rule->peers);
	for (struct field port = decode_policy_first(&ports); port.value;
	     port = field_next(&port)) {
		unsigned int n_before = rule->ports->len;

		decode_port(&port, rule);
		decode_policy_check_shadowed(decoder, &port, rule, n_before);
	}
	rule->any_peer = !field_is_set(&peers) || field_is_empty(&peers);
	if (rule->any_peer && peers.value)
		decode_policy_note(decoder, &peers, false, "is empty: everybody is selected");
}

/* Ingress is always meant where nothing is said, egress where there are rules for it. */
static void decode_policy_types(const struct field *types, bool has_egress,
				bool *ret_wanted /* [POLICY_DIRECTION__MAX] */)
{
	ret_wanted[POLICY_INGRESS] = ret_wanted[POLICY_EGRESS] = false;
	if (!field_is_set(types) || field_is_empty(types)) {
		ret_wanted[POLICY_INGRESS] = true;
		ret_wanted[POLICY_EGRESS] = has_egress;
	}
	for (struct field item = decode_policy_first(types); item.value; item = field_next(&item)) {
		const char *text = field_required_text(&item);

		if (g_strcmp0(text, "Ingress") == 0)
			ret_wanted[POLICY_INGRESS] = true;
		else if (g_strcmp0(text, "Egress") == 0)
			ret_wanted[POLICY_EGRESS] = true;
		else if (text)
			field_want(&item, "Ingress or Egress");
	}
}

static void decode_direction(const struct policy_decoder *decoder, const struct field *rules,
			     struct policy_spec *spec, enum policy_direction direction)
{
	for (struct field item = decode_policy_first(rules); item.value; item = field_next(&item))
		decode_rule(decoder, &item, spec, direction);
	if (spec->default_deny[direction] || field_is_empty(rules) || !field_is_set(rules))
		return;
	decode_policy_note(decoder, rules, false, "has no effect: policyTypes does not say %s",
			   direction == POLICY_INGRESS ? "Ingress" : "Egress");
	for (unsigned int i = spec->rules->len; i-- > 0;) {
		const struct policy_rule *rule = g_ptr_array_index(spec->rules, i);

		if (rule->direction == direction)
			g_ptr_array_remove_index(spec->rules, i);
	}
}

static const struct selector *decode_subject(const struct policy_decoder *decoder,
					     const struct field *field)
{
	const struct selector *subject;
	struct label_selector selector;

	label_selector_init(&selector);
	label_selector_add(&selector, "k8s", KEY_NAMESPACE, decoder->policy->meta.namespace);
	if (field_is_set(field))
		decode_label_selector(decoder, field, "k8s", "", &selector);
	else
		decode_policy_note(decoder, field, false,
				   "is missing: every pod of the namespace is selected");
	subject = label_selector_end(decoder, field, &selector);
	label_selector_fini(&selector);
	return subject;
}

static const char *policy_name(const struct policy *policy)
{
	const char *name = object_meta_annotation(&policy->meta, ANNOTATION_NAME);

	if (!name)
		name = object_meta_annotation(&policy->meta, ANNOTATION_NAME_OLD);
	return name && *name ? name : policy->meta.name;
}

static void decode_spec(const struct policy_decoder *decoder, const struct field *field,
			struct policy_spec *spec)
{
	static const char *const members[] = {"podSelector", "policyTypes", "ingress", "egress",
					      NULL};
	struct field subject = field_member(field, "podSelector");
	struct field types = field_member(field, "policyTypes");
	struct field ingress = field_member(field, "ingress");
	struct field egress = field_member(field, "egress");
	g_autoptr(GArray) labels = g_array_new(FALSE, TRUE, sizeof(struct label));

	decode_policy_members(field, members);
	spec->subject = decode_subject(decoder, &subject);
	decode_policy_types(&types, field_is_set(&egress) && !field_is_empty(&egress),
			    spec->default_deny);
	decode_direction(decoder, &ingress, spec, POLICY_INGRESS);
	decode_direction(decoder, &egress, spec, POLICY_EGRESS);
	spec->labels = decode_policy_labels(decoder, policy_name(decoder->policy), labels);
}

struct object *decode_network_policy(const struct field *object, struct object_meta *take_meta)
{
	static const char *const members[] = {"apiVersion", "kind",   "metadata",
					      "spec",       "status", NULL};
	struct policy *policy = policy_new();
	struct policy_decoder decoder = {.policy = policy, .object = object};
	struct field spec = field_member(object, "spec");

	policy->meta = *take_meta;
	policy->kind = POLICY_KIND_KUBERNETES;
	decode_policy_members(object, members);
	g_ptr_array_add(policy->specs, policy_spec_new());
	if (field_is_set(&spec))
		decode_spec(&decoder, &spec, g_ptr_array_index(policy->specs, 0));
	else
		field_add_problem(&spec, "is missing");
	return (struct object *)policy;
}
