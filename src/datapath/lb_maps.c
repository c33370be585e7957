// SPDX-License-Identifier: Apache-2.0
/* When the maps of services are worked at: after changes of the plan, and in time. */
#include "src/datapath/lb_private.h"

#include <string.h>
#include "src/base/clock.h"

/* Services that are worked at together. */
#define GROUP 256

const enum plan_map lb_filled_maps[LB_N_FILLED_MAPS] = {
	PLAN_MAP_cilium_lb_services, PLAN_MAP_cilium_lb_sets,   PLAN_MAP_cilium_lb_slots,
	PLAN_MAP_cilium_lb_backends, PLAN_MAP_cilium_lb_maglev, PLAN_MAP_cilium_lb_source_range,
};

static void service_key(const void *item, struct row_key *ret_key)
{
	const struct kernel_service *service = item;

	*ret_key = (struct row_key){
		.data = service->wanted->key,
		.n_bytes = strlen(service->wanted->key),
	};
}

struct lb_maps *lb_maps_new(struct store *store, struct tables *tables, struct datapath *datapath)
{
	struct lb_maps *maps = g_new0(struct lb_maps, 1);

	maps->datapath = datapath;
	maps->store = store;
	maps->table = tables->lb_services;
	maps->now_ns = clock_monotonic_ns;
	keyed_set_init(&maps->services, service_key);
	keyed_set_init(&maps->frontends, lb_frontend_key);
	maps->unwanted = g_hash_table_new(NULL, NULL);
	maps->failing = g_hash_table_new(NULL, NULL);
	maps->held = g_hash_table_new(NULL, NULL);
	maps->strays = g_array_new(false, false, sizeof(struct lb_stray));
	maps->others = g_array_new(false, false, sizeof(struct lb_stray));
	lb_numbers_init(&maps->numbers);
	lb_batch_init(&maps->batch);
	return maps;
}

static void free_parts(struct lb_maps *maps, struct kernel_service *service)
{
	if (service->wanted)
		row_unref(&service->wanted->row);
	if (service->row)
		row_unref(&service->row->row);
	lb_table_free(maps, service);
	g_free(service->failing);
	g_free(service->frontends);
	g_free(service->ids);
	g_free(service);
}

/* It is in the kernel no more, and the plan has it not. */
static void forget_service(struct lb_maps *maps, struct kernel_service *service)
{
	g_hash_table_remove(maps->unwanted, service);
	g_hash_table_remove(maps->failing, service);
	g_hash_table_remove(maps->held, service);
	free_parts(maps, service);
}

static bool free_service(void *item, void *data)
{
	free_parts(data, item);
	return true;
}

static bool free_frontend(void *item, void *data)
{
	g_free(item);
	return true;
}

void lb_maps_free(struct lb_maps *maps)
{
	GHashTableIter iter;
	void *service;

	if (!maps)
		return;
	keyed_set_foreach(&maps->services, free_service, maps);
	g_hash_table_iter_init(&iter, maps->unwanted);
	while (g_hash_table_iter_next(&iter, &service, NULL))
		free_parts(maps, service);
	keyed_set_foreach(&maps->frontends, free_frontend, NULL);
	keyed_set_fini(&maps->services);
	keyed_set_fini(&maps->frontends);
	g_hash_table_unref(maps->unwanted);
	g_hash_table_unref(maps->failing);
	g_hash_table_unref(maps->held);
	g_array_unref(maps->strays);
	g_array_unref(maps->others);
	lb_numbers_fini(&maps->numbers);
	lb_batch_fini(&maps->batch);
	g_free(maps);
}

struct kernel_service *lb_service_new_unwanted(struct lb_maps *maps, uint32_t number)
{
	struct kernel_service *service = g_new0(struct kernel_service, 1);

	service->number = number;
	g_hash_table_add(maps->unwanted, service);
	return service;
}

/* ---- works ---- */

static bool is_done(const struct kernel_service *service)
{
	return !service->wanted && !service->row;
}

