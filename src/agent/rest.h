/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The REST API: src/api/call.def says what there is, rest_<noun>.c answers. A handler reads tables; to
 * change something it calls the endpoint manager or IPAM, never anything behind them.
 */
#pragma once

#include "src/agent/agent.h"
#include "src/rpc/http_server.h"

/* An http_handler; data is the struct agent. */
void rest_handle(const struct http_request *request, struct http_response *response, void *agent);
