/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics: a scrape collects what modules, tables and the kernel have counted into a set of samples, from
 * which GET /metrics makes Prometheus' text on prometheus-serve-addr, and a JSON array in the REST API.
 */
#pragma once

#include "src/agent/metrics_table.h"
#include "src/base/error.h"

struct agent;
struct metrics;

/* Makes watches on tables: with the derivations. */
struct metrics *metrics_new(struct agent *agent);
/* Serves no more; the loop runs once more behind it. Takes NULL. */
void metrics_stop(struct metrics *metrics);
/* Stopped, and no watch runs any more. Takes NULL. */
void metrics_free(struct metrics *metrics);
/*
 * Listens on prometheus-serve-addr; empty: does nothing. Where it cannot, the rest of the agent is as well
 * as without it: its controller is "metrics-port", and metrics_retry() tries again.
 */
void metrics_serve(struct metrics *metrics);
void metrics_retry(struct metrics *metrics);
/* Why nobody can scrape; NULL: all is well. */
const char *metrics_get_error(const struct metrics *metrics);
/* Everything as it is now; metric_set_free(), before the loop goes on. */
struct metric_set *metrics_collect(struct metrics *metrics);
