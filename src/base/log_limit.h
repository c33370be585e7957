/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often the log says the same. What is limited is a message about an object: the tenth failure of
 * one endpoint tells nothing new, the first of another does, and must not be hidden by it. So each
 * (module, level, message, object) may be said 10 times at once and then every 10 seconds: a flood
 * is seen as one, then costs six lines a minute, and its end is known to 10 seconds. Beyond that,
 * a message is said 1,000 times at once and then 100 times a second, whatever it is about: somebody who
 * can choose the name of the object must not fill the disk.
 *
 * Memory is bounded. Where more objects fail at a time than are remembered, the longest silent is
 * forgotten and counted with its message.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "src/base/log.h"

#define LOG_LIMIT_OBJECT_BURST        10
#define LOG_LIMIT_OBJECT_INTERVAL_NS  INT64_C(10000000000)
#define LOG_LIMIT_MESSAGE_BURST       1000
#define LOG_LIMIT_MESSAGE_INTERVAL_NS INT64_C(10000000)

struct log_limit;

/* What an entry says, but for the fields that differ each time. */
struct log_subject {
	enum log_level level;
	enum log_subsys subsys;
	const char *message;
	uint64_t object;         /* the same number: the same object */
	const char *object_text; /* fields as they stand in the log, for log_limit_flush; or NULL */
};

struct log_limit *log_limit_new(void);
void log_limit_free(struct log_limit *limit); /* takes NULL */
/*
 * Whether this may be said at now_ns (any clock that does not go back). *ret_n_suppressed: how often it
 * was not since it was said last.
 */
bool log_limit_admit(struct log_limit *limit, const struct log_subject *subject, int64_t now_ns,
		     uint64_t *ret_n_suppressed);
/* Gives an object that was admitted its text, where it came without. */
void log_limit_name(struct log_limit *limit, const struct log_subject *subject);
/* What was suppressed and has not come again for 10 seconds, or all of it. Then it is forgotten. */
void log_limit_flush(struct log_limit *limit, int64_t now_ns, bool all,
		     void (*fn)(const struct log_subject *subject, uint64_t n_suppressed,
				void *data),
		     void *data);
