// SPDX-License-Identifier: Apache-2.0
#include "src/base/log.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include "src/base/clock.h"
#include "src/base/log_limit.h"
#include "src/base/log_output.h"

/* Of an entry: what it is about. */
#define N_OBJECT_FIELDS 2

/* What is longer is cut: a client's texts must fill neither the disk nor what is remembered of objects. */
#define VALUE_MAX_BYTES        4096
#define OBJECT_VALUE_MAX_BYTES 256

static const char *const level_names[LOG_LEVEL__MAX] = {"error", "warning", "info", "debug"};
static const char *const format_names[LOG_FORMAT__MAX] = {"text", "text-ts", "json", "json-ts"};

static const char *const subsys_names[LOG_SUBSYS__MAX] = {
#define LOG_SUBSYS(id, name, what) [LOG_SUBSYS_##id] = name,
#include "src/base/log_subsys.def"
#undef LOG_SUBSYS
};

static enum log_level levels[LOG_SUBSYS__MAX] = {
#define LOG_SUBSYS(id, name, what) [LOG_SUBSYS_##id] = LOG_LEVEL_INFO,
#include "src/base/log_subsys.def"
#undef LOG_SUBSYS
};

static enum log_format format = LOG_FORMAT_TEXT_TS;
static uint64_t counts[LOG_LEVEL_WARNING + 1][LOG_SUBSYS__MAX];
static struct log_limit *limit; /* lives as long as the program */
static uint64_t n_lost_told;

void log_set_level(enum log_level level)
{
	for (unsigned int i = 0; i < LOG_SUBSYS__MAX; i++)
		levels[i] = level;
}

void log_set_subsys_level(enum log_subsys subsys, enum log_level level)
{
	levels[subsys] = level;
}

enum log_level log_get_subsys_level(enum log_subsys subsys)
{
	return levels[subsys];
}

void log_set_format(enum log_format new_format)
{
	/* What is known of objects is known in the form of the old lines. */
	if (format != new_format)
		log_flush(true);
	format = new_format;
}

void log_set_fd(int fd)
{
	log_output_set_fd(fd);
}

bool log_enabled(enum log_level level, enum log_subsys subsys)
{
	return level <= levels[subsys];
}

