// SPDX-License-Identifier: Apache-2.0
#include "src/derive/policy_origin.h"

#include <string.h>
#include "src/model/rule_set.h"

struct source {
	const struct policy *policy;
	const struct policy_spec *spec;
	const struct policy_rule *rule;
};

struct policy_origins {
	GHashTable *by_number; /* number to GArray of struct source: seldom more than one */
	GHashTable *changed;   /* numbers */
};

static const struct {
	uint32_t number;
	const char *path;
} reserved_rules[] = {
	{RULE_NUMBER_ALLOW_LOCALHOST, "allow-localhost-ingress"},
	{RULE_NUMBER_ALLOW_ANY, "allow-any"},
};

static void unref_array(void *array)
{
	g_array_unref(array);
}

struct policy_origins *policy_origins_new(void)
{
	struct policy_origins *origins = g_new0(struct policy_origins, 1);

	origins->by_number = g_hash_table_new_full(NULL, NULL, NULL, unref_array);
	origins->changed = g_hash_table_new(NULL, NULL);
	for (unsigned int i = 0; i < G_N_ELEMENTS(reserved_rules); i++)
		g_hash_table_add(origins->changed, GUINT_TO_POINTER(reserved_rules[i].number));
	return origins;
}

void policy_origins_free(struct policy_origins *origins)
{
	if (!origins)
		return;
	g_hash_table_unref(origins->by_number);
	g_hash_table_unref(origins->changed);
	g_free(origins);
}

static int compare_sources(const void *pointer_a, const void *pointer_b)
{
	const struct source *a = pointer_a, *b = pointer_b;
	int order = strcmp(a->policy->meta.key, b->policy->meta.key);

	return order ? order : strcmp(a->rule->path, b->rule->path);
}

static void add_source(struct policy_origins *origins, const struct source *source)
{
	void *key = GUINT_TO_POINTER(source->rule->number);
	GArray *sources = g_hash_table_lookup(origins->by_number, key);

	if (!sources) {
		sources = g_array_sized_new(false, false, sizeof(*source), 1);
		g_hash_table_insert(origins->by_number, key, sources);
	}
	g_array_append_val(sources, *source);
	g_array_sort(sources, compare_sources);
	g_hash_table_add(origins->changed, key);
}

static void remove_source(struct policy_origins *origins, const struct source *source)
{
	void *key = GUINT_TO_POINTER(source->rule->number);
	GArray *sources = g_hash_table_lookup(origins->by_number, key);

	for (unsigned int i = sources->len; i > 0; i--)
		if (g_array_index(sources, struct source, i - 1).rule == source->rule)
			g_array_remove_index(sources, i - 1);
	if (!sources->len)
		g_hash_table_remove(origins->by_number, key);
	g_hash_table_add(origins->changed, key);
}

static void foreach_source(struct policy_origins *origins, const struct policy *policy,
			   void (*fn)(struct policy_origins *origins, const struct source *source))
{
	for (unsigned int i = 0; i < policy->specs->len; i++) {
		const struct policy_spec *spec = policy->specs->pdata[i];

		for (unsigned int j = 0; j < spec->rules->len; j++)
			fn(origins, &(const struct source){policy, spec, spec->rules->pdata[j]});
	}
}

void policy_origins_add(struct policy_origins *origins, const struct policy *policy)
{
	foreach_source(origins, policy, add_source);
}

void policy_origins_remove(struct policy_origins *origins, const struct policy *policy)
{
	foreach_source(origins, policy, remove_source);
}

/* Two rules of one number are both named; the rest is the first's. */
static struct rule_origin *origin_new(const GArray *sources)
{
	const struct source *first = &g_array_index(sources, struct source, 0);
	struct rule_origin *origin = (struct rule_origin *)row_new(&rule_origin_class);
	g_autoptr(GString) path = g_string_new(first->rule->path);

	for (unsigned int i = 1; i < sources->len; i++) {
		const struct source *source = &g_array_index(sources, struct source, i);

		g_string_append_printf(path, ", or %s of %s", source->rule->path,
				       source->policy->meta.key);
	}
	origin->number = first->rule->number;
	origin->policy = g_strdup(first->policy->meta.key);
	origin->path = g_strdup(path->str);
	origin->file = g_strdup(first->policy->meta.file);
	origin->line = first->rule->line;
	origin->log = g_strdup(first->spec->log);
	return origin;
}

static struct rule_origin *reserved_origin(uint32_t number)
{
	struct rule_origin *origin;

	for (unsigned int i = 0; i < G_N_ELEMENTS(reserved_rules); i++) {
		if (reserved_rules[i].number != number)
			continue;
		origin = (struct rule_origin *)row_new(&rule_origin_class);
		origin->number = number;
		origin->policy = g_strdup("reserved");
		origin->path = g_strdup(reserved_rules[i].path);
		return origin;
	}
	return NULL;
}

void policy_origins_flush(struct policy_origins *origins, struct txn *txn, struct table *table)
{
	GHashTableIter iter;
	void *key;

	g_hash_table_iter_init(&iter, origins->changed);
	while (g_hash_table_iter_next(&iter, &key, NULL)) {
		uint32_t number = GPOINTER_TO_UINT(key);
		const GArray *sources = g_hash_table_lookup(origins->by_number, key);
		struct rule_origin *origin =
			sources ? origin_new(sources) : reserved_origin(number);

		if (origin)
			txn_put(txn, table, &origin->row);
		else
			txn_remove(txn, table, &number, sizeof(number));
	}
	g_hash_table_remove_all(origins->changed);
}
