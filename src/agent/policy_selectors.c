/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/policy_selectors.h"

#include <string.h>
#include "src/api/policy_json.h"

const char *policy_selector_class_name(enum policy_selector_class class)
{
	static const char *const names[] = {"cluster", "fqdn", "world", "other"};

	g_assert(class < POLICY_SELECTOR__MAX);
	return names[class];
}

/* A selector, with the rules that use it. */
struct usage {
	const struct selector *selector;
	const GArray *identities;       /* uint32_t */
	const struct policy_spec *spec; /* the first */
	unsigned int n_users;           /* rules */
};

static void add_use(const struct selector *selector, const GArray *identities,
		    const struct policy_spec *spec, void *usages)
{
	struct usage *usage;

	/* As Cilium: what only policies use that select nobody here is not looked up. */
	if (!identities)
		return;
	usage = g_hash_table_lookup(usages, selector);
	if (!usage) {
		usage = g_new0(struct usage, 1);
		usage->selector = selector;
		usage->identities = identities;
		usage->spec = spec;
		g_hash_table_insert(usages, (void *)selector, usage);
	}
	usage->n_users++;
}

/* Selectors are interned, so that equal ones are one. struct selector * to struct usage *. */
static GHashTable *collect(const struct agent *agent)
{
	GHashTable *usages = g_hash_table_new_full(NULL, NULL, NULL, g_free);

	policy_derivation_foreach_selector(derive_get_policy(agent->derive), add_use, usages);
	return usages;
}

static int compare_usages(const void *a, const void *b)
{
	const struct usage *left = a, *right = b;

	return strcmp(selector_text(left->selector), selector_text(right->selector));
}

static json_t *usage_to_json(const struct usage *usage)
{
	json_t *identities = json_array();

	for (guint i = 0; i < usage->identities->len; i++)
		json_array_append_new(identities,
				      json_integer(g_array_index(usage->identities, uint32_t, i)));
	return json_pack("{s:s, s:o, s:i, s:o}", "selector", selector_text(usage->selector),
			 "labels", policy_labels_to_json(usage->spec->labels), "users",
			 usage->n_users, "identities", identities);
}

json_t *policy_selectors_to_json(const struct agent *agent)
{
	g_autoptr(GHashTable) usages = collect(agent);
	GList *sorted = g_list_sort(g_hash_table_get_values(usages), compare_usages);
	json_t *list = json_array();

	for (GList *usage = sorted; usage; usage = usage->next)
		json_array_append_new(list, usage_to_json(usage->data));
	g_list_free(sorted);
	return list;
}

static bool names_world(const struct selector *selector)
{
	for (size_t i = 0; i < selector_n_requirements(selector); i++) {
		const struct requirement *requirement = selector_get_requirement(selector, i);

		if (!g_strcmp0(requirement->source, "reserved") &&
		    g_str_has_prefix(requirement->key, "world"))
			return true;
	}
	return false;
}

static enum policy_selector_class class_of(const struct selector *selector)
{
	if (selector_get_kind(selector) == SELECTOR_CIDR)
		return POLICY_SELECTOR_WORLD;
	if (selector_get_kind(selector) != SELECTOR_LABELS)
		return POLICY_SELECTOR_OTHER;
	return names_world(selector) ? POLICY_SELECTOR_WORLD : POLICY_SELECTOR_CLUSTER;
}

static void count_max(const struct selector *selector, const GArray *identities,
		      const struct policy_spec *spec, void *data)
{
	unsigned int *max = data;
	enum policy_selector_class class = class_of(selector);

	if (identities)
		max[class] = MAX(max[class], identities->len);
}

void policy_selectors_count_max(const struct agent *agent,
				unsigned int ret_max[static POLICY_SELECTOR__MAX])
{
	memset(ret_max, 0, POLICY_SELECTOR__MAX * sizeof(ret_max[0]));
	policy_derivation_foreach_selector(derive_get_policy(agent->derive), count_max, ret_max);
}
