// SPDX-License-Identifier: Apache-2.0
#include "src/wire/value.h"

#include <string.h>
#include <yaml.h>
#include "src/wire/value_private.h"

struct anchor {
	const char *name; /* in the tree */
	const struct value *value;
};

struct yaml {
	yaml_parser_t parser;
	struct value_tree tree;
	GArray *anchors;       /* struct anchor, of this document */
	unsigned int n_copied; /* nodes that aliases stand for, in all documents */
};

static unsigned int line_of(const yaml_event_t *event)
{
	return event->start_mark.line + 1;
}

static int next_event(struct yaml *yaml, yaml_event_t *event)
{
	const yaml_parser_t *parser = &yaml->parser;

	if (yaml_parser_parse(&yaml->parser, event))
		return 0;
	/* The reader's errors (bad UTF-8) come without a mark: it reads ahead of the last one. */
	return value_tree_fail(
		&yaml->tree,
		1 + (parser->problem_mark.line ? parser->problem_mark.line : parser->mark.line),
		"%s%s%s", parser->problem ? parser->problem : "not YAML",
		parser->context ? " " : "", parser->context ? parser->context : "");
}

static bool is_one_of(const char *text, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(text, *words) == 0)
			return true;
	return false;
}

/* What a plain scalar is in the core schema. */
static void resolve_plain(struct value *value)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
	static const char *const trues[] = {"true", "True", "TRUE", NULL};
	static const char *const falses[] = {"false", "False", "FALSE", NULL};

	if (is_one_of(value->text, nulls)) {
		value->type = VALUE_NULL;
	} else if (is_one_of(value->text, trues)) {
		value->type = VALUE_BOOL;
		value->boolean = true;
	} else if (is_one_of(value->text, falses)) {
		value->type = VALUE_BOOL;
		value->boolean = false;
	} else {
		value_tree_number(value);
	}
}

static int check_tag(struct yaml *yaml, const yaml_event_t *event, const yaml_char_t *tag,
		     const char *allowed)
{
	if (!tag || strcmp((const char *)tag, "!") == 0 || strcmp((const char *)tag, allowed) == 0)
		return 0;
	return value_tree_fail(&yaml->tree, line_of(event), "tag %.60s is not understood", tag);
}

/* As all that make a value: NULL with the error set where it cannot be. */
static struct value *parse_scalar(struct yaml *yaml, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t n_bytes = event->data.scalar.length;
	struct value *value;

	if (check_tag(yaml, event, event->data.scalar.tag, YAML_STR_TAG) < 0)
		return NULL;
	if (memchr(text, '\0', n_bytes)) {
		value_tree_set_error(&yaml->tree, line_of(event), "a text holds a NUL character");
		return NULL;
	}
	value = value_tree_node(&yaml->tree, VALUE_STRING, line_of(event));
	if (!value)
		return NULL;
	value->text = value_tree_text(&yaml->tree, text, n_bytes);
	if (!event->data.scalar.tag && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
		resolve_plain(value);
	return value;
}

/*
 * A copy, because a node stands in one list. Every node of it counts, in its document and in the text:
 * what takes long to expand must not come again in each of thousands of short documents.
 */
static struct value *copy_tree(struct yaml *yaml, const struct value *from, unsigned int line,
			       unsigned int depth)
{
	struct value_tree *tree = &yaml->tree;
	struct value *value;

	if (depth > VALUE_MAX_DEPTH) {
		value_tree_set_error(tree, line, "nested deeper than %d", VALUE_MAX_DEPTH);
		return NULL;
	}
	if (++yaml->n_copied > VALUE_MAX_NODES) {
		value_tree_set_error(tree, line, "aliases stand for more than %d values",
				     VALUE_MAX_NODES);
		return NULL;
	}
	/* Too many are the fault of the alias, not of the line it stands for. */
	value = value_tree_node(tree, from->type, line);
	if (!value)
		return NULL;
	*value = *from;
	value->next = NULL;
	if (from->type != VALUE_SEQUENCE && from->type != VALUE_MAPPING)
		return value;
	value->first = value->last = NULL;
	value->n = 0;
	for (const struct value *item = from->first; item; item = item->next) {
		struct value *copy = copy_tree(yaml, item, line, depth + 1);

		if (!copy)
			return NULL;
		value_tree_append(value, copy);
	}
	return value;
}

static struct value *expand_alias(struct yaml *yaml, const yaml_event_t *event, unsigned int depth)
{
	const char *name = (const char *)event->data.alias.anchor;

	/* The last of a name counts: an anchor may be set again. */
	for (unsigned int i = yaml->anchors->len; i-- > 0;) {
		const struct anchor *anchor = &g_array_index(yaml->anchors, struct anchor, i);

		if (strcmp(anchor->name, name) == 0)
			return copy_tree(yaml, anchor->value, line_of(event), depth);
	}
	value_tree_set_error(&yaml->tree, line_of(event), "alias *%.60s has no anchor", name);
	return NULL;
}

/* Anchors are few in manifests; many would make each alias a long search. */
#define MAX_ANCHORS 1000

static int add_anchor(struct yaml *yaml, const yaml_char_t *name, const struct value *value)
{
	struct anchor anchor = {.value = value};

	if (!name)
		return 0;
	if (yaml->anchors->len == MAX_ANCHORS)
		return value_tree_fail(&yaml->tree, value->line, "more than %d anchors",
				       MAX_ANCHORS);
	anchor.name = value_tree_text(&yaml->tree, (const char *)name, strlen((const char *)name));
	g_array_append_val(yaml->anchors, anchor);
	return 0;
}

static struct value *parse_node(struct yaml *yaml, const yaml_event_t *event, unsigned int depth);

static int parse_key(struct yaml *yaml, const yaml_event_t *event, const char **ret_key)
{
	struct value *key;

	if (event->type != YAML_SCALAR_EVENT)
		return value_tree_fail(&yaml->tree, line_of(event), "a key that is not a text");
	key = parse_scalar(yaml, event);
	if (!key || add_anchor(yaml, event->data.scalar.anchor, key) < 0)
		return -EINVAL;
	if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && strcmp(key->text, "<<") == 0)
		return value_tree_fail(&yaml->tree, key->line,
				       "merge keys (<<) are not understood");
	*ret_key = key->text;
	return 0;
}

