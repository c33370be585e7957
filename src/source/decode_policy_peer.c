// SPDX-License-Identifier: Apache-2.0
/* The L3 members of an element of ingress, egress, ingressDeny and egressDeny: whom it means. */
#include <string.h>
#include "src/source/decode_policy.h"
#include "src/source/syntax.h"

#define KEY_NAMESPACE    "io.kubernetes.pod.namespace"
#define PREFIX_NAMESPACE "io.cilium.k8s.namespace.labels."
#define KEY_CLUSTER      "io.cilium.k8s.policy.cluster"

static char *cluster_name; /* NULL: "default" */

void decode_set_cluster_name(const char *name)
{
	g_free(cluster_name);
	cluster_name = g_strdup(name);
}

static void add_peer(GPtrArray *peers, const struct selector *take_selector)
{
	g_ptr_array_add(peers, (void *)take_selector);
}

/* In the policy's own namespace, or, clusterwide, in any, where it does not say. */
static void add_namespace(const struct policy_decoder *decoder, struct label_selector *selector)
{
	const char *own = decoder->policy->meta.namespace;

	if (label_selector_has_key(selector, "k8s", KEY_NAMESPACE) ||
	    label_selector_has_key(selector, NULL, KEY_NAMESPACE))
		return;
	if (own && !label_selector_has_prefix(selector, PREFIX_NAMESPACE))
		label_selector_add(selector, "k8s", KEY_NAMESPACE, own);
	else if (!own && !decoder->is_init)
		label_selector_add(selector, "k8s", KEY_NAMESPACE, NULL);
}

static void decode_endpoint_selector(const struct policy_decoder *decoder, const struct field *item,
				     const struct policy_rule *rule, GPtrArray *peers)
{
	struct label_selector selector;

	label_selector_init(&selector);
	decode_label_selector(decoder, item, NULL, "", &selector);
	/* What is reserved is in no namespace; but for what is required there always is one. */
	if (peers == rule->requires || !label_selector_has_source(&selector, "reserved"))
		add_namespace(decoder, &selector);
	if (selector.requirements->len && !label_selector_is_positive(&selector))
		decode_policy_note(
			decoder, item, false,
			"says only what must not be: the world and nodes are selected too");
	add_peer(peers, label_selector_end(decoder, item, &selector));
	label_selector_fini(&selector);
}

static void decode_endpoint_peer(const struct policy_decoder *decoder, const struct field *item,
				 struct policy_rule *rule)
{
	rule->narrowed = true;
	decode_endpoint_selector(decoder, item, rule, rule->peers);
}

static void decode_node_peer(const struct policy_decoder *decoder, const struct field *item,
			     struct policy_rule *rule)
{
	struct label_selector selector;

	label_selector_init(&selector);
	decode_label_selector(decoder, item, NULL, "", &selector);
	label_selector_add(&selector, "reserved", "remote-node", NULL);
	add_peer(rule->peers, label_selector_end(decoder, item, &selector));
	label_selector_fini(&selector);
}

bool decode_policy_cidr(const struct policy_decoder *decoder, const struct field *field,
			bool may_be_addr, struct cidr *ret_cidr)
{
	const char *text = field_required_text(field);
	char correct[CIDR_TEXT_BYTES];
	int r;

	if (!text)
		return false;
	r = cidr_parse(text, ret_cidr);
	if (r == -ERANGE)
		decode_policy_note(decoder, field, false,
				   "%s has host bits that are not zero: %s is meant", text,
				   cidr_format(ret_cidr, correct));
	if (r == -EINVAL || (!may_be_addr && !strchr(text, '/'))) {
		field_want(field, may_be_addr ? "an IPv4 or IPv6 prefix or address"
					      : "an IPv4 or IPv6 prefix such as 10.0.0.0/24");
		return false;
	}
	return true;
}

static void decode_cidr_peer(const struct policy_decoder *decoder, const struct field *item,
			     struct policy_rule *rule)
{
	struct cidr cidr;

	if (decode_policy_cidr(decoder, item, true, &cidr))
		add_peer(rule->peers, selector_new_cidr(&cidr, NULL));
}

