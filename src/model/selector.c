// SPDX-License-Identifier: Apache-2.0
/*
 * Interned by content: the texts are interned themselves, so that comparing two selectors compares
 * pointers, and requirements and exceptions are sorted.
 */
#include "src/model/selector.h"

#include <string.h>
#include <glib.h>
#include "src/base/intern.h"

struct selector {
	unsigned int n_refs;
	unsigned int hash;
	enum selector_kind kind;
	bool is_pattern;       /* SELECTOR_FQDN */
	uint64_t filter;       /* what a set of labels that matches has in its own */
	const char *namespace; /* interned, as name */
	const char *name;      /* of a group or a service; the text of SELECTOR_FQDN */
	const struct selector *labels;
	struct cidr cidr;
	GArray *excepts; /* struct cidr, sorted, none twice; NULL: none */
	char *text;      /* made when first asked for */
	unsigned int n;
	struct requirement requirements[]; /* sorted, none twice; texts interned */
};

/* Keys are the interned things themselves; the table borrows. */
static GHashTable *selectors;

static unsigned int n_values(const struct requirement *requirement)
{
	return requirement->values ? g_strv_length((char **)requirement->values) : 0;
}

static bool values_equal(const struct requirement *a, const struct requirement *b)
{
	unsigned int n = n_values(a);

	return n == n_values(b) && (!n || memcmp(a->values, b->values, n * sizeof(char *)) == 0);
}

static bool requirement_equal(const struct requirement *a, const struct requirement *b)
{
	return a->source == b->source && a->key == b->key && a->op == b->op && values_equal(a, b);
}

static bool excepts_equal(const GArray *a, const GArray *b)
{
	if (!a || !b || a->len != b->len)
		return a == b;
	for (unsigned int i = 0; i < a->len; i++)
		if (!cidr_equal(&g_array_index(a, struct cidr, i),
				&g_array_index(b, struct cidr, i)))
			return false;
	return true;
}

static gboolean selector_equal(const void *a, const void *b)
{
	const struct selector *x = a, *y = b;

	if (x->hash != y->hash || x->kind != y->kind || x->is_pattern != y->is_pattern ||
	    x->namespace != y->namespace || x->name != y->name || x->labels != y->labels ||
	    !cidr_equal(&x->cidr, &y->cidr) || !excepts_equal(x->excepts, y->excepts) ||
	    x->n != y->n)
		return false;
	for (unsigned int i = 0; i < x->n; i++)
		if (!requirement_equal(&x->requirements[i], &y->requirements[i]))
			return false;
	return true;
}

static unsigned int selector_hash(const void *pointer)
{
	return ((const struct selector *)pointer)->hash;
}

static unsigned int mix_text(unsigned int hash, const char *text)
{
	return hash * 31 + (text ? g_str_hash(text) : 0);
}

static unsigned int mix_cidr(unsigned int hash, const struct cidr *cidr)
{
	for (size_t i = 0; i < sizeof(cidr->addr.bytes); i++)
		hash = hash * 31 + cidr->addr.bytes[i];
	return hash * 31 + cidr->prefix_len;
}

static unsigned int compute_hash(const struct selector *selector)
{
	unsigned int hash = selector->kind * 2 + selector->is_pattern;

	hash = mix_text(mix_text(hash, selector->namespace), selector->name);
	hash = hash * 31 + (selector->labels ? selector->labels->hash : 0);
	hash = mix_cidr(hash, &selector->cidr);
	for (unsigned int i = 0; selector->excepts && i < selector->excepts->len; i++)
		hash = mix_cidr(hash, &g_array_index(selector->excepts, struct cidr, i));
	for (unsigned int i = 0; i < selector->n; i++) {
		const struct requirement *requirement = &selector->requirements[i];

		hash = mix_text(mix_text(hash, requirement->source), requirement->key);
		hash = hash * 31 + requirement->op;
		for (unsigned int j = 0; j < n_values(requirement); j++)
			hash = mix_text(hash, requirement->values[j]);
	}
	return hash;
}

static void requirement_fini(struct requirement *requirement)
{
	intern_unref(requirement->source);
	intern_unref(requirement->key);
	for (unsigned int i = 0; i < n_values(requirement); i++)
		intern_unref(requirement->values[i]);
	g_free((void *)requirement->values);
}

static void selector_free(struct selector *selector)
{
	for (unsigned int i = 0; i < selector->n; i++)
		requirement_fini(&selector->requirements[i]);
	intern_unref(selector->namespace);
	intern_unref(selector->name);
	selector_unref(selector->labels);
	g_clear_pointer(&selector->excepts, g_array_unref);
	g_free(selector->text);
	g_free(selector);
}

