/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/jsonpath_path.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Filters in filters. */
#define NESTING_MAX 16

struct path {
	const json_t *root;
	unsigned int depth;
	bool is_lenient; /* what is missing is left out: behind "..", and in filters */
	GError **error;
};

static int refuse(const struct path *path, const char *what, const char *at)
{
	return error_set(path->error, EINVAL, "jsonpath: %s at \"%.20s\"", what, at);
}

static int evaluate(struct path *path, const json_t *current, const char *text,
		    GPtrArray **ret_values);

/* ---- from a list of values to the next, by name or index ---- */

static int step_name(const struct path *path, GPtrArray *from, const char *name, GPtrArray *to)
{
	for (size_t i = 0; i < from->len; i++) {
		json_t *value = json_object_get(g_ptr_array_index(from, i), name);

		if (value)
			g_ptr_array_add(to, value);
		else if (!path->is_lenient)
			return error_set(path->error, ENOENT, "jsonpath: %s is not found", name);
	}
	return 0;
}

static void step_all(GPtrArray *from, GPtrArray *to)
{
	for (size_t i = 0; i < from->len; i++) {
		json_t *container = g_ptr_array_index(from, i), *value;
		const char *name;
		size_t n;

		json_array_foreach(container, n, value) g_ptr_array_add(to, value);
		json_object_foreach(container, name, value) g_ptr_array_add(to, value);
	}
}

/* An index counts from the end where it is negative. */
static long absolute(long index, size_t n)
{
	return index < 0 ? index + (long)n : index;
}

static int step_index(const struct path *path, GPtrArray *from, long index, GPtrArray *to)
{
	for (size_t i = 0; i < from->len; i++) {
		const json_t *array = g_ptr_array_index(from, i);
		long n = absolute(index, json_array_size(array));
		json_t *value = n < 0 ? NULL : json_array_get(array, n);

		if (value)
			g_ptr_array_add(to, value);
		else if (!path->is_lenient)
			return error_set(
				path->error, ENOENT,
				"jsonpath: array index out of bounds: index %ld, length %zu", index,
				json_array_size(array));
	}
	return 0;
}

/* "first:end:step", each of which may be left out. */
static int step_slice(const struct path *path, GPtrArray *from, const char *text, GPtrArray *to)
{
	long bounds[] = {0, G_MAXINT, 1};
	const char *at = text;

	for (size_t i = 0; i < G_N_ELEMENTS(bounds); i++) {
		char *rest;
		long number = strtol(at, &rest, 10);

		if (rest != at)
			bounds[i] = number;
		at = rest;
		if (*at != ':')
			break;
		at++;
	}
	if (*at || !strchr(text, ':'))
		return refuse(path, "not an index", text);
	if (bounds[2] < 1)
		return refuse(path, "a step must be 1 or more", text);
	for (size_t i = 0; i < from->len; i++) {
		const json_t *array = g_ptr_array_index(from, i);
		long n = (long)json_array_size(array);
		long end = MIN(absolute(bounds[1], n), n);

		for (long k = MAX(absolute(bounds[0], n), 0); k < end; k += MIN(bounds[2], n))
			g_ptr_array_add(to, json_array_get(array, k));
	}
	return 0;
}

/* ---- filters ---- */

static const char *const operators[] = {"==", "!=", "<=", ">=", "<", ">"};

/* The first byte of text..end that is outside quotes and brackets and begins one of the words; or NULL. */
static const char *find_outside(const char *text, const char *const *words, size_t n_words,
				const char **ret_word)
{
	unsigned int depth = 0;
	char quote = 0;

	for (; *text; text++) {
		if (quote) {
			if (*text == '\\' && text[1])
				text++;
			else if (*text == quote)
				quote = 0;
			continue;
		}
		for (size_t i = 0; !depth && i < n_words; i++) {
			if (g_str_has_prefix(text, words[i])) {
				*ret_word = words[i];
				return text;
			}
		}
		if (*text == '"' || *text == '\'')
			quote = *text;
		else if (*text == '[' || *text == '(')
			depth++;
		else if ((*text == ']' || *text == ')') && depth)
			depth--;
	}
	return NULL;
}

static bool is_quoted(const char *text)
{
	size_t n = strlen(text);

	return n >= 2 && (*text == '"' || *text == '\'') && text[n - 1] == *text;
}

