// SPDX-License-Identifier: Apache-2.0
#include "src/wire/value.h"

#include <stdlib.h>
#include <string.h>
#include "src/wire/value_private.h"

#define BLOCK_BYTES (64 * 1024)
/* A quoted text in a message is cut here. */
#define MAX_DESCRIBED 60

void value_tree_init(struct value_tree *tree, struct value_error *error)
{
	*tree = (struct value_tree){
		.blocks = g_ptr_array_new_with_free_func(g_free),
		.error = error,
	};
}

void value_tree_fini(struct value_tree *tree)
{
	g_ptr_array_unref(tree->blocks);
}

static void *take_bytes(struct value_tree *tree, size_t n_bytes)
{
	void *taken;

	if (n_bytes > tree->n_free) {
		/* The first block is small: most documents are. */
		size_t n_block = MAX(n_bytes, tree->blocks->len ? BLOCK_BYTES : BLOCK_BYTES / 16);

		tree->free = g_malloc(n_block);
		tree->n_free = n_block;
		g_ptr_array_add(tree->blocks, tree->free);
	}
	taken = tree->free;
	tree->free += n_bytes;
	tree->n_free -= n_bytes;
	return taken;
}

struct value *value_tree_node(struct value_tree *tree, enum value_type type, unsigned int line)
{
	struct value *value;

	if (++tree->n_nodes > VALUE_MAX_NODES) {
		value_tree_set_error(tree, line, "more than %d values in one document",
				     VALUE_MAX_NODES);
		return NULL;
	}
	value = take_bytes(tree, sizeof(*value));
	*value = (struct value){.type = type, .line = line};
	return value;
}

char *value_tree_text(struct value_tree *tree, const char *text, size_t n_bytes)
{
	/* Rounded up: the next node starts aligned. */
	size_t align = _Alignof(struct value);
	char *copy = take_bytes(tree, (n_bytes + align) & ~(align - 1));

	memcpy(copy, text, n_bytes);
	copy[n_bytes] = '\0';
	return copy;
}

void value_tree_append(struct value *container, struct value *item)
{
	if (container->last)
		container->last->next = item;
	else
		container->first = item;
	container->last = item;
	container->n++;
}

void value_tree_set_error(struct value_tree *tree, unsigned int line, const char *format, ...)
{
	va_list args;

	if (tree->error->reason)
		return;
	va_start(args, format);
	*tree->error = (struct value_error){.line = line, .reason = g_strdup_vprintf(format, args)};
	va_end(args);
}

static int compare_keys(const void *a, const void *b)
{
	const struct value *x = *(const struct value *const *)a;
	const struct value *y = *(const struct value *const *)b;
	int order = strcmp(x->key, y->key);

	return order ? order : (x->line > y->line) - (x->line < y->line);
}

int value_tree_check_keys(struct value_tree *tree, const struct value *mapping)
{
	g_autofree const struct value **sorted = NULL;
	unsigned int n = 0;

	if (mapping->n < 2)
		return 0;
	sorted = g_new(const struct value *, mapping->n);
	for (const struct value *item = mapping->first; item; item = item->next)
		sorted[n++] = item;
	qsort(sorted, n, sizeof(sorted[0]), compare_keys);
	for (unsigned int i = 1; i < n; i++)
		if (strcmp(sorted[i - 1]->key, sorted[i]->key) == 0)
			return value_tree_fail(tree, sorted[i]->line,
					       "key \"%.*s\" is given twice, first on line %u",
					       MAX_DESCRIBED, sorted[i]->key, sorted[i - 1]->line);
	return 0;
}

static const char *skip_digits(const char *p)
{
	while (g_ascii_isdigit(*p))
		p++;
	return p;
}

/* [-]digits[.digits][e[±]digits], no leading zeros: what JSON and YAML agree on. */
static bool is_decimal(const char *text, bool *ret_is_integer)
{
	const char *digits = text + (*text == '-');
	const char *p = skip_digits(digits);

	if (p == digits || (*digits == '0' && p > digits + 1))
		return false;
	*ret_is_integer = !*p;
	if (*p == '.') {
		if (skip_digits(p + 1) == p + 1)
			return false;
		p = skip_digits(p + 1);
	}
	if (*p == 'e' || *p == 'E') {
		p += p[1] == '+' || p[1] == '-' ? 2 : 1;
		if (skip_digits(p) == p)
			return false;
		p = skip_digits(p);
	}
	return !*p;
}

bool value_tree_number(struct value *value)
{
	gint64 integer;
	bool is_integer;

	if (!is_decimal(value->text, &is_integer))
		return false;
	if (is_integer &&
	    g_ascii_string_to_signed(value->text, 10, G_MININT64, G_MAXINT64, &integer, NULL)) {
		value->type = VALUE_INT;
		value->integer = integer;
	} else {
		value->type = VALUE_FLOAT;
		value->number = g_ascii_strtod(value->text, NULL);
	}
	return true;
}

const struct value *value_get(const struct value *mapping, const char *key)
{
	if (mapping->type != VALUE_MAPPING)
		return NULL;
	for (const struct value *item = mapping->first; item; item = item->next)
		if (strcmp(item->key, key) == 0)
			return item;
	return NULL;
}

char *value_describe(const struct value *value)
{
	g_autofree char *cut = NULL;

	switch (value->type) {
	case VALUE_NULL:
		return g_strdup("nothing");
	case VALUE_SEQUENCE:
		return g_strdup("a list");
	case VALUE_MAPPING:
		return g_strdup("a mapping");
	case VALUE_BOOL:
		return g_strdup(value->text);
	case VALUE_INT:
	case VALUE_FLOAT:
		return g_strdup_printf("the number %.*s", MAX_DESCRIBED, value->text);
	case VALUE_STRING:
		break;
	}
	cut = g_utf8_substring(value->text, 0, MIN(g_utf8_strlen(value->text, -1), MAX_DESCRIBED));
	return g_strdup_printf("\"%s%s\"", cut, strlen(cut) < strlen(value->text) ? "…" : "");
}
