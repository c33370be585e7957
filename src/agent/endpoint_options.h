/* SPDX-License-Identifier: Apache-2.0 */
/* Options of one endpoint by name, as Cilium's tools send them, and what is in force. */
#pragma once

#include "src/agent/agent.h"

/* Changes one option of endpoint, a copy that is in no table yet. −EINVAL with the reason. */
NODISCARD int endpoint_options_set(const struct agent *agent, struct endpoint *endpoint,
				   const char *name, const char *text, GError **error);
/* Whether the option is on for the endpoint: its own value, else the node's. */
bool endpoint_options_get(const struct agent *agent, const struct endpoint *endpoint,
			  enum endpoint_option option);
/* False where the programs were loaded without what the option needs. */
bool endpoint_options_can_change(const struct agent *agent, enum endpoint_option option);
