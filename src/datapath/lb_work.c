// SPDX-License-Identifier: Apache-2.0
/* A service that is worked at: what the kernel has of it, beside what it is to have. */
#include "src/datapath/lb_private.h"

#include <arpa/inet.h>
#include <string.h>

int lb_plan_backend_compare(const struct lb_plan_backend *a, const struct lb_plan_backend *b)
{
	int order = addr_compare(&a->addr, &b->addr);

	return order ? order : (int)a->port - b->port;
}

struct lb_backend lb_backend_value(const struct lb_service *row, uint32_t i, uint32_t number)
{
	const struct lb_plan_backend *backend = &row->backends[i];

	return (struct lb_backend){
		.addr = backend->addr,
		.port = htons(backend->port),
		.protocol = row->protocol,
		.state = backend->state,
		.flags = backend->flags,
		.zone = backend->zone,
		.weight = backend->weight,
		.service = number,
	};
}

/* ---- as things stand ---- */

static void add_known(struct lb_work *work, uint32_t i)
{
	const struct kernel_service *service = work->service;

	work->backends[work->n_backends++] = (struct work_backend){
		.value = lb_backend_value(service->row, i, service->number),
		.id = service->ids[i],
		.present = true,
	};
}

/* Both are sorted, and so is what they make. */
static void list_backends(struct lb_work *work)
{
	const struct lb_service *row = work->service->row, *target = work->target;
	uint32_t n_known = row ? row->n_backends : 0, n_wanted = target ? target->n_backends : 0;
	uint32_t known = 0, wanted = 0;

	work->backends = g_new0(struct work_backend, n_known + n_wanted);
	while (known < n_known || wanted < n_wanted) {
		int order;

		if (known == n_known)
			order = 1;
		else if (wanted == n_wanted)
			order = -1;
		else
			order = lb_plan_backend_compare(&row->backends[known],
							&target->backends[wanted]);
		if (order <= 0)
			add_known(work, known++);
		else
			work->n_backends++;
		if (order >= 0)
			work->backends[work->n_backends - 1].wanted = &target->backends[wanted++];
	}
}

/* As with back ends. */
static void list_ranges(struct lb_work *work)
{
	const struct lb_service *row = work->service->row, *target = work->target;
	uint32_t n_known = row ? row->n_source_ranges : 0;
	uint32_t n_wanted = target ? target->n_source_ranges : 0;
	uint32_t known = 0, wanted = 0;

	work->ranges = g_new0(struct work_range, n_known + n_wanted);
	while (known < n_known || wanted < n_wanted) {
		struct work_range *range = &work->ranges[work->n_ranges++];
		int order;

		if (known == n_known)
			order = 1;
		else if (wanted == n_wanted)
			order = -1;
		else
			order = cidr_compare(&row->source_ranges[known],
					     &target->source_ranges[wanted]);
		range->present = order <= 0;
		range->wanted = order >= 0;
		range->range =
			order <= 0 ? row->source_ranges[known] : target->source_ranges[wanted];
		known += range->present;
		wanted += range->wanted;
	}
}

/* The slots of the set among the ids of the service. */
uint32_t *lb_service_slots(const struct kernel_service *service, enum lb_set_kind kind)
{
	uint32_t *slots = service->ids + (service->row ? service->row->n_backends : 0);

	return kind == LB_SET_LOCAL ? slots + service->n_slot_entries[LB_SET_ALL] : slots;
}

static bool names_local_set(const struct lb_service *target)
{
	for (uint32_t i = 0; i < target->n_frontends; i++)
		if (target->frontends[i].flags &
		    (LB_FRONTEND_F_EXTERNAL_LOCAL | LB_FRONTEND_F_INTERNAL_LOCAL))
			return true;
	return false;
}

static void copy_sets(struct lb_work *work)
{
	const struct kernel_service *service = work->service;

	for (int kind = 0; kind < LB_SET__MAX; kind++) {
		struct work_set *set = &work->sets[kind];

		set->n_slots = service->n_slots[kind];
		set->n_entries = set->n_room = service->n_slot_entries[kind];
		set->slots =
			g_memdup2(lb_service_slots(service, kind), set->n_room * sizeof(uint32_t));
		set->is_needed =
			work->target && (kind == LB_SET_ALL || names_local_set(work->target));
	}
}

