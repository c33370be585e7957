// SPDX-License-Identifier: Apache-2.0
/* What the maps of services say about themselves: to the controller, the status, the log, whoever asks. */
#include "src/datapath/lb_private.h"

#include "src/base/clock.h"
#include "src/base/log.h"
#include "src/datapath/layout.h"

#define NAME "services"

bool lb_error_is_room(int error)
{
	return error == ENOSPC || error == E2BIG || error == ENOMEM || error == EADDRINUSE;
}

/* ---- texts ---- */

/* Free with g_free. */
static char *describe(const struct kernel_service *service)
{
	if (service->wanted)
		return g_strdup_printf("service %s", service->wanted->key);
	if (service->row && service->row->name)
		return g_strdup_printf("service %s/%s, which has gone",
				       service->row->namespace ? service->row->namespace : "",
				       service->row->name);
	return g_strdup_printf("service number %u, which has gone", service->number);
}

/* NULL: none, it may pass. */
static const char *find_hint(const struct lb_failing *failing)
{
	if (failing->error == EADDRINUSE)
		return "another service has one of its addresses with that port: \"cilium service "
		       "list\" shows which";
	if (failing->error != ENOSPC)
		return NULL;
	switch (failing->map) {
	case PLAN_MAP_cilium_lb_services:
	case PLAN_MAP_cilium_lb_sets:
		return "the map is full: raise bpf-lb-service-map-max";
	case PLAN_MAP_cilium_lb_slots:
	case PLAN_MAP_cilium_lb_backends:
		return "the map is full: raise bpf-lb-service-backend-map-max";
	case PLAN_MAP_cilium_lb_maglev:
		return "the map is full: raise bpf-lb-maglev-map-max, or let fewer services choose "
		       "by Maglev";
	case PLAN_MAP_cilium_lb_source_range:
		return "the map is full: raise bpf-lb-source-range-map-max, or name fewer ranges";
	default:
		return "the map is full";
	}
}

/* ---- a service that cannot be applied ---- */

static void log_failure(const struct lb_maps *maps, const struct kernel_service *service)
{
	const struct lb_failing *failing = service->failing;
	g_autofree char *object = describe(service);
	guint n_failing = g_hash_table_size(maps->failing);
	const char *hint = find_hint(failing);

	if (n_failing > RECONCILE_LOG_MAX)
		return;
	if (n_failing == RECONCILE_LOG_MAX) {
		log_warning("datapath", "More services cannot be applied: see cilium status",
			    "reconciler=%s", NAME);
		return;
	}
	log_warning("datapath", "A service cannot be put in force, will try again",
		    "object=%s error=%s map=%s outcome=%s hint=%s", object,
		    g_strerror(failing->error),
		    failing->map < PLAN_MAP__MAX ? map_layout_get(failing->map)->name : "none",
		    failing->error == EADDRINUSE ? "its other addresses work"
						 : "what was in force before stays",
		    hint ? hint : "nothing to do, unless it goes on");
}

void lb_note_failure(struct lb_maps *maps, const struct lb_work *work)
{
	struct kernel_service *service = work->service;
	struct lb_failing *failing = service->failing;
	bool is_news = !failing || failing->error != work->error;

	if (!failing) {
		failing = service->failing = g_new0(struct lb_failing, 1);
		failing->since_ns = clock_boottime_ns();
		failing->changed_ns = store_changed_ns(maps->store);
		g_hash_table_add(maps->failing, service);
	}
	failing->error = work->error;
	failing->map = work->map;
	failing->next_ns = maps->now_ns() + reconcile_retry_ns(failing->n_tries);
	failing->n_tries++;
	if (!is_news)
		return;
	maps->n_overflows += lb_error_is_room(work->error) && work->error != EADDRINUSE;
	log_failure(maps, service);
}

void lb_note_success(struct lb_maps *maps, const struct lb_work *work)
{
	struct kernel_service *service = work->service;
	int64_t changed_ns = store_changed_ns(maps->store);

	if (service->failing) {
		changed_ns = service->failing->changed_ns;
		g_clear_pointer(&service->failing, g_free);
		g_hash_table_remove(maps->failing, service);
		if (!g_hash_table_size(maps->failing))
			log_info("datapath", "All services are in force again", "reconciler=%s",
				 NAME);
	}
	if (work->n_writes && changed_ns)
		histogram_add_ns(&maps->delays, maps->now_ns() - changed_ns);
}

/* ---- the controller ---- */

void lb_begin_run(struct lb_maps *maps)
{
	controller_begin(maps->controller);
}

void lb_end_run(struct lb_maps *maps, const GError *cause)
{
	const struct kernel_service *oldest = NULL;
	g_autoptr(GError) error = NULL;
	g_autofree char *object = NULL;
	GHashTableIter iter;
	void *pointer;

	g_hash_table_iter_init(&iter, maps->failing);
	while (g_hash_table_iter_next(&iter, &pointer, NULL)) {
		const struct kernel_service *service = pointer;

		if (!oldest || service->failing->since_ns < oldest->failing->since_ns)
			oldest = service;
	}
	if (cause || !oldest) {
		controller_end(maps->controller, cause);
		return;
	}
	object = describe(oldest);
	error_set(&error, oldest->failing->error, "%s: %s%s", object,
		  g_strerror(oldest->failing->error),
		  g_hash_table_size(maps->failing) > 1 ? "; and others" : "");
	controller_end(maps->controller, error);
}

struct reconciler_status lb_maps_status(const struct lb_maps *maps)
{
	struct reconciler_status status = {
		.name = NAME,
		.n_wanted = table_n_rows(maps->table),
		.n_failing = g_hash_table_size(maps->failing),
		.n_repaired = maps->n_repaired,
	};
	unsigned int n_missing = 0;
	GHashTableIter iter;
	void *service;

