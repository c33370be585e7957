// SPDX-License-Identifier: Apache-2.0
#include "src/source/manifest.h"

#include <string.h>
#include "src/base/clock.h"
#include "src/base/intern.h"
#include "src/source/last_good.h"

/* More of one file are summed up: a person mends the first ones first. */
#define MAX_PROBLEMS 100

struct manifest_builder {
	struct manifest *manifest;
	char *file;
	const char *interned_file;
	unsigned int n_left_out;
	/* The document under way. */
	const struct value *document; /* NULL: none */
	GPtrArray *problems;          /* struct field_problem */
	struct field root, items, item;
};

static void manifest_object_fini(struct manifest_object *object)
{
	g_free(object->key);
	g_free(object->text);
	if (object->object)
		row_unref(&object->object->row);
}

static void unref_row(void *row)
{
	row_unref(row);
}

void manifest_free(struct manifest *manifest)
{
	if (!manifest)
		return;
	g_array_unref(manifest->objects);
	g_ptr_array_unref(manifest->problems);
	g_free(manifest);
}

/*
 * Names of files and what is quoted may hold any byte. Who shows the text wants UTF-8, and no terminal should
 * do what a file name says.
 */
static char *readable(const char *text)
{
	g_autofree char *valid = NULL;
	GString *shown;

	if (!text || !*text)
		return NULL;
	valid = g_utf8_make_valid(text, -1);
	shown = g_string_sized_new(strlen(valid));
	for (const char *p = valid; *p; p = g_utf8_next_char(p)) {
		gunichar c = g_utf8_get_char(p);

		if (g_unichar_iscntrl(c))
			g_string_append_printf(shown, "\\x%02x", c);
		else
			g_string_append_unichar(shown, c);
	}
	return g_string_free(shown, FALSE);
}

struct source_problem *manifest_problem_new(const char *file, unsigned int line, const char *object,
					    const char *field, const char *reason)
{
	struct source_problem *problem = (struct source_problem *)row_new(&source_problem_class);

	problem->key = g_strdup_printf("%s:%u %s", file, line, field ? field : "");
	problem->file = readable(file);
	problem->line = line;
	problem->object = readable(object);
	problem->field = readable(field);
	problem->reason = readable(reason);
	return problem;
}

static void add_problem(struct manifest_builder *builder, unsigned int line, const char *object,
			const char *field, const char *reason)
{
	if (builder->manifest->problems->len >= MAX_PROBLEMS) {
		builder->n_left_out++;
		return;
	}
	g_ptr_array_add(builder->manifest->problems,
			manifest_problem_new(builder->file, line, object, field, reason));
}

static bool is_other_kind(const struct value *value)
{
	const struct value *kind = value_get(value, "kind");

	return kind && kind->type == VALUE_STRING && decode_is_other_kind(kind->text);
}

static void add_object(struct manifest_builder *builder, const struct field *root)
{
	const struct object_kind *kind = decode_find_kind(root);
	struct manifest_object object = {.kind = kind, .line = root->value->line};
	const unsigned int n_before = builder->manifest->problems->len;
	g_autofree char *name = NULL;

	if (kind) {
		object.object = decode_object(kind, root);
		object.key = decode_key(kind, root);
		/* What can be decoded has a key. */
		g_assert(object.key || !object.object);
	}
	if (object.object)
		object.object->meta.file = intern_ref(builder->interned_file);
	if (object.object && last_good_is_kept(kind))
		object.text = last_good_text(root->value);
	if (object.key) {
		name = decode_key_has_kind(kind) ? g_strdup(object.key)
						 : g_strconcat(kind->kind, " ", object.key, NULL);
		g_array_append_val(builder->manifest->objects, object);
	} else if (!is_other_kind(root->value)) {
		builder->manifest->complete = false;
	}
	for (unsigned int i = 0; i < root->problems->len; i++) {
		const struct field_problem *problem = g_ptr_array_index(root->problems, i);

		add_problem(builder, problem->line, name, problem->path, problem->reason);
	}
	for (unsigned int i = n_before;
	     is_other_kind(root->value) && i < builder->manifest->problems->len; i++)
		((struct source_problem *)builder->manifest->problems->pdata[i])->is_ignored = true;
}