static bool ranges_change(const struct lb_work *work)
{
	for (uint32_t i = 0; i < work->n_ranges; i++)
		if (work->ranges[i].present != work->ranges[i].wanted)
			return true;
	return false;
}

bool lb_work_closes(const struct lb_work *work, const struct kernel_frontend *frontend)
{
	const struct lb_plan_frontend *plan;

	if (!work->target || !frontend->owner || !frontend->present ||
	    !(frontend->value.flags & LB_FRONTEND_F_SOURCE_RANGES))
		return false;
	plan = lb_frontend_find(work->target, &frontend->key);
	if (!plan)
		return ranges_change(work);
	return plan->flags & LB_FRONTEND_F_SOURCE_RANGES &&
	       (frontend->value.flags ^ plan->flags) & LB_FRONTEND_F_DENY_RANGES;
}

static bool switches_ranges(const struct lb_work *work)
{
	const struct kernel_service *service = work->service;

	for (uint32_t i = 0; i < service->n_frontends; i++)
		if (lb_work_closes(work, service->frontends[i]))
			return true;
	return false;
}

struct lb_work *lb_work_new(struct lb_maps *maps, struct kernel_service *service,
			    const struct lb_service *target)
{
	struct lb_work *work = g_new0(struct lb_work, 1);

	work->maps = maps;
	work->service = service;
	work->target = target;
	if (target)
		row_ref(&target->row);
	list_backends(work);
	list_ranges(work);
	copy_sets(work);
	work->switches = switches_ranges(work);
	work->may_delete = maps->deletion_allowed;
	return work;
}

/* ---- room ---- */

static uint32_t count_choosable(const struct lb_work *work, enum lb_set_kind kind)
{
	uint8_t flag = kind == LB_SET_LOCAL ? LB_BACKEND_F_IN_LOCAL : LB_BACKEND_F_IN_ALL;
	uint32_t n = 0;

	for (uint32_t i = 0; i < work->n_backends; i++)
		n += work->backends[i].wanted && work->backends[i].wanted->flags & flag;
	return n;
}

uint32_t *lb_work_choosable(const struct lb_work *work, enum lb_set_kind kind, uint32_t *ret_n)
{
	uint8_t flag = kind == LB_SET_LOCAL ? LB_BACKEND_F_IN_LOCAL : LB_BACKEND_F_IN_ALL;
	uint32_t *ids = g_new(uint32_t, work->n_backends);
	uint32_t n = 0;

	for (uint32_t i = 0; work->sets[kind].is_needed && i < work->n_backends; i++)
		if (work->backends[i].wanted && work->backends[i].wanted->flags & flag)
			ids[n++] = work->backends[i].id;
	*ret_n = n;
	return ids;
}

static void count_set(const struct lb_maps *maps, const struct lb_work *work, enum lb_set_kind kind,
		      uint32_t *needs)
{
	const struct work_set *set = &work->sets[kind];
	uint32_t n = set->is_needed ? count_choosable(work, kind) : 0;

	needs[PLAN_MAP_cilium_lb_slots] += n > set->n_entries ? n - set->n_entries : 0;
	needs[PLAN_MAP_cilium_lb_sets] += n && !set->n_slots;
	if (n && n <= maps->maglev_size && work->target->needs_maglev)
		needs[PLAN_MAP_cilium_lb_maglev] += lb_table_n_missing(maps, work->service, kind);
}

static void count_needs(const struct lb_maps *maps, const struct lb_work *work, uint32_t *needs)
{
	for (uint32_t i = 0; i < work->n_backends; i++)
		needs[PLAN_MAP_cilium_lb_backends] +=
			work->backends[i].wanted && !work->backends[i].present;
	for (uint32_t i = 0; i < work->n_ranges; i++)
		needs[PLAN_MAP_cilium_lb_source_range] +=
			work->ranges[i].wanted && !work->ranges[i].present;
	for (int kind = 0; kind < LB_SET__MAX; kind++)
		count_set(maps, work, kind, needs);
	for (uint32_t i = 0; work->target && i < work->target->n_frontends; i++) {
		struct lb_frontend_key key = lb_frontend_key_of(work->target, i);
		const struct kernel_frontend *frontend =
			keyed_set_get(&maps->frontends, &key, sizeof(key));

		needs[PLAN_MAP_cilium_lb_services] += !frontend || !frontend->present;
	}
}

