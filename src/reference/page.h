/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pages of docs/reference and the manual pages, made of the tables of the code. A program of the
 * build, not installed: tools/reference.py calls it.
 */
#pragma once

#include <glib.h>

/* Each appends the whole page, in Markdown. */
void page_append_keys(GString *page);
void page_append_commands(GString *page);
void page_append_drop_reasons(GString *page);
void page_append_events(GString *page);
void page_append_logs(GString *page);
void page_append_metrics(GString *page);

/* A row of a table: cells until NULL; what would end a cell is escaped. */
void page_append_row(GString *page, ...) G_GNUC_NULL_TERMINATED;
/* The heading of a table and the line below it. */
void page_append_heading(GString *page, ...) G_GNUC_NULL_TERMINATED;

/*
 * Writes every manual page to <directory>/man1 and <directory>/man8. 0, or −errno with *error; a row
 * without a help is an error.
 */
int man_write(const char *directory, GError **error) __attribute__((warn_unused_result));
