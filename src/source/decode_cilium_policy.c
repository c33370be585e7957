// SPDX-License-Identifier: Apache-2.0
/* CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy. */
#include <string.h>
#include "src/source/decode_policy.h"

#define KEY_NAMESPACE "io.kubernetes.pod.namespace"
#define MAX_LOG_CHARS 32

/* "disabled" asks for nothing. */
static uint8_t decode_authentication(const struct policy_decoder *decoder,
				     const struct field *element, bool deny)
{
	static const char *const members[] = {"mode", NULL};
	struct field field = field_member(element, "authentication");
	struct field mode_field = field_member(&field, "mode");
	const char *mode;

	if (!field_is_set(&field))
		return 0;
	if (deny) {
		field_add_problem(&field, "is not possible in a deny rule");
		return 0;
	}
	decode_policy_members(&field, members);
	mode = field_required_text(&mode_field);
	if (!mode || strcmp(mode, "disabled") == 0)
		return 0;
	if (strcmp(mode, "required") != 0 && strcmp(mode, "test-always-fail") != 0) {
		field_want(&mode_field, "disabled, required or test-always-fail");
		return 0;
	}
	decode_policy_note(decoder, &field, true,
			   "nothing authenticates yet: what the rule would allow is refused");
	return POLICY_NEEDS_AUTH;
}

static void check_element_members(const struct field *element, enum policy_direction direction)
{
	static const char *const other[] = {"toPorts", "icmps", "authentication", NULL};
	g_autoptr(GPtrArray) names = g_ptr_array_new();

	decode_policy_peer_names(direction, names);
	for (size_t i = 0; i < G_N_ELEMENTS(other); i++)
		g_ptr_array_add(names, (char *)other[i]);
	decode_policy_members(element, (const char *const *)names->pdata);
}

static void decode_element(const struct policy_decoder *decoder, const struct field *element,
			   struct policy_spec *spec, enum policy_direction direction, bool deny)
{
	struct policy_rule *rule = decode_policy_rule(decoder, spec, element, direction, deny);
	bool has_l3, has_l4;

	check_element_members(element, direction);
	rule->needs = decode_authentication(decoder, element, deny);
	has_l3 = decode_policy_peers(decoder, element, rule);
	has_l4 = decode_policy_ports(decoder, element, rule);
	/* An element without any says nothing, except that the direction is closed. */
	rule->any_peer = !has_l3 && has_l4;
}

static const struct rule_list {
	const char *name;
	enum policy_direction direction;
	bool deny;
} rule_lists[] = {
	{"ingress", POLICY_INGRESS, false},
	{"ingressDeny", POLICY_INGRESS, true},
	{"egress", POLICY_EGRESS, false},
	{"egressDeny", POLICY_EGRESS, true},
};

static void decode_rules(const struct policy_decoder *decoder, const struct field *field,
			 struct policy_spec *spec)
{
	bool has_rules[POLICY_DIRECTION__MAX] = {};
	struct field default_deny = field_member(field, "enableDefaultDeny");
	struct field ingress = field_member(&default_deny, "ingress");
	struct field egress = field_member(&default_deny, "egress");
	static const char *const members[] = {"ingress", "egress", NULL};

	for (size_t i = 0; i < G_N_ELEMENTS(rule_lists); i++) {
		const struct rule_list *list = &rule_lists[i];
		struct field rules = field_member(field, list->name);

		for (struct field element = decode_policy_first(&rules); element.value;
		     element = field_next(&element)) {
			has_rules[list->direction] = true;
			decode_element(decoder, &element, spec, list->direction, list->deny);
		}
	}
	if (!has_rules[POLICY_INGRESS] && !has_rules[POLICY_EGRESS])
		field_add_problem(field, "has no rule: want an element in ingress, ingressDeny, "
					 "egress or egressDeny ({} allows nobody)");
	decode_policy_members(&default_deny, members);
	spec->default_deny[POLICY_INGRESS] = field_bool(&ingress, has_rules[POLICY_INGRESS]);
	spec->default_deny[POLICY_EGRESS] = field_bool(&egress, has_rules[POLICY_EGRESS]);
}

/* A policy of a namespace selects in that, whatever else it says. */
static void add_subject_namespace(const struct policy_decoder *decoder, const struct field *field,
				  struct label_selector *selector)
{
	const char *own = decoder->policy->meta.namespace;

	for (unsigned int i = selector->requirements->len; i-- > 0;) {
		const struct requirement *requirement =
			&g_array_index(selector->requirements, struct requirement, i);

		if (requirement->op != REQUIREMENT_IN || strcmp(requirement->key, KEY_NAMESPACE) ||
		    g_strcmp0(requirement->source, "k8s") != 0)
			continue;
		if (!g_strv_contains(requirement->values, own))
			decode_policy_note(decoder, field, false,
					   "selects in namespace %s all the same, where the policy "
					   "is",
					   own);
		g_array_remove_index(selector->requirements, i);
	}
	label_selector_add(selector, "k8s", KEY_NAMESPACE, own);
}

