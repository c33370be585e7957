/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the status share: each makes its members of the StatusResponse. */
#pragma once

#include "src/agent/status.h"
#include "src/agent/agent.h"

/* "2026-11-21T04:00:00Z"; NULL for 0. g_free. */
char *status_format_time(int64_t realtime_ns);

/* status_controllers.c */
json_t *status_controllers_to_json(const struct agent *agent);
/* {name: since}: jobs that do not run as they should; NULL: all do. */
json_t *status_stale_to_json(const struct agent *agent);
/*
 * Jobs whose last run failed. Where objects are failing the reconcilers are left out: that is what they
 * say too.
 */
unsigned int status_n_failing_jobs(const struct agent *agent, unsigned int n_failing_objects);

/* status_datapath.c: how packets are handled. */
void status_add_datapath(const struct agent *agent, json_t *status);

/* status_services.c */
/* The node's devices that have programs: [{name, ip: [address]}]. */
json_t *status_devices_to_json(const struct agent *agent);
json_t *status_kube_proxy_to_json(const struct agent *agent);

/* status_ipam.c */
json_t *status_ipam_to_json(const struct agent *agent);

/* status_kernel.c. NULL: the kernel is none (the fake datapath). */
json_t *status_kernel_to_json(const struct agent *agent);

/* status_policy.c */
json_t *status_policy_to_json(const struct agent *agent);

/* status_own.c: what only this agent has. */
json_t *status_own_to_json(const struct agent *agent);
/* Whether the last change of each directory of state was possible. */
bool status_is_state_writable(const struct agent *agent);
