/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the status' text share. Each function appends lines; what is not there is left out. */
#pragma once

#include "src/cli/status_text.h"

struct status_text {
	GString *out;
	const json_t *status;
	const struct status_format *format;
};

/* "3s ago", "never" where there is no timestamp. */
void status_append_ago(struct status_text *text, const char *timestamp);

/* status_text_jobs.c */
void status_append_stale(struct status_text *text);
void status_append_controllers(struct status_text *text);
/* Every job below the part of the agent that it belongs to; without verbose how many are well. */
void status_append_modules(struct status_text *text);

/* status_text_own.c: what only this agent has. */
void status_append_own(struct status_text *text);
/* " (why)" of the feature, for its line; nothing where the agent does not say. */
void status_append_reason(struct status_text *text, const char *feature);

/* status_text_services.c */
void status_append_kube_proxy(struct status_text *text);
/* With verbose: which kinds of services, and how. */
void status_append_kube_proxy_details(struct status_text *text);
