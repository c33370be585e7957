// SPDX-License-Identifier: Apache-2.0
/* Selectors of labels, as Kubernetes writes them, with Cilium's sources in front of the keys. */
#include <string.h>
#include "src/source/decode_policy.h"
#include "src/source/syntax.h"

#define KEY_NAMESPACE "io.kubernetes.pod.namespace"

void label_selector_init(struct label_selector *selector)
{
	selector->requirements = g_array_new(FALSE, TRUE, sizeof(struct requirement));
	selector->memory = g_ptr_array_new_with_free_func(g_free);
	selector->is_all = false;
}

void label_selector_fini(struct label_selector *selector)
{
	g_array_unref(selector->requirements);
	g_ptr_array_unref(selector->memory);
}

static const char *keep(struct label_selector *selector, char *take_text)
{
	g_ptr_array_add(selector->memory, take_text);
	return take_text;
}

static void add(struct label_selector *selector, const struct requirement *requirement)
{
	g_array_append_val(selector->requirements, *requirement);
}

void label_selector_add(struct label_selector *selector, const char *source, const char *key,
			const char *value)
{
	struct requirement requirement = {.source = source,
					  .key = keep(selector, g_strdup(key)),
					  .op = value ? REQUIREMENT_IN : REQUIREMENT_EXISTS};

	if (value) {
		const char **values = g_new0(const char *, 2);

		values[0] = keep(selector, g_strdup(value));
		g_ptr_array_add(selector->memory, values);
		requirement.values = values;
	}
	add(selector, &requirement);
}

static const struct requirement *get(const struct label_selector *selector, unsigned int i)
{
	return &g_array_index(selector->requirements, struct requirement, i);
}

bool label_selector_has_key(const struct label_selector *selector, const char *source,
			    const char *key)
{
	for (unsigned int i = 0; i < selector->requirements->len; i++)
		if (strcmp(get(selector, i)->key, key) == 0 &&
		    g_strcmp0(get(selector, i)->source, source) == 0)
			return true;
	return false;
}

bool label_selector_has_prefix(const struct label_selector *selector, const char *prefix)
{
	for (unsigned int i = 0; i < selector->requirements->len; i++) {
		const char *source = get(selector, i)->source;

		if ((!source || strcmp(source, "k8s") == 0) &&
		    g_str_has_prefix(get(selector, i)->key, prefix))
			return true;
	}
	return false;
}

bool label_selector_has_source(const struct label_selector *selector, const char *source)
{
	for (unsigned int i = 0; i < selector->requirements->len; i++)
		if (g_strcmp0(get(selector, i)->source, source) == 0)
			return true;
	return false;
}

bool label_selector_is_positive(const struct label_selector *selector)
{
	for (unsigned int i = 0; i < selector->requirements->len; i++)
		if (get(selector, i)->op == REQUIREMENT_IN ||
		    get(selector, i)->op == REQUIREMENT_EXISTS)
			return true;
	return false;
}

static void check_source(const struct policy_decoder *decoder, const struct field *field,
			 const char *source)
{
	static const char *const known[] = {"k8s",  "reserved", "cidr",      "cidrgroup",
					    "cni",  "fqdn",     "container", "unspec",
					    "node", "generated"};

	for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
		if (strcmp(source, known[i]) == 0)
			return;
	decode_policy_note(decoder, field, false, "no label has the source \"%.100s\"", source);
}

/*
 * Source and key of "k8s:app"; a dot is no separator. False, with a problem noted at the field, where that is
 * no key.
 */
static bool split_key(const struct policy_decoder *decoder, const struct field *field,
		      const char *text, struct label_selector *selector,
		      struct requirement *ret_requirement)
{
	const char *colon = strchr(text, ':');
	const char *key = colon ? colon + 1 : text;
	const char *source = NULL;

	if (colon)
		source = keep(selector, g_strndup(text, colon - text));
	if (!syntax_is_label_key(key) || (source && !syntax_is_dns_label(source))) {
		field_add_problem(field, "is not the key of a label: want [source:][domain/]name");
		return false;
	}
	if (source && strcmp(source, "any") == 0)
		source = NULL;
	if (source)
		check_source(decoder, field, source);
	ret_requirement->source = source;
	ret_requirement->key = key;
	return true;
}

/* What a key of the selector is: of a fixed source and with a prefix, or as Cilium writes it. */
struct key_style {
	const char *source, *prefix;
};

static bool decode_selector_key(const struct policy_decoder *decoder, const struct field *field,
				const char *text, const struct key_style *style,
				struct label_selector *selector,
				struct requirement *ret_requirement)
{
	if (!style->source)
		return split_key(decoder, field, text, selector, ret_requirement);
	if (!syntax_is_label_key(text)) {
		field_add_problem(field, "is not the key of a label: want [domain/]name");
		return false;
	}
	ret_requirement->source = style->source;
	ret_requirement->key = keep(selector, g_strconcat(style->prefix, text, NULL));
	return true;
}

static const char *decode_label_value(const struct field *field)
{
	const char *text = field_text(field);

	if (!field_is_set(field))
		field_want(field, "a text");
	else if (text && !syntax_is_label_value(text))
		field_want(field, "at most 63 of A-Z, a-z, 0-9, '-', '_' and '.', "
				  "a letter or digit at both ends");
	else
		return text;
	return NULL;
}

static void decode_match_labels(const struct policy_decoder *decoder, const struct field *labels,
				const struct key_style *style, struct label_selector *selector)
{
	for (struct field item = field_first_member(labels); item.value; item = field_next(&item)) {
		struct requirement requirement = {};
		const char *value = decode_label_value(&item);

		if (!decode_selector_key(decoder, &item, item.name, style, selector,
					 &requirement) ||
		    !value)
			continue;
		if (g_strcmp0(requirement.source, "reserved") == 0 &&
		    strcmp(requirement.key, "all") == 0)
			selector->is_all = true;
		label_selector_add(selector, requirement.source, requirement.key, value);
	}
}