static char *unquote(const char *text)
{
	g_autofree char *inner = g_strndup(text + 1, strlen(text) - 2);

	return g_strcompress(inner);
}

/* A text, number, true or false as it stands there; or NULL. */
static json_t *parse_literal(const char *text)
{
	g_autofree char *inner = is_quoted(text) ? unquote(text) : NULL;
	char *end;
	double number;

	if (inner)
		return json_string(inner);
	if (!strcmp(text, "true") || !strcmp(text, "false"))
		return json_boolean(*text == 't');
	number = g_ascii_strtod(text, &end);
	return end != text && !*end ? json_real(number) : NULL;
}

/* *ret_value is a reference; NULL: not there. */
static int operand(struct path *path, const json_t *current, const char *text, json_t **ret_value)
{
	g_autoptr(GPtrArray) values = NULL;
	int err;

	*ret_value = parse_literal(text);
	if (*ret_value)
		return 0;
	err = evaluate(path, current, text, &values);
	if (err < 0)
		return err;
	if (values->len > 1)
		return refuse(path, "a filter compares single values, here are several", text);
	if (values->len)
		*ret_value = json_incref(g_ptr_array_index(values, 0));
	return 0;
}

/* Whether left and right can be compared; *ret_order: below, equal to or above 0. */
static bool compare(const json_t *left, const json_t *right, int *ret_order)
{
	if (json_is_number(left) && json_is_number(right)) {
		double a = json_number_value(left), b = json_number_value(right);

		*ret_order = (a > b) - (a < b);
		return true;
	}
	if (json_is_string(left) && json_is_string(right)) {
		*ret_order = strcmp(json_string_value(left), json_string_value(right));
		return true;
	}
	*ret_order = !json_equal(left, right);
	return false;
}

static bool holds(const json_t *left, const char *word, const json_t *right)
{
	int order;
	bool has_order;

	if (!left || !right)
		return false;
	has_order = compare(left, right, &order);
	if (*word == '=')
		return !order;
	if (*word == '!')
		return order;
	if (!has_order)
		return false;
	return (*word == '<' ? order < 0 : order > 0) || (word[1] && !order);
}

static int judge(struct path *path, const json_t *current, const char *condition, bool *ret_holds)
{
	json_auto_t *left = NULL, *right = NULL;
	g_autofree char *left_text = NULL;
	const char *word, *at = find_outside(condition, operators, G_N_ELEMENTS(operators), &word);
	int err;

	if (!at) {
		g_autoptr(GPtrArray) values = NULL;

		err = evaluate(path, current, condition, &values);
		if (!err)
			*ret_holds = values->len > 0;
		return err;
	}
	left_text = g_strstrip(g_strndup(condition, at - condition));
	at += strlen(word);
	at += strspn(at, " ");
	err = operand(path, current, left_text, &left);
	if (!err)
		err = operand(path, current, at, &right);
	if (!err)
		*ret_holds = holds(left, word, right);
	return err;
}

/* "?(…)" */
static int step_filter(struct path *path, GPtrArray *from, const char *text, GPtrArray *to)
{
	struct path inner = {path->root, path->depth + 1, true, path->error};
	g_autofree char *condition = NULL;
	g_autoptr(GPtrArray) elements = g_ptr_array_new();
	size_t n = strlen(text);
	int err = 0;

	if (inner.depth > NESTING_MAX)
		return refuse(path, "too many filters in filters", text);
	if (n < 3 || text[1] != '(' || text[n - 1] != ')')
		return refuse(path, "expected ?(…)", text);
	condition = g_strstrip(g_strndup(text + 2, n - 3));
	step_all(from, elements);
	for (size_t i = 0; i < elements->len && !err; i++) {
		bool is_kept = false;

		err = judge(&inner, g_ptr_array_index(elements, i), condition, &is_kept);
		if (!err && is_kept)
			g_ptr_array_add(to, g_ptr_array_index(elements, i));
	}
	return err;
}

/* ---- the steps of a path ---- */

