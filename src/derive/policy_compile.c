// SPDX-License-Identifier: Apache-2.0
#include "src/derive/policy_compile.h"

#include <string.h>
#include "src/derive/prefix.h"
#include "src/model/cidr_group.h"
#include "src/model/endpoint_slice.h"
#include "src/model/service.h"

#define KEY_POD_NAMESPACE "io.kubernetes.pod.namespace"

struct compilation {
	const struct policy_compile_world *world;
	const struct selector *selector; /* the one that is looked up */
	struct compiled_rule *rule;      /* what it means is added to its peers */
};

static void unref_selector(void *selector)
{
	selector_unref(selector);
}

static bool is_inside(const struct cidr *inner, const struct cidr *outer)
{
	return inner->prefix_len >= outer->prefix_len && cidr_contains(outer, &inner->addr);
}

/* Only exceptions that concern the prefix: so the same prefix is the same selector more often. */
static void add_cidr(struct compilation *compilation, const struct cidr *cidr,
		     const GArray *excepts)
{
	g_autoptr(GArray) own = g_array_new(false, false, sizeof(struct cidr));

	for (unsigned int i = 0; excepts && i < excepts->len; i++) {
		const struct cidr *except = &g_array_index(excepts, struct cidr, i);

		if (is_inside(cidr, except))
			return;
		if (is_inside(except, cidr))
			g_array_append_vals(own, except, 1);
	}
	g_ptr_array_add(compilation->rule->peers, (void *)selector_new_cidr(cidr, own));
}

static bool add_group(const struct row *row, void *data)
{
	const struct cidr_group *group = (const struct cidr_group *)row;
	struct compilation *compilation = data;
	const struct selector *labels = selector_get_labels(compilation->selector);

	if (labels && !selector_matches(labels, group->meta.labels))
		return true;
	for (unsigned int i = 0; i < group->cidrs->len; i++)
		add_cidr(compilation, &g_array_index(group->cidrs, struct cidr, i),
			 selector_get_excepts(compilation->selector));
	return true;
}

static void add_groups(struct compilation *compilation)
{
	const struct table *groups = compilation->world->tables->active_cidr_groups;
	const char *name = selector_get_name(compilation->selector);
	const struct row *row = name ? table_get(groups, name, strlen(name)) : NULL;

	if (row)
		add_group(row, compilation);
	else if (!name)
		table_foreach (groups, add_group, compilation)
			;
}

static bool add_slice(const struct row *row, void *data)
{
	const struct endpoint_slice *slice = (const struct endpoint_slice *)row;
	g_autoptr(GArray) addrs = g_array_new(false, false, sizeof(struct addr));

	endpoint_slice_get_addrs(slice, addrs);
	for (unsigned int i = 0; i < addrs->len; i++) {
		struct cidr cidr = cidr_from_addr(&g_array_index(addrs, struct addr, i));

		add_cidr(data, &cidr, NULL);
	}
	return true;
}

/* The pods that the service selects, by their labels. */
static void add_pods(struct compilation *compilation, const struct service *service)
{
	const struct label_set *set;
	bool is_parsed = !label_set_parse(service->selector, &set);
	size_t n = is_parsed ? label_set_n(set) : 0;
	g_autofree struct requirement *requirements = g_new0(struct requirement, n + 1);
	g_autofree const char **values = g_new0(const char *, 2 * (n + 1));

	for (size_t i = 0; i <= n; i++) {
		const struct label *label = i < n ? label_set_get(set, i) : NULL;

		values[2 * i] = label ? label->value : service->meta.namespace;
		requirements[i] = (struct requirement){
			.source = "k8s",
			.key = label ? label->key : KEY_POD_NAMESPACE,
			.op = REQUIREMENT_IN,
			.values = &values[2 * i],
		};
	}
	g_assert(is_parsed); /* label_set_text() made it */
	g_ptr_array_add(compilation->rule->peers, (void *)selector_new_labels(requirements, n + 1));
	label_set_unref(set);
}

static bool add_service(const struct row *row, void *data)
{
	const struct service *service = (const struct service *)row;
	struct compilation *compilation = data;
	const struct selector *labels = selector_get_labels(compilation->selector);
	const char *namespace = selector_get_namespace(compilation->selector);
	g_autofree char *key = NULL;

	if ((labels && !selector_matches(labels, service->meta.labels)) ||
	    (namespace && strcmp(namespace, service->meta.namespace) != 0))
		return true;
	if (service->selector) {
		add_pods(compilation, service);
		return true;
	}
	key = g_strdup_printf("%s/%s", service->meta.namespace, service->meta.name);
	table_index_foreach(compilation->world->slices, key, strlen(key), add_slice, compilation);
	return true;
}

