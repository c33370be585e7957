/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log: one line an entry on standard error, time="…" level=… msg="…" subsys=… key=value…, as
 * Cilium writes it, or the same as a JSON object. Only programs and whoever decides what happens
 * next log; libraries return errors. One thread of a program logs.
 *
 *	log_warning("endpoint", "Attaching the program failed",
 *		    "endpointID=%u device=%s error=%s", id, ifname, text);
 *
 * The first word is a row of log_subsys.def. The fields are one literal, checked like printf's:
 * name=conversion, separated by blanks. A field whose %s is NULL is left out. What is quoted, and
 * how, is the log's business. Conversions: d i u x s c, with z, l, ll and PRI macros. Precision and
 * width are not needed in a log and not understood. A text is cut at 4,096 bytes, one of the first two
 * fields at 256.
 *
 * The first two fields say what the entry is about: how often the same message is written is limited for
 * each object on its own (log_limit.h). The next entry about it has suppressed=N. Debug entries are
 * not limited.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
	LOG_LEVEL__MAX,
};

enum log_subsys {
#define LOG_SUBSYS(id, name, what) LOG_SUBSYS_##id,
#include "src/base/log_subsys.def"
#undef LOG_SUBSYS
	LOG_SUBSYS__MAX,
};

/* The values of log-opt "format"; -ts is with the time. */
enum log_format {
	LOG_FORMAT_TEXT,
	LOG_FORMAT_TEXT_TS,
	LOG_FORMAT_JSON,
	LOG_FORMAT_JSON_TS,
	LOG_FORMAT__MAX,
};

void log_set_level(enum log_level level); /* of every module; LOG_LEVEL_INFO when left alone */
void log_set_subsys_level(enum log_subsys subsys, enum log_level level);
enum log_level log_get_subsys_level(enum log_subsys subsys);
void log_set_format(enum log_format format); /* LOG_FORMAT_TEXT_TS when left alone */
/* Standard error when left alone; stays the caller's. Writing never waits: log_output.h. */
void log_set_fd(int fd);

/* "error", "warning" or "warn", "info", "debug". 0 or −EINVAL. */
int log_level_parse(const char *text, enum log_level *ret_level);
const char *log_level_text(enum log_level level);
/* "text", "text-ts", "json", "json-ts". 0 or −EINVAL. */
int log_format_parse(const char *text, enum log_format *ret_format);
/* The name of a row of log_subsys.def. 0 or −EINVAL. */
int log_subsys_parse(const char *text, enum log_subsys *ret_subsys);
const char *log_subsys_text(enum log_subsys subsys);

/* Errors and warnings of each module since the start, also those that were not written. */
void log_foreach_count(void (*fn)(enum log_level level, const char *subsys, uint64_t n, void *data),
		       void *data);
/* Lines that could not be written: nobody read them, or the disk is full. */
uint64_t log_n_lost(void);
/*
 * To be called about once a second: writes how often was suppressed what has ended, and what could
 * not be written before. all: at the end of the program.
 */
void log_flush(bool all);

/* The two below are what the macros call. */
bool log_enabled(enum log_level level, enum log_subsys subsys);
/* Counts, and writes one entry with one write(2) if its level is on and the limit allows it. */
void log_write(enum log_level level, enum log_subsys subsys, const char *message,
	       const char *fields, ...) G_GNUC_PRINTF(4, 5);

/*
 * For what may come a hundred thousand times a second: asks for the limit first, with a number for the
 * object; only if that is true, log_write_admitted() is due, with the same message and fields of which
 * the first two are the object. *ret_n_suppressed is for a field suppressed=.
 */
bool log_admit(enum log_level level, enum log_subsys subsys, const char *message, uint64_t object,
	       uint64_t *ret_n_suppressed);
void log_write_admitted(enum log_level level, enum log_subsys subsys, const char *message,
			uint64_t object, const char *fields, ...) G_GNUC_PRINTF(5, 6);

#if defined(__OPTIMIZE__) && !defined(__clang__)
__attribute__((error("no row of log_subsys.def has this name")))
#endif
enum log_subsys
log_subsys_unknown(void);

/* All of it is done by the compiler. */
static inline __attribute__((always_inline)) enum log_subsys log_subsys_of(const char *text)
{
#define LOG_SUBSYS(id, name, what)             \
	if (__builtin_strcmp(text, name) == 0) \
		return LOG_SUBSYS_##id;
#include "src/base/log_subsys.def"
#undef LOG_SUBSYS
	return log_subsys_unknown();
}

/*
 * The blank in front makes the fields a literal, and lets them be absent. What counts is also called
 * where it is not written.
 */
#define log_entry(level, subsys, message, ...)                                                 \
	do {                                                                                   \
		if ((level) <= LOG_LEVEL_WARNING || log_enabled(level, log_subsys_of(subsys))) \
			log_write(level, log_subsys_of(subsys), message, " " __VA_ARGS__);     \
	} while (0)

#define log_error(subsys, message, ...)   log_entry(LOG_LEVEL_ERROR, subsys, message, __VA_ARGS__)
#define log_warning(subsys, message, ...) log_entry(LOG_LEVEL_WARNING, subsys, message, __VA_ARGS__)
#define log_info(subsys, message, ...)    log_entry(LOG_LEVEL_INFO, subsys, message, __VA_ARGS__)
#define log_debug(subsys, message, ...)   log_entry(LOG_LEVEL_DEBUG, subsys, message, __VA_ARGS__)
