/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a load balancer outside asks each node about a service whose externalTrafficPolicy is Local: whether a back
 * end of it is here. For each row of lb_services with a healthCheckNodePort an HTTP server answers there, on every
 * address of the node:
 *
 *	200 or 503  {"service": {"namespace": "shop", "name": "web"}, "localEndpoints": 2}
 *
 * with their number in X-Load-Balancing-Endpoint-Weight too. A port that is not to be had fails the controller, and
 * is tried again.
 */
#pragma once

#include <uv.h>
#include "src/base/controller.h"
#include "src/store/tables.h"

struct service_health;

/* controller is borrowed. Watches from now on, so it comes behind the derivations. */
struct service_health *service_health_new(uv_loop_t *loop, struct store *store,
					  const struct tables *tables,
					  struct controller *controller);
/* Before the store. Memory goes when the loop has run. Takes NULL, as the others do. */
void service_health_free(struct service_health *health);
/* Now and again: ports that were not to be had. */
void service_health_retry(struct service_health *health);
