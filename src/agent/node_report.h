/* SPDX-License-Identifier: Apache-2.0 */
/* What of the node and its configuration does not fit together: in the log when it begins and ends, and in status. */
#pragma once

#include <glib.h>

struct agent;
struct node_report;

struct node_report *node_report_new(void);
void node_report_free(struct node_report *report); /* takes NULL */
/* Looks again, and logs what is new and what is no more. */
void node_report_update(struct node_report *report, const struct agent *agent);
/* char *, as they are now, as node_problems() says; empty during the start. g_ptr_array_unref. */
GPtrArray *node_report_find(const struct agent *agent);
