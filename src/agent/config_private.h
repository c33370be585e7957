/* SPDX-License-Identifier: Apache-2.0 */
/* What the reading, checking and changing of a configuration share. */
#pragma once

#include "src/agent/config.h"

/* Where a configuration is read from; borrowed. */
struct config_sources {
	int argc;
	char *const *argv;
	char *const *envp;
	const char *key; /* a key whose file has text, whatever it has; NULL: none */
	const char *text;
};

/* What one key is, and why. */
struct config_entry {
	char *text;
	char *place;
	enum option_origin origin;
	bool differs;
};

struct config {
	struct config_sources sources;
	struct settings settings; /* in force */
	enum config_action action;
	struct config_entry *entries;    /* in force; one for each row */
	struct config_entry *configured; /* as read last: what the next start begins with */
	GPtrArray *unknown;              /* char *, NULL at the end */
	GString *problems;               /* one a line */
};

NODISCARD int config_load_sources(const struct config_sources *sources, struct config **ret_config,
				  GError **error);
/* A line more. */
void config_add_problem(GString *problems, const char *format, ...) G_GNUC_PRINTF(2, 3);
void config_fini_entry(struct config_entry *entry);
