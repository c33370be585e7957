// SPDX-License-Identifier: Apache-2.0
/* Selectors of labels in one line, as kubectl get -l takes them. */
#include <string.h>
#include "src/source/decode_private.h"
#include "src/source/syntax.h"

struct parser {
	const struct field *field;
	const char *text;       /* the rest */
	GArray *requirements;   /* struct requirement */
	GStringChunk *texts;    /* theirs */
	GPtrArray *values;      /* of the requirement under way, then NULL */
	GPtrArray *value_lists; /* gpointer *: those before */
	bool failed;
};

static void fail(struct parser *parser, const char *wanted)
{
	if (!parser->failed)
		field_add_problem(parser->field, "at \"%.50s\": want %s", parser->text, wanted);
	parser->failed = true;
}

static void skip_blanks(struct parser *parser)
{
	parser->text += strspn(parser->text, " \t");
}

static bool accept_token(struct parser *parser, const char *token)
{
	skip_blanks(parser);
	if (!g_str_has_prefix(parser->text, token))
		return false;
	parser->text += strlen(token);
	return true;
}

/* What stands between operators; "" where an operator stands. */
static const char *take_word(struct parser *parser)
{
	size_t n;

	skip_blanks(parser);
	n = strcspn(parser->text, " \t,=!()<>");
	parser->text += n;
	return g_string_chunk_insert_len(parser->texts, parser->text - n, n);
}

static void add_value(struct parser *parser)
{
	const char *value = take_word(parser);

	if (!syntax_is_label_value(value))
		fail(parser,
		     "after the value of a label: at most 63 of A-Z, a-z, 0-9, '-', '_' and "
		     "'.', a letter or digit at both ends");
	g_ptr_array_add(parser->values, (char *)value);
}

/* "(a,b)" */
static void add_values(struct parser *parser)
{
	if (!accept_token(parser, "(")) {
		fail(parser, "(");
		return;
	}
	do
		add_value(parser);
	while (accept_token(parser, ","));
	if (!accept_token(parser, ")"))
		fail(parser, ")");
}

static bool accept_word(struct parser *parser, const char *word)
{
	const char *before = parser->text;

	if (strcmp(take_word(parser), word) == 0)
		return true;
	parser->text = before;
	return false;
}

static enum requirement_operator parse_operator(struct parser *parser)
{
	if (accept_token(parser, "!=")) {
		add_value(parser);
		return REQUIREMENT_NOT_IN;
	}
	if (accept_token(parser, "==") || accept_token(parser, "=")) {
		add_value(parser);
		return REQUIREMENT_IN;
	}
	if (accept_word(parser, "in")) {
		add_values(parser);
		return REQUIREMENT_IN;
	}
	if (accept_word(parser, "notin")) {
		add_values(parser);
		return REQUIREMENT_NOT_IN;
	}
	return REQUIREMENT_EXISTS;
}

static void parse_requirement(struct parser *parser)
{
	bool is_not = accept_token(parser, "!");
	const char *key = take_word(parser);
	struct requirement requirement = {
		.source = "k8s", .key = key, .op = REQUIREMENT_NOT_EXISTS};

	if (!syntax_is_label_key(key)) {
		fail(parser, "after the key of a label: [domain/]name");
		return;
	}
	if (!is_not)
		requirement.op = parse_operator(parser);
	if (parser->values->len) {
		g_ptr_array_add(parser->values, NULL);
		g_ptr_array_add(parser->value_lists, g_ptr_array_steal(parser->values, NULL));
		requirement.values = parser->value_lists->pdata[parser->value_lists->len - 1];
	}
	g_array_append_val(parser->requirements, requirement);
}

const struct selector *decode_selector_text(const struct field *field, const char *text)
{
	g_autoptr(GArray) requirements = g_array_new(FALSE, FALSE, sizeof(struct requirement));
	g_autoptr(GPtrArray) values = g_ptr_array_new();
	g_autoptr(GPtrArray) value_lists = g_ptr_array_new_with_free_func(g_free);
	struct parser parser = {
		.field = field,
		.text = text,
		.requirements = requirements,
		.texts = g_string_chunk_new(256),
		.values = values,
		.value_lists = value_lists,
	};
	const struct selector *selector = NULL;

	do
		parse_requirement(&parser);
	while (!parser.failed && accept_token(&parser, ","));
	skip_blanks(&parser);
	if (*parser.text)
		fail(&parser, "a comma, or the end");
	if (!parser.failed)
		selector = selector_new_labels(
			(const struct requirement *)(void *)requirements->data, requirements->len);
	g_string_chunk_free(parser.texts);
	return selector;
}
