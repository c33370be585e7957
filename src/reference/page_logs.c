/* SPDX-License-Identifier: Apache-2.0 */
/* The modules that log. */
#include "src/reference/page.h"

static const struct {
	const char *name, *what;
} modules[] = {
#define LOG_SUBSYS(id, name, what) {name, what},
#include "src/base/log_subsys.def"
#undef LOG_SUBSYS
};

void page_append_logs(GString *page)
{
	g_string_append(page, "# Log subsystems\n\nWhat `subsys=` of a log entry means.\n\n");
	page_append_heading(page, "Name", "What it tells", NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(modules); i++) {
		g_autofree char *name = g_strdup_printf("`%s`", modules[i].name);

		page_append_row(page, name, modules[i].what, NULL);
	}
}
