/* SPDX-License-Identifier: Apache-2.0 */
/* GET /healthz on the loopback, for probes: 200 while the agent is well, else 503 and the reason. */
#pragma once

#include "src/agent/agent.h"

/*
 * Listens on 127.0.0.1 at agent-health-port. NULL and *error where the port is not to be had; NULL
 * without one where the key says 0.
 */
struct http_server *health_server_new(struct agent *agent, GError **error);
