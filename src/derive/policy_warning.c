// SPDX-License-Identifier: Apache-2.0
#include "src/derive/policy_warning.h"

#include <string.h>
#include "src/derive/identity.h"
#include "src/derive/selector_cover.h"
#include "src/model/endpoint.h"
#include "src/model/identity.h"
#include "src/model/node.h"
#include "src/model/service.h"

#define KEY_POD_NAMESPACE "io.kubernetes.pod.namespace"

/* A denial of any policy, with whom it is for. */
struct denial {
	const struct policy *policy;
	const struct policy_spec *spec;
	const struct policy_rule *rule;
};

struct policy_warnings {
	const struct tables *tables;
	const struct derive_config *config;
	struct label_filter *filter;
	GHashTable *pods;       /* labels of pods and endpoints to GPtrArray of struct pod_port */
	GHashTable *identities; /* labels of identities that are not among those */
	GArray *denials;        /* struct denial */
};

/* One policy, or one rule of it, being looked at. */
struct look {
	const struct policy_warnings *warnings;
	const struct policy *policy;
	const struct policy_spec *spec;
	const struct policy_rule *rule;
	GPtrArray *notes;
};

static void unref_labels(void *labels)
{
	label_set_unref(labels);
}

static void unref_array(void *array)
{
	g_ptr_array_unref(array);
}

/* ---- what there is ---- */

/* Takes labels. */
static void add_pod(struct policy_warnings *warnings, const struct label_set *take_labels,
		    const GArray *ports)
{
	GPtrArray *known = g_hash_table_lookup(warnings->pods, take_labels);

	if (known) {
		label_set_unref(take_labels);
	} else {
		known = g_ptr_array_new();
		g_hash_table_insert(warnings->pods, (void *)take_labels, known);
	}
	for (unsigned int i = 0; ports && i < ports->len; i++)
		g_ptr_array_add(known, &g_array_index(ports, struct pod_port, i));
}

static bool add_pod_row(const struct row *row, void *data)
{
	const struct pod *pod = (const struct pod *)row;
	struct policy_warnings *warnings = data;
	const struct label_set *all;

	if (pod->host_network)
		return true;
	all = identity_pod_labels(warnings->tables, warnings->config, pod);
	add_pod(warnings, label_filter_apply(warnings->filter, all), pod->ports);
	label_set_unref(all);
	return true;
}

static bool add_endpoint_row(const struct row *row, void *data)
{
	const struct endpoint_state *state = (const struct endpoint_state *)row;

	add_pod(data, label_set_ref(state->identity_labels), NULL);
	return true;
}

static bool add_identity_row(const struct row *row, void *data)
{
	struct policy_warnings *warnings = data;
	const struct label_set *labels = ((const struct identity *)row)->labels;

	g_hash_table_add(warnings->identities, (void *)label_set_ref(labels));
	return true;
}

static bool add_policy_row(const struct row *row, void *data)
{
	const struct policy *policy = (const struct policy *)row;
	struct policy_warnings *warnings = data;

	for (unsigned int i = 0; i < policy->specs->len; i++) {
		const struct policy_spec *spec = policy->specs->pdata[i];

		for (unsigned int j = 0; j < spec->rules->len; j++) {
			struct denial denial = {policy, spec, spec->rules->pdata[j]};

			if (denial.rule->deny)
				g_array_append_val(warnings->denials, denial);
		}
	}
	return true;
}

struct policy_warnings *policy_warnings_new(const struct tables *tables,
					    const struct derive_config *config)
{
	struct policy_warnings *warnings = g_new0(struct policy_warnings, 1);

	warnings->tables = tables;
	warnings->config = config;
	/* The patterns were good when the agent started. */
	warnings->filter = label_filter_new(config->label_patterns, NULL);
	warnings->pods = g_hash_table_new_full(NULL, NULL, unref_labels, unref_array);
	warnings->identities = g_hash_table_new_full(NULL, NULL, unref_labels, NULL);
	warnings->denials = g_array_new(false, false, sizeof(struct denial));
	table_foreach (tables->pods, add_pod_row, warnings)
		;
	table_foreach (tables->endpoint_states, add_endpoint_row, warnings)
		;
	table_foreach (tables->identities, add_identity_row, warnings)
		;
	table_foreach (tables->policies, add_policy_row, warnings)
		;
	for (uint32_t number = IDENTITY_HOST; number <= IDENTITY_WORLD_IPV6; number++)
		g_hash_table_add(warnings->identities, (void *)identity_reserved_labels(number));
	return warnings;
}

void policy_warnings_free(struct policy_warnings *warnings)
{
	if (!warnings)
		return;
	label_filter_free(warnings->filter);
	g_hash_table_unref(warnings->pods);
	g_hash_table_unref(warnings->identities);
	g_array_unref(warnings->denials);
	g_free(warnings);
}

static bool matches_any(GHashTable *sets, const struct selector *selector)
{
	GHashTableIter iter;
	void *labels;

	g_hash_table_iter_init(&iter, sets);
	while (g_hash_table_iter_next(&iter, &labels, NULL))
		if (selector_matches(selector, labels))
			return true;
	return false;
}

