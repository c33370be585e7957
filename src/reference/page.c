/* SPDX-License-Identifier: Apache-2.0 */
#include "src/reference/page.h"

#include <stdarg.h>

static void append_cell(GString *page, const char *text)
{
	g_string_append_c(page, ' ');
	for (; *text; text++) {
		if (*text == '|' || *text == '<')
			g_string_append_c(page, '\\');
		g_string_append_c(page, *text == '\n' ? ' ' : *text);
	}
	g_string_append(page, " |");
}

void page_append_row(GString *page, ...)
{
	va_list cells;

	va_start(cells, page);
	g_string_append_c(page, '|');
	for (const char *cell = va_arg(cells, const char *); cell;
	     cell = va_arg(cells, const char *))
		append_cell(page, cell);
	va_end(cells);
	g_string_append_c(page, '\n');
}

void page_append_heading(GString *page, ...)
{
	g_autoptr(GString) line = g_string_new("|");
	va_list cells;

	va_start(cells, page);
	g_string_append_c(page, '|');
	for (const char *cell = va_arg(cells, const char *); cell;
	     cell = va_arg(cells, const char *)) {
		append_cell(page, cell);
		g_string_append(line, "---|");
	}
	va_end(cells);
	g_string_append_printf(page, "\n%s\n", line->str);
}