GArray *decode_policy_excepts(const struct policy_decoder *decoder, const struct field *list,
			      const struct cidr *cidr)
{
	GArray *excepts = NULL;

	for (struct field item = decode_policy_first(list); item.value; item = field_next(&item)) {
		char outer[CIDR_TEXT_BYTES];
		struct cidr except;

		if (!decode_policy_cidr(decoder, &item, false, &except))
			continue;
		if (cidr &&
		    (except.prefix_len < cidr->prefix_len || !cidr_contains(cidr, &except.addr))) {
			field_add_problem(&item, "got \"%s\", want a prefix inside %s",
					  item.value->text, cidr_format(cidr, outer));
			continue;
		}
		if (cidr && cidr_equal(&except, cidr))
			decode_policy_note(decoder, &item, false,
					   "excepts all of %s: nobody is selected",
					   cidr_format(cidr, outer));
		if (!excepts)
			excepts = g_array_new(FALSE, TRUE, sizeof(struct cidr));
		g_array_append_val(excepts, except);
	}
	return excepts;
}

/* The name of another object. NULL, with a problem noted. */
static const char *decode_name(const struct field *field, bool (*is_name)(const char *text))
{
	const char *text = field_required_text(field);

	if (!text || is_name(text))
		return text;
	field_want(field, is_name == syntax_is_dns_label
				  ? "1 to 63 of a-z, 0-9 and '-' (RFC 1123)"
				  : "at most 253 of a-z, 0-9, '-' and '.' (RFC 1123)");
	return NULL;
}

/* One of cidr, cidrGroupRef and cidrGroupSelector; which was looked at before. NULL: a problem. */
static const struct selector *decode_group(const struct policy_decoder *decoder,
					   const struct field *name_field,
					   const struct field *labels_field, const GArray *excepts)
{
	const struct selector *labels, *group;
	struct label_selector selector;
	const char *name;

	if (field_is_set(name_field)) {
		name = decode_name(name_field, syntax_is_dns_subdomain);
		return name ? selector_new_cidr_group(name, NULL, excepts) : NULL;
	}
	label_selector_init(&selector);
	decode_label_selector(decoder, labels_field, "k8s", "", &selector);
	labels = label_selector_end(decoder, labels_field, &selector);
	label_selector_fini(&selector);
	group = selector_new_cidr_group(NULL, labels, excepts);
	selector_unref(labels);
	return group;
}

static void decode_cidr_set_peer(const struct policy_decoder *decoder, const struct field *item,
				 struct policy_rule *rule)
{
	static const char *const members[] = {"cidr", "cidrGroupRef", "cidrGroupSelector", "except",
					      NULL};
	struct field cidr_field = field_member(item, "cidr");
	struct field name_field = field_member(item, "cidrGroupRef");
	struct field labels_field = field_member(item, "cidrGroupSelector");
	struct field except_field = field_member(item, "except");
	g_autoptr(GArray) excepts = NULL;
	const struct selector *selector;
	struct cidr cidr;

	decode_policy_members(item, members);
	if (field_is_set(&cidr_field) + field_is_set(&name_field) + field_is_set(&labels_field) !=
	    1) {
		field_add_problem(item, "want one of cidr, cidrGroupRef and cidrGroupSelector");
		return;
	}
	if (field_is_set(&cidr_field)) {
		if (!decode_policy_cidr(decoder, &cidr_field, false, &cidr))
			return;
		excepts = decode_policy_excepts(decoder, &except_field, &cidr);
		selector = selector_new_cidr(&cidr, excepts);
	} else {
		excepts = decode_policy_excepts(decoder, &except_field, NULL);
		selector = decode_group(decoder, &name_field, &labels_field, excepts);
	}
	if (selector)
		add_peer(rule->peers, selector);
}

/* Who has this label: reserved:<name>. */
static void add_reserved(GPtrArray *peers, const char *name)
{
	static const char *const values[] = {"", NULL};
	struct requirement requirement = {"reserved", name, REQUIREMENT_IN, values};

	add_peer(peers, selector_new_labels(&requirement, 1));
}

static void add_world(GPtrArray *peers)
{
	add_reserved(peers, "world");
	add_reserved(peers, "world-ipv4");
	add_reserved(peers, "world-ipv6");
}

