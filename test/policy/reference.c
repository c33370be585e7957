/* SPDX-License-Identifier: Apache-2.0 */
#include "test/policy/reference.h"

#include <string.h>

struct reference_view {
	struct world *world;
	const struct party *subject, *peer;
	bool is_ingress;
	bool is_enforced;
	GPtrArray *all;   /* struct reference_rule: those of the subject, in their order */
	GPtrArray *rules; /* those of them that select the peer */
};

/* What holds of a spec, or one of specs, for its subject. */
struct spec {
	struct reference_rule common; /* without json and name */
	char *path;                   /* "spec", "specs[1]" */
	char *policy_name;
};

const json_t *member_of(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	return json_is_null(value) ? NULL : value;
}

static void rule_free(void *data)
{
	struct reference_rule *rule = data;

	g_free(rule->name);
	g_free(rule);
}

static bool subject_is_meant(const struct spec *spec, const struct party *subject)
{
	const struct reference_rule *common = &spec->common;
	const json_t *nodes = member_of(common->spec, "nodeSelector");
	const char *namespace = party_label(subject, "k8s", "io.kubernetes.pod.namespace");
	const json_t *pods =
		member_of(common->spec, common->is_kubernetes ? "podSelector" : "endpointSelector");

	if (nodes)
		return party_is_host(subject) && selector_holds(nodes, subject, NULL, NULL);
	if (party_is_host(subject))
		return false;
	/* The namespace is the policy's, whatever the selector says of it. */
	if (!common->is_clusterwide && g_strcmp0(namespace, common->namespace) != 0)
		return false;
	return selector_holds(pods, subject, common->is_kubernetes ? "k8s" : NULL, NULL);
}

static bool list_has(const json_t *list, const char *text)
{
	const json_t *one;
	size_t i;

	json_array_foreach(list, i, one) if (!strcmp(json_string_value(one), text)) return true;
	return false;
}

/* Kubernetes: which directions the policy is about. */
static bool type_is_meant(const json_t *spec, bool is_ingress)
{
	const json_t *types = member_of(spec, "policyTypes");

	if (json_array_size(types))
		return list_has(types, is_ingress ? "Ingress" : "Egress");
	return is_ingress || json_array_size(member_of(spec, "egress"));
}

static bool denies_by_default(const struct spec *spec, bool is_ingress, struct world *world)
{
	const json_t *json = spec->common.spec;
	const json_t *wanted =
		member_of(member_of(json, "enableDefaultDeny"), is_ingress ? "ingress" : "egress");

	if (spec->common.is_kubernetes)
		return type_is_meant(json, is_ingress);
	/* Only what it takes away can be switched off. */
	if (json_is_true(wanted) ||
	    (wanted && world_config_is_on(world, "enable-non-default-deny-policies", true)))
		return json_is_true(wanted);
	return json_array_size(member_of(json, is_ingress ? "ingress" : "egress")) ||
	       json_array_size(member_of(json, is_ingress ? "ingressDeny" : "egressDeny"));
}

static void add_rules(const struct spec *spec, bool is_ingress, bool is_deny, GPtrArray *rules)
{
	const char *lists[2][2] = {{"egress", "egressDeny"}, {"ingress", "ingressDeny"}};
	const char *list = lists[is_ingress][is_deny];
	const json_t *json;
	size_t i;

	json_array_foreach(member_of(spec->common.spec, list), i, json)
	{
		struct reference_rule *rule = g_memdup2(&spec->common, sizeof(*rule));

		rule->json = json;
		rule->is_ingress = is_ingress;
		rule->is_deny = is_deny;
		rule->
			requires
		= rules;
		rule->name =
			g_strdup_printf("%s %s.%s[%zu]", spec->policy_name, spec->path, list, i);
		g_ptr_array_add(rules, rule);
	}
}

/* All rules of the direction whose subject is meant, and whether one of their specs denies what is left. */
static void add_spec(struct reference_view *view, const struct spec *spec)
{
	if (!subject_is_meant(spec, view->subject))
		return;
	if (spec->common.is_kubernetes && !type_is_meant(spec->common.spec, view->is_ingress))
		return;
	if (denies_by_default(spec, view->is_ingress, view->world))
		view->is_enforced = true;
	add_rules(spec, view->is_ingress, false, view->all);
	if (!spec->common.is_kubernetes)
		add_rules(spec, view->is_ingress, true, view->all);
}

static void add_policy(struct reference_view *view, const json_t *policy)
{
	const char *kind = object_text(policy, "kind", NULL);
	const char *namespace = object_text(policy, "metadata", "namespace");
	bool is_clusterwide = !strcmp(kind, "CiliumClusterwideNetworkPolicy");
	g_autofree char *whole = object_name(policy);
	g_autofree char *name = g_strdup_printf(
		"%s/%s", kind, is_clusterwide ? object_text(policy, "metadata", "name") : whole);
	struct spec spec = {
		.common = {.world = view->world,
			   .policy = policy,
			   .spec = member_of(policy, "spec"),
			   .is_kubernetes = !strcmp(kind, "NetworkPolicy"),
			   .is_clusterwide = is_clusterwide,
			   .namespace = is_clusterwide ? NULL
					: namespace    ? namespace
						       : "default"},
		.path = (char *)"spec",
		.policy_name = name,
	};
	const json_t *json;
	size_t i;

	if (spec.common.spec)
		add_spec(view, &spec);
	json_array_foreach(member_of(policy, "specs"), i, json)
	{
		g_autofree char *path = g_strdup_printf("specs[%zu]", i);

		spec.common.spec = json;
		spec.path = path;
		add_spec(view, &spec);
	}
}