static void add_services(struct compilation *compilation)
{
	const struct table *services = compilation->world->tables->services;
	const char *name = selector_get_name(compilation->selector);
	g_autofree char *key = NULL;
	const struct row *row;

	if (!name) {
		table_foreach (services, add_service, compilation)
			;
		return;
	}
	key = g_strdup_printf("%s/%s", selector_get_namespace(compilation->selector), name);
	row = table_get(services, key, strlen(key));
	if (row)
		add_service(row, compilation);
}

static void add_peer(struct compilation *compilation)
{
	switch (selector_get_kind(compilation->selector)) {
	case SELECTOR_LABELS:
	case SELECTOR_CIDR:
		g_ptr_array_add(compilation->rule->peers,
				(void *)selector_ref(compilation->selector));
		break;
	case SELECTOR_CIDR_GROUP:
		add_groups(compilation);
		break;
	case SELECTOR_SERVICE:
		add_services(compilation);
		break;
	case SELECTOR_FQDN:
	case SELECTOR_NOBODY:
		break;
	}
}

static int compare_pointers(const void *a, const void *b)
{
	const void *x = *(const void *const *)a, *y = *(const void *const *)b;

	return (x > y) - (x < y);
}

/* Interned selectors: in one order, none twice, so that equal peers are equal arrays. */
static void sort_peers(GPtrArray *peers)
{
	g_ptr_array_sort(peers, compare_pointers);
	for (unsigned int i = peers->len; i > 1; i--)
		if (peers->pdata[i - 1] == peers->pdata[i - 2])
			g_ptr_array_remove_index(peers, i - 1);
}

static bool is_closed(const struct policy_compile_world *world, const struct cidr *cidr)
{
	return world->prefixes && prefix_derivation_is_closed(world->prefixes, cidr);
}

static bool has_closed_except(const struct policy_compile_world *world,
			      const struct selector *selector)
{
	const GArray *excepts = selector_get_excepts(selector);

	for (unsigned int i = 0; excepts && i < excepts->len; i++)
		if (is_closed(world, &g_array_index(excepts, struct cidr, i)))
			return true;
	return false;
}

/*
 * What a prefix without identity holds is judged as what is around it. So a rule that denies it denies everybody,
 * and one that excepts it does not allow what is around.
 */
static void close_rule(const struct policy_compile_world *world, struct compiled_rule *compiled)
{
	for (unsigned int i = compiled->peers->len; i > 0; i--) {
		const struct selector *selector = compiled->peers->pdata[i - 1];

		if (selector_get_kind(selector) != SELECTOR_CIDR)
			continue;
		if (compiled->rule->deny)
			compiled->any_peer |= is_closed(world, selector_get_cidr(selector));
		else if (has_closed_except(world, selector))
			g_ptr_array_remove_index(compiled->peers, i - 1);
	}
}

static struct compiled_rule *compile_rule(const struct policy_compile_world *world,
					  const struct policy_rule *rule)
{
	struct compiled_rule *compiled = g_new0(struct compiled_rule, 1);
	struct compilation compilation = {.world = world, .rule = compiled};

	compiled->rule = rule;
	compiled->any_peer = rule->any_peer;
	compiled->peers = g_ptr_array_new_with_free_func(unref_selector);
	for (unsigned int i = 0; !rule->any_peer && i < rule->peers->len; i++) {
		compilation.selector = rule->peers->pdata[i];
		add_peer(&compilation);
	}
	sort_peers(compiled->peers);
	close_rule(world, compiled);
	return compiled;
}

static void free_rule(void *pointer)
{
	struct compiled_rule *rule = pointer;

	g_ptr_array_unref(rule->peers);
	g_free(rule);
}

static void free_spec(void *pointer)
{
	struct compiled_spec *spec = pointer;

	for (unsigned int i = 0; i < POLICY_DIRECTION__MAX; i++)
		g_ptr_array_unref(spec->rules[i]);
	g_clear_pointer(&spec->port_names, g_ptr_array_unref);
	g_free(spec);
}

static void find_port_names(struct compiled_spec *compiled)
{
	const GPtrArray *rules = compiled->rules[POLICY_INGRESS];

	for (unsigned int i = 0; i < rules->len; i++) {
		const GArray *ports = ((const struct compiled_rule *)rules->pdata[i])->rule->ports;

		for (unsigned int j = 0; j < ports->len; j++) {
			const char *name = g_array_index(ports, struct policy_port, j).name;

			if (name && !compiled->port_names)
				compiled->port_names = g_ptr_array_new();
			if (name)
				g_ptr_array_add(compiled->port_names, (void *)name);
		}
	}
}

