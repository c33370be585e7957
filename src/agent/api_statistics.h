/* SPDX-License-Identifier: Apache-2.0 */
/* How often the REST API was called, how long its answers took, and when the last call was. */
#pragma once

#include "src/api/call.h"
#include "src/base/histogram.h"

struct api_statistics;

/* Of one path, method and status. The texts are those of Cilium's labels. */
struct api_statistics_entry {
	const char *path;   /* "/v1/endpoint": two segments; "/v1" for paths that are no call's */
	const char *method; /* "GET"; "other" for methods that no call has */
	unsigned int status;
	struct histogram times;
	int64_t last_ns; /* CLOCK_REALTIME */
};

struct api_statistics *api_statistics_new(void);
void api_statistics_free(struct api_statistics *statistics); /* takes NULL */
/* call: API_CALL__MAX where the request was no call; then method may be any text. */
void api_statistics_add(struct api_statistics *statistics, enum api_call call, const char *method,
			unsigned int status, int64_t duration_ns);
/* There are no more than the calls have paths, methods and statuses. */
void api_statistics_foreach(const struct api_statistics *statistics,
			    void (*fn)(const struct api_statistics_entry *entry, void *data),
			    void *data);