static void end_work(struct lb_maps *maps, struct lb_work *work)
{
	struct kernel_service *service = work->service;

	if (work->held)
		g_hash_table_add(maps->held, service);
	if (work->contested && !work->error) {
		work->error = EADDRINUSE;
		work->map = PLAN_MAP__MAX;
	}
	if (work->error)
		lb_note_failure(maps, work);
	else
		lb_note_success(maps, work);
	lb_work_free(maps, work);
	if (is_done(service) && !service->failing)
		forget_service(maps, service);
}

/* Front ends that are not as wanted make the rest worth nothing: the service becomes what it was. */
static void take_back(struct lb_maps *maps, GPtrArray *works, GPtrArray *rows)
{
	g_autoptr(GPtrArray) backs = g_ptr_array_new();
	uint64_t n_deleted = maps->n_deleted;

	for (guint i = 0; i < works->len; i++) {
		struct lb_work *work = works->pdata[i], *back;
		struct kernel_service *service = work->service;
		bool is_back = work->error && !work->turned;

		end_work(maps, work);
		if (!is_back)
			continue;
		back = lb_work_new(maps, service, rows->pdata[i]);
		back->may_delete = true;
		g_ptr_array_add(backs, back);
	}
	if (!backs->len)
		return;
	lb_apply_back(maps, backs);
	for (guint i = 0; i < backs->len; i++)
		lb_work_free(maps, backs->pdata[i]);
	/* What this made room for is what did not fit. */
	maps->n_deleted = n_deleted;
}

static void unref_row(void *row)
{
	if (row)
		row_unref(row);
}

static void apply_group(struct lb_maps *maps, struct kernel_service *const *services, guint n)
{
	g_autoptr(GPtrArray) works = g_ptr_array_new();
	g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func(unref_row);

	for (guint i = 0; i < n; i++) {
		struct kernel_service *service = services[i];
		struct lb_work *work = lb_work_new(maps, service, service->wanted);

		g_hash_table_remove(maps->held, service);
		if (!lb_work_fits(maps, work)) {
			end_work(maps, work);
			continue;
		}
		g_ptr_array_add(works, work);
		g_ptr_array_add(rows, service->row ? row_ref(&service->row->row) : NULL);
	}
	if (!works->len)
		return;
	lb_apply(maps, works);
	take_back(maps, works, rows);
}

void lb_maps_apply(struct lb_maps *maps, GPtrArray *services)
{
	for (guint i = 0; i < services->len; i += GROUP)
		apply_group(maps, (struct kernel_service *const *)services->pdata + i,
			    MIN(GROUP, services->len - i));
}

/*
 * A front end of another service that this one takes over goes on leading to the other until then: so what that changes
 * comes after. Where two exchange front ends there is no such order.
 */
static void mark_losers(struct lb_maps *maps, const struct kernel_service *service,
			GHashTable *losers)
{
	const struct lb_service *row = service->wanted;

	for (uint32_t i = 0; i < row->n_frontends; i++) {
		struct lb_frontend_key key = lb_frontend_key_of(row, i);
		const struct kernel_frontend *frontend =
			keyed_set_get(&maps->frontends, &key, sizeof(key));
		struct kernel_service *owner = frontend ? frontend->owner : NULL;

		if (owner && owner != service &&
		    (!owner->wanted || !lb_frontend_find(owner->wanted, &key)))
			g_hash_table_add(losers, owner);
	}
}

static void apply_changed(struct lb_maps *maps, GPtrArray *changed)
{
	g_autoptr(GHashTable) losers = g_hash_table_new(NULL, NULL);
	g_autoptr(GPtrArray) first = g_ptr_array_new();
	g_autoptr(GPtrArray) last = g_ptr_array_new();

	for (guint i = 0; i < changed->len; i++)
		mark_losers(maps, changed->pdata[i], losers);
	for (guint i = 0; i < changed->len; i++)
		g_ptr_array_add(g_hash_table_contains(losers, changed->pdata[i]) ? last : first,
				changed->pdata[i]);
	lb_maps_apply(maps, first);
	lb_maps_apply(maps, last);
}

/*
 * Those that fail: all whose time has come, and of those that want room, where there may be more than before, some: a
 * change of one service is not to cost a look at thousands that do not fit.
 */
