/* SPDX-License-Identifier: Apache-2.0 */
/* What somebody made by `cilium service update`: one row, with one front end. */
#pragma once

#include "src/derive/lb_backend.h"
#include "src/model/service_request.h"

/* "7", of a request with that id. g_free. */
char *lb_request_key(uint32_t id);
/* endpoints: of this node, as a back end that is one of them, or the node itself, is of this node. NULL: the
 * family is off. */
struct lb_draft *lb_request_derive(const struct derive_config *config, const struct lb_node *node,
				   const struct table *endpoints,
				   const struct service_request *request);
/* Whether endpoints count. */
bool lb_request_is_local(const struct service_request *request);