static struct compiled_spec *compile_spec(const struct policy_compile_world *world,
					  const struct compiled_policy *policy, unsigned int index)
{
	struct compiled_spec *compiled = g_new0(struct compiled_spec, 1);

	compiled->policy = policy;
	compiled->spec = policy->policy->specs->pdata[index];
	compiled->index = index;
	for (unsigned int i = 0; i < POLICY_DIRECTION__MAX; i++)
		compiled->rules[i] = g_ptr_array_new_with_free_func(free_rule);
	for (unsigned int i = 0; i < compiled->spec->rules->len; i++) {
		const struct policy_rule *rule = compiled->spec->rules->pdata[i];

		g_ptr_array_add(compiled->rules[rule->direction], compile_rule(world, rule));
	}
	for (unsigned int i = 0; i < POLICY_DIRECTION__MAX; i++)
		compiled->default_deny[i] =
			compiled->spec->default_deny[i] ||
			(!world->config->enable_non_default_deny && compiled->rules[i]->len);
	find_port_names(compiled);
	return compiled;
}

struct compiled_policy *policy_compile(struct policy_compile_world *world,
				       const struct policy *policy,
				       const struct compiled_policy *before)
{
	struct compiled_policy *compiled = g_new0(struct compiled_policy, 1);

	compiled->policy = (const struct policy *)row_ref(&policy->row);
	compiled->specs = g_ptr_array_new_with_free_func(free_spec);
	for (unsigned int i = 0; i < policy->specs->len; i++) {
		struct compiled_spec *spec = compile_spec(world, compiled, i);
		const struct compiled_spec *same =
			before && i < before->specs->len ? before->specs->pdata[i] : NULL;

		spec->id = same ? same->id : ++world->last_id;
		g_ptr_array_add(compiled->specs, spec);
	}
	return compiled;
}

void compiled_policy_free(struct compiled_policy *compiled)
{
	if (!compiled)
		return;
	g_ptr_array_unref(compiled->specs);
	row_unref(&compiled->policy->row);
	g_free(compiled);
}

static bool peers_are_same(const struct compiled_rule *a, const struct compiled_rule *b)
{
	return a->any_peer == b->any_peer && a->peers->len == b->peers->len &&
	       (!a->peers->len ||
		memcmp(a->peers->pdata, b->peers->pdata, a->peers->len * sizeof(void *)) == 0);
}

static bool specs_are_same(const struct compiled_spec *a, const struct compiled_spec *b)
{
	for (unsigned int i = 0; i < POLICY_DIRECTION__MAX; i++) {
		if (a->rules[i]->len != b->rules[i]->len)
			return false;
		for (unsigned int j = 0; j < a->rules[i]->len; j++)
			if (!peers_are_same(a->rules[i]->pdata[j], b->rules[i]->pdata[j]))
				return false;
	}
	return true;
}

bool compiled_policy_is_same(const struct compiled_policy *a, const struct compiled_policy *b)
{
	if (!policy_is_same(a->policy, b->policy) || a->specs->len != b->specs->len)
		return false;
	for (unsigned int i = 0; i < a->specs->len; i++)
		if (!specs_are_same(a->specs->pdata[i], b->specs->pdata[i]))
			return false;
	return true;
}

static bool selector_uses(const struct tables *tables, const struct selector *selector,
			  const struct table *table)
{
	switch (selector_get_kind(selector)) {
	case SELECTOR_CIDR_GROUP:
		return table == tables->active_cidr_groups;
	case SELECTOR_SERVICE:
		return table == tables->services || table == tables->endpoint_slices;
	case SELECTOR_LABELS:
	case SELECTOR_CIDR:
	case SELECTOR_FQDN:
	case SELECTOR_NOBODY:
		break;
	}
	return false;
}

bool policy_compile_uses(const struct tables *tables, const struct policy *policy,
			 const struct table *table)
{
	for (unsigned int i = 0; i < policy->specs->len; i++) {
		const struct policy_spec *spec = policy->specs->pdata[i];

		for (unsigned int j = 0; j < spec->rules->len; j++) {
			const struct policy_rule *rule = spec->rules->pdata[j];

			for (unsigned int k = 0; k < rule->peers->len; k++)
				if (selector_uses(tables, rule->peers->pdata[k], table))
					return true;
		}
	}
	return false;
}

int compiled_spec_compare(const struct compiled_spec *a, const struct compiled_spec *b)
{
	int order = strcmp(a->policy->policy->meta.key, b->policy->policy->meta.key);

	return order ? order : (int)a->index - (int)b->index;
}