static void retry_failing(struct lb_maps *maps, bool has_more_room)
{
	g_autoptr(GPtrArray) services = g_ptr_array_new();
	int64_t now_ns = maps->now_ns();
	GHashTableIter iter;
	void *pointer;

	g_hash_table_iter_init(&iter, maps->failing);
	while (g_hash_table_iter_next(&iter, &pointer, NULL)) {
		const struct lb_failing *failing = ((struct kernel_service *)pointer)->failing;

		if (failing->next_ns <= now_ns ||
		    (has_more_room && services->len < GROUP && lb_error_is_room(failing->error)))
			g_ptr_array_add(services, pointer);
	}
	lb_maps_apply(maps, services);
}

/* ---- the plan ---- */

static void set_wanted(struct kernel_service *service, const struct lb_service *row)
{
	if (row)
		row_ref(&row->row);
	if (service->wanted)
		row_unref(&service->wanted->row);
	service->wanted = row;
}

/* The service of a row that is gone. */
static void disown(struct lb_maps *maps, const struct row_key *key, GPtrArray *removed)
{
	struct kernel_service *service = keyed_set_remove(&maps->services, key->data, key->n_bytes);

	if (!service)
		return;
	set_wanted(service, NULL);
	g_hash_table_add(maps->unwanted, service);
	g_ptr_array_add(removed, service);
}

static void own(struct lb_maps *maps, struct kernel_service *service, const struct lb_service *row)
{
	g_hash_table_remove(maps->unwanted, service);
	service->adopted = false;
	set_wanted(service, row);
	keyed_set_put(&maps->services, service);
}

/* The service of the row, which has what the kernel has of it, with all numbers; NULL: none is known. */
static struct kernel_service *find_service(struct lb_maps *maps, const struct lb_service *row,
					   bool by_backends)
{
	/* Its key is in the row that it is about to give back. */
	struct kernel_service *service =
		keyed_set_remove(&maps->services, row->key, strlen(row->key));

	return service ? service : lb_frontend_find_service(maps, row, by_backends);
}

static void link_removed(struct lb_maps *maps, GPtrArray *keys, GPtrArray *removed)
{
	for (guint i = 0; i < keys->len; i++) {
		const char *key = keys->pdata[i];
		struct row_key row_key = {key, strlen(key)};

		if (!table_get(maps->table, key, row_key.n_bytes))
			disown(maps, &row_key, removed);
	}
}

/* After those that are gone: a row whose key is another takes over what it was. */
static void link_changed(struct lb_maps *maps, GPtrArray *keys, GPtrArray *changed)
{
	g_autoptr(GPtrArray) rest = g_ptr_array_new();

	for (guint i = 0; i < keys->len; i++) {
		const char *key = keys->pdata[i];
		const void *row = table_get(maps->table, key, strlen(key));
		struct kernel_service *service = row ? find_service(maps, row, false) : NULL;

		if (row && !service)
			g_ptr_array_add(rest, (void *)row);
		if (!service)
			continue;
		own(maps, service, row);
		g_ptr_array_add(changed, service);
	}
	for (guint i = 0; i < rest->len; i++) {
		struct kernel_service *service = find_service(maps, rest->pdata[i], true);

		if (!service)
			service = lb_service_new_unwanted(maps, 0);
		own(maps, service, rest->pdata[i]);
		g_ptr_array_add(changed, service);
	}
}

/* Those that no row has taken over. */
static void remove_unwanted(struct lb_maps *maps, GPtrArray *removed)
{
	g_autoptr(GPtrArray) services = g_ptr_array_new();

	for (guint i = 0; i < removed->len; i++)
		if (g_hash_table_contains(maps->unwanted, removed->pdata[i]))
			g_ptr_array_add(services, removed->pdata[i]);
	lb_maps_apply(maps, services);
}

static void run_watch(struct watch *watch, void *data)
{
	struct lb_maps *maps = data;
	g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GPtrArray) changed = g_ptr_array_new();
	g_autoptr(GPtrArray) removed = g_ptr_array_new();
	uint64_t n_before = maps->n_deleted;
	struct table *table;
	struct row_key key;

	lb_begin_run(maps);
	while (watch_pop(watch, &table, &key))
		g_ptr_array_add(keys, g_strndup(key.data, key.n_bytes));
	link_removed(maps, keys, removed);
	link_changed(maps, keys, changed);
	apply_changed(maps, changed);
	remove_unwanted(maps, removed);
	if (maps->n_deleted != n_before)
		retry_failing(maps, true);
	lb_end_run(maps, NULL);
}

