// SPDX-License-Identifier: Apache-2.0
/*
 * Two layers are interned: a label, one block with its three texts, and a set, an array of pointers
 * to labels. A cluster of many pods has few distinct labels and fewer distinct sets.
 */
#include "src/model/label.h"

#include <errno.h>
#include <string.h>
#include <glib.h>

struct atom {
	struct label label;
	unsigned int n_refs;
	unsigned int hash;
	char texts[]; /* source, key, value, each with its NUL */
};

struct label_set {
	unsigned int n_refs;
	unsigned int n;
	uint64_t filter;
	char *text; /* made when first asked for: most sets are never an identity */
	struct atom *atoms[];
};

/* Keys are the interned things themselves; both tables borrow. */
static GHashTable *atoms;
static GHashTable *sets;

static unsigned int atom_hash(const void *pointer)
{
	return ((const struct atom *)pointer)->hash;
}

static gboolean atom_equal(const void *a, const void *b)
{
	const struct label *x = &((const struct atom *)a)->label;
	const struct label *y = &((const struct atom *)b)->label;

	return strcmp(x->key, y->key) == 0 && strcmp(x->value, y->value) == 0 &&
	       strcmp(x->source, y->source) == 0;
}

static char *append_text(char *p, const char *text, const char **ret_copy)
{
	*ret_copy = p;
	return stpcpy(p, text) + 1;
}

/* A reference to the one atom that says what label says. */
static struct atom *atom_get(const struct label *label)
{
	struct atom wanted = {.label = *label};
	struct atom *atom;
	char *p;

	wanted.hash = g_str_hash(label->key) * 31 * 31 + g_str_hash(label->value) * 31 +
		      g_str_hash(label->source);
	if (!atoms)
		atoms = g_hash_table_new(atom_hash, atom_equal);
	atom = g_hash_table_lookup(atoms, &wanted);
	if (atom) {
		atom->n_refs++;
		return atom;
	}
	atom = g_malloc(sizeof(*atom) + strlen(label->source) + strlen(label->key) +
			strlen(label->value) + 3);
	atom->n_refs = 1;
	atom->hash = wanted.hash;
	p = append_text(atom->texts, label->source, &atom->label.source);
	p = append_text(p, label->key, &atom->label.key);
	append_text(p, label->value, &atom->label.value);
	g_hash_table_add(atoms, atom);
	return atom;
}

static void atom_unref(struct atom *atom)
{
	if (--atom->n_refs > 0)
		return;
	g_hash_table_remove(atoms, atom);
	g_free(atom);
}

static unsigned int set_hash(const void *pointer)
{
	const struct label_set *set = pointer;
	unsigned int hash = set->n;

	for (unsigned int i = 0; i < set->n; i++)
		hash = hash * 31 + set->atoms[i]->hash;
	return hash;
}

static gboolean set_equal(const void *a, const void *b)
{
	const struct label_set *x = a, *y = b;

	return x->n == y->n && memcmp(x->atoms, y->atoms, x->n * sizeof(x->atoms[0])) == 0;
}

static int compare_names(const struct label *a, const struct label *b)
{
	int order = strcmp(a->key, b->key);

	return order ? order : strcmp(a->source, b->source);
}

/* By name; of equal names the later one of the caller's array comes first. */
static int compare_labels(const void *a, const void *b)
{
	const struct label *x = *(const struct label *const *)a;
	const struct label *y = *(const struct label *const *)b;
	int order = compare_names(x, y);

	return order ? order : (x < y) - (x > y);
}

const struct label_set *label_set_new(const struct label *labels, size_t n)
{
	g_autofree const struct label **sorted = g_new(const struct label *, n);
	struct label_set *set = g_malloc(sizeof(*set) + n * sizeof(set->atoms[0]));
	struct label_set *known;

	*set = (struct label_set){.n_refs = 1};
	for (size_t i = 0; i < n; i++)
		sorted[i] = &labels[i];
	if (n > 1)
		qsort(sorted, n, sizeof(sorted[0]), compare_labels);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || compare_names(sorted[i - 1], sorted[i]) != 0)
			set->atoms[set->n++] = atom_get(sorted[i]);
	if (!sets)
		sets = g_hash_table_new(set_hash, set_equal);
	known = g_hash_table_lookup(sets, set);
	if (!known) {
		for (unsigned int i = 0; i < set->n; i++)
			set->filter |= label_filter_key(set->atoms[i]->label.key) |
				       label_filter_pair(set->atoms[i]->label.key,
							 set->atoms[i]->label.value);
		g_hash_table_add(sets, set);
		return set;
	}
	known->n_refs++;
	for (unsigned int i = 0; i < set->n; i++)
		atom_unref(set->atoms[i]);
	g_free(set);
	return known;
}

const struct label_set *label_set_ref(const struct label_set *set)
{
	((struct label_set *)set)->n_refs++;
	return set;
}

void label_set_unref(const struct label_set *set)
{
	struct label_set *mutable = (struct label_set *)set;

	if (!mutable || --mutable->n_refs > 0)
		return;
	g_hash_table_remove(sets, mutable);
	for (unsigned int i = 0; i < mutable->n; i++)
		atom_unref(mutable->atoms[i]);
	g_free(mutable->text);
	g_free(mutable);
}