/* "List", and what kubectl never writes but the API does: "PodList". */
static bool is_list(const struct value *value)
{
	const struct value *kind = value_get(value, "kind");
	const struct value *items = value_get(value, "items");

	return kind && kind->type == VALUE_STRING && g_str_has_suffix(kind->text, "List") && items;
}

static void begin_document(struct manifest_builder *builder, const struct value *document)
{
	builder->document = document;
	g_ptr_array_set_size(builder->problems, 0);
	builder->root = field_root(document, builder->problems);
	builder->items = builder->item = (struct field){};
	if (is_list(document)) {
		builder->items = field_member(&builder->root, "items");
		builder->item = field_first(&builder->items);
	} else if (document->type != VALUE_NULL) {
		add_object(builder, &builder->root);
		g_ptr_array_set_size(builder->problems, 0);
	}
}

static void end_document(struct manifest_builder *builder)
{
	builder->document = NULL;
	if (builder->problems->len) {
		const struct field_problem *problem = g_ptr_array_index(builder->problems, 0);

		builder->manifest->complete = false;
		add_problem(builder, problem->line, NULL, problem->path, problem->reason);
	}
}

bool manifest_builder_add(struct manifest_builder *builder, const struct value *document,
			  int64_t deadline_ns)
{
	if (!builder->document)
		begin_document(builder, document);
	while (builder->item.value) {
		add_object(builder, &builder->item);
		g_ptr_array_set_size(builder->problems, 0);
		builder->item = field_next(&builder->item);
		if (clock_monotonic_ns() > deadline_ns)
			return false;
	}
	end_document(builder);
	return true;
}

struct manifest_builder *manifest_builder_new(const char *file)
{
	struct manifest_builder *builder = g_new0(struct manifest_builder, 1);
	struct manifest *manifest = g_new0(struct manifest, 1);

	manifest->complete = true;
	manifest->objects = g_array_new(FALSE, FALSE, sizeof(struct manifest_object));
	g_array_set_clear_func(manifest->objects, (GDestroyNotify)manifest_object_fini);
	manifest->problems = g_ptr_array_new_with_free_func(unref_row);
	builder->manifest = manifest;
	builder->file = g_strdup(file);
	builder->interned_file = intern_new(file);
	builder->problems = g_ptr_array_new_with_free_func((GDestroyNotify)field_problem_free);
	return builder;
}

struct manifest *manifest_builder_end(struct manifest_builder *builder,
				      const struct value_error *error)
{
	struct manifest *manifest = builder->manifest;

	if (error) {
		manifest->complete = false;
		add_problem(builder, error->line, NULL, NULL, error->reason);
	}
	if (builder->n_left_out) {
		g_autofree char *reason =
			g_strdup_printf("%u more problems in this file", builder->n_left_out);

		g_ptr_array_add(manifest->problems,
				manifest_problem_new(builder->file, 0, NULL, NULL, reason));
	}
	g_ptr_array_unref(builder->problems);
	intern_unref(builder->interned_file);
	g_free(builder->file);
	g_free(builder);
	return manifest;
}

static bool add_whole(const struct value *document, void *data)
{
	return manifest_builder_add(data, document, INT64_MAX);
}

struct manifest *manifest_parse(const char *file, const char *text, size_t n_bytes)
{
	struct manifest_builder *builder = manifest_builder_new(file);
	struct value_error error = {};
	struct manifest *manifest;
	int r = manifest_parse_text(file, text, n_bytes, add_whole, builder, &error);

	manifest = manifest_builder_end(builder, r < 0 ? &error : NULL);
	g_free(error.reason);
	return manifest;
}

int manifest_parse_text(const char *file, const char *text, size_t n_bytes, value_document document,
			void *data, struct value_error *ret_error)
{
	return g_str_has_suffix(file, ".json")
		       ? value_parse_json(text, n_bytes, document, data, ret_error)
		       : value_parse_yaml(text, n_bytes, document, data, ret_error);
}
