/* SPDX-License-Identifier: Apache-2.0 */
/* The sections of debuginfo as text: markdown and HTML, and what their files are called. */
#pragma once

#include <stdbool.h>
#include <glib.h>

struct report_section {
	char *name;  /* "cilium-status": in file names */
	char *title; /* "Cilium status" */
	GString *body;
};

/* Takes the strings. */
struct report_section *report_section_new(char *name, char *title, GString *body);
void report_section_free(struct report_section *section); /* takes NULL */

enum report_format {
	REPORT_MARKDOWN,
	REPORT_HTML
};

/* sections: struct report_section. The whole document. */
void report_append(GString *out, const GPtrArray *sections, enum report_format format);

/*
 * "cilium-debuginfo-20260102-030405.678-+0000-UTC[-section].md"; section may be NULL. The zone's name is
 * reduced to letters, digits, '+' and '-'. Free with g_free.
 */
char *report_file_name(GDateTime *time, const char *section, const char *extension);

/*
 * "name   : value" and "name=value" lines whose name or value speaks of a secret lose their value. In
 * place.
 */
void report_hide_secrets(GString *body);