size_t label_set_n(const struct label_set *set)
{
	return set->n;
}

const struct label *label_set_get(const struct label_set *set, size_t i)
{
	g_assert(i < set->n);
	return &set->atoms[i]->label;
}

uint64_t label_set_filter(const struct label_set *set)
{
	return set->filter;
}

/* The upper bits of a product depend on all of the hash. */
static uint64_t filter_bit(unsigned int hash)
{
	return UINT64_C(1) << ((hash * 2654435769U) >> 26);
}

uint64_t label_filter_key(const char *key)
{
	return filter_bit(g_str_hash(key));
}

uint64_t label_filter_pair(const char *key, const char *value)
{
	return filter_bit(g_str_hash(key) * 31 + g_str_hash(value) + 1);
}

size_t label_set_find_key(const struct label_set *set, const char *key, size_t *ret_first)
{
	unsigned int low = 0, high = set->n, end;

	while (low < high) {
		unsigned int middle = low + (high - low) / 2;

		if (strcmp(set->atoms[middle]->label.key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (end = low; end < set->n && strcmp(set->atoms[end]->label.key, key) == 0; end++)
		continue;
	*ret_first = low;
	return end - low;
}

const char *label_set_find(const struct label_set *set, const char *source, const char *key)
{
	unsigned int low = 0, high = set->n;

	while (low < high) {
		unsigned int middle = low + (high - low) / 2;
		struct label wanted = {.source = source ? source : "", .key = key};

		if (compare_names(&set->atoms[middle]->label, &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == set->n || strcmp(set->atoms[low]->label.key, key) != 0 ||
	    (source && strcmp(set->atoms[low]->label.source, source) != 0))
		return NULL;
	return set->atoms[low]->label.value;
}

/* What ends a part is escaped in it: a container's labels, unlike a pod's, may hold anything. */
static void append_escaped(GString *text, const char *part, const char *special)
{
	for (; *part; part++) {
		if (strchr(special, *part))
			g_string_append_c(text, '\\');
		g_string_append_c(text, *part);
	}
}

const char *label_set_text(const struct label_set *set)
{
	struct label_set *mutable = (struct label_set *)set;
	GString *text;

	if (set->text)
		return set->text;
	text = g_string_sized_new(64);
	for (unsigned int i = 0; i < set->n; i++) {
		const struct label *label = &set->atoms[i]->label;

		append_escaped(text, label->source, "\\:");
		g_string_append_c(text, ':');
		append_escaped(text, label->key, "\\=");
		g_string_append_c(text, '=');
		append_escaped(text, label->value, "\\;");
		g_string_append_c(text, ';');
	}
	mutable->text = g_string_free(text, FALSE);
	return mutable->text;
}

/* Takes the part up to end off *text. NULL where end does not come. Free with g_free. */
static char *take_part(const char **text, char end)
{
	GString *part = g_string_new(NULL);
	const char *p;

	for (p = *text; *p && *p != end; p++) {
		if (*p == '\\' && p[1])
			p++;
		g_string_append_c(part, *p);
	}
	if (!*p) {
		g_string_free(part, TRUE);
		return NULL;
	}
	*text = p + 1;
	return g_string_free(part, FALSE);
}

int label_set_parse(const char *text, const struct label_set **ret_set)
{
	g_autoptr(GPtrArray) parts = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GArray) labels = g_array_new(FALSE, FALSE, sizeof(struct label));

	while (*text) {
		static const char ends[] = {':', '=', ';'};
		char *part[G_N_ELEMENTS(ends)];
		struct label label;

		for (size_t i = 0; i < G_N_ELEMENTS(ends); i++) {
			part[i] = take_part(&text, ends[i]);
			if (!part[i])
				return -EINVAL;
			g_ptr_array_add(parts, part[i]);
		}
		if (!*part[0] || !*part[1])
			return -EINVAL;
		label = (struct label){.source = part[0], .key = part[1], .value = part[2]};
		g_array_append_val(labels, label);
	}
	*ret_set = label_set_new((const struct label *)(void *)labels->data, labels->len);
	return 0;
}

int label_parse(const char *text, struct label *ret_label)
{
	size_t n_before = strcspn(text, ":=");
	bool has_source = text[n_before] == ':';
	const char *key = has_source ? text + n_before + 1 : text;
	const char *equals = strchr(key, '=');
	size_t n_key = equals ? (size_t)(equals - key) : strlen(key);

	if (n_key == 0 || (has_source && n_before == 0))
		return -EINVAL;
	ret_label->source = has_source ? g_strndup(text, n_before) : g_strdup("unspec");
	ret_label->key = g_strndup(key, n_key);
	ret_label->value = g_strdup(equals ? equals + 1 : "");
	return 0;
}

void label_fini(struct label *label)
{
	g_free((char *)label->source);
	g_free((char *)label->key);
	g_free((char *)label->value);
	*label = (struct label){};
}

char *label_format(const struct label *label)
{
	return g_strconcat(label->source, ":", label->key, *label->value ? "=" : "", label->value,
			   NULL);
}