static int compare_policies(const void *a, const void *b)
{
	const json_t *one = *(json_t *const *)a, *other = *(json_t *const *)b;
	g_autofree char *one_name = object_name(one);
	g_autofree char *other_name = object_name(other);
	int order = strcmp(object_text(one, "kind", NULL), object_text(other, "kind", NULL));

	return order ? order : strcmp(one_name, other_name);
}

static GPtrArray *list_policies(const struct world *world)
{
	GPtrArray *policies = g_ptr_array_new();
	const json_t *object;
	size_t i;

	json_array_foreach(
		json_object_get(world->json, "objects"), i,
		object) if (g_str_has_suffix(object_text(object, "kind", NULL), "NetworkPolicy"))
		g_ptr_array_add(policies, (json_t *)object);
	g_ptr_array_sort(policies, compare_policies);
	return policies;
}

/* What the enforcement mode says, policies aside. */
static bool mode_enforces(const struct reference_view *view)
{
	const char *mode = world_config(view->world, "enable-policy", "default");
	/* "auto" is "never" where there is no Kubernetes, which would give them labels. */
	const char *init = world_config(view->world, "policy-init-endpoints", "auto");

	return !strcmp(mode, "always") ||
	       (party_label(view->subject, "reserved", "init") && !strcmp(init, "always"));
}

static bool policy_is_off(const struct reference_view *view)
{
	const char *mode = world_config(view->world, "enable-policy", "default");

	return !strcmp(mode, "never") ||
	       (party_is_host(view->subject) &&
		!world_config_is_on(view->world, "enable-host-firewall", false));
}

struct reference_view *reference_view_new(struct world *world, const struct party *subject,
					  bool is_ingress, const struct party *peer)
{
	struct reference_view *view = g_new0(struct reference_view, 1);
	g_autoptr(GPtrArray) policies = list_policies(world);

	*view = (struct reference_view){.world = world,
					.subject = subject,
					.peer = peer,
					.is_ingress = is_ingress,
					.all = g_ptr_array_new_with_free_func(rule_free),
					.rules = g_ptr_array_new()};
	if (policy_is_off(view))
		return view;
	view->is_enforced = mode_enforces(view);
	for (unsigned int i = 0; i < policies->len; i++)
		add_policy(view, policies->pdata[i]);
	for (unsigned int i = 0; i < view->all->len; i++)
		if (rule_selects_peer(view->all->pdata[i], peer))
			g_ptr_array_add(view->rules, view->all->pdata[i]);
	return view;
}

void reference_view_free(struct reference_view *view)
{
	g_ptr_array_unref(view->rules);
	g_ptr_array_unref(view->all);
	g_free(view);
}

static const struct reference_rule *find_rule(const struct reference_view *view, bool is_deny,
					      enum rule_covers wanted, uint8_t protocol,
					      uint16_t port)
{
	for (unsigned int i = 0; i < view->rules->len; i++) {
		const struct reference_rule *rule = view->rules->pdata[i];

		if (rule->is_deny == is_deny &&
		    rule_covers(rule, view->subject, protocol, port) == wanted)
			return rule;
	}
	return NULL;
}

static bool localhost_is_let_in(const struct reference_view *view)
{
	/* "auto" is "policy" where there is no Kubernetes. */
	const char *mode = world_config(view->world, "allow-localhost", "auto");

	return view->is_ingress && party_is_host(view->peer) && !party_is_host(view->subject) &&
	       !strcmp(mode, "always");
}

struct reference_answer reference_judge(const struct reference_view *view, uint8_t protocol,
					uint16_t port)
{
	const struct reference_rule *rule;

	if (policy_is_off(view))
		return (struct reference_answer){.step = REFERENCE_NOT_ENFORCED};
	rule = find_rule(view, true, RULE_COVERS, protocol, port);
	if (rule)
		return (struct reference_answer){REFERENCE_DENIED, rule->name};
	if (localhost_is_let_in(view))
		return (struct reference_answer){.step = REFERENCE_LOCALHOST};
	rule = find_rule(view, false, RULE_COVERS_WITH_NEEDS, protocol, port);
	if (rule)
		return (struct reference_answer){REFERENCE_NEEDS, rule->name};
	rule = find_rule(view, false, RULE_COVERS, protocol, port);
	if (rule)
		return (struct reference_answer){REFERENCE_ALLOWED, rule->name};
	return (struct reference_answer){.step = view->is_enforced ? REFERENCE_DEFAULT_DENY
								   : REFERENCE_NOT_ENFORCED};
}

bool reference_step_allows(enum reference_step step)
{
	return step == REFERENCE_LOCALHOST || step == REFERENCE_ALLOWED ||
	       step == REFERENCE_NOT_ENFORCED;
}

const char *reference_step_text(enum reference_step step)
{
	static const char *const texts[REFERENCE_STEP__MAX] = {
		[REFERENCE_DENIED] = "a deny rule",
		[REFERENCE_LOCALHOST] = "allow-localhost",
		[REFERENCE_NEEDS] = "a rule with needs",
		[REFERENCE_ALLOWED] = "an allow rule",
		[REFERENCE_NOT_ENFORCED] = "not enforced",
		[REFERENCE_DEFAULT_DENY] = "default deny",
	};

	return texts[step];
}
