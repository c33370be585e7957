/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/tabwriter.h"

#include <stdio.h>

struct tabwriter {
	GString *out;
	char ***lines; /* cells of each line; the last cell of a line is in no column */
	unsigned int *n_cells;
	unsigned int min_width;
	unsigned int padding;
	GArray *widths; /* unsigned int: of the columns that enclose the current block */
};

static void write_line(struct tabwriter *writer, unsigned int line)
{
	for (unsigned int i = 0; i < writer->n_cells[line]; i++) {
		const char *cell = writer->lines[line][i];

		g_string_append(writer->out, cell);
		if (i < writer->widths->len)
			for (long n = g_utf8_strlen(cell, -1);
			     n < (long)g_array_index(writer->widths, unsigned int, i); n++)
				g_string_append_c(writer->out, ' ');
	}
	g_string_append_c(writer->out, '\n');
}

/* Writes lines first..end−1, which all have a cell in each of the columns in widths. */
static void write_block(struct tabwriter *writer, unsigned int first, unsigned int end)
{
	unsigned int column = writer->widths->len;

	while (first < end) {
		unsigned int width = writer->min_width, next = first;

		if (column + 1 >= writer->n_cells[first]) {
			write_line(writer, first++);
			continue;
		}
		for (; next < end && column + 1 < writer->n_cells[next]; next++) {
			long n = g_utf8_strlen(writer->lines[next][column], -1);

			width = MAX(width, n + writer->padding);
		}
		g_array_append_val(writer->widths, width);
		write_block(writer, first, next);
		g_array_set_size(writer->widths, column);
		first = next;
	}
}

void tabwriter_format(GString *out, const char *text, unsigned int min_width, unsigned int padding)
{
	struct tabwriter writer = {.out = out, .min_width = min_width, .padding = padding};
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	unsigned int n_lines = g_strv_length(lines);

	if (n_lines && !*lines[n_lines - 1])
		n_lines--; /* behind the last newline is no line */
	writer.widths = g_array_new(FALSE, FALSE, sizeof(unsigned int));
	writer.lines = g_new0(char **, n_lines);
	writer.n_cells = g_new0(unsigned int, n_lines);
	for (unsigned int i = 0; i < n_lines; i++) {
		writer.lines[i] = g_strsplit(lines[i], "\t", -1);
		writer.n_cells[i] = g_strv_length(writer.lines[i]);
	}
	write_block(&writer, 0, n_lines);
	for (unsigned int i = 0; i < n_lines; i++)
		g_strfreev(writer.lines[i]);
	g_free(writer.lines);
	g_free(writer.n_cells);
	g_array_unref(writer.widths);
}

void tabwriter_print(const char *text)
{
	g_autoptr(GString) out = g_string_new(NULL);

	tabwriter_format(out, text, TABWRITER_MIN_WIDTH, TABWRITER_PADDING);
	fputs(out->str, stdout);
}
