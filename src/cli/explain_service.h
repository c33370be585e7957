/* SPDX-License-Identifier: Apache-2.0 */
/* What cilium explain says of services: as JSON, and as text made of that. */
#pragma once

#include "src/cli/explain_report.h"

/* NULL: no service had to do with the packet. */
json_t *explain_service_to_json(const struct explain *explain, const struct explain_agent *agent);
/*
 * Why no packet of the host is ever to the front end at this address and port: its sockets are translated. g_free;
 * NULL: packets are.
 */
char *explain_service_at_socket(const struct addr *addr, __be16 port,
				const struct explain_agent *agent);
/* "default/web 10.96.0.1:80: …"; g_free. NULL where there is none. */
char *explain_service_text(const json_t *service);
