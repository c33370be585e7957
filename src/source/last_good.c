// SPDX-License-Identifier: Apache-2.0
#include "src/source/last_good.h"

#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <string.h>
#include "src/store/tables.h"

/* So much text is parsed at once: a document has at most VALUE_MAX_NODES values. */
#define CHUNK_BYTES (1024 * 1024)

struct last_good *last_good_new(const char *file, unsigned int line, const char *text)
{
	struct last_good *good = g_new0(struct last_good, 1);

	good->file = g_strdup(file);
	good->line = line;
	good->text = g_strdup(text);
	return good;
}

void last_good_free(struct last_good *good)
{
	if (!good)
		return;
	g_free(good->file);
	g_free(good->text);
	g_free(good);
}

bool last_good_is_kept(const struct object_kind *kind)
{
	return kind->table == offsetof(struct tables, policies) ||
	       kind->table == offsetof(struct tables, cidr_groups);
}

/* A text under way, and the line that it has reached. */
struct writer {
	GString *text;
	unsigned int line;
};

static void go_to_line(struct writer *writer, unsigned int line)
{
	for (; writer->line < line; writer->line++)
		g_string_append_c(writer->text, '\n');
}

static void write_string(GString *text, const char *string)
{
	g_string_append_c(text, '"');
	for (const char *p = string; *p; p++) {
		if ((unsigned char)*p < ' ')
			g_string_append_printf(text, "\\u%04x", *p);
		else if (*p == '"' || *p == '\\')
			g_string_append_printf(text, "\\%c", *p);
		else
			g_string_append_c(text, *p);
	}
	g_string_append_c(text, '"');
}

static void write_number(GString *text, double number)
{
	char buffer[G_ASCII_DTOSTR_BUF_SIZE];

	/* What JSON has no word for, no policy has a use for. */
	g_string_append(text,
			isfinite(number) ? g_ascii_dtostr(buffer, sizeof(buffer), number) : "null");
}

static void write_scalar(GString *text, const struct value *value)
{
	switch (value->type) {
	case VALUE_BOOL:
		g_string_append(text, value->boolean ? "true" : "false");
		break;
	case VALUE_INT:
		g_string_append_printf(text, "%" PRId64, value->integer);
		break;
	case VALUE_FLOAT:
		write_number(text, value->number);
		break;
	case VALUE_STRING:
		write_string(text, value->text);
		break;
	default:
		g_string_append(text, "null");
	}
}

/* Depth is the parsers' business: VALUE_MAX_DEPTH. */
static void write_value(struct writer *writer, const struct value *value)
{
	bool is_mapping = value->type == VALUE_MAPPING;

	go_to_line(writer, value->line);
	if (!is_mapping && value->type != VALUE_SEQUENCE) {
		write_scalar(writer->text, value);
		return;
	}
	g_string_append_c(writer->text, is_mapping ? '{' : '[');
	for (const struct value *child = value->first; child; child = child->next) {
		if (writer->text->len > LAST_GOOD_MAX_BYTES)
			return;
		if (child != value->first)
			g_string_append_c(writer->text, ',');
		if (is_mapping) {
			write_string(writer->text, child->key);
			g_string_append_c(writer->text, ':');
		}
		write_value(writer, child);
	}
	g_string_append_c(writer->text, is_mapping ? '}' : ']');
}

char *last_good_text(const struct value *object)
{
	struct writer writer = {.text = g_string_new(NULL), .line = object->line};
	bool is_short;

	write_value(&writer, object);
	is_short = writer.text->len <= LAST_GOOD_MAX_BYTES;
	return g_string_free(writer.text, !is_short);
}

static bool add_document(const struct value *document, void *data)
{
	return manifest_builder_add(data, document, INT64_MAX);
}

static unsigned int count_lines(const char *text)
{
	unsigned int n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

/* As many as fit into a chunk, one at least, as a List. Returns how many. */
static unsigned int parse_chunk(struct manifest_builder *builder, struct last_good *const *objects,
				unsigned int n, struct value_error *error)
{
	struct writer writer = {.text = g_string_new("{\"kind\":\"List\",\"items\":["), .line = 1};
	size_t n_bytes = 0;
	unsigned int i;
	int r;

	for (i = 0; i < n && (!i || n_bytes < CHUNK_BYTES); i++) {
		if (i)
			g_string_append_c(writer.text, ',');
		go_to_line(&writer, objects[i]->line);
		g_string_append(writer.text, objects[i]->text);
		writer.line += count_lines(objects[i]->text);
		n_bytes += strlen(objects[i]->text);
	}
	g_string_append(writer.text, "]}");
	r = value_parse_json(writer.text->str, writer.text->len, add_document, builder, error);
	g_string_free(writer.text, TRUE);
	return r < 0 ? n : i;
}

struct manifest *last_good_parse(struct last_good *const *objects, unsigned int n)
{
	struct manifest_builder *builder = manifest_builder_new(objects[0]->file);
	struct value_error error = {};
	struct manifest *manifest;

	for (unsigned int i = 0; i < n;)
		i += parse_chunk(builder, objects + i, n - i, &error);
	manifest = manifest_builder_end(builder, error.reason ? &error : NULL);
	g_free(error.reason);
	return manifest;
}
