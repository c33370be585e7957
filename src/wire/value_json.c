// SPDX-License-Identifier: Apache-2.0
#include "src/wire/value.h"

#include <string.h>
#include "src/wire/value_private.h"

struct json {
	const char *p; /* at the end there is a NUL */
	unsigned int line;
	struct value_tree tree;
	GString *scratch; /* a text whose escapes are being resolved */
};

static int fail_at(struct json *json, const char *wanted)
{
	if (!*json->p)
		return value_tree_fail(&json->tree, json->line, "the text ends, want %s", wanted);
	return value_tree_fail(&json->tree, json->line, "got '%.*s', want %s",
			       (int)(g_utf8_next_char(json->p) - json->p), json->p, wanted);
}

static void skip_blanks(struct json *json)
{
	for (; *json->p && strchr(" \t\r\n", *json->p); json->p++)
		if (*json->p == '\n')
			json->line++;
}

static bool take(struct json *json, char c)
{
	skip_blanks(json);
	if (*json->p != c)
		return false;
	json->p++;
	return true;
}

/* Four hexadecimal digits, or −1. */
static int32_t take_hex(struct json *json)
{
	int32_t code = 0;

	for (int i = 0; i < 4; i++) {
		int digit = g_ascii_xdigit_value(*json->p);

		if (digit < 0)
			return -1;
		code = code << 4 | digit;
		json->p++;
	}
	return code;
}

/* Behind \u. Two escapes make one character beyond the first 65,536. */
static int take_unicode(struct json *json)
{
	int32_t code = take_hex(json), low;

	if (code >= 0xd800 && code < 0xdc00 && json->p[0] == '\\' && json->p[1] == 'u') {
		json->p += 2;
		low = take_hex(json);
		if (low < 0xdc00 || low > 0xdfff)
			code = -1;
		else
			code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
	}
	if (code <= 0 || (code >= 0xd800 && code <= 0xdfff))
		return value_tree_fail(&json->tree, json->line, "a bad \\u escape in a text");
	g_string_append_unichar(json->scratch, code);
	return 0;
}

static int take_escape(struct json *json)
{
	static const char names[] = "\"\\/bfnrt", characters[] = "\"\\/\b\f\n\r\t";
	const char *found;
	char c = *json->p;

	if (c == 'u') {
		json->p++;
		return take_unicode(json);
	}
	found = c ? strchr(names, c) : NULL;
	if (!found)
		return fail_at(json, "one of \"\\/bfnrtu behind a backslash");
	g_string_append_c(json->scratch, characters[found - names]);
	json->p++;
	return 0;
}

/* A text from its opening quote on. The copy is in the tree. */
static int take_text(struct json *json, const char **ret_text)
{
	if (!take(json, '"'))
		return fail_at(json, "a text in double quotes");
	g_string_truncate(json->scratch, 0);
	for (;;) {
		const char *start = json->p;

		while ((unsigned char)*json->p >= 0x20 && *json->p != '"' && *json->p != '\\')
			json->p++;
		g_string_append_len(json->scratch, start, json->p - start);
		if (*json->p == '"')
			break;
		if (*json->p != '\\')
			return value_tree_fail(&json->tree, json->line,
					       *json->p ? "a control character in a text"
							: "the text ends inside quotes");
		json->p++;
		if (take_escape(json) < 0)
			return -EINVAL;
	}
	json->p++;
	*ret_text = value_tree_text(&json->tree, json->scratch->str, json->scratch->len);
	return 0;
}

/* true, false, null, or a number. */
static int take_word(struct json *json, struct value *value)
{
	size_t n_bytes = strspn(json->p, "+-.0123456789abcdefghijklmnopqrstuvwxyzE");

	value->text = value_tree_text(&json->tree, json->p, n_bytes);
	if (strcmp(value->text, "true") == 0 || strcmp(value->text, "false") == 0) {
		value->type = VALUE_BOOL;
		value->boolean = value->text[0] == 't';
	} else if (strcmp(value->text, "null") == 0) {
		value->type = VALUE_NULL;
	} else if (!value_tree_number(value)) {
		return fail_at(json, "a JSON value");
	}
	json->p += n_bytes;
	return 0;
}

/* NULL, with the error set, where there is none. */
static struct value *take_value(struct json *json, unsigned int depth);

static int take_items(struct json *json, struct value *container, char end, unsigned int depth)
{
	if (take(json, end))
		return 0;
	do {
		const char *key = NULL;
		struct value *item;

		if (container->type == VALUE_MAPPING) {
			if (take_text(json, &key) < 0)
				return -EINVAL;
			if (!take(json, ':'))
				return fail_at(json, "':' behind a key");
		}
		item = take_value(json, depth);
		if (!item)
			return -EINVAL;
		item->key = key;
		value_tree_append(container, item);
	} while (take(json, ','));
	if (!take(json, end))
		return fail_at(json, end == '}' ? "',' or '}'" : "',' or ']'");
	return container->type == VALUE_MAPPING ? value_tree_check_keys(&json->tree, container) : 0;
}

static int take_container(struct json *json, struct value *container, unsigned int depth)
{
	bool is_mapping = *json->p == '{';

	if (depth >= VALUE_MAX_DEPTH)
		return value_tree_fail(&json->tree, json->line, "nested deeper than %d",
				       VALUE_MAX_DEPTH);
	container->type = is_mapping ? VALUE_MAPPING : VALUE_SEQUENCE;
	json->p++;
	return take_items(json, container, is_mapping ? '}' : ']', depth + 1);
}

static struct value *take_value(struct json *json, unsigned int depth)
{
	struct value *value;
	int r;

	skip_blanks(json);
	value = value_tree_node(&json->tree, VALUE_STRING, json->line);
	if (!value)
		return NULL;
	if (*json->p == '{' || *json->p == '[')
		r = take_container(json, value, depth);
	else if (*json->p == '"')
		r = take_text(json, &value->text);
	else
		r = take_word(json, value);
	return r < 0 ? NULL : value;
}

static unsigned int count_lines(const char *text, const char *end)
{
	unsigned int n = 1;

	for (; text < end; text++)
		n += *text == '\n';
	return n;
}

static struct value *parse(struct json *json, const char *text, size_t n_bytes)
{
	struct value *root;
	const char *end;

	if (n_bytes > VALUE_MAX_BYTES) {
		value_tree_set_error(&json->tree, 0, "longer than %d bytes", VALUE_MAX_BYTES);
		return NULL;
	}
	if (!g_utf8_validate_len(text, n_bytes, &end)) {
		value_tree_set_error(&json->tree, count_lines(text, end),
				     "a byte that is not UTF-8, or NUL");
		return NULL;
	}
	root = take_value(json, 0);
	skip_blanks(json);
	if (!root || !*json->p)
		return root;
	fail_at(json, "the end of the text");
	return NULL;
}

int value_parse_json(const char *text, size_t n_bytes, value_document document, void *data,
		     struct value_error *ret_error)
{
	/* The caller's text need not end in NUL; the parser's does. */
	g_autofree char *copy = g_strndup(text, MIN(n_bytes, VALUE_MAX_BYTES));
	struct json json = {.p = copy, .line = 1, .scratch = g_string_new(NULL)};
	struct value_error error = {};
	struct value *root;

	value_tree_init(&json.tree, &error);
	root = parse(&json, text, n_bytes);
	if (root)
		document(root, data);
	else
		*ret_error = error;
	value_tree_fini(&json.tree);
	g_string_free(json.scratch, TRUE);
	return root ? 0 : -EINVAL;
}
