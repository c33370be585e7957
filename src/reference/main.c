/* SPDX-License-Identifier: Apache-2.0 */
/* reference PAGE: that page of docs/reference on standard output. reference man DIRECTORY: manual pages. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "src/reference/page.h"

static const struct {
	const char *name; /* docs/reference/<name>.md */
	void (*append)(GString *page);
} pages[] = {
	{"commands", page_append_commands}, {"drop-reasons", page_append_drop_reasons},
	{"events", page_append_events},     {"keys", page_append_keys},
	{"logs", page_append_logs},         {"metrics", page_append_metrics},
};

static int print_page(const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(pages); i++)
		if (!strcmp(pages[i].name, name)) {
			g_autoptr(GString) page = g_string_new(NULL);

			pages[i].append(page);
			fputs(page->str, stdout);
			return EXIT_SUCCESS;
		}
	fprintf(stderr, "reference: there is no page %s\n", name);
	return EXIT_FAILURE;
}

int main(int argc, char *argv[])
{
	g_autoptr(GError) error = NULL;

	if (argc == 2 && !strcmp(argv[1], "list")) {
		for (size_t i = 0; i < G_N_ELEMENTS(pages); i++)
			puts(pages[i].name);
		return EXIT_SUCCESS;
	}
	if (argc == 2)
		return print_page(argv[1]);
	if (argc != 3 || strcmp(argv[1], "man") != 0) {
		fputs("usage: reference list | PAGE | man DIRECTORY\n", stderr);
		return EXIT_FAILURE;
	}
	if (man_write(argv[2], &error) < 0) {
		fprintf(stderr, "reference: %s\n", error->message);
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
