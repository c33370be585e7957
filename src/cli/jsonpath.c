/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/jsonpath.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define NESTING_MAX 16

struct jsonpath {
	GString *out;
	const json_t *root;
	unsigned int depth;
	GError **error;
};

static int refuse(struct jsonpath *path, const char *what, const char *at)
{
	return error_set(path->error, EINVAL, "jsonpath: %s at \"%.20s\"", what, at);
}

/* ---- one step of a path: from a list of values to the next ---- */

static int step_name(struct jsonpath *path, GPtrArray *from, const char *name, GPtrArray *to)
{
	for (size_t i = 0; i < from->len; i++) {
		json_t *value = json_object_get(g_ptr_array_index(from, i), name);

		if (!value)
			return error_set(path->error, ENOENT, "jsonpath: %s is not found", name);
		g_ptr_array_add(to, value);
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

static int step_index(struct jsonpath *path, GPtrArray *from, long index, GPtrArray *to)
{
	for (size_t i = 0; i < from->len; i++) {
		const json_t *array = g_ptr_array_index(from, i);
		long n = absolute(index, json_array_size(array));
		json_t *value = n < 0 ? NULL : json_array_get(array, n);

		if (!value)
			return error_set(
				path->error, ENOENT,
				"jsonpath: array index out of bounds: index %ld, length %zu", index,
				json_array_size(array));
		g_ptr_array_add(to, value);
	}
	return 0;
}

static void step_slice(GPtrArray *from, long first, long end, GPtrArray *to)
{
	for (size_t i = 0; i < from->len; i++) {
		const json_t *array = g_ptr_array_index(from, i);
		long n = (long)json_array_size(array);
		long last = MIN(absolute(end, n), n);

		for (long k = MAX(absolute(first, n), 0); k < last; k++)
			g_ptr_array_add(to, json_array_get(array, k));
	}
}

/* "[…]" without the brackets. */
static int step_bracket(struct jsonpath *path, GPtrArray *from, const char *text, GPtrArray *to)
{
	size_t n = strlen(text);
	long first = 0, end = G_MAXINT;
	char *rest;

	if (!strcmp(text, "*")) {
		step_all(from, to);
		return 0;
	}
	if (n >= 2 && (text[0] == '\'' || text[0] == '"') && text[n - 1] == text[0]) {
		g_autofree char *name = g_strndup(text + 1, n - 2);

		return step_name(path, from, name, to);
	}
	if (*text == '?')
		return refuse(path, "filters are not supported", text);
	if (strchr(text, ','))
		return refuse(path, "unions are not supported", text);
	first = strtol(text, &rest, 10);
	if (!*rest && rest != text)
		return step_index(path, from, first, to);
	if (*rest != ':')
		return refuse(path, "not an index", text);
	if (rest[1])
		end = strtol(rest + 1, &rest, 10);
	else
		rest++;
	if (*rest)
		return refuse(path, "not a range (steps are not supported)", text);
	step_slice(from, first, end, to);
	return 0;
}

/* Takes the step at *text and moves behind it. */
static int take_step(struct jsonpath *path, const char **text, GPtrArray *from, GPtrArray *to)
{
	g_autofree char *part = NULL;
	const char *start = *text;
	size_t n;

	if (*start == '[') {
		const char *end = strchr(start, ']');

		if (!end)
			return refuse(path, "] is missing", start);
		*text = end + 1;
		part = g_strndup(start + 1, end - start - 1);
		return step_bracket(path, from, g_strstrip(part), to);
	}
	if (g_str_has_prefix(start, ".."))
		return refuse(path, "recursive descent is not supported", start);
	if (*start != '.')
		return refuse(path, "expected . or [", start);
	n = strcspn(start + 1, ".[ ");
	*text = start + 1 + n;
	part = g_strndup(start + 1, n);
	if (!strcmp(part, "*")) {
		step_all(from, to);
		return 0;
	}
	if (!n) { /* "{.}" and "{.[0]}": the element itself */
		for (size_t i = 0; i < from->len; i++)
			g_ptr_array_add(to, g_ptr_array_index(from, i));
		return 0;
	}
	return step_name(path, from, part, to);
}

/* The values of a path. 0; or −errno, and none. */
static int evaluate(struct jsonpath *path, const json_t *current, const char *text,
		    GPtrArray **ret_values)
{
	GPtrArray *values = g_ptr_array_new();

	g_ptr_array_add(values, (void *)(*text == '$' ? path->root : current));
	if (*text == '$' || *text == '@')
		text++;
	while (*text) {
		GPtrArray *next = g_ptr_array_new();
		int err = take_step(path, &text, values, next);

		g_ptr_array_unref(values);
		values = next;
		if (err < 0) {
			g_ptr_array_unref(values);
			return err;
		}
	}
	*ret_values = values;
	return 0;
}

static void append_values(GString *out, const GPtrArray *values)
{
	for (size_t i = 0; i < values->len; i++) {
		const json_t *value = g_ptr_array_index(values, i);
		const char *text = json_string_value(value);
		char *dump = text ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

		g_string_append_printf(out, "%s%s", i ? " " : "", text ? text : dump);
		free(dump);
	}
}

/* ---- the pattern ---- */

/* The end of "{…}" that starts at text: quotes may hold braces. NULL where it is missing. */
static const char *brace_end(const char *text)
{
	char quote = 0;

	for (text++; *text; text++) {
		if (quote) {
			if (*text == '\\' && text[1])
				text++;
			else if (*text == quote)
				quote = 0;
		} else if (*text == '"' || *text == '\'') {
			quote = *text;
		} else if (*text == '}') {
			return text;
		}
	}
	return NULL;
}

/* The {end} of the range whose body starts at text; NULL where it is missing. */
static const char *range_end(const char *text)
{
	unsigned int depth = 1;

	while ((text = strchr(text, '{'))) {
		const char *end = brace_end(text);

		if (g_str_has_prefix(text, "{range "))
			depth++;
		else if (g_str_has_prefix(text, "{end}") && !--depth)
			return text;
		if (!end)
			return NULL;
		text = end;
	}
	return NULL;
}

static int format(struct jsonpath *path, const json_t *current, const char *text, const char *end);

static int format_range(struct jsonpath *path, const json_t *current, const char *expression,
			const char *body, const char *body_end)
{
	GPtrArray *values;
	int err = evaluate(path, current, expression, &values);

	if (err < 0)
		return err;
	for (size_t i = 0; i < values->len && !err; i++)
		err = format(path, g_ptr_array_index(values, i), body, body_end);
	g_ptr_array_unref(values);
	return err;
}

static int format_expression(struct jsonpath *path, const json_t *current, const char *expression)
{
	size_t n = strlen(expression);
	GPtrArray *values;
	int err;

	if (n >= 2 && (*expression == '"' || *expression == '\'') &&
	    expression[n - 1] == *expression) {
		g_autofree char *quoted = g_strndup(expression + 1, n - 2);
		g_autofree char *text = g_strcompress(quoted);

		g_string_append(path->out, text);
		return 0;
	}
	err = evaluate(path, current, expression, &values);
	if (err < 0)
		return err;
	append_values(path->out, values);
	g_ptr_array_unref(values);
	return 0;
}

/* Formats text..end with current as what a path starts from. */
static int format(struct jsonpath *path, const json_t *current, const char *text, const char *end)
{
	int err = 0;

	if (++path->depth > NESTING_MAX)
		return refuse(path, "too many ranges in ranges", text);
	while (text < end && !err) {
		const char *close;
		g_autofree char *expression = NULL;

		if (*text != '{') {
			g_string_append_c(path->out, *text++);
			continue;
		}
		close = brace_end(text);
		if (!close)
			return refuse(path, "} is missing", text);
		expression = g_strstrip(g_strndup(text + 1, close - text - 1));
		text = close + 1;
		if (g_str_has_prefix(expression, "range ")) {
			const char *body_end = range_end(text);

			if (!body_end)
				return refuse(path, "{end} is missing", expression);
			err = format_range(path, current, g_strstrip(expression + strlen("range ")),
					   text, body_end);
			text = body_end + strlen("{end}");
		} else if (!strcmp(expression, "end")) {
			return refuse(path, "{end} without {range}", expression);
		} else {
			err = format_expression(path, current, expression);
		}
	}
	path->depth--;
	return err;
}

int jsonpath_format(GString *out, const json_t *root, const char *pattern, GError **error)
{
	struct jsonpath path = {.out = out, .root = root, .error = error};

	if (!*pattern)
		return error_set(error, EINVAL, "jsonpath: the pattern is empty");
	return format(&path, root, pattern, pattern + strlen(pattern));
}
