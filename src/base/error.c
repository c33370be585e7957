// SPDX-License-Identifier: Apache-2.0
#include "src/base/error.h"

#include <string.h>

GQuark error_quark(void)
{
	return g_quark_from_static_string("axoneme-error");
}

int error_set(GError **error, int err, const char *format, ...)
{
	if (error) {
		va_list args;

		va_start(args, format);
		g_clear_error(error);
		*error = g_error_new_valist(error_quark(), err, format, args);
		va_end(args);
	}
	return -err;
}

int error_set_errno(GError **error, int err, const char *format, ...)
{
	if (error) {
		g_autofree char *text = NULL;
		va_list args;

		va_start(args, format);
		text = g_strdup_vprintf(format, args);
		va_end(args);
		g_clear_error(error);
		*error = g_error_new(error_quark(), err, "%s: %s", text, g_strerror(err));
	}
	return -err;
}

void error_prefix(GError **error, const char *format, ...)
{
	g_autofree char *prefix = NULL;
	char *text;
	va_list args;

	if (!error || !*error)
		return;
	va_start(args, format);
	prefix = g_strdup_vprintf(format, args);
	va_end(args);
	text = g_strdup_printf("%s: %s", prefix, (*error)->message);
	g_free((*error)->message);
	(*error)->message = text;
}
