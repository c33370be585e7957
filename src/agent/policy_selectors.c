/* SPDX-License-Identifier: Apache-2.0 */
#include "src/agent/policy_selectors.h"

#include <string.h>
#include "src/agent/policy_view.h"
#include "src/model/cidr_label.h"
#include "src/model/identity.h"

const char *policy_selector_class_name(enum policy_selector_class class)
{
	static const char *const names[] = {"cluster", "fqdn", "world", "other"};

	g_assert(class < POLICY_SELECTOR__MAX);
	return names[class];
}

/* A selector, with the rules that use it. */
struct usage {
	const struct selector *selector;
	const struct policy_spec *spec; /* the first */
	unsigned int n_users;           /* rules */
};

static void add_use(GHashTable *usages, const struct selector *selector,
		    const struct policy_spec *spec)
{
	struct usage *usage = g_hash_table_lookup(usages, selector);

	if (!usage) {
		usage = g_new0(struct usage, 1);
		usage->selector = selector;
		usage->spec = spec;
		g_hash_table_insert(usages, (void *)selector, usage);
	}
	usage->n_users++;
}

static void add_spec(GHashTable *usages, const struct policy_spec *spec)
{
	for (guint i = 0; i < spec->rules->len; i++) {
		const struct policy_rule *rule = spec->rules->pdata[i];

		for (guint j = 0; j < rule->peers->len; j++)
			add_use(usages, rule->peers->pdata[j], spec);
	}
}

/* Selectors are interned, so that equal ones are one. struct selector * to struct usage *. */
static GHashTable *collect(const struct agent *agent)
{
	g_autoptr(GPtrArray) policies = policy_view_get_active(agent);
	GHashTable *usages = g_hash_table_new_full(NULL, NULL, NULL, g_free);

	for (guint i = 0; i < policies->len; i++) {
		const struct policy *policy = policies->pdata[i];

		for (guint j = 0; j < policy->specs->len; j++)
			add_spec(usages, policy->specs->pdata[j]);
	}
	return usages;
}

static int compare_usages(const void *a, const void *b)
{
	const struct usage *left = *(struct usage *const *)a, *right = *(struct usage *const *)b;

	return strcmp(selector_text(left->selector), selector_text(right->selector));
}
