/* SPDX-License-Identifier: Apache-2.0 */
/* Which policies concern which endpoints, as the tables have it: for the answers of the API. */
#pragma once

#include "src/agent/agent.h"
#include "src/model/policy.h"
#include "src/model/rule_set.h"
#include "src/model/source_problem.h"

/* "default", "always" or "never": the mode in force. Static. */
const char *policy_view_get_enforcement(const struct agent *agent);
/* Of the policies in force. */
uint64_t policy_view_get_revision(const struct agent *agent);
/* Policies in force, const struct policy, in the order of their keys, in which they are applied. */
GPtrArray *policy_view_get_active(const struct agent *agent);
/* NULL: nothing has been derived for the endpoint yet. id 0 is the host, as everywhere here. */
const struct endpoint_policy *policy_view_get(const struct agent *agent, uint16_t id);
const struct rule_set *policy_view_get_rule_set(const struct agent *agent, uint16_t id);
/*
 * Calls fn with each spec in force that selects the endpoint, in the order in which they count; path:
 * "spec", "specs[1]".
 */
void policy_view_foreach_spec(const struct agent *agent, uint16_t id,
			      void (*fn)(const struct policy *policy,
					 const struct policy_spec *spec, const char *path,
					 void *data),
			      void *data);
/* How many endpoints each policy in force selects: its key to the number, by GPOINTER_TO_UINT. */
GHashTable *policy_view_count_endpoints(const struct agent *agent);
/* Whether the manifest that was refused is a policy's. */
bool policy_view_is_of_policy(const struct source_problem *problem);
/* Rules in all of its specs. */
unsigned int policy_view_n_rules(const struct policy *policy);