/* ---- selectors ---- */

static bool has_namespace(const struct policy_warnings *warnings, const char *name)
{
	GHashTableIter iter;
	void *labels;

	if (table_get(warnings->tables->namespaces, name, strlen(name)))
		return true;
	g_hash_table_iter_init(&iter, warnings->pods);
	while (g_hash_table_iter_next(&iter, &labels, NULL))
		if (g_strcmp0(label_set_find(labels, "k8s", KEY_POD_NAMESPACE), name) == 0)
			return true;
	return false;
}

/* A namespace that the selector asks for and that is not there, or NULL. */
static const char *find_missing_namespace(const struct policy_warnings *warnings,
					  const struct selector *selector)
{
	for (size_t i = 0; i < selector_n_requirements(selector); i++) {
		const struct requirement *requirement = selector_get_requirement(selector, i);

		if (requirement->op != REQUIREMENT_IN ||
		    strcmp(requirement->key, KEY_POD_NAMESPACE) != 0)
			continue;
		for (const char *const *name = requirement->values; *name; name++)
			if (!has_namespace(warnings, *name))
				return *name;
	}
	return NULL;
}

/* key NULL: any. */
static bool asks_for_reserved(const struct selector *selector, const char *key)
{
	for (size_t i = 0; i < selector_n_requirements(selector); i++) {
		const struct requirement *requirement = selector_get_requirement(selector, i);

		if (g_strcmp0(requirement->source, "reserved") == 0 &&
		    (!key || strcmp(requirement->key, key) == 0))
			return true;
	}
	return false;
}

static void look_at_labels(const struct look *look, const struct selector *selector)
{
	const struct policy_warnings *warnings = look->warnings;
	const char *namespace = find_missing_namespace(warnings, selector);
	bool of_nodes = asks_for_reserved(selector, "remote-node");

	if (namespace)
		policy_note_add(look->notes, false, look->rule->path, look->rule->line,
				"namespace %s does not exist: no peer is there", namespace);
	else if (matches_any(warnings->pods, selector) ||
		 matches_any(warnings->identities, selector))
		return;
	else if (of_nodes && !warnings->config->enable_node_labels)
		policy_note_add(look->notes, false, look->rule->path, look->rule->line,
				"labels of nodes count only with enable-node-selector-labels: "
				"no node is selected");
	else if (of_nodes || !asks_for_reserved(selector, NULL))
		policy_note_add(look->notes, false, look->rule->path, look->rule->line,
				"no pod and no identity matches the peer %s",
				selector_text(selector));
}

static void note_missing(const struct look *look, const char *kind, const char *key)
{
	policy_note_add(look->notes, false, look->rule->path, look->rule->line,
			"%s %s does not exist: it stands for no peer", kind, key);
}

struct service_search {
	const char *name;
	bool found;
};

static bool compare_service(const struct row *row, void *data)
{
	struct service_search *search = data;

	search->found = strcmp(((const struct service *)row)->meta.name, search->name) == 0;
	return !search->found;
}

/* Without a namespace it means those of all namespaces. */
static void look_at_service(const struct look *look, const char *namespace, const char *name)
{
	const struct table *services = look->warnings->tables->services;
	g_autofree char *key = namespace ? g_strdup_printf("%s/%s", namespace, name) : NULL;
	struct service_search search = {.name = name};

	if (key)
		search.found = table_get(services, key, strlen(key));
	else
		table_foreach (services, compare_service, &search)
			;
	if (!search.found)
		note_missing(look, "Service", key ? key : name);
}

static void look_at_peer(const struct look *look, const struct selector *selector)
{
	const struct table *groups = look->warnings->tables->cidr_groups;
	const char *name = selector_get_name(selector);

	switch (selector_get_kind(selector)) {
	case SELECTOR_LABELS:
		look_at_labels(look, selector);
		break;
	case SELECTOR_CIDR_GROUP:
		if (name && !table_get(groups, name, strlen(name)))
			note_missing(look, "CiliumCIDRGroup", name);
		break;
	case SELECTOR_SERVICE:
		if (name)
			look_at_service(look, selector_get_namespace(selector), name);
		break;
	case SELECTOR_CIDR:
	case SELECTOR_FQDN:
	case SELECTOR_NOBODY:
		break;
	}
}

/* ---- ports ---- */

static bool is_peer(const struct policy_rule *rule, const struct label_set *labels)
{
	for (unsigned int i = 0; i < rule->peers->len; i++)
		if (selector_get_kind(rule->peers->pdata[i]) == SELECTOR_LABELS &&
		    selector_matches(rule->peers->pdata[i], labels))
			return true;
	return rule->any_peer;
}

static bool has_port(const GPtrArray *ports, const struct policy_port *wanted)
{
	for (unsigned int i = 0; i < ports->len; i++) {
		const struct pod_port *port = ports->pdata[i];

		if (port->name == wanted->name && port->protocol == wanted->protocol)
			return true;
	}
	return false;
}