static void add_cluster(GPtrArray *peers)
{
	static const char *const reserved[] = {"host",   "remote-node", "init",          "ingress",
					       "health", "unmanaged",   "kube-apiserver"};
	const char *const values[] = {cluster_name ? cluster_name : "default", NULL};
	struct requirement requirement = {"k8s", KEY_CLUSTER, REQUIREMENT_IN, values};

	for (size_t i = 0; i < G_N_ELEMENTS(reserved); i++)
		add_reserved(peers, reserved[i]);
	add_peer(peers, selector_new_labels(&requirement, 1));
}

static void decode_entity_peer(const struct policy_decoder *decoder, const struct field *item,
			       struct policy_rule *rule)
{
	static const char *const reserved[] = {"world-ipv4",  "world-ipv6", "host",
					       "init",        "ingress",    "unmanaged",
					       "remote-node", "health",     "kube-apiserver"};
	const char *text = field_required_text(item);

	if (!text)
		return;
	for (size_t i = 0; i < G_N_ELEMENTS(reserved); i++) {
		if (strcmp(text, reserved[i]) != 0)
			continue;
		add_reserved(rule->peers, text);
		return;
	}
	if (strcmp(text, "all") == 0)
		add_peer(rule->peers, selector_new_labels(NULL, 0));
	else if (strcmp(text, "world") == 0)
		add_world(rule->peers);
	else if (strcmp(text, "cluster") == 0)
		add_cluster(rule->peers);
	else if (strcmp(text, "none") == 0)
		add_peer(rule->peers, selector_new_nobody());
	else
		field_want(item, "all, world, world-ipv4, world-ipv6, cluster, host, init, "
				 "ingress, unmanaged, remote-node, health, none or kube-apiserver");
}

/* Of a cloud provider: nothing looks their addresses up, which are not in the cluster. */
static void decode_group_peer(const struct policy_decoder *decoder, const struct field *item,
			      struct policy_rule *rule)
{
	static const char *const members[] = {"aws", NULL};
	static const char *const aws_members[] = {"labels", "securityGroupsIds",
						  "securityGroupsNames", "region", NULL};
	struct field aws = field_member(item, "aws");

	decode_policy_members(item, members);
	if (!field_is_set(&aws))
		field_add_problem(&aws, "is missing");
	decode_policy_members(&aws, aws_members);
	decode_policy_note(decoder, item, true,
			   rule->deny ? "groups are not looked up: the whole world is denied"
				      : "groups are not looked up: nobody is selected");
	if (rule->deny)
		add_world(rule->peers);
	else
		add_peer(rule->peers, selector_new_nobody());
}

/* "" and absent: services of any namespace. */
static const char *decode_service_namespace(const struct field *parent)
{
	struct field field = field_member(parent, "namespace");
	const char *text = field_text(&field);

	return text && *text ? decode_name(&field, syntax_is_dns_label) : NULL;
}

static const struct selector *decode_service_selector(const struct policy_decoder *decoder,
						      const struct field *item)
{
	static const char *const members[] = {"selector", "namespace", NULL};
	struct field selector_field = field_member(item, "selector");
	const struct selector *labels, *service;
	struct label_selector selector;

	decode_policy_members(item, members);
	label_selector_init(&selector);
	decode_label_selector(decoder, &selector_field, NULL, "", &selector);
	labels = label_selector_end(decoder, &selector_field, &selector);
	label_selector_fini(&selector);
	service = selector_new_service(decode_service_namespace(item), NULL, labels);
	selector_unref(labels);
	return service;
}

static void decode_service_peer(const struct policy_decoder *decoder, const struct field *item,
				struct policy_rule *rule)
{
	static const char *const members[] = {"k8sService", "k8sServiceSelector", NULL};
	static const char *const reference_members[] = {"serviceName", "namespace", NULL};
	struct field reference = field_member(item, "k8sService");
	struct field selector = field_member(item, "k8sServiceSelector");
	struct field name_field = field_member(&reference, "serviceName");
	const char *name;

	decode_policy_members(item, members);
	decode_policy_members(&reference, reference_members);
	if (!field_is_set(&reference) && !field_is_set(&selector))
		field_add_problem(item, "want k8sService or k8sServiceSelector");
	if (field_is_set(&selector))
		add_peer(rule->peers, decode_service_selector(decoder, &selector));
	if (!field_is_set(&reference))
		return;
	name = decode_name(&name_field, syntax_is_dns_label);
	if (name)
		add_peer(rule->peers,
			 selector_new_service(decode_service_namespace(&reference), name, NULL));
}

