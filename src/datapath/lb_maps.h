/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reconciler of services: cilium_lb_services, _sets, _slots, _backends, _maglev and _source_range. It is one of
 * struct reconcilers, which alone uses this.
 */
#pragma once

#include "src/datapath/reconciler.h"

struct lb_maps;

struct lb_maps *lb_maps_new(struct store *store, struct tables *tables, struct datapath *datapath);
void lb_maps_free(struct lb_maps *maps); /* takes NULL */
void lb_maps_watch(struct lb_maps *maps, struct store *store, struct tables *tables);

void lb_maps_set_clock(struct lb_maps *maps, int64_t (*now_ns)(void));
void lb_maps_set_controller(struct lb_maps *maps, struct controllers *controllers,
			    int64_t interval_ns);
void lb_maps_set_maglev(struct lb_maps *maps, uint32_t size, uint32_t seed);
void lb_maps_set_backend_observer(struct lb_maps *maps, reconciler_backend_observer fn, void *data);
void lb_maps_set_write_observer(struct lb_maps *maps, reconciler_write_fn fn, void *data);

/* As the functions of struct reconcilers of these names. */
NODISCARD int lb_maps_adopt(struct lb_maps *maps);
void lb_maps_allow_deletion(struct lb_maps *maps);
unsigned int lb_maps_resync(struct lb_maps *maps);
/* As reconcilers_resync_services(). */
bool lb_maps_resync_next(struct lb_maps *maps, unsigned int *n_repaired);
int64_t lb_maps_retry(struct lb_maps *maps);
struct reconciler_status lb_maps_status(const struct lb_maps *maps);
void lb_maps_foreach_failure(const struct lb_maps *maps,
			     void (*fn)(const struct reconciler_failure *failure, void *data),
			     void *data);
void lb_maps_foreach(const struct lb_maps *maps,
		     void (*fn)(const struct reconciler_service *service, void *data), void *data);
bool lb_maps_by_frontend_id(const struct lb_maps *maps, uint32_t id,
			    void (*fn)(const struct reconciler_service *service, void *data),
			    void *data);
struct reconciler_service_statistics lb_maps_statistics(const struct lb_maps *maps);
