/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log: one line an entry on standard error, level=… msg="…" subsys=… key=value…, as Cilium writes
 * it. Only programs and whoever decides what happens next log; libraries return errors.
 *
 *	log_warn("endpoint", "Attaching the program failed", "endpointID", "%u", id, "error", "%s", text);
 *
 * The fields are triples of name, format and ONE argument; the list ends by itself.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
	LOG_LEVEL__MAX,
};

void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);

/* Writes one entry. fields: "name=value" pairs already formatted into a GString, or NULL. */
void log_write(enum log_level level, const char *subsys, const char *message, const char *fields);

/* Formats one field; values with blanks or quotes are quoted. Appends to fields. */
void log_field(GString *fields, const char *name, const char *format, ...) G_GNUC_PRINTF(3, 4);