static void decode_subject(struct policy_decoder *decoder, const struct field *field,
			   struct policy_spec *spec)
{
	struct field endpoints = field_member(field, "endpointSelector");
	struct field nodes = field_member(field, "nodeSelector");
	const struct field *subject = field_is_set(&nodes) ? &nodes : &endpoints;
	bool is_namespaced = decoder->policy->meta.namespace;
	struct label_selector selector;

	if (field_is_set(&endpoints) == field_is_set(&nodes)) {
		field_add_problem(field,
				  field_is_set(&nodes)
					  ? "has endpointSelector and nodeSelector: make two "
					    "policies of it"
					  : "want endpointSelector or nodeSelector");
		return;
	}
	if (is_namespaced && field_is_set(&nodes))
		field_add_problem(&nodes, "is possible in a CiliumClusterwideNetworkPolicy only");
	label_selector_init(&selector);
	decode_label_selector(decoder, subject, NULL, "", &selector);
	decoder->is_init = label_selector_has_key(&selector, "reserved", "init");
	decoder->is_host = spec->selects_nodes = field_is_set(&nodes);
	if (is_namespaced)
		add_subject_namespace(decoder, subject, &selector);
	spec->subject = label_selector_end(decoder, subject, &selector);
	label_selector_fini(&selector);
}

static void decode_labels_of_rule(const struct policy_decoder *decoder, const struct field *list,
				  struct policy_spec *spec)
{
	static const char *const members[] = {"key", "value", "source", NULL};
	g_autoptr(GArray) labels = g_array_new(FALSE, TRUE, sizeof(struct label));

	for (struct field item = decode_policy_first(list); item.value; item = field_next(&item)) {
		struct field key = field_member(&item, "key");
		struct field value = field_member(&item, "value");
		struct field source = field_member(&item, "source");
		struct label label = {.source = field_text(&source),
				      .key = field_required_text(&key),
				      .value = field_text(&value)};

		decode_policy_members(&item, members);
		if (!label.source || !*label.source)
			label.source = "unspec";
		if (!label.value)
			label.value = "";
		if (label.key)
			g_array_append_val(labels, label);
	}
	spec->labels = decode_policy_labels(decoder, decoder->policy->meta.name, labels);
}

static bool is_printable(const char *text)
{
	if (!g_utf8_validate(text, -1, NULL))
		return false;
	for (; *text; text = g_utf8_next_char(text))
		if (!g_unichar_isprint(g_utf8_get_char(text)))
			return false;
	return true;
}

static char *decode_log(const struct policy_decoder *decoder, const struct field *log)
{
	static const char *const members[] = {"value", NULL};
	struct field value = field_member(log, "value");
	const char *text = field_text(&value);

	decode_policy_members(log, members);
	if (text && (!is_printable(text) || g_utf8_strlen(text, -1) > MAX_LOG_CHARS)) {
		field_want(&value, "at most 32 printable characters");
		return NULL;
	}
	return g_strdup(text);
}

static void decode_spec(struct policy_decoder *decoder, const struct field *field)
{
	static const char *const members[] = {"endpointSelector",
					      "nodeSelector",
					      "ingress",
					      "ingressDeny",
					      "egress",
					      "egressDeny",
					      "enableDefaultDeny",
					      "labels",
					      "description",
					      "log",
					      NULL};
	struct policy_spec *spec = policy_spec_new();
	struct field labels, description, log;

	g_ptr_array_add(decoder->policy->specs, spec);
	if (!field_is_set(field) || field->value->type != VALUE_MAPPING) {
		field_want(field, "a mapping");
		return;
	}
	labels = field_member(field, "labels");
	description = field_member(field, "description");
	log = field_member(field, "log");
	decode_policy_members(field, members);
	decode_subject(decoder, field, spec);
	decode_rules(decoder, field, spec);
	decode_labels_of_rule(decoder, &labels, spec);
	spec->description = g_strdup(field_text(&description));
	spec->log = decode_log(decoder, &log);
}

static struct object *decode_policy(const struct field *object, struct object_meta *take_meta,
				    enum policy_kind kind)
{
	static const char *const members[] = {"apiVersion", "kind",   "metadata", "spec",
					      "specs",      "status", NULL};
	struct policy *policy = policy_new();
	struct policy_decoder decoder = {.policy = policy, .object = object};
	struct field spec = field_member(object, "spec");
	struct field specs = field_member(object, "specs");

	policy->meta = *take_meta;
	policy->kind = kind;
	decode_policy_members(object, members);
	if (field_is_set(&spec))
		decode_spec(&decoder, &spec);
	for (struct field item = decode_policy_first(&specs); item.value; item = field_next(&item))
		decode_spec(&decoder, &item);
	if (!policy->specs->len)
		field_add_problem(&spec, "is missing");
	return (struct object *)policy;
}

struct object *decode_cilium_network_policy(const struct field *object,
					    struct object_meta *take_meta)
{
	return decode_policy(object, take_meta, POLICY_KIND_CILIUM);
}

struct object *decode_clusterwide_policy(const struct field *object, struct object_meta *take_meta)
{
	return decode_policy(object, take_meta, POLICY_KIND_CLUSTERWIDE);
}
