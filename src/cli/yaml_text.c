/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/yaml_text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Whether YAML would take the plain text for something else than this text. */
static bool needs_quotes(const char *text)
{
	static const char *const words[] = {"true", "false", "yes", "no", "on",   "off",
					    "null", "~",     "y",   "n",  ".inf", ".nan"};
	char *end;

	if (!*text || strpbrk(text, "\n\t\"\\") || strstr(text, ": ") || strstr(text, " #") ||
	    strchr("-?:,[]{}#&*!|>'%@` .", *text) || g_str_has_suffix(text, ":") ||
	    g_str_has_suffix(text, " "))
		return true;
	for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
		if (!g_ascii_strcasecmp(text, words[i]))
			return true;
	for (const unsigned char *c = (const unsigned char *)text; *c; c++)
		if (*c < ' ' || *c == 0x7f)
			return true;
	/* Numbers, and what YAML 1.1 takes for numbers in base 60, dates and times; an IPv4 address is text. */
	g_ascii_strtod(text, &end);
	return !*end ||
	       (g_ascii_isdigit(*text) && !text[strspn(text, "0123456789:-_.TZtz+ ")] &&
		strpbrk(text, ":-_")) ||
	       g_str_has_prefix(text, "0x") || g_str_has_prefix(text, "0o");
}

static void append_scalar(GString *out, const json_t *json)
{
	const char *text = json_string_value(json);
	char *dump;

	if (text && !needs_quotes(text)) {
		g_string_append(out, text);
		return;
	}
	/* A JSON scalar, quoted text too, is YAML. */
	dump = json_dumps(json, JSON_ENCODE_ANY | JSON_COMPACT);
	g_string_append(out, dump);
	free(dump);
}

static bool is_block(const json_t *json)
{
	return (json_is_object(json) && json_object_size(json)) ||
	       (json_is_array(json) && json_array_size(json));
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void append_block(GString *out, const json_t *json, int indent);

/* A member's value: on its line, or as a block on the lines below. Lists are not indented deeper. */
static void append_value(GString *out, const json_t *value, int indent)
{
	if (is_block(value)) {
		g_string_append_c(out, '\n');
		append_block(out, value, json_is_array(value) ? indent : indent + 2);
		return;
	}
	g_string_append_c(out, ' ');
	append_scalar(out, value);
	g_string_append_c(out, '\n');
}

/* What is the first in an element of a list stands behind its "- ". */
static void append_indent(GString *out, int indent)
{
	if (out->len < 2 || strcmp(out->str + out->len - 2, "- ") != 0)
		g_string_append_printf(out, "%*s", indent, "");
}

static void append_object(GString *out, const json_t *json, int indent)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)json, name, value) g_ptr_array_add(names, (void *)name);
	g_ptr_array_sort(names, compare_names);
	for (size_t i = 0; i < names->len; i++) {
		json_t *text;

		name = g_ptr_array_index(names, i);
		text = json_string(name);
		append_indent(out, indent);
		append_scalar(out, text);
		json_decref(text);
		g_string_append_c(out, ':');
		append_value(out, json_object_get(json, name), indent);
	}
}

static void append_block(GString *out, const json_t *json, int indent)
{
	json_t *value;
	size_t i;

	if (json_is_object(json)) {
		append_object(out, json, indent);
		return;
	}
	json_array_foreach(json, i, value)
	{
		append_indent(out, indent);
		g_string_append(out, "- ");
		if (is_block(value)) {
			append_block(out, value, indent + 2);
		} else {
			append_scalar(out, value);
			g_string_append_c(out, '\n');
		}
	}
}

void yaml_text_append(GString *out, const json_t *json)
{
	if (is_block(json)) {
		append_block(out, json, 0);
	} else {
		append_scalar(out, json);
		g_string_append_c(out, '\n');
	}
}
