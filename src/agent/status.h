/* SPDX-License-Identifier: Apache-2.0 */
/*
 * StatusResponse: the state of the agent in Cilium's shape, from tables, settings and reconcilers. What
 * this agent has and Cilium has not is in the member "axoneme":
 *
 *	source-problems   [{file, line, object, field, reason}]: what the manifests have wrong
 *	failing-objects   [{reconciler, object, endpoint-id, error, errno, since, tries, next-step}]
 *	policy            {enforcement, revision, …}: what policies there are, and the room of their maps
 *	kernel            {release, features: [{name, available, mode, reason}]}: what was chosen and why
 *	health-checks     {back-ends, down}: those that the agent probes
 *	loop              {turns, max-lag-seconds, max-lag-timestamp}: how long something held it up
 *	without-effect    [{key, value, place}]: keys that this version accepts and does not act on
 *	unknown-keys      [name]
 *	state-problems    [text]: kept state that could not be read when the agent started
 *	node-problems     [text]: what of the node and its configuration does not fit together
 *	state-source, manifest-dir
 *	pod-attach-mode   clsact or tcx: what is in use, whatever was asked for
 *	metrics-error     why Prometheus gets no metrics, though prometheus-serve-addr says where
 */
#pragma once

#include <stdbool.h>
#include <jansson.h>

struct agent;

/* Whether the state is Failure, for who asks that often: of all else nothing is looked at. */
bool status_is_failure(const struct agent *agent);
/* brief: only the state of the agent, as a probe asks for it. json_decref. */
json_t *status_to_json(const struct agent *agent, bool brief);
