/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/json_get.h"

#include <stdarg.h>

static json_t *get(const json_t *object, va_list names)
{
	const char *name;

	while (object && (name = va_arg(names, const char *)))
		object = json_object_get(object, name);
	return (json_t *)object;
}

json_t *json_get(const json_t *object, ...)
{
	json_t *value;
	va_list names;

	va_start(names, object);
	value = get(object, names);
	va_end(names);
	return value;
}

const char *json_get_text(const json_t *object, ...)
{
	const char *text;
	va_list names;

	va_start(names, object);
	text = json_string_value(get(object, names));
	va_end(names);
	return text ? text : "";
}

long long json_get_number(const json_t *object, ...)
{
	long long number;
	va_list names;

	va_start(names, object);
	number = json_integer_value(get(object, names));
	va_end(names);
	return number;
}