bool lb_work_fits(struct lb_maps *maps, struct lb_work *work)
{
	uint32_t needs[PLAN_MAP__MAX] = {0};

	count_needs(maps, work, needs);
	for (int i = 0; i < LB_N_FILLED_MAPS; i++) {
		enum plan_map map = lb_filled_maps[i];
		uint64_t sum = (uint64_t)maps->n_entries[map] + maps->n_pledged[map] + needs[map];

		if (needs[map] && sum > maps->datapath->ops->map_max_entries(maps->datapath, map)) {
			work->error = ENOSPC;
			work->map = map;
			return false;
		}
	}
	for (int map = 0; map < PLAN_MAP__MAX; map++)
		maps->n_pledged[map] += needs[map];
	return true;
}

/* ---- as it has become ---- */

static bool backend_is_right(const struct lb_work *work, const struct work_backend *backend)
{
	struct lb_backend value;

	if (!backend->wanted)
		return !backend->present;
	value = lb_backend_value(work->target, backend->wanted - work->target->backends,
				 work->service->number);
	return backend->present && memcmp(&value, &backend->value, sizeof(value)) == 0;
}

/* Back ends and ranges are as the target says, so that its row stands for them. */
static bool is_as_target(const struct lb_work *work)
{
	if (!work->target)
		return false;
	for (uint32_t i = 0; i < work->n_backends; i++)
		if (!backend_is_right(work, &work->backends[i]))
			return false;
	for (uint32_t i = 0; i < work->n_ranges; i++)
		if (work->ranges[i].present != work->ranges[i].wanted)
			return false;
	return true;
}

static struct lb_plan_backend plan_backend(const struct lb_backend *value)
{
	return (struct lb_plan_backend){
		.addr = value->addr,
		.port = ntohs(value->port),
		.weight = value->weight,
		.state = value->state,
		.flags = value->flags,
		.zone = value->zone,
	};
}

static int compare_frontends(const void *pointer_a, const void *pointer_b)
{
	const struct lb_plan_frontend *a = pointer_a, *b = pointer_b;
	int order = addr_compare(&a->addr, &b->addr);

	return order ? order : (int)a->port - b->port;
}

/* Front ends as the kernel has them, and what they say of the service. */
static void describe_frontends(const struct kernel_service *service, struct lb_service *fields,
			       GArray *frontends)
{
	for (uint32_t i = 0; i < service->n_frontends; i++) {
		const struct kernel_frontend *frontend = service->frontends[i];
		const struct lb_plan_frontend plan = {
			.addr = frontend->key.addr,
			.port = ntohs(frontend->key.port),
			.flags = frontend->value.flags,
			.type = frontend->value.type,
		};

		if (!frontend->present)
			continue;
		g_array_append_val(frontends, plan);
		if (!frontend->owner)
			continue;
		fields->protocol = frontend->key.protocol;
		fields->affinity_timeout = frontend->value.affinity_timeout;
		fields->algorithm = frontend->value.algorithm;
	}
	g_array_sort(frontends, compare_frontends);
}

struct lb_service *lb_service_row_new(const struct kernel_service *service,
				      const struct lb_plan_backend *backends, uint32_t n_backends,
				      const GArray *ranges)
{
	g_autoptr(GArray) frontends = g_array_new(false, false, sizeof(struct lb_plan_frontend));
	g_autofree char *key = g_strdup_printf("%u", service->number);
	struct lb_service fields = {0};

	if (service->wanted || service->row) {
		const struct lb_service *like = service->wanted ? service->wanted : service->row;

		fields = (struct lb_service){
			.namespace = like->namespace,
			.name = like->name,
			.port_name = like->port_name,
			.protocol = like->protocol,
		};
	}
	describe_frontends(service, &fields, frontends);
	fields.needs_maglev = service->tables[LB_SET_ALL] || service->tables[LB_SET_LOCAL];
	fields.frontends = (void *)frontends->data;
	fields.n_frontends = frontends->len;
	fields.backends = backends;
	fields.n_backends = n_backends;
	fields.source_ranges = (void *)ranges->data;
	fields.n_source_ranges = ranges->len;
	return lb_service_new(service->wanted ? service->wanted->key : key, &fields);
}