void lb_maps_watch(struct lb_maps *maps, struct store *store, struct tables *tables)
{
	watch_add(watch_new(store, "services", run_watch, maps), tables->lb_services);
}

/* ---- in time ---- */

int64_t lb_maps_retry(struct lb_maps *maps)
{
	uint64_t n_before = maps->n_deleted;
	int64_t next_ns = INT64_MAX;
	GHashTableIter iter;
	void *service;

	if (!g_hash_table_size(maps->failing))
		return -1;
	lb_begin_run(maps);
	retry_failing(maps, false);
	if (maps->n_deleted != n_before)
		retry_failing(maps, true);
	lb_end_run(maps, NULL);
	g_hash_table_iter_init(&iter, maps->failing);
	while (g_hash_table_iter_next(&iter, &service, NULL))
		next_ns = MIN(next_ns, ((struct kernel_service *)service)->failing->next_ns);
	return next_ns == INT64_MAX ? -1 : MAX(next_ns - maps->now_ns(), 0);
}

static bool collect_orphan(void *item, void *data)
{
	struct kernel_frontend *frontend = item;

	if (!frontend->owner && !frontend->n_refs)
		g_ptr_array_add(data, frontend);
	return true;
}

/* Wildcards, and what else is no service's, that an agent before has left. */
static void remove_orphan_frontends(struct lb_maps *maps)
{
	g_autoptr(GPtrArray) orphans = g_ptr_array_new();

	keyed_set_foreach(&maps->frontends, collect_orphan, orphans);
	for (guint i = 0; i < orphans->len; i++) {
		struct kernel_frontend *frontend = orphans->pdata[i];

		/* Where it fails the next comparison finds it. */
		if (!lb_write(maps, PLAN_MAP_cilium_lb_services, &frontend->key, NULL))
			lb_count(maps, PLAN_MAP_cilium_lb_services, -1);
		lb_frontend_free(maps, frontend);
	}
}

void lb_maps_allow_deletion(struct lb_maps *maps)
{
	g_autoptr(GPtrArray) services = g_ptr_array_new();
	uint64_t n_before = maps->n_deleted;
	GHashTableIter iter;
	void *service;

	if (maps->deletion_allowed)
		return;
	maps->deletion_allowed = true;
	lb_begin_run(maps);
	g_hash_table_iter_init(&iter, maps->held);
	while (g_hash_table_iter_next(&iter, &service, NULL))
		g_ptr_array_add(services, service);
	g_hash_table_iter_init(&iter, maps->unwanted);
	while (g_hash_table_iter_next(&iter, &service, NULL))
		if (!g_hash_table_contains(maps->held, service))
			g_ptr_array_add(services, service);
	lb_maps_apply(maps, services);
	remove_orphan_frontends(maps);
	lb_remove_strays(maps);
	if (maps->n_deleted != n_before)
		retry_failing(maps, true);
	lb_end_run(maps, NULL);
}

/* ---- what others hand in ---- */

void lb_maps_set_clock(struct lb_maps *maps, int64_t (*now_ns)(void))
{
	maps->now_ns = now_ns;
}

void lb_maps_set_controller(struct lb_maps *maps, struct controllers *controllers,
			    int64_t interval_ns)
{
	maps->controller =
		controller_new(controllers, "reconcile-services", "datapath", interval_ns);
}

void lb_maps_set_maglev(struct lb_maps *maps, uint32_t size, uint32_t seed)
{
	maps->maglev_size = size;
	maps->maglev_seed = seed;
}

void lb_maps_set_backend_observer(struct lb_maps *maps, reconciler_backend_observer fn, void *data)
{
	maps->on_gone = fn;
	maps->on_gone_data = data;
}

void lb_maps_set_write_observer(struct lb_maps *maps, reconciler_write_fn fn, void *data)
{
	maps->on_write = fn;
	maps->on_write_data = data;
}
