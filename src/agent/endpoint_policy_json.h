/* SPDX-License-Identifier: Apache-2.0 */
/* What policy says of an endpoint, in the shapes of Cilium's API. */
#pragma once

#include <jansson.h>
#include "src/agent/agent.h"

/* {"realized": EndpointPolicy, "spec": EndpointPolicy}. json_decref. */
json_t *endpoint_policy_to_json(const struct agent *agent, uint16_t id);
/* "none", "ingress", "egress", "both", in front "audit-" where it only reports. Static. */
const char *endpoint_policy_enforcement(const struct agent *agent, uint16_t id);