/* A row that says what there is: the target for the most part, but not all of it. */
static const struct lb_service *make_row(const struct lb_work *work)
{
	g_autofree struct lb_plan_backend *backends =
		g_new0(struct lb_plan_backend, work->n_backends);
	g_autoptr(GArray) ranges = g_array_new(false, false, sizeof(struct cidr));
	uint32_t n = 0;

	for (uint32_t i = 0; i < work->n_backends; i++)
		if (work->backends[i].present)
			backends[n++] = plan_backend(&work->backends[i].value);
	for (uint32_t i = 0; i < work->n_ranges; i++)
		if (work->ranges[i].present)
			g_array_append_val(ranges, work->ranges[i].range);
	return lb_service_row_new(work->service, backends, n, ranges);
}

static bool is_empty(const struct lb_work *work)
{
	const struct kernel_service *service = work->service;

	for (uint32_t i = 0; i < work->n_backends; i++)
		if (work->backends[i].present)
			return false;
	for (uint32_t i = 0; i < work->n_ranges; i++)
		if (work->ranges[i].present)
			return false;
	for (uint32_t i = 0; i < service->n_frontends; i++)
		if (service->frontends[i]->present)
			return false;
	for (int kind = 0; kind < LB_SET__MAX; kind++)
		if (work->sets[kind].n_slots || work->sets[kind].n_entries || service->tables[kind])
			return false;
	return true;
}

static void keep_ids(const struct lb_work *work)
{
	struct kernel_service *service = work->service;
	const struct work_set *sets = work->sets;
	uint32_t n = 0;

	g_free(service->ids);
	service->ids =
		g_new(uint32_t, (service->row ? service->row->n_backends : 0) +
					sets[LB_SET_ALL].n_entries + sets[LB_SET_LOCAL].n_entries);
	for (uint32_t i = 0; i < work->n_backends; i++)
		if (work->backends[i].present)
			service->ids[n++] = work->backends[i].id;
	for (int kind = 0; kind < LB_SET__MAX; kind++) {
		service->n_slots[kind] = sets[kind].n_slots;
		service->n_slot_entries[kind] = sets[kind].n_entries;
		for (uint32_t i = 0; i < sets[kind].n_entries; i++)
			service->ids[n++] = sets[kind].slots[i];
	}
}

/* Front ends that were claimed, and that the kernel did not take after all. */
static void drop_absent_frontends(struct lb_maps *maps, struct kernel_service *service)
{
	for (uint32_t i = service->n_frontends; i-- > 0;) {
		struct kernel_frontend *frontend = service->frontends[i];

		if (frontend->present)
			continue;
		lb_service_remove_frontend(service, frontend);
		if (frontend->owner || !--frontend->n_refs)
			lb_frontend_free(maps, frontend);
	}
}

void lb_work_free(struct lb_maps *maps, struct lb_work *work)
{
	struct kernel_service *service = work->service;
	const struct lb_service *row = NULL;

	if (work->begun) {
		drop_absent_frontends(maps, service);
		if (is_as_target(work))
			row = (const void *)row_ref(&work->target->row);
		else if (!is_empty(work))
			row = make_row(work);
		if (service->row)
			row_unref(&service->row->row);
		service->row = row;
		keep_ids(work);
	}
	for (int kind = 0; kind < LB_SET__MAX; kind++) {
		g_free(work->sets[kind].slots);
		g_free(work->sets[kind].next);
	}
	if (work->target)
		row_unref(&work->target->row);
	g_free(work->backends);
	g_free(work->ranges);
	g_free(work->claimed);
	g_free(work);
}