/* One of the parts of "[…,…]". */
static int step_part(struct path *path, GPtrArray *from, const char *text, GPtrArray *to)
{
	char *rest;
	long index;

	if (!strcmp(text, "*")) {
		step_all(from, to);
		return 0;
	}
	if (is_quoted(text)) {
		g_autofree char *name = unquote(text);

		return step_name(path, from, name, to);
	}
	if (*text == '?')
		return step_filter(path, from, text, to);
	index = strtol(text, &rest, 10);
	return !*rest && rest != text ? step_index(path, from, index, to)
				      : step_slice(path, from, text, to);
}

/* "[…]" without the brackets. */
static int step_bracket(struct path *path, GPtrArray *from, const char *text, GPtrArray *to)
{
	static const char *const comma[] = {","};
	const char *end, *word;
	int err = 0;

	do {
		g_autofree char *part = NULL;

		end = find_outside(text, comma, 1, &word);
		part = g_strstrip(g_strndup(text, end ? (size_t)(end - text) : strlen(text)));
		err = step_part(path, from, part, to);
		text = end ? end + 1 : NULL;
	} while (end && !err);
	return err;
}

/* Each value, and all that is in it. */
static void descend(json_t *value, GPtrArray *to)
{
	const char *name;
	json_t *inner;
	size_t n;

	g_ptr_array_add(to, value);
	json_array_foreach(value, n, inner) descend(inner, to);
	json_object_foreach(value, name, inner) descend(inner, to);
}

/* The end of a name; a backslash takes away the meaning of what follows. */
static const char *name_end(const char *text)
{
	while (*text && !strchr(".[ ", *text))
		text += *text == '\\' && text[1] ? 2 : 1;
	return text;
}

static int take_name(const struct path *path, const char **text, GPtrArray *from, GPtrArray *to)
{
	const char *start = *text + 1, *end = name_end(start);
	g_autoptr(GString) name = g_string_new(NULL);

	*text = end;
	if (end - start == 1 && *start == '*') {
		step_all(from, to);
		return 0;
	}
	if (start == end) { /* "{.}" and "{.[0]}": the element itself */
		g_ptr_array_extend(to, from, NULL, NULL);
		return 0;
	}
	for (const char *c = start; c < end; c++)
		g_string_append_c(name, *c == '\\' && c + 1 < end ? *++c : *c);
	return step_name(path, from, name->str, to);
}

static int take_bracket(struct path *path, const char **text, GPtrArray *from, GPtrArray *to)
{
	static const char *const bracket[] = {"]"};
	const char *word, *end = find_outside(*text + 1, bracket, 1, &word);
	g_autofree char *inside = NULL;

	if (!end)
		return refuse(path, "] is missing", *text);
	inside = g_strndup(*text + 1, end - *text - 1);
	*text = end + 1;
	return step_bracket(path, from, inside, to);
}

/* Takes the step at *text and moves behind it. */
static int take_step(struct path *path, const char **text, GPtrArray *from, GPtrArray *to)
{
	struct path inner = {path->root, path->depth, true, path->error};
	g_autoptr(GPtrArray) all = NULL;

	if (**text == '[')
		return take_bracket(path, text, from, to);
	if (**text != '.')
		return refuse(path, "expected . or [", *text);
	if ((*text)[1] != '.')
		return take_name(path, text, from, to);
	all = g_ptr_array_new();
	for (size_t i = 0; i < from->len; i++)
		descend(g_ptr_array_index(from, i), all);
	++*text;
	if ((*text)[1] != '[')
		return take_name(&inner, text, all, to);
	++*text;
	return take_bracket(&inner, text, all, to);
}

static int evaluate(struct path *path, const json_t *current, const char *text,
		    GPtrArray **ret_values)
{
	g_autoptr(GPtrArray) values = g_ptr_array_new();

	g_ptr_array_add(values, (void *)(*text == '$' ? path->root : current));
	if (*text == '$' || *text == '@')
		text++;
	while (*text) {
		GPtrArray *next = g_ptr_array_new();
		int err = take_step(path, &text, values, next);

		g_ptr_array_unref(values);
		values = next;
		if (err < 0)
			return err;
	}
	*ret_values = g_steal_pointer(&values);
	return 0;
}

int jsonpath_path_evaluate(const json_t *root, const json_t *current, const char *text,
			   GPtrArray **ret_values, GError **error)
{
	struct path path = {.root = root, .error = error};

	return evaluate(&path, current, text, ret_values);
}
