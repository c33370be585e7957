/* SPDX-License-Identifier: Apache-2.0 */
#include "test/policy/generate.h"

static const char *const keys[] = {"app", "k8s:app", "any:tier", "tier", "k8s:app"};
static const char *const values[] = {"web", "db", "cache", "front", "back"};
static const char *const namespace_values[] = {"dev", "prod", "a", "b"};
static const char *const namespace_keys[] = {"env", "team"};

/* Kubernetes knows no sources. */
static json_t *generate_expression(struct generate *generate, const char *const *some_keys,
				   unsigned int n_keys, const char *const *some_values,
				   unsigned int n_values)
{
	static const char *const operators[] = {"In", "NotIn", "Exists", "DoesNotExist"};
	struct random *random = &generate->random;
	const char *operator= random_pick(random, operators);
	json_t *expression = json_pack("{s:s, s:s}", "key", some_keys[random_below(random, n_keys)],
				       "operator", operator);
	json_t *list;

	if (!g_str_has_suffix(operator, "In"))
		return expression;
	list = json_array();
	json_array_append_new(list, json_string(some_values[random_below(random, n_values)]));
	if (random_chance(random, 40))
		json_array_append_new(list,
				      json_string(some_values[random_below(random, n_values)]));
	json_object_set_new(expression, "values", list);
	return expression;
}

static json_t *generate_selector_of(struct generate *generate, const char *const *some_keys,
				    unsigned int n_keys, const char *const *some_values,
				    unsigned int n_values)
{
	struct random *random = &generate->random;
	json_t *selector = json_object();

	if (random_chance(random, 20))
		return selector;
	if (random_chance(random, 65))
		json_object_set_new(selector, "matchLabels",
				    json_pack("{s:s}", some_keys[random_below(random, n_keys)],
					      some_values[random_below(random, n_values)]));
	if (random_chance(random, 35))
		json_object_set_new(
			selector, "matchExpressions",
			json_pack("[o]", generate_expression(generate, some_keys, n_keys,
							     some_values, n_values)));
	return selector;
}

json_t *generate_selector(struct generate *generate, bool is_plain)
{
	static const char *const plain[] = {"app", "tier", "app"};

	return generate_selector_of(generate, is_plain ? plain : keys,
				    is_plain ? G_N_ELEMENTS(plain) : G_N_ELEMENTS(keys), values,
				    G_N_ELEMENTS(values));
}

json_t *generate_namespace_selector(struct generate *generate)
{
	return generate_selector_of(generate, namespace_keys, G_N_ELEMENTS(namespace_keys),
				    namespace_values, G_N_ELEMENTS(namespace_values));
}
