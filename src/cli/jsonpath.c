/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/jsonpath.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "src/cli/jsonpath_path.h"

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
	int err = jsonpath_path_evaluate(path->root, current, expression, &values, path->error);

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
	err = jsonpath_path_evaluate(path->root, current, expression, &values, path->error);
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
