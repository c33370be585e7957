/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/report.h"

#include <string.h>

#define TITLE "Cilium debug information"

struct report_section *report_section_new(char *name, char *title, GString *body)
{
	struct report_section *section = g_new(struct report_section, 1);

	*section = (struct report_section){.name = name, .title = title, .body = body};
	return section;
}

void report_section_free(struct report_section *section)
{
	if (!section)
		return;
	g_free(section->name);
	g_free(section->title);
	g_string_free(section->body, TRUE);
	g_free(section);
}

/* Three backticks, or more than the body has in a row: nothing in it ends the block. */
static char *fence_for(const GString *body)
{
	size_t longest = 2, n = 0;

	for (size_t i = 0; i < body->len; i++) {
		n = body->str[i] == '`' ? n + 1 : 0;
		longest = MAX(longest, n);
	}
	return g_strnfill(longest + 1, '`');
}

static void append_markdown(GString *out, const struct report_section *section)
{
	g_autofree char *fence = fence_for(section->body);
	const GString *body = section->body;

	g_string_append_printf(out, "#### %s\n\n%s\n", section->title, fence);
	g_string_append_len(out, body->str, body->len);
	if (body->len && body->str[body->len - 1] != '\n')
		g_string_append_c(out, '\n');
	g_string_append_printf(out, "%s\n\n", fence);
}

/* A browser gets what it can show, and nothing that it would act on. */
static void append_escaped(GString *out, const char *text, size_t n_bytes)
{
	g_autofree char *valid = g_utf8_make_valid(text, n_bytes);

	for (const char *c = valid; *c; c = g_utf8_next_char(c)) {
		gunichar code = g_utf8_get_char(c);

		if (code == '&')
			g_string_append(out, "&amp;");
		else if (code == '<')
			g_string_append(out, "&lt;");
		else if (code == '>')
			g_string_append(out, "&gt;");
		else if (code == '"')
			g_string_append(out, "&quot;");
		else if (code == '\'')
			g_string_append(out, "&#39;");
		else if (code == '\n' || code == '\t' || !g_unichar_iscntrl(code))
			g_string_append_unichar(out, code);
		else
			g_string_append(out, "\xef\xbf\xbd");
	}
}

static void append_html(GString *out, const struct report_section *section)
{
	g_string_append(out, "<h4>");
	append_escaped(out, section->title, strlen(section->title));
	g_string_append(out, "</h4>\n<pre>\n");
	append_escaped(out, section->body->str, section->body->len);
	g_string_append(out, "</pre>\n");
}

void report_append(GString *out, const GPtrArray *sections, enum report_format format)
{
	g_string_append(out, format == REPORT_HTML
				     ? "<!DOCTYPE html>\n<html>\n<head>\n<meta charset=\"utf-8\">\n"
				       "<title>" TITLE "</title>\n</head>\n<body>\n<h1>" TITLE
				       "</h1>\n"
				     : "# " TITLE "\n\n");
	for (size_t i = 0; i < sections->len; i++) {
		if (format == REPORT_HTML)
			append_html(out, g_ptr_array_index(sections, i));
		else
			append_markdown(out, g_ptr_array_index(sections, i));
	}
	if (format == REPORT_HTML)
		g_string_append(out, "</body>\n</html>\n");
}

char *report_file_name(GDateTime *time, const char *section, const char *extension)
{
	g_autofree char *second = g_date_time_format(time, "%Y%m%d-%H%M%S");
	g_autofree char *zone = g_date_time_format(time, "%z-%Z");

	for (char *c = zone; *c; c++)
		if (!g_ascii_isalnum(*c) && *c != '+' && *c != '-')
			*c = '_';
	return g_strdup_printf("cilium-debuginfo-%s.%03d-%s%s%s.%s", second,
			       g_date_time_get_microsecond(time) / 1000, zone, section ? "-" : "",
			       section ? section : "", extension);
}

static bool speaks_of_a_secret(const char *line)
{
	static const char *const words[] = {"password", "passwd",     "secret",
					    "token",    "credential", "private-key"};
	g_autofree char *lower = g_ascii_strdown(line, -1);

	for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
		if (strstr(lower, words[i]))
			return true;
	return false;
}

void report_hide_secrets(GString *body)
{
	g_auto(GStrv) lines = g_strsplit(body->str, "\n", -1);

	g_string_truncate(body, 0);
	for (char **line = lines; *line; line++) {
		size_t n_name = strcspn(*line, ":=");

		if ((*line)[n_name] && speaks_of_a_secret(*line)) {
			g_string_append_len(body, *line, n_name + 1);
			g_string_append(body, " (hidden)");
		} else {
			g_string_append(body, *line);
		}
		if (line[1])
			g_string_append_c(body, '\n');
	}
}