static struct selector *selector_new(enum selector_kind kind, size_t n_requirements)
{
	struct selector *selector =
		g_malloc0(sizeof(*selector) + n_requirements * sizeof(struct requirement));

	selector->n_refs = 1;
	selector->kind = kind;
	return selector;
}

/* A reference to the one selector that says what this one says, which is taken. */
static const struct selector *intern(struct selector *take_selector)
{
	struct selector *known;

	take_selector->hash = compute_hash(take_selector);
	if (!selectors)
		selectors = g_hash_table_new(selector_hash, selector_equal);
	known = g_hash_table_lookup(selectors, take_selector);
	if (!known) {
		g_hash_table_add(selectors, take_selector);
		return take_selector;
	}
	known->n_refs++;
	selector_free(take_selector);
	return known;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int compare_requirements(const void *a, const void *b)
{
	const struct requirement *x = a, *y = b;
	unsigned int i = 0;
	int order = strcmp(x->key, y->key);

	if (!order)
		order = g_strcmp0(x->source, y->source);
	if (!order)
		order = (x->op > y->op) - (x->op < y->op);
	if (order || !x->values || !y->values)
		return order;
	while (x->values[i] && x->values[i] == y->values[i])
		i++;
	return g_strcmp0(x->values[i], y->values[i]);
}

static void requirement_init(struct requirement *requirement, const struct requirement *from)
{
	unsigned int n = 0;
	const char **values;

	*requirement = (struct requirement){
		.source = intern_new(from->source), .key = intern_new(from->key), .op = from->op};
	if (from->op != REQUIREMENT_IN && from->op != REQUIREMENT_NOT_IN)
		return;
	values = g_new0(const char *, n_values(from) + 1);
	for (unsigned int i = 0; i < n_values(from); i++)
		values[i] = from->values[i];
	qsort(values, n_values(from), sizeof(values[0]), compare_texts);
	for (unsigned int i = 0; i < n_values(from); i++)
		if (!n || strcmp(values[n - 1], values[i]) != 0)
			values[n++] = intern_new(values[i]);
	values[n] = NULL;
	requirement->values = values;
}

static uint64_t requirement_filter(const struct requirement *requirement)
{
	if (requirement->op == REQUIREMENT_EXISTS)
		return label_filter_key(requirement->key);
	if (requirement->op != REQUIREMENT_IN || !requirement->values[0])
		return 0;
	return requirement->values[1] ? label_filter_key(requirement->key)
				      : label_filter_pair(requirement->key, requirement->values[0]);
}

const struct selector *selector_new_labels(const struct requirement *requirements, size_t n)
{
	struct selector *selector = selector_new(SELECTOR_LABELS, n);
	struct requirement *sorted = selector->requirements;

	for (size_t i = 0; i < n; i++)
		requirement_init(&sorted[i], &requirements[i]);
	if (n > 1)
		qsort(sorted, n, sizeof(sorted[0]), compare_requirements);
	for (size_t i = 0; i < n; i++) {
		if (selector->n && requirement_equal(&sorted[selector->n - 1], &sorted[i])) {
			requirement_fini(&sorted[i]);
			continue;
		}
		sorted[selector->n++] = sorted[i];
	}
	for (unsigned int i = 0; i < selector->n; i++)
		selector->filter |= requirement_filter(&sorted[i]);
	return intern(selector);
}

static GArray *copy_excepts(const GArray *excepts)
{
	GArray *copy;

	if (!excepts || !excepts->len)
		return NULL;
	copy = g_array_new(FALSE, TRUE, sizeof(struct cidr));
	g_array_append_vals(copy, excepts->data, excepts->len);
	g_array_sort(copy, cidr_compare);
	for (unsigned int i = copy->len - 1; i > 0; i--)
		if (cidr_equal(&g_array_index(copy, struct cidr, i - 1),
			       &g_array_index(copy, struct cidr, i)))
			g_array_remove_index(copy, i);
	return copy;
}

const struct selector *selector_new_cidr(const struct cidr *cidr, const GArray *excepts)
{
	struct selector *selector = selector_new(SELECTOR_CIDR, 0);

	selector->cidr = *cidr;
	selector->excepts = copy_excepts(excepts);
	return intern(selector);
}

const struct selector *selector_new_cidr_group(const char *name, const struct selector *labels,
					       const GArray *excepts)
{
	struct selector *selector = selector_new(SELECTOR_CIDR_GROUP, 0);

	selector->name = intern_new(name);
	selector->labels = labels ? selector_ref(labels) : NULL;
	selector->excepts = copy_excepts(excepts);
	return intern(selector);
}

const struct selector *selector_new_service(const char *namespace, const char *name,
					    const struct selector *labels)
{
	struct selector *selector = selector_new(SELECTOR_SERVICE, 0);

	selector->namespace = intern_new(namespace);
	selector->name = intern_new(name);
	selector->labels = labels ? selector_ref(labels) : NULL;
	return intern(selector);
}

const struct selector *selector_new_fqdn(const char *text, bool pattern)
{
	struct selector *selector = selector_new(SELECTOR_FQDN, 0);

	selector->name = intern_new(text);
	selector->is_pattern = pattern;
	return intern(selector);
}

const struct selector *selector_new_nobody(void)
{
	return intern(selector_new(SELECTOR_NOBODY, 0));
}

const struct selector *selector_ref(const struct selector *selector)
{
	((struct selector *)selector)->n_refs++;
	return selector;
}

void selector_unref(const struct selector *selector)
{
	struct selector *mutable = (struct selector *)selector;

	if (!mutable || --mutable->n_refs > 0)
		return;
	g_hash_table_remove(selectors, mutable);
	selector_free(mutable);
}

enum selector_kind selector_get_kind(const struct selector *selector)
{
	return selector->kind;
}

bool selector_is_all(const struct selector *selector)
{
	return selector->kind == SELECTOR_LABELS && !selector->n;
}

size_t selector_n_requirements(const struct selector *selector)
{
	return selector->n;
}

const struct requirement *selector_get_requirement(const struct selector *selector, size_t i)
{
	g_assert(i < selector->n);
	return &selector->requirements[i];
}

const struct cidr *selector_get_cidr(const struct selector *selector)
{
	g_assert(selector->kind == SELECTOR_CIDR);
	return &selector->cidr;
}

const GArray *selector_get_excepts(const struct selector *selector)
{
	return selector->excepts;
}

const char *selector_get_name(const struct selector *selector)
{
	return selector->name;
}

const char *selector_get_namespace(const struct selector *selector)
{
	return selector->namespace;
}

const struct selector *selector_get_labels(const struct selector *selector)
{
	return selector->labels;
}

static bool has_value(const struct requirement *requirement, const char *value)
{
	for (const char *const *known = requirement->values; *known; known++)
		if (strcmp(*known, value) == 0)
			return true;
	return false;
}

/* Whether there is a label of the key and source, and, where values matter, with one of them. */
static bool is_met_by_some(const struct requirement *requirement, const struct label_set *labels)
{
	size_t first, n = label_set_find_key(labels, requirement->key, &first);

	for (size_t i = first; i < first + n; i++) {
		const struct label *label = label_set_get(labels, i);

		if (requirement->source && strcmp(requirement->source, label->source) != 0)
			continue;
		if (!requirement->values || has_value(requirement, label->value))
			return true;
	}
	return false;
}

bool selector_matches(const struct selector *selector, const struct label_set *labels)
{
	g_assert(selector->kind == SELECTOR_LABELS);
	if ((label_set_filter(labels) & selector->filter) != selector->filter)
		return false;
	for (unsigned int i = 0; i < selector->n; i++) {
		const struct requirement *requirement = &selector->requirements[i];
		bool wanted =
			requirement->op == REQUIREMENT_IN || requirement->op == REQUIREMENT_EXISTS;

		if (is_met_by_some(requirement, labels) != wanted)
			return false;
	}
	return true;
}

static bool is_inside(const struct cidr *inner, const struct cidr *outer)
{
	return inner->prefix_len >= outer->prefix_len && cidr_contains(outer, &inner->addr);
}

bool selector_contains(const struct selector *selector, const struct cidr *cidr)
{
	g_assert(selector->kind == SELECTOR_CIDR);
	if (!is_inside(cidr, &selector->cidr))
		return false;
	for (unsigned int i = 0; selector->excepts && i < selector->excepts->len; i++)
		if (is_inside(cidr, &g_array_index(selector->excepts, struct cidr, i)))
			return false;
	return true;
}

const struct selector *selector_and(const struct selector *a, const struct selector *b)
{
	g_autofree struct requirement *both = g_new(struct requirement, a->n + b->n + 1);

	g_assert(a->kind == SELECTOR_LABELS && b->kind == SELECTOR_LABELS);
	memcpy(both, a->requirements, a->n * sizeof(both[0]));
	memcpy(both + a->n, b->requirements, b->n * sizeof(both[0]));
	return selector_new_labels(both, a->n + b->n);
}

/* In with one value is what matchLabels says. */
static bool is_match_label(const struct requirement *requirement)
{
	return requirement->op == REQUIREMENT_IN && n_values(requirement) == 1;
}

static void append_expression(GString *text, const char *key, enum requirement_operator op,
			      const char *const *values)
{
	static const char *const operators[] = {"In", "NotIn", "Exists", "DoesNotExist"};

	g_string_append_printf(text, "LabelSelectorRequirement{Key:%s,Operator:%s,Values:[", key,
			       operators[op]);
	for (unsigned int i = 0; values && values[i]; i++)
		g_string_append_printf(text, "%s%s", i ? " " : "", values[i]);
	g_string_append(text, "],},");
}

/* Cilium has the prefix in the key of a label: no ':', and no '-' at its ends. */
static char *cidr_key(const struct cidr *cidr)
{
	char text[CIDR_TEXT_BYTES];
	g_autofree char *addr = g_strdup(cidr_format(cidr, text));
	char *slash = strchr(addr, '/');
	const char *head = addr[0] == ':' ? "0" : "";
	const char *tail = slash[-1] == ':' ? "0" : "";

	*slash = '\0';
	return g_strdup_printf("cidr.%s%s%s/%s", head, g_strdelimit(addr, ":", '-'), tail,
			       slash + 1);
}

static void append_requirements(GString *labels, GString *expressions, const char *source,
				const struct selector *selector)
{
	for (unsigned int i = 0; i < selector->n; i++) {
		const struct requirement *requirement = &selector->requirements[i];
		const char *own = requirement->source ? requirement->source : "any";
		g_autofree char *key =
			g_strconcat(source ? source : own, ".", requirement->key, NULL);

		if (is_match_label(requirement))
			g_string_append_printf(labels, "%s: %s,", key, requirement->values[0]);
		else
			append_expression(expressions, key, requirement->op, requirement->values);
	}
}

static void append_excepts(GString *expressions, const GArray *excepts)
{
	for (unsigned int i = 0; excepts && i < excepts->len; i++) {
		g_autofree char *key = cidr_key(&g_array_index(excepts, struct cidr, i));

		append_expression(expressions, key, REQUIREMENT_NOT_EXISTS, NULL);
	}
}

/* A prefix or a group is a label in Cilium, and its exceptions are labels that must not be there. */
static void append_prefixes(GString *labels, GString *expressions, const struct selector *selector)
{
	g_autofree char *key = NULL;

	if (selector->kind == SELECTOR_CIDR)
		key = cidr_key(&selector->cidr);
	else if (selector->name)
		key = g_strconcat("cidrgroup.io.cilium.policy.cidrgroupname/", selector->name,
				  NULL);
	if (selector->kind == SELECTOR_CIDR && !selector->excepts)
		g_string_append_printf(labels, "%s: ,", key);
	else if (key)
		append_expression(expressions, key, REQUIREMENT_EXISTS, NULL);
	else
		append_requirements(labels, expressions, "cidrgroup", selector->labels);
	append_excepts(expressions, selector->excepts);
}

static char *format_label_selector(const struct selector *selector)
{
	g_autoptr(GString) labels = g_string_new(NULL);
	g_autoptr(GString) expressions = g_string_new(NULL);

	if (selector->kind == SELECTOR_LABELS)
		append_requirements(labels, expressions, NULL, selector);
	else if (selector->kind == SELECTOR_NOBODY)
		g_string_append(labels, "reserved.none: ,");
	else
		append_prefixes(labels, expressions, selector);
	return g_strdup_printf("&LabelSelector{MatchLabels:map[string]string{%s},"
			       "MatchExpressions:[]LabelSelectorRequirement{%s},}",
			       labels->str, expressions->str);
}

const char *selector_text(const struct selector *selector)
{
	struct selector *mutable = (struct selector *)selector;

	if (selector->text)
		return selector->text;
	if (selector->kind == SELECTOR_FQDN)
		mutable->text = g_strdup_printf("MatchName: %s, MatchPattern: %s",
						selector->is_pattern ? "" : selector->name,
						selector->is_pattern ? selector->name : "");
	else if (selector->kind == SELECTOR_SERVICE)
		mutable->text = g_strdup_printf(
			"service:%s/%s", selector->namespace ? selector->namespace : "*",
			selector->name ? selector->name : selector_text(selector->labels));
	else
		mutable->text = format_label_selector(selector);
	return selector->text;
}
