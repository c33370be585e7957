/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happened to each endpoint, the newest ENDPOINT_LOG_MAX entries of each: at most 24 KB an endpoint. In
 * memory; a restart begins it anew.
 */
#pragma once

#include "src/model/endpoint.h"

#define ENDPOINT_LOG_MAX 64
/* Longer messages are cut. */
#define ENDPOINT_LOG_MESSAGE_BYTES 256

struct endpoint_log_entry {
	int64_t time_ns; /* CLOCK_REALTIME */
	bool failed;
	enum endpoint_phase phase; /* of the endpoint from then on */
	const char *message;       /* UTF-8 */
};

struct endpoint_log;

struct endpoint_log *endpoint_log_new(void);
void endpoint_log_free(struct endpoint_log *log); /* takes NULL */
/* Copies the entry. In place of the oldest where there are too many. */
void endpoint_log_add(struct endpoint_log *log, uint16_t id,
		      const struct endpoint_log_entry *entry);
/* Forgets the endpoint. */
void endpoint_log_remove(struct endpoint_log *log, uint16_t id);
/* The newest first, until fn says false. The entries are borrowed for the call. */
void endpoint_log_foreach(const struct endpoint_log *log, uint16_t id,
			  bool (*fn)(const struct endpoint_log_entry *entry, void *data),
			  void *data);
