// SPDX-License-Identifier: Apache-2.0
#include "src/base/log.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const level_names[LOG_LEVEL__MAX] = {"error", "warning", "info", "debug"};
static const char *const format_names[LOG_FORMAT__MAX] = {"text", "text-ts", "json", "json-ts"};

static enum log_level max_level = LOG_LEVEL_INFO;
static enum log_format format = LOG_FORMAT_TEXT_TS;
static int output_fd = STDERR_FILENO;

void log_set_level(enum log_level level)
{
	max_level = level;
}

void log_set_format(enum log_format new_format)
{
	format = new_format;
}

void log_set_fd(int fd)
{
	output_fd = fd;
}

bool log_enabled(enum log_level level)
{
	return level <= max_level;
}

static int find_name(const char *const *names, int n, const char *text)
{
	for (int i = 0; i < n; i++)
		if (strcmp(names[i], text) == 0)
			return i;
	return -EINVAL;
}

int log_level_parse(const char *text, enum log_level *ret_level)
{
	int level = strcmp(text, "warn") == 0 ? LOG_LEVEL_WARNING
					      : find_name(level_names, LOG_LEVEL__MAX, text);

	if (level < 0)
		return level;
	*ret_level = level;
	return 0;
}

int log_format_parse(const char *text, enum log_format *ret_format)
{
	int found = find_name(format_names, LOG_FORMAT__MAX, text);

	if (found < 0)
		return found;
	*ret_format = found;
	return 0;
}

static bool is_json(void)
{
	return format == LOG_FORMAT_JSON || format == LOG_FORMAT_JSON_TS;
}

static bool has_time(void)
{
	return format == LOG_FORMAT_TEXT_TS || format == LOG_FORMAT_JSON_TS;
}

/*
 * Quotes so that one entry stays one line of valid UTF-8 whatever the value holds. The escapes are
 * those that JSON and Go's %q have in common.
 */
static void append_quoted(GString *line, const char *value)
{
	g_autofree char *valid = g_utf8_make_valid(value, -1);

	g_string_append_c(line, '"');
	for (const char *p = valid; *p; p++) {
		unsigned char c = *p;

		if (c == '"' || c == '\\')
			g_string_append_printf(line, "\\%c", c);
		else if (c == '\n')
			g_string_append(line, "\\n");
		else if (c == '\t')
			g_string_append(line, "\\t");
		else if (c < 0x20 || c == 0x7f)
			g_string_append_printf(line, "\\u%04x", c);
		else
			g_string_append_c(line, c);
	}
	g_string_append_c(line, '"');
}

static bool needs_quotes(const char *value)
{
	if (!*value)
		return true;
	for (; *value; value++)
		if (!g_ascii_isalnum(*value) && !strchr("-._/@^+", *value))
			return true;
	return false;
}

static void append_name(GString *line, const char *name, size_t n_bytes)
{
	if (is_json())
		g_string_append_printf(line, "%s\"%.*s\":", line->len > 1 ? "," : "", (int)n_bytes,
				       name);
	else
		g_string_append_printf(line, "%s%.*s=", line->len ? " " : "", (int)n_bytes, name);
}

static void append_text(GString *line, const char *name, size_t n_name_bytes, const char *value)
{
	append_name(line, name, n_name_bytes);
	if (is_json() || needs_quotes(value))
		append_quoted(line, value);
	else
		g_string_append(line, value);
}

static void append_time(GString *line)
{
	struct timespec now;
	struct tm utc;
	char text[40];
	size_t n;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
	g_snprintf(text + n, sizeof(text) - n, ".%06ldZ", now.tv_nsec / 1000);
	append_text(line, "time", strlen("time"), text);
}

enum size {
	SIZE_INT,
	SIZE_LONG,
	SIZE_LONG_LONG,
};

/*
 * The arguments stay a va_list of the caller's, passed by pointer, so that each field takes its
 * own: only then is a value quoted as a whole, whatever it holds.
 */
static void append_number(GString *line, char conversion, enum size size, va_list *args)
{
	bool is_signed = conversion == 'd' || conversion == 'i';
	uint64_t value;

	if (size == SIZE_LONG_LONG)
		value = va_arg(*args, unsigned long long);
	else if (size == SIZE_LONG)
		value = is_signed ? (uint64_t)va_arg(*args, long) : va_arg(*args, unsigned long);
	else
		value = is_signed ? (uint64_t)va_arg(*args, int) : va_arg(*args, unsigned int);
	if (is_signed)
		g_string_append_printf(line, "%" G_GINT64_FORMAT, (gint64)value);
	else if (conversion == 'x' && is_json())
		g_string_append_printf(line, "\"0x%" G_GINT64_MODIFIER "x\"", value);
	else if (conversion == 'x')
		g_string_append_printf(line, "0x%" G_GINT64_MODIFIER "x", value);
	else
		g_string_append_printf(line, "%" G_GUINT64_FORMAT, value);
}

/* Appends one field, "name=%…"; returns what is behind it. */
static const char *append_field(GString *line, const char *field, va_list *args)
{
	const char *name_end = strstr(field, "=%");
	size_t n_name_bytes;
	enum size size = SIZE_INT;
	const char *p;

	g_assert(name_end);
	n_name_bytes = name_end - field;
	for (p = name_end + 2; *p == 'l' || *p == 'z' || *p == 'j'; p++)
		size = *p == 'l' && size == SIZE_LONG ? SIZE_LONG_LONG : SIZE_LONG;

	if (*p == 's') {
		const char *value = va_arg(*args, const char *);

		if (value)
			append_text(line, field, n_name_bytes, value);
	} else if (*p == 'c') {
		char value[2] = {va_arg(*args, int), '\0'};

		append_text(line, field, n_name_bytes, value);
	} else {
		g_assert(*p && strchr("diux", *p));
		append_name(line, field, n_name_bytes);
		append_number(line, *p, size, args);
	}
	g_assert(p[1] == ' ' || p[1] == '\0');
	return p + 1;
}

static void append_fields(GString *line, const char *fields, va_list *args)
{
	while (*fields) {
		if (*fields == ' ')
			fields++;
		else
			fields = append_field(line, fields, args);
	}
}

static void write_line(const char *data, size_t n_bytes)
{
	while (n_bytes) {
		ssize_t n = write(output_fd, data, n_bytes);

		if (n < 0 && errno == EINTR)
			continue;
		/* There is nobody to tell that the log cannot be written. */
		if (n <= 0)
			return;
		data += n;
		n_bytes -= n;
	}
}

void log_write(enum log_level level, const char *subsys, const char *message, const char *fields,
	       ...)
{
	g_autoptr(GString) line = g_string_sized_new(256);
	va_list args;

	if (!log_enabled(level))
		return;
	if (is_json())
		g_string_append_c(line, '{');
	if (has_time())
		append_time(line);
	append_text(line, "level", strlen("level"), level_names[level]);
	append_text(line, "msg", strlen("msg"), message);
	append_text(line, "subsys", strlen("subsys"), subsys);
	va_start(args, fields);
	append_fields(line, fields, &args);
	va_end(args);
	g_string_append(line, is_json() ? "}\n" : "\n");
	write_line(line->str, line->len);
}
