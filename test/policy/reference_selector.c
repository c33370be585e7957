/* SPDX-License-Identifier: Apache-2.0 */
#include "test/policy/reference.h"

#include <string.h>

#define POD_NAMESPACE    "io.kubernetes.pod.namespace"
#define NAMESPACE_LABELS "io.cilium.k8s.namespace.labels."

/* "k8s:app" is the label app of source k8s, "any:app" and "app" that of any source. */
static void split_key(const char *text, const char **ret_source, const char **ret_key)
{
	const char *colon = strchr(text, ':');
	g_autofree char *source = colon ? g_strndup(text, colon - text) : NULL;

	*ret_source = g_intern_string(source);
	*ret_key = colon ? colon + 1 : text;
	if (*ret_source && !strcmp(*ret_source, "any"))
		*ret_source = NULL;
}

static bool value_is_in(const char *value, const json_t *values)
{
	const json_t *one;
	size_t i;

	json_array_foreach(values, i, one) if (!strcmp(json_string_value(one), value)) return true;
	return false;
}

static const char *value_of(const struct party *party, const char *text, const char *source,
			    const char *prefix)
{
	g_autofree char *whole = NULL;
	const char *key = text;

	if (!source)
		split_key(text, &source, &key);
	whole = g_strconcat(prefix ? prefix : "", key, NULL);
	return party_label(party, source, whole);
}

static bool expression_holds(const json_t *expression, const struct party *party,
			     const char *source, const char *prefix)
{
	const char *operator= object_text(expression, "operator", NULL);
	const json_t *values = json_object_get(expression, "values");
	const char *value = value_of(party, object_text(expression, "key", NULL), source, prefix);

	if (!strcmp(operator, "In"))
		return value && value_is_in(value, values);
	if (!strcmp(operator, "NotIn"))
		return !value || !value_is_in(value, values);
	if (!strcmp(operator, "Exists"))
		return value;
	if (!strcmp(operator, "DoesNotExist"))
		return !value;
	g_error("no operator: %s", operator);
}

bool selector_holds(const json_t *selector, const struct party *party, const char *source,
		    const char *prefix)
{
	const json_t *expression;
	json_t *wanted;
	const char *key;
	size_t i;

	json_object_foreach((json_t *)member_of(selector, "matchLabels"), key,
			    wanted) if (g_strcmp0(value_of(party, key, source, prefix),
						  json_string_value(wanted)) != 0) return false;
	json_array_foreach(
		member_of(selector, "matchExpressions"), i,
		expression) if (!expression_holds(expression, party, source, prefix)) return false;
	return true;
}

/* Whether a key of the selector, without "k8s:" or "any:", begins with text. */
static bool has_key(const json_t *selector, const char *text, bool is_whole)
{
	g_autoptr(GPtrArray) keys = g_ptr_array_new();
	const json_t *expression;
	json_t *value;
	const char *key;
	size_t i;

	json_object_foreach((json_t *)member_of(selector, "matchLabels"), key, value)
		g_ptr_array_add(keys, (char *)key);
	json_array_foreach(member_of(selector, "matchExpressions"), i, expression)
		g_ptr_array_add(keys, (char *)object_text(expression, "key", NULL));
	for (i = 0; i < keys->len; i++) {
		key = keys->pdata[i];
		if (g_str_has_prefix(key, "k8s:") || g_str_has_prefix(key, "any:"))
			key += strlen("k8s:");
		if (is_whole ? !strcmp(key, text) : g_str_has_prefix(key, text))
			return true;
	}
	return false;
}

bool endpoint_selector_holds(const struct reference_rule *rule, const json_t *selector,
			     const struct party *peer)
{
	const json_t *subject = member_of(rule->spec, "endpointSelector");

	if (!selector_holds(selector, peer, NULL, NULL))
		return false;
	if (has_key(selector, "reserved:", false) || has_key(selector, POD_NAMESPACE, true))
		return true;
	/* Who means pods that are not known yet cannot mean their namespace. */
	if (rule->is_clusterwide)
		return has_key(subject, "reserved:init", true) ||
		       party_label(peer, "k8s", POD_NAMESPACE);
	return has_key(selector, NAMESPACE_LABELS, false) ||
	       !g_strcmp0(party_label(peer, "k8s", POD_NAMESPACE), rule->namespace);
}
