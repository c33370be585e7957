// SPDX-License-Identifier: Apache-2.0
#include "src/source/manifest.h"

#include <string.h>
#include "src/base/intern.h"

/* More of one file are summed up: a person mends the first ones first. */
#define MAX_PROBLEMS 100

struct parse {
	struct manifest *manifest;
	const char *file;
	const char *interned_file;
	unsigned int n_left_out;
};

static void manifest_object_fini(struct manifest_object *object)
{
	g_free(object->key);
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

/* A character that was cut in two is no UTF-8, and who shows the text wants that. */
static char *readable(const char *text)
{
	return text && *text ? g_utf8_make_valid(text, -1) : NULL;
}

struct source_problem *manifest_problem_new(const char *file, unsigned int line, const char *object,
					    const char *field, const char *reason)
{
	struct source_problem *problem = (struct source_problem *)row_new(&source_problem_class);

	problem->key = g_strdup_printf("%s:%u %s", file, line, field ? field : "");
	problem->file = g_strdup(file);
	problem->line = line;
	problem->object = readable(object);
	problem->field = readable(field);
	problem->reason = readable(reason);
	return problem;
}

static void add_problem(struct parse *parse, unsigned int line, const char *object,
			const char *field, const char *reason)
{
	if (parse->manifest->problems->len >= MAX_PROBLEMS) {
		parse->n_left_out++;
		return;
	}
	g_ptr_array_add(parse->manifest->problems,
			manifest_problem_new(parse->file, line, object, field, reason));
}

static bool is_other_kind(const struct value *value)
{
	const struct value *kind = value_get(value, "kind");

	return kind && kind->type == VALUE_STRING && decode_is_other_kind(kind->text);
}

static void add_object(struct parse *parse, const struct field *root)
{
	const struct object_kind *kind = decode_find_kind(root);
	struct manifest_object object = {.kind = kind, .line = root->value->line};
	g_autofree char *name = NULL;

	if (kind) {
		object.object = decode_object(kind, root);
		object.key = decode_key(kind, root);
		/* What can be decoded has a key. */
		g_assert(object.key || !object.object);
	}
	if (object.object)
		object.object->meta.file = intern_ref(parse->interned_file);
	if (object.key) {
		/* A node's key begins with its kind. */
		name = g_strconcat(kind->scope == OBJECT_SCOPE_KIND ? "" : kind->kind,
				   kind->scope == OBJECT_SCOPE_KIND ? "" : " ", object.key, NULL);
		g_array_append_val(parse->manifest->objects, object);
	} else if (!is_other_kind(root->value)) {
		parse->manifest->complete = false;
	}
	for (unsigned int i = 0; i < root->problems->len; i++) {
		const struct field_problem *problem = g_ptr_array_index(root->problems, i);

		add_problem(parse, problem->line, name, problem->path, problem->reason);
	}
}

/* "List", and what kubectl never writes but the API does: "PodList". */
static bool is_list(const struct value *value)
{
	const struct value *kind = value_get(value, "kind");
	const struct value *items = value_get(value, "items");

	return kind && kind->type == VALUE_STRING && g_str_has_suffix(kind->text, "List") && items;
}

static bool parse_document(const struct value *value, void *data)
{
	g_autoptr(GPtrArray) problems =
		g_ptr_array_new_with_free_func((GDestroyNotify)field_problem_free);
	struct field root = field_root(value, problems);
	struct parse *parse = data;
	struct field items;

	if (value->type == VALUE_NULL)
		return true;
	if (!is_list(value)) {
		add_object(parse, &root);
		return true;
	}
	items = field_member(&root, "items");
	for (struct field item = field_first(&items); item.value; item = field_next(&item)) {
		add_object(parse, &item);
		g_ptr_array_set_size(problems, 0);
	}
	if (problems->len) {
		const struct field_problem *problem = g_ptr_array_index(problems, 0);

		parse->manifest->complete = false;
		add_problem(parse, problem->line, NULL, problem->path, problem->reason);
	}
	return true;
}

struct manifest *manifest_parse(const char *file, const char *text, size_t n_bytes)
{
	struct manifest *manifest = g_new0(struct manifest, 1);
	struct parse parse = {
		.manifest = manifest, .file = file, .interned_file = intern_new(file)};
	struct value_error error;
	int r;

	manifest->complete = true;
	manifest->objects = g_array_new(FALSE, FALSE, sizeof(struct manifest_object));
	g_array_set_clear_func(manifest->objects, (GDestroyNotify)manifest_object_fini);
	manifest->problems = g_ptr_array_new_with_free_func(unref_row);
	if (g_str_has_suffix(file, ".json"))
		r = value_parse_json(text, n_bytes, parse_document, &parse, &error);
	else
		r = value_parse_yaml(text, n_bytes, parse_document, &parse, &error);
	if (r < 0) {
		manifest->complete = false;
		add_problem(&parse, error.line, NULL, NULL, error.reason);
		g_free(error.reason);
	}
	if (parse.n_left_out) {
		g_autofree char *reason =
			g_strdup_printf("%u more problems in this file", parse.n_left_out);

		g_ptr_array_add(manifest->problems,
				manifest_problem_new(file, 0, NULL, NULL, reason));
	}
	intern_unref(parse.interned_file);
	return manifest;
}