	g_hash_table_iter_init(&iter, maps->failing);
	while (g_hash_table_iter_next(&iter, &service, NULL))
		n_missing += ((struct kernel_service *)service)->wanted != NULL;
	status.n_applied = status.n_wanted - MIN(n_missing, status.n_wanted);
	return status;
}

void lb_maps_foreach_failure(const struct lb_maps *maps,
			     void (*fn)(const struct reconciler_failure *failure, void *data),
			     void *data)
{
	GHashTableIter iter;
	void *pointer;

	g_hash_table_iter_init(&iter, maps->failing);
	while (g_hash_table_iter_next(&iter, &pointer, NULL)) {
		const struct kernel_service *service = pointer;
		g_autofree char *object = describe(service);
		struct reconciler_failure failure = {
			.reconciler = NAME,
			.object = object,
			.hint = find_hint(service->failing),
			.error = service->failing->error,
			.since_ns = clock_realtime_of_ns(service->failing->since_ns),
			.n_tries = service->failing->n_tries,
		};

		fn(&failure, data);
	}
}

/* ---- what is asked ---- */

struct visit {
	const struct lb_maps *maps;
	void (*fn)(const struct reconciler_service *service, void *data);
	void *data;
	GArray *frontend_ids;
	GArray *backend_ids;
};

static void list_frontend_ids(const struct visit *visit, const struct kernel_service *service)
{
	const struct lb_service *row = service->wanted;

	g_array_set_size(visit->frontend_ids, 0);
	for (uint32_t i = 0; i < row->n_frontends; i++) {
		struct lb_frontend_key key = lb_frontend_key_of(row, i);
		const struct kernel_frontend *frontend =
			keyed_set_get(&visit->maps->frontends, &key, sizeof(key));
		bool is_ours = frontend && frontend->present &&
			       (!frontend->owner || frontend->owner == service);
		uint32_t id = is_ours ? frontend->value.id : 0;

		g_array_append_val(visit->frontend_ids, id);
	}
}

/* Both rows are sorted. */
static void list_backend_ids(const struct visit *visit, const struct kernel_service *service)
{
	const struct lb_service *row = service->wanted, *there = service->row;
	uint32_t at = 0;

	g_array_set_size(visit->backend_ids, 0);
	for (uint32_t i = 0; i < row->n_backends; i++) {
		uint32_t id = 0;
		int order = -1;

		while (there && at < there->n_backends && order < 0) {
			order = lb_plan_backend_compare(&there->backends[at], &row->backends[i]);
			at += order < 0;
		}
		if (order == 0)
			id = service->ids[at++];
		g_array_append_val(visit->backend_ids, id);
	}
}

static bool visit_service(void *item, void *data)
{
	const struct visit *visit = data;
	const struct kernel_service *service = item;

	list_frontend_ids(visit, service);
	list_backend_ids(visit, service);
	visit->fn(
		&(const struct reconciler_service){
			.row = service->wanted,
			.number = service->number,
			.frontend_ids = (const void *)visit->frontend_ids->data,
			.backend_ids = (const void *)visit->backend_ids->data,
			.is_applied = !service->failing,
			.error = service->failing ? service->failing->error : 0,
		},
		visit->data);
	return true;
}

void lb_maps_foreach(const struct lb_maps *maps,
		     void (*fn)(const struct reconciler_service *service, void *data), void *data)
{
	g_autoptr(GArray) frontend_ids = g_array_new(false, false, sizeof(uint32_t));
	g_autoptr(GArray) backend_ids = g_array_new(false, false, sizeof(uint32_t));
	struct visit visit = {maps, fn, data, frontend_ids, backend_ids};

	keyed_set_foreach(&maps->services, visit_service, &visit);
}

bool lb_maps_by_frontend_id(const struct lb_maps *maps, uint32_t id,
			    void (*fn)(const struct reconciler_service *service, void *data),
			    void *data)
{
	const struct kernel_frontend *frontend = lb_frontend_by_id(maps, id);
	g_autoptr(GArray) frontend_ids = g_array_new(false, false, sizeof(uint32_t));
	g_autoptr(GArray) backend_ids = g_array_new(false, false, sizeof(uint32_t));
	struct visit visit = {maps, fn, data, frontend_ids, backend_ids};

	if (!frontend || !frontend->owner || !frontend->owner->wanted)
		return false;
	visit_service(frontend->owner, &visit);
	return true;
}

static bool count_service(void *item, void *data)
{
	*(unsigned int *)data += ((struct kernel_service *)item)->row != NULL;
	return true;
}

struct reconciler_service_statistics lb_maps_statistics(const struct lb_maps *maps)
{
	struct reconciler_service_statistics statistics = {
		.n_services = g_hash_table_size(maps->unwanted),
		.n_frontends = maps->n_entries[PLAN_MAP_cilium_lb_services],
		.n_backends = maps->n_entries[PLAN_MAP_cilium_lb_backends],
		.n_tables = maps->n_tables,
		.n_failing = g_hash_table_size(maps->failing),
		.n_overflows = maps->n_overflows,
		.implementation_delays = &maps->delays,
	};

	keyed_set_foreach(&maps->services, count_service, &statistics.n_services);
	for (int i = 0; i < LB_N_FILLED_MAPS; i++) {
		enum plan_map map = lb_filled_maps[i];

		statistics.n_entries[map] = maps->n_entries[map];
		statistics.max_entries[map] =
			maps->datapath->ops->map_max_entries(maps->datapath, map);
	}
	return statistics;
}

void lb_tell_write(const struct lb_maps *maps, enum plan_map map, const void *key,
		   const void *value, int err)
{
	reconcile_tell_write(maps->on_write, maps->on_write_data, map, key, value, err);
}
