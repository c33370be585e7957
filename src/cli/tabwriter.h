/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text in columns, as Go's text/tabwriter aligns it: a tab ends a cell; a column is a run of lines that
 * have a cell there; each is as wide as its widest cell and the padding, and no narrower than the minimum.
 */
#pragma once

#include <glib.h>

#define TABWRITER_MIN_WIDTH 5
#define TABWRITER_PADDING   3

/* Appends text, lines of cells, aligned. Widths are counted in characters. */
void tabwriter_format(GString *out, const char *text, unsigned int min_width, unsigned int padding);
/* To standard output, with the usual minimum and padding. */
void tabwriter_print(const char *text);
