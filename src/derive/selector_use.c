// SPDX-License-Identifier: Apache-2.0
#include "src/derive/selector_use.h"

#include <string.h>

struct selector_uses {
	GHashTable *names;     /* "namespace/name" to count, "/name" without or in any namespace */
	GHashTable *selectors; /* by labels: const struct selector to count */
	bool changed;
};

static void unref_selector(void *selector)
{
	selector_unref(selector);
}

struct selector_uses *selector_uses_new(void)
{
	struct selector_uses *uses = g_new0(struct selector_uses, 1);

	uses->names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	uses->selectors = g_hash_table_new_full(NULL, NULL, unref_selector, NULL);
	return uses;
}

void selector_uses_free(struct selector_uses *uses)
{
	if (!uses)
		return;
	g_hash_table_unref(uses->names);
	g_hash_table_unref(uses->selectors);
	g_free(uses);
}

static char *name_key(const char *namespace, const char *name)
{
	return g_strdup_printf("%s/%s", namespace ? namespace : "", name);
}

void selector_uses_count(struct selector_uses *uses, const struct selector *selector, int change)
{
	const char *name = selector_get_name(selector);
	GHashTable *counts = name ? uses->names : uses->selectors;
	g_autofree char *text = name ? name_key(selector_get_kind(selector) == SELECTOR_SERVICE
							? selector_get_namespace(selector)
							: NULL,
						name)
				     : NULL;
	void *key = name ? (void *)text : (void *)selector;
	int n = GPOINTER_TO_INT(g_hash_table_lookup(counts, key)) + change;

	uses->changed |= n == 0 || (n == 1 && change == 1);
	if (!n)
		g_hash_table_remove(counts, key);
	else
		g_hash_table_insert(counts,
				    name ? (void *)g_steal_pointer(&text)
					 : (void *)selector_ref(selector),
				    GINT_TO_POINTER(n));
}

static bool means(const struct selector *selector, const char *namespace,
		  const struct object_meta *meta)
{
	const char *wanted = selector_get_kind(selector) == SELECTOR_SERVICE
				     ? selector_get_namespace(selector)
				     : NULL;

	return (!wanted || !g_strcmp0(wanted, namespace)) &&
	       selector_matches(selector_get_labels(selector), meta->labels);
}

bool selector_uses_have(const struct selector_uses *uses, const char *namespace,
			const struct object_meta *meta)
{
	g_autofree char *anywhere = name_key(NULL, meta->name);
	g_autofree char *here = name_key(namespace, meta->name);
	GHashTableIter iter;
	void *selector;

	if (g_hash_table_contains(uses->names, anywhere) ||
	    g_hash_table_contains(uses->names, here))
		return true;
	g_hash_table_iter_init(&iter, uses->selectors);
	while (g_hash_table_iter_next(&iter, &selector, NULL))
		if (means(selector, namespace, meta))
			return true;
	return false;
}

bool selector_uses_take_changed(struct selector_uses *uses)
{
	bool changed = uses->changed;

	uses->changed = false;
	return changed;
}
