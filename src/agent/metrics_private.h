/* SPDX-License-Identifier: Apache-2.0 */
/* What the collectors share: each adds the samples of one part of metric.def. */
#pragma once

#include "src/agent/agent.h"
#include "src/agent/metrics.h"
#include "src/base/controller.h"

/* What tables tell by their changes. */
struct metrics_changes;
struct metrics_policy;
struct metrics_services;

struct metrics {
	struct agent *agent;
	bool on[AGENT_METRIC__MAX];
	struct metrics_changes *changes;
	struct metrics_policy *policy;
	struct metrics_services *services;
	struct histogram succeeded_runs, failed_runs; /* of controllers */
	struct controller *controller;                /* of listening; NULL: switched off */
	struct http_server *server;                   /* NULL: switched off, or not to be had */
	char *error;                                  /* why not; NULL: nothing is wrong */
};

/* metrics_changes.c. on: as in struct metrics. */
struct metrics_changes *metrics_changes_new(struct store *store, struct tables *tables,
					    const bool *on);
void metrics_changes_free(struct metrics_changes *changes); /* takes NULL */
void metrics_changes_collect(const struct metrics_changes *changes, struct metric_set *set);

/* metrics_policy.c */
struct metrics_policy *metrics_policy_new(struct store *store, struct tables *tables);
void metrics_policy_free(struct metrics_policy *metrics); /* takes NULL */

/* metrics_services.c */
struct metrics_services *metrics_services_new(struct store *store, struct tables *tables);
void metrics_services_free(struct metrics_services *metrics); /* takes NULL */

/* metrics_controllers.c: a run of a controller has ended. */
void metrics_on_run(const struct controller_info *info, void *metrics);

void metrics_collect_agent(struct metrics *metrics, struct metric_set *set);
void metrics_collect_bpf(struct metrics *metrics, struct metric_set *set);
void metrics_collect_connections(struct metrics *metrics, struct metric_set *set);
void metrics_collect_controllers(struct metrics *metrics, struct metric_set *set);
void metrics_collect_features(struct metrics *metrics, struct metric_set *set);
void metrics_collect_objects(struct metrics *metrics, struct metric_set *set);
void metrics_collect_packets(struct metrics *metrics, struct metric_set *set);
void metrics_collect_policy(struct metrics *metrics, struct metric_set *set);
void metrics_collect_sockets(struct metrics *metrics, struct metric_set *set);
void metrics_collect_services(struct metrics *metrics, struct metric_set *set);
void metrics_collect_process(struct metrics *metrics, struct metric_set *set);
