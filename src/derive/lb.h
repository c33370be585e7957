/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Services: what stands in manifests, and what was asked for by hand, becomes rows of lb_services.
 *
 *	services, endpoint_slices, nodes, devices, backend_health ─► rows of Services
 *	pods, endpoints, nodes, devices                           ─► rows of host ports
 *	local_redirects, services, pods, endpoints, namespaces    ─► rows of redirects, cilium_skip_lb
 *	service_requests                                          ─► rows of requests
 *
 * A change is looked at as far as it reaches: a slice is that of one service.
 */
#pragma once

#include "src/derive/config.h"
#include "src/store/tables.h"

struct lb_derivation;

/* Before the first row is put. slices: endpoint_slices by "namespace/service". */
struct lb_derivation *lb_derivation_new(struct store *store, struct tables *tables,
					const struct derive_config *config,
					const struct table_index *slices);
void lb_derivation_free(struct lb_derivation *derivation); /* takes NULL */
/*
 * What of services cannot be as it is wanted: char *, each a sentence that names the object, the cause and what to
 * do, sorted; empty: nothing. g_ptr_array_unref.
 */
GPtrArray *lb_derivation_problems(const struct lb_derivation *derivation);