static void decode_fqdn_peer(const struct policy_decoder *decoder, const struct field *item,
			     struct policy_rule *rule)
{
	bool is_pattern;
	const char *text = decode_policy_fqdn(decoder, item, &is_pattern);
	g_autofree char *lower = NULL;

	if (!text)
		return;
	lower = g_ascii_strdown(text, -1);
	decode_policy_note(decoder, item, true, "names are not looked up: nobody is selected");
	add_peer(rule->peers, selector_new_fqdn(lower, is_pattern));
}

static const struct l3_member {
	const char *ingress, *egress; /* NULL: not in that direction */
	bool not_in_deny;
	void (*decode)(const struct policy_decoder *decoder, const struct field *item,
		       struct policy_rule *rule);
} l3_members[] = {
	{"fromEndpoints", "toEndpoints", false, decode_endpoint_peer},
	{"fromCIDR", "toCIDR", false, decode_cidr_peer},
	{"fromCIDRSet", "toCIDRSet", false, decode_cidr_set_peer},
	{"fromEntities", "toEntities", false, decode_entity_peer},
	{"fromNodes", "toNodes", false, decode_node_peer},
	{"fromGroups", "toGroups", false, decode_group_peer},
	{NULL, "toServices", false, decode_service_peer},
	{NULL, "toFQDNs", true, decode_fqdn_peer},
};

static const char *member_name(const struct l3_member *member, enum policy_direction direction)
{
	return direction == POLICY_INGRESS ? member->ingress : member->egress;
}

static const char *requires_name(enum policy_direction direction)
{
	return direction == POLICY_INGRESS ? "fromRequires" : "toRequires";
}

void decode_policy_peer_names(enum policy_direction direction, GPtrArray *names)
{
	for (size_t i = 0; i < G_N_ELEMENTS(l3_members); i++) {
		const char *name = member_name(&l3_members[i], direction);

		if (name)
			g_ptr_array_add(names, (char *)name);
	}
	g_ptr_array_add(names, (char *)requires_name(direction));
}

static void decode_requires(const struct policy_decoder *decoder, const struct field *element,
			    struct policy_rule *rule)
{
	struct field list = field_member(element, rule->direction == POLICY_INGRESS ? "fromRequires"
										    : "toRequires");

	for (struct field item = decode_policy_first(&list); item.value; item = field_next(&item))
		decode_endpoint_selector(decoder, &item, rule, rule->requires);
}

/* What a member said; several must not say something. */
struct l3 {
	const char *said;  /* the first member that has an item; NULL: none */
	bool is_there;     /* a member is there */
	bool selects_none; /* one of them is empty */
};

static void decode_member(const struct policy_decoder *decoder, const struct field *list,
			  const struct l3_member *member, struct policy_rule *rule, struct l3 *l3)
{
	if (!field_is_set(list))
		return;
	l3->is_there = true;
	if (member->not_in_deny && rule->deny) {
		field_add_problem(list, "is not possible in a deny rule");
	} else if (field_is_empty(list)) {
		l3->selects_none = true;
		decode_policy_note(decoder, list, false, "is empty: nobody is selected");
	} else if (l3->said) {
		field_add_problem(list, "cannot be combined with %s: make two elements of it",
				  l3->said);
	} else {
		l3->said = list->name;
		for (struct field item = decode_policy_first(list); item.value;
		     item = field_next(&item))
			member->decode(decoder, &item, rule);
	}
}

bool decode_policy_peers(const struct policy_decoder *decoder, const struct field *element,
			 struct policy_rule *rule)
{
	struct l3 l3 = {};

	for (size_t i = 0; i < G_N_ELEMENTS(l3_members); i++) {
		const char *name = member_name(&l3_members[i], rule->direction);
		struct field list;

		if (!name)
			continue;
		list = field_member(element, name);
		decode_member(decoder, &list, &l3_members[i], rule, &l3);
	}
	decode_requires(decoder, element, rule);
	if (l3.selects_none)
		g_ptr_array_set_size(rule->peers, 0);
	return l3.is_there;
}
