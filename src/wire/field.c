// SPDX-License-Identifier: Apache-2.0
#include "src/wire/field.h"

#include <string.h>

void field_problem_free(struct field_problem *problem)
{
	if (!problem)
		return;
	g_free(problem->path);
	g_free(problem->reason);
	g_free(problem);
}

struct field field_root(const struct value *value, GPtrArray *problems)
{
	return (struct field){.value = value, .problems = problems};
}

bool field_is_set(const struct field *field)
{
	return field->value && field->value->type != VALUE_NULL;
}

struct field field_member(const struct field *parent, const char *name)
{
	struct field member = {.parent = parent, .name = name, .problems = parent->problems};

	if (!field_is_set(parent))
		return member;
	if (parent->value->type != VALUE_MAPPING) {
		field_want(parent, "a mapping");
		return member;
	}
	member.value = value_get(parent->value, name);
	return member;
}

static struct field first_of(const struct field *container, enum value_type type,
			     const char *wanted)
{
	struct field item = {.parent = container, .problems = container->problems};

	if (!field_is_set(container))
		return item;
	if (container->value->type != type)
		field_want(container, wanted);
	else
		item.value = container->value->first;
	if (item.value)
		item.name = item.value->key;
	return item;
}

struct field field_first(const struct field *list)
{
	return first_of(list, VALUE_SEQUENCE, "a list");
}

struct field field_first_member(const struct field *mapping)
{
	return first_of(mapping, VALUE_MAPPING, "a mapping");
}

struct field field_next(const struct field *item)
{
	struct field next = *item;

	next.value = item->value->next;
	next.name = next.value ? next.value->key : NULL;
	next.index++;
	return next;
}

const char *field_text(const struct field *field)
{
	if (!field_is_set(field))
		return NULL;
	if (field->value->type == VALUE_STRING)
		return field->value->text;
	if (field->value->type == VALUE_SEQUENCE || field->value->type == VALUE_MAPPING)
		field_want(field, "a text");
	else
		field_want(field, "a text (put it in quotes)");
	return NULL;
}

const char *field_required_text(const struct field *field)
{
	const char *text = field_text(field);

	if (!field_is_set(field))
		field_add_problem(field, "is missing");
	else if (text && !*text)
		field_add_problem(field, "is empty");
	return text && *text ? text : NULL;
}

bool field_bool(const struct field *field, bool otherwise)
{
	if (!field_is_set(field))
		return otherwise;
	if (field->value->type == VALUE_BOOL)
		return field->value->boolean;
	field_want(field, "true or false");
	return otherwise;
}

bool field_int(const struct field *field, int64_t min, int64_t max, int64_t *ret_number)
{
	g_autofree char *wanted = NULL;

	if (!field_is_set(field))
		return false;
	if (field->value->type == VALUE_INT && field->value->integer >= min &&
	    field->value->integer <= max) {
		*ret_number = field->value->integer;
		return true;
	}
	wanted = g_strdup_printf("a number from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT, min,
				 max);
	field_want(field, wanted);
	return false;
}

bool field_is_empty(const struct field *field)
{
	return field->value && field->value->type == VALUE_SEQUENCE && !field->value->first;
}

static void append_path(GString *path, const struct field *field, const struct field *below)
{
	if (!field->parent || field == below)
		return;
	append_path(path, field->parent, below);
	if (!field->name)
		g_string_append_printf(path, "[%u]", field->index);
	else if (strpbrk(field->name, "./[ "))
		g_string_append_printf(path, "[\"%.100s\"]", field->name);
	else
		g_string_append_printf(path, "%s%.100s", path->len ? "." : "", field->name);
}

char *field_path(const struct field *field, const struct field *below)
{
	GString *path = g_string_new(NULL);

	append_path(path, field, below);
	return g_string_free(path, FALSE);
}

unsigned int field_line(const struct field *field)
{
	while (!field->value && field->parent)
		field = field->parent;
	return field->value ? field->value->line : 0;
}

/* A decoder may come past the same wrong value several times, once for each member it wants. */
static bool is_known(const GPtrArray *problems, const struct field_problem *problem)
{
	for (unsigned int i = 0; i < problems->len; i++) {
		const struct field_problem *known = g_ptr_array_index(problems, i);

		if (known->line == problem->line && strcmp(known->path, problem->path) == 0 &&
		    strcmp(known->reason, problem->reason) == 0)
			return true;
	}
	return false;
}

void field_add_problem(const struct field *field, const char *format, ...)
{
	struct field_problem *problem = g_new0(struct field_problem, 1);
	va_list args;

	problem->line = field_line(field);
	problem->path = field_path(field, NULL);
	va_start(args, format);
	problem->reason = g_strdup_vprintf(format, args);
	va_end(args);
	if (field->problems->len >= FIELD_MAX_PROBLEMS || is_known(field->problems, problem))
		field_problem_free(problem);
	else
		g_ptr_array_add(field->problems, problem);
}

void field_want(const struct field *field, const char *wanted)
{
	g_autofree char *got = field->value ? value_describe(field->value) : g_strdup("nothing");

	field_add_problem(field, "got %s, want %s", got, wanted);
}