/* Whether a pod on the side whose ports count has it under this name. */
static bool is_known_port(const struct look *look, const struct policy_port *port)
{
	GHashTableIter iter;
	void *labels, *ports;

	g_hash_table_iter_init(&iter, look->warnings->pods);
	while (g_hash_table_iter_next(&iter, &labels, &ports)) {
		bool counts = look->rule->direction == POLICY_INGRESS
				      ? selector_matches(look->spec->subject, labels)
				      : is_peer(look->rule, labels);

		if (counts && has_port(ports, port))
			return true;
	}
	return false;
}

/* ANY of a manifest is a port for each protocol: one that is known is enough. */
static void look_at_port(const struct look *look, unsigned int i)
{
	const GArray *ports = look->rule->ports;
	const struct policy_port *port = &g_array_index(ports, struct policy_port, i);

	for (unsigned int j = 0; j < ports->len; j++) {
		const struct policy_port *other = &g_array_index(ports, struct policy_port, j);

		if (other->name != port->name)
			continue;
		if (j < i || is_known_port(look, other))
			return;
	}
	policy_note_add(look->notes, false, look->rule->path, look->rule->line,
			"no pod that %s has a port named %s",
			look->rule->direction == POLICY_INGRESS ? "the policy selects"
								: "the rule selects",
			port->name);
}

/* ---- denials ---- */

static void look_at_denials(const struct look *look)
{
	const GArray *denials = look->warnings->denials;

	for (unsigned int i = 0; i < denials->len; i++) {
		const struct denial *denial = &g_array_index(denials, struct denial, i);

		if (denial->rule->direction != look->rule->direction ||
		    denial->spec->selects_nodes != look->spec->selects_nodes ||
		    !selector_covers(denial->spec->subject, look->spec->subject) ||
		    !selector_covers_rule(denial->rule, look->rule))
			continue;
		policy_note_add(look->notes, false, look->rule->path, look->rule->line,
				"it allows nothing: %s of %s denies all of it", denial->rule->path,
				denial->policy->meta.key);
		return;
	}
}

static void look_at_rule(const struct look *look)
{
	for (unsigned int i = 0; i < look->rule->peers->len; i++)
		look_at_peer(look, look->rule->peers->pdata[i]);
	for (unsigned int i = 0; i < look->rule->ports->len; i++)
		if (g_array_index(look->rule->ports, struct policy_port, i).name)
			look_at_port(look, i);
	if (!look->rule->deny)
		look_at_denials(look);
}

/* "spec", "specs[1]": how the paths of its rules begin. */
static char *spec_path(const struct policy *policy, unsigned int i)
{
	const struct policy_spec *spec = policy->specs->pdata[i];
	const struct policy_rule *rule = spec->rules->len ? spec->rules->pdata[0] : NULL;

	return rule ? g_strndup(rule->path, strcspn(rule->path, ".")) : g_strdup("spec");
}

struct node_search {
	const struct selector *selector;
	bool found;
};

static bool match_node(const struct row *row, void *data)
{
	struct node_search *search = data;

	search->found = selector_matches(search->selector, ((const struct node *)row)->meta.labels);
	return !search->found;
}

static void look_at_nodes(const struct look *look, const char *prefix)
{
	struct node_search search = {.selector = look->spec->subject};
	g_autofree char *path = g_strconcat(prefix, ".nodeSelector", NULL);

	table_foreach (look->warnings->tables->nodes, match_node, &search)
		;
	if (!look->warnings->config->enable_host_firewall)
		policy_note_add(look->notes, false, path, look->policy->meta.line,
				"nodes are guarded only with enable-host-firewall, which is off");
	else if (!search.found && !asks_for_reserved(look->spec->subject, NULL))
		policy_note_add(look->notes, false, path, look->policy->meta.line,
				"no node matches it");
}

static void look_at_subject(const struct look *look, unsigned int i)
{
	g_autofree char *prefix = spec_path(look->policy, i);
	g_autofree char *path = g_strconcat(
		prefix,
		look->policy->kind == POLICY_KIND_KUBERNETES ? ".podSelector" : ".endpointSelector",
		NULL);

	if (look->spec->selects_nodes) {
		look_at_nodes(look, prefix);
		return;
	}
	if (asks_for_reserved(look->spec->subject, NULL) ||
	    matches_any(look->warnings->pods, look->spec->subject))
		return;
	policy_note_add(look->notes, false, path, look->policy->meta.line,
			"no pod and no endpoint matches it");
}

GPtrArray *policy_warnings_find(const struct policy_warnings *warnings, const struct policy *policy)
{
	struct look look = {
		.warnings = warnings,
		.policy = policy,
		.notes = g_ptr_array_new_with_free_func((GDestroyNotify)policy_note_free),
	};

	for (unsigned int i = 0; i < policy->specs->len; i++) {
		look.spec = policy->specs->pdata[i];
		look_at_subject(&look, i);
		for (unsigned int j = 0; j < look.spec->rules->len; j++) {
			look.rule = look.spec->rules->pdata[j];
			look_at_rule(&look);
		}
	}
	return look.notes;
}