/* The items up to the end event of the container. */
static int parse_items(struct yaml *yaml, struct value *container, unsigned int depth)
{
	for (;;) {
		const char *key = NULL;
		struct value *item;
		yaml_event_t event;
		int r = next_event(yaml, &event);

		if (r < 0)
			return r;
		if (event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT) {
			yaml_event_delete(&event);
			return container->type == VALUE_MAPPING
				       ? value_tree_check_keys(&yaml->tree, container)
				       : 0;
		}
		if (container->type == VALUE_MAPPING) {
			r = parse_key(yaml, &event, &key);
			yaml_event_delete(&event);
			if (r == 0)
				r = next_event(yaml, &event);
			if (r < 0)
				return r;
		}
		item = parse_node(yaml, &event, depth);
		yaml_event_delete(&event);
		if (!item)
			return -EINVAL;
		item->key = key;
		value_tree_append(container, item);
	}
}

static struct value *parse_container(struct yaml *yaml, const yaml_event_t *event,
				     unsigned int depth)
{
	bool is_mapping = event->type == YAML_MAPPING_START_EVENT;
	const yaml_char_t *anchor =
		is_mapping ? event->data.mapping_start.anchor : event->data.sequence_start.anchor;
	const yaml_char_t *tag =
		is_mapping ? event->data.mapping_start.tag : event->data.sequence_start.tag;
	struct value *value;

	if (check_tag(yaml, event, tag, is_mapping ? YAML_MAP_TAG : YAML_SEQ_TAG) < 0)
		return NULL;
	if (depth >= VALUE_MAX_DEPTH) {
		value_tree_set_error(&yaml->tree, line_of(event), "nested deeper than %d",
				     VALUE_MAX_DEPTH);
		return NULL;
	}
	value = value_tree_node(&yaml->tree, is_mapping ? VALUE_MAPPING : VALUE_SEQUENCE,
				line_of(event));
	/* The anchor after the items: inside itself it would have no end. */
	if (!value || parse_items(yaml, value, depth + 1) < 0 ||
	    add_anchor(yaml, anchor, value) < 0)
		return NULL;
	return value;
}

static struct value *parse_node(struct yaml *yaml, const yaml_event_t *event, unsigned int depth)
{
	struct value *value;

	if (event->type == YAML_ALIAS_EVENT)
		return expand_alias(yaml, event, depth);
	if (event->type != YAML_SCALAR_EVENT)
		return parse_container(yaml, event, depth);
	value = parse_scalar(yaml, event);
	if (!value || add_anchor(yaml, event->data.scalar.anchor, value) < 0)
		return NULL;
	return value;
}

/* One document, from behind its start event to its end event. */
static struct value *parse_document(struct yaml *yaml)
{
	struct value *root;
	yaml_event_t event;

	if (next_event(yaml, &event) < 0)
		return NULL;
	root = parse_node(yaml, &event, 0);
	yaml_event_delete(&event);
	if (!root || next_event(yaml, &event) < 0)
		return NULL;
	yaml_event_delete(&event);
	return root;
}

static int parse_stream(struct yaml *yaml, value_document document, void *data,
			struct value_error *error)
{
	for (bool more = true; more;) {
		yaml_event_type_t type;
		yaml_event_t event;
		struct value *root;
		int r = next_event(yaml, &event);

		if (r < 0)
			return r;
		type = event.type;
		yaml_event_delete(&event);
		if (type == YAML_STREAM_END_EVENT)
			return 0;
		if (type != YAML_DOCUMENT_START_EVENT)
			continue;
		root = parse_document(yaml);
		if (!root)
			return -EINVAL;
		more = document(root, data);
		value_tree_fini(&yaml->tree);
		value_tree_init(&yaml->tree, error);
		g_array_set_size(yaml->anchors, 0);
	}
	return 0;
}

int value_parse_yaml(const char *text, size_t n_bytes, value_document document, void *data,
		     struct value_error *ret_error)
{
	static const char mark[] = {'\xef', '\xbb', '\xbf'};
	struct value_error error = {};
	struct yaml yaml;
	int r;

	/* Told the encoding, the parser takes the byte order mark for a column of the first line. */
	if (n_bytes >= sizeof(mark) && memcmp(text, mark, sizeof(mark)) == 0) {
		text += sizeof(mark);
		n_bytes -= sizeof(mark);
	}

	value_tree_init(&yaml.tree, &error);
	yaml.anchors = g_array_new(FALSE, FALSE, sizeof(struct anchor));
	yaml.n_copied = 0;
	if (!yaml_parser_initialize(&yaml.parser))
		g_error("out of memory");
	yaml_parser_set_encoding(&yaml.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&yaml.parser, (const unsigned char *)text, n_bytes);
	if (n_bytes > VALUE_MAX_BYTES)
		r = value_tree_fail(&yaml.tree, 0, "longer than %d bytes", VALUE_MAX_BYTES);
	else
		r = parse_stream(&yaml, document, data, &error);
	yaml_parser_delete(&yaml.parser);
	g_array_unref(yaml.anchors);
	value_tree_fini(&yaml.tree);
	if (r < 0)
		*ret_error = error;
	return r;
}