/* False, with a problem noted. */
static bool decode_operator(const struct field *field, enum requirement_operator *ret_op)
{
	static const char *const operators[] = {
		[REQUIREMENT_IN] = "In",
		[REQUIREMENT_NOT_IN] = "NotIn",
		[REQUIREMENT_EXISTS] = "Exists",
		[REQUIREMENT_NOT_EXISTS] = "DoesNotExist",
	};
	const char *text = field_required_text(field);

	for (size_t i = 0; text && i < G_N_ELEMENTS(operators); i++) {
		if (strcmp(text, operators[i]) != 0)
			continue;
		*ret_op = i;
		return true;
	}
	if (text)
		field_want(field, "In, NotIn, Exists or DoesNotExist");
	return false;
}

/* The list, which selector keeps; ends in NULL. */
static const char *const *decode_values(const struct field *list, struct label_selector *selector)
{
	g_autoptr(GPtrArray) values = g_ptr_array_new();
	gpointer *array;

	for (struct field item = decode_policy_first(list); item.value; item = field_next(&item)) {
		const char *value = decode_label_value(&item);

		if (value)
			g_ptr_array_add(values, (char *)value);
	}
	if (field_is_empty(list) || !field_is_set(list))
		field_add_problem(list, "is empty: want the values for In or NotIn");
	g_ptr_array_add(values, NULL);
	array = g_ptr_array_steal(values, NULL);
	g_ptr_array_add(selector->memory, array);
	return (const char *const *)array;
}

static void decode_expression(const struct policy_decoder *decoder, const struct field *item,
			      const struct key_style *style, struct label_selector *selector)
{
	static const char *const members[] = {"key", "operator", "values", NULL};
	struct field key_field = field_member(item, "key");
	struct field operator_field = field_member(item, "operator");
	struct field values_field = field_member(item, "values");
	const char *key = field_required_text(&key_field);
	struct requirement requirement = {};
	bool has_operator = decode_operator(&operator_field, &requirement.op);

	decode_policy_members(item, members);
	if (has_operator &&
	    (requirement.op == REQUIREMENT_IN || requirement.op == REQUIREMENT_NOT_IN))
		requirement.values = decode_values(&values_field, selector);
	else if (has_operator && field_is_set(&values_field) && !field_is_empty(&values_field))
		field_add_problem(&values_field, "must be empty for Exists and DoesNotExist");
	if (key && decode_selector_key(decoder, &key_field, key, style, selector, &requirement) &&
	    has_operator)
		add(selector, &requirement);
}

void decode_label_selector(const struct policy_decoder *decoder, const struct field *field,
			   const char *source, const char *prefix, struct label_selector *selector)
{
	static const char *const members[] = {"matchLabels", "matchExpressions", NULL};
	struct key_style style = {source, prefix};
	struct field labels, expressions;

	if (!field_is_set(field)) {
		field_want(field, "a selector ({} selects all)");
		return;
	}
	labels = field_member(field, "matchLabels");
	expressions = field_member(field, "matchExpressions");
	decode_policy_members(field, members);
	decode_match_labels(decoder, &labels, &style, selector);
	for (struct field item = decode_policy_first(&expressions); item.value;
	     item = field_next(&item))
		decode_expression(decoder, &item, &style, selector);
}

static bool is_value_of(const struct requirement *requirement, const char *value)
{
	return g_strv_contains(requirement->values, value);
}

/* Of the same label, which for a namespace is of source k8s, whatever is asked for. */
static bool is_same_label(const struct requirement *a, const struct requirement *b)
{
	return strcmp(a->key, b->key) == 0 &&
	       (g_strcmp0(a->source, b->source) == 0 || strcmp(a->key, KEY_NAMESPACE) == 0);
}

/* Both are of the same label, and a says that it is there, with one of these values or any. */
static bool contradicts(const struct requirement *a, const struct requirement *b)
{
	if (b->op == REQUIREMENT_NOT_EXISTS)
		return true;
	if (a->op != REQUIREMENT_IN || b->op == REQUIREMENT_EXISTS)
		return false;
	for (unsigned int i = 0; a->values[i]; i++)
		if (is_value_of(b, a->values[i]) == (b->op == REQUIREMENT_IN))
			return false;
	return true;
}

/* How many requirements are compared with one another. */
#define MAX_COMPARED 64

static const char *find_contradiction(const struct label_selector *selector)
{
	unsigned int n = MIN(selector->requirements->len, MAX_COMPARED);

	for (unsigned int i = 0; i < n; i++) {
		const struct requirement *a = get(selector, i);

		if (a->op != REQUIREMENT_IN && a->op != REQUIREMENT_EXISTS)
			continue;
		for (unsigned int j = 0; j < n; j++)
			if (is_same_label(a, get(selector, j)) && contradicts(a, get(selector, j)))
				return a->key;
	}
	return NULL;
}

const struct selector *label_selector_end(const struct policy_decoder *decoder,
					  const struct field *field,
					  const struct label_selector *selector)
{
	const char *key;

	if (selector->is_all)
		return selector_new_labels(NULL, 0);
	key = find_contradiction(selector);
	if (key)
		decode_policy_note(decoder, field, false,
				   "nothing meets all that is required of the label %s", key);
	return selector_new_labels((const struct requirement *)(void *)selector->requirements->data,
				   selector->requirements->len);
}