enum log_subsys log_subsys_unknown(void)
{
	g_assert_not_reached();
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

int log_subsys_parse(const char *text, enum log_subsys *ret_subsys)
{
	int found = find_name(subsys_names, LOG_SUBSYS__MAX, text);

	if (found < 0)
		return found;
	*ret_subsys = found;
	return 0;
}

const char *log_level_text(enum log_level level)
{
	return level_names[level];
}

const char *log_subsys_text(enum log_subsys subsys)
{
	return subsys_names[subsys];
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

/* As append_text(), of a value that may be anybody's. */
static void append_cut_text(GString *line, const char *name, size_t n_name_bytes, const char *value,
			    size_t n_bytes_max)
{
	g_autofree char *cut = NULL;

	if (strnlen(value, n_bytes_max + 1) > n_bytes_max)
		cut = g_strdup_printf("%.*s…", (int)n_bytes_max, value);
	append_text(line, name, n_name_bytes, cut ? cut : value);
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

/* Appends one field, "name=%…", of at most so many bytes; returns what is behind it. */
static const char *append_field(GString *line, const char *field, size_t n_bytes_max, va_list *args)
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
			append_cut_text(line, field, n_name_bytes, value, n_bytes_max);
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

/* At most so many fields, each of at most so many bytes; returns what is behind them. */
static const char *append_fields(GString *line, const char *fields, unsigned int n_max,
				 size_t n_bytes_max, va_list *args)
{
	while (*fields && n_max) {
		if (*fields == ' ') {
			fields++;
			continue;
		}
		fields = append_field(line, fields, n_bytes_max, args);
		n_max--;
	}
	return fields;
}

static GString *begin_line(enum log_level level, enum log_subsys subsys, const char *message)
{
	GString *line = g_string_sized_new(256);

	if (is_json())
		g_string_append_c(line, '{');
	if (has_time())
		append_time(line);
	append_text(line, "level", strlen("level"), level_names[level]);
	append_text(line, "msg", strlen("msg"), message);
	append_text(line, "subsys", strlen("subsys"), subsys_names[subsys]);
	return line;
}

static void append_count(GString *line, const char *name, uint64_t n)
{
	append_name(line, name, strlen(name));
	g_string_append_printf(line, "%" G_GUINT64_FORMAT, n);
}

/* Takes line. */
static void end_line(GString *line)
{
	g_string_append(line, is_json() ? "}\n" : "\n");
	log_output_write(line->str, line->len);
	g_string_free(line, true);
}

/* As soon as lines go out again. */
static void tell_lost(void)
{
	uint64_t n_lost = log_output_n_lost();
	GString *line;

	if (n_lost == n_lost_told || log_output_is_stuck())
		return;
	line = begin_line(LOG_LEVEL_WARNING, LOG_SUBSYS_AGENT, "Lines of this log were lost");
	append_count(line, "lines", n_lost - n_lost_told);
	append_text(line, "reason", strlen("reason"),
		    "nobody read them in time, or the disk was full");
	n_lost_told = n_lost;
	end_line(line);
}

static void count(enum log_level level, enum log_subsys subsys)
{
	if (level <= LOG_LEVEL_WARNING)
		counts[level][subsys]++;
}

static bool admit(const struct log_subject *subject, uint64_t *ret_n_suppressed)
{
	if (!limit)
		limit = log_limit_new();
	return log_limit_admit(limit, subject, clock_monotonic_ns(), ret_n_suppressed);
}

void log_write(enum log_level level, enum log_subsys subsys, const char *message,
	       const char *fields, ...)
{
	struct log_subject subject = {.level = level, .subsys = subsys, .message = message};
	uint64_t n_suppressed = 0;
	size_t object_offset;
	GString *line;
	va_list args;

	count(level, subsys);
	if (!log_enabled(level, subsys))
		return;
	line = begin_line(level, subsys, message);
	object_offset = line->len;
	va_start(args, fields);
	fields = append_fields(line, fields, N_OBJECT_FIELDS, OBJECT_VALUE_MAX_BYTES, &args);
	subject.object_text = line->str + object_offset;
	subject.object = g_str_hash(subject.object_text);
	if (level == LOG_LEVEL_DEBUG || admit(&subject, &n_suppressed)) {
		append_fields(line, fields, UINT_MAX, VALUE_MAX_BYTES, &args);
		if (n_suppressed)
			append_count(line, "suppressed", n_suppressed);
		end_line(line);
		tell_lost();
	} else {
		g_string_free(line, true);
	}
	va_end(args);
}

void log_write_admitted(enum log_level level, enum log_subsys subsys, const char *message,
			uint64_t object, const char *fields, ...)
{
	struct log_subject subject = {
		.level = level,
		.subsys = subsys,
		.message = message,
		.object = object,
	};
	GString *line = begin_line(level, subsys, message);
	size_t object_offset = line->len;
	va_list args;

	va_start(args, fields);
	fields = append_fields(line, fields, N_OBJECT_FIELDS, OBJECT_VALUE_MAX_BYTES, &args);
	subject.object_text = line->str + object_offset;
	if (limit)
		log_limit_name(limit, &subject);
	append_fields(line, fields, UINT_MAX, VALUE_MAX_BYTES, &args);
	va_end(args);
	end_line(line);
	tell_lost();
}

bool log_admit(enum log_level level, enum log_subsys subsys, const char *message, uint64_t object,
	       uint64_t *ret_n_suppressed)
{
	const struct log_subject subject = {
		.level = level,
		.subsys = subsys,
		.message = message,
		.object = object,
	};

	count(level, subsys);
	return log_enabled(level, subsys) && admit(&subject, ret_n_suppressed);
}

static void write_suppressed(const struct log_subject *subject, uint64_t n_suppressed, void *data)
{
	GString *line = begin_line(subject->level, subject->subsys, subject->message);

	if (subject->object_text)
		g_string_append(line, subject->object_text);
	append_count(line, "suppressed", n_suppressed);
	end_line(line);
}

void log_flush(bool all)
{
	log_output_flush();
	if (limit)
		log_limit_flush(limit, clock_monotonic_ns(), all, write_suppressed, NULL);
	tell_lost();
}

void log_foreach_count(void (*fn)(enum log_level level, const char *subsys, uint64_t n, void *data),
		       void *data)
{
	for (int level = 0; level <= LOG_LEVEL_WARNING; level++)
		for (int subsys = 0; subsys < LOG_SUBSYS__MAX; subsys++)
			fn(level, subsys_names[subsys], counts[level][subsys], data);
}

uint64_t log_n_lost(void)
{
	return log_output_n_lost();
}
