/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log: one line an entry on standard error, time="…" level=… msg="…" subsys=… key=value…, as
 * Cilium writes it, or the same as a JSON object. Only programs and whoever decides what happens
 * next log; libraries return errors.
 *
 *	log_warning("endpoint", "Attaching the program failed",
 *		    "endpointID=%u device=%s error=%s", id, ifname, text);
 *
 * The fields are one literal, checked like printf's: name=conversion, separated by blanks. A field
 * whose %s is NULL is left out. What is quoted, and how, is the log's business. Conversions: d i u
 * x s c, with z, l, ll and PRI macros. Precision and width are not needed in a log and not
 * understood.
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

/* The values of log-opt "format"; -ts is with the time. */
enum log_format {
	LOG_FORMAT_TEXT,
	LOG_FORMAT_TEXT_TS,
	LOG_FORMAT_JSON,
	LOG_FORMAT_JSON_TS,
	LOG_FORMAT__MAX,
};

void log_set_level(enum log_level level);    /* LOG_LEVEL_INFO when left alone */
void log_set_format(enum log_format format); /* LOG_FORMAT_TEXT_TS when left alone */
void log_set_fd(int fd); /* standard error when left alone; stays the caller's */
bool log_enabled(enum log_level level);

/* "error", "warning" or "warn", "info", "debug". 0 or −EINVAL. */
int log_level_parse(const char *text, enum log_level *ret_level);
/* "text", "text-ts", "json", "json-ts". 0 or −EINVAL. */
int log_format_parse(const char *text, enum log_format *ret_format);

/* Writes one entry with one write(2). The macros below are what is called. */
void log_write(enum log_level level, const char *subsys, const char *message, const char *fields,
	       ...) G_GNUC_PRINTF(4, 5);

/* The blank in front makes the fields a literal, and lets them be absent. */
#define log_entry(level, subsys, message, ...)                              \
	do {                                                                \
		if (log_enabled(level))                                     \
			log_write(level, subsys, message, " " __VA_ARGS__); \
	} while (0)

#define log_error(subsys, message, ...)   log_entry(LOG_LEVEL_ERROR, subsys, message, __VA_ARGS__)
#define log_warning(subsys, message, ...) log_entry(LOG_LEVEL_WARNING, subsys, message, __VA_ARGS__)
#define log_info(subsys, message, ...)    log_entry(LOG_LEVEL_INFO, subsys, message, __VA_ARGS__)
#define log_debug(subsys, message, ...)   log_entry(LOG_LEVEL_DEBUG, subsys, message, __VA_ARGS__)
