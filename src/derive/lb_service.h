/* SPDX-License-Identifier: Apache-2.0 */
/* What a Service wants: a row for each port and family. */
#pragma once

#include "src/derive/lb_backend.h"

/* Whose keys of rows they may be: char *, freed by the array. */
void lb_service_add_keys(const struct service *service, GPtrArray *keys);
/* Adds struct lb_draft: front ends, back ends, all. */
void lb_service_derive(const struct lb_backend_source *source, const struct service *service,
		       GPtrArray *drafts);
/* Adds char *, a sentence each: what of it has no effect, or less than one would think. */
void lb_service_check(const struct derive_config *config, const struct service *service,
		      GPtrArray *problems);
/* Whether rows of the service depend on which addresses node ports have. */
bool lb_service_has_node_ports(const struct service *service);
/* … on labels of this node or on its addresses. */
bool lb_service_asks_node(const struct service *service);
