/* SPDX-License-Identifier: Apache-2.0 */
/* StatusResponse as people read it. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <glib.h>
#include <jansson.h>

struct status_format {
	bool all_addresses;
	bool all_controllers;
	bool all_health; /* the tree of modules */
	bool all_nodes;
	bool verbose;   /* clock, maps, kernel, loop */
	int64_t now_ns; /* CLOCK_REALTIME, for "3s ago" */
};

/* Lines with tabs, for tabwriter_format(). */
void status_append_text(GString *text, const json_t *status, const struct status_format *format);
/* One line: "OK", or "error: …" with the first thing that is wrong. */
void status_append_brief(GString *text, const json_t *status);
/* Whether the agent's own state is one to exit with 0. */
bool status_is_healthy(const json_t *status);
