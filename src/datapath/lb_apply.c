// SPDX-License-Identifier: Apache-2.0
/*
 * The steps from what the kernel has of a service to what it is to have. Their order is the promise of abi/lb.h:
 *
 *	ranges, back ends that come ─► slots, sets, tables ─► front ends		what is named is there
 *	front ends that go ─► sets ─► back ends that go, ranges			nothing names what goes
 *
 * Between any two writes a reader finds a service that works, with back ends of before or after; and so does an
 * agent that comes after one that was killed there. Flags of a front end may be those of before while the back
 * ends are those of after: of a service that is local from now on, one of another node may be chosen until then.
 */
#include "src/datapath/lb_private.h"

#include <arpa/inet.h>
#include <string.h>

#define IN_SETS (LB_BACKEND_F_IN_ALL | LB_BACKEND_F_IN_LOCAL)

typedef void (*step)(struct lb_maps *maps, struct lb_work *work);

static void foreach_work(struct lb_maps *maps, GPtrArray *works, step fn)
{
	for (guint i = 0; i < works->len; i++) {
		struct lb_work *work = works->pdata[i];

		if (!work->error)
			fn(maps, work);
	}
}

static void run(struct lb_maps *maps, GPtrArray *works, step fn)
{
	foreach_work(maps, works, fn);
	lb_batch_end(maps);
}

/* ---- beginning ---- */

static void begin(struct lb_maps *maps, struct lb_work *work)
{
	work->begun = true;
	if (!work->service->number && work->target)
		work->service->number = lb_number_take_service(maps);
	for (uint32_t i = 0; i < work->n_backends; i++)
		if (!work->backends[i].id)
			work->backends[i].id = lb_number_take_backend(maps);
	lb_frontend_claim(maps, work);
	for (int kind = 0; kind < LB_SET__MAX; kind++) {
		uint32_t n;
		g_autofree uint32_t *ids = lb_work_choosable(work, kind, &n);

		lb_slots_plan(&work->sets[kind], ids, n);
	}
}

/* ---- front ends ---- */

static bool done_frontend(struct lb_work *work, uint32_t index, const void *value)
{
	struct kernel_frontend *frontend = work->claimed[index];
	bool is_new = !frontend->present;

	lb_frontend_set_value(work->maps, frontend, value);
	return is_new;
}

static void add_frontends(struct lb_maps *maps, struct lb_work *work, bool wildcards)
{
	for (uint32_t i = 0; work->target && i < work->target->n_frontends; i++) {
		const struct lb_owner owner = {work, i};
		const struct kernel_frontend *frontend = work->claimed[i];
		struct lb_frontend value;

		if (!frontend ||
		    wildcards != !!(work->target->frontends[i].flags & LB_FRONTEND_F_WILDCARD))
			continue;
		value = lb_frontend_value(maps, work, i);
		if (!frontend->present || memcmp(&value, &frontend->value, sizeof(value)) != 0)
			lb_batch_add(maps, &owner, &frontend->key, &value);
	}
}

static void add_services(struct lb_maps *maps, struct lb_work *work)
{
	add_frontends(maps, work, false);
}

/* After the services of the address: until then it is nobody's, rather than one that refuses. */
static void add_wildcards(struct lb_maps *maps, struct lb_work *work)
{
	add_frontends(maps, work, true);
}

static bool done_closed(struct lb_work *work, uint32_t index, const void *value)
{
	lb_frontend_set_value(work->maps, work->service->frontends[index], value);
	return false;
}

/*
 * What a front end says for as long as others are written. Nobody is let in whom neither the ranges of before nor those of
 * after let in. One that the service has no more, and that must not be deleted yet, leads nowhere: after a restart
 * nobody knows whether it ever was of this service.
 */
static struct lb_frontend closed_value(const struct lb_work *work,
				       const struct kernel_frontend *frontend)
{
	struct lb_frontend value = frontend->value;

	if (!work->target || !frontend->owner || !frontend->present)
		return value;
	if (!work->may_delete && !lb_frontend_find(work->target, &frontend->key))
		value.service = 0;
	else if (work->switches && lb_work_closes(work, frontend))
		value.flags &= ~LB_FRONTEND_F_EXTERNAL;
	return value;
}

static void add_closed_frontends(struct lb_maps *maps, struct lb_work *work)
{
	const struct kernel_service *service = work->service;

	for (uint32_t i = 0; i < service->n_frontends; i++) {
		const struct lb_owner owner = {work, i};
		const struct kernel_frontend *frontend = service->frontends[i];
		struct lb_frontend value = closed_value(work, frontend);

		if (memcmp(&value, &frontend->value, sizeof(value)) != 0)
			lb_batch_add(maps, &owner, &frontend->key, &value);
	}
}

static bool is_unwanted(const struct lb_work *work, const struct kernel_frontend *frontend)
{
	return !work->target || !lb_frontend_find(work->target, &frontend->key);
}

/* Wildcards that others go on wanting. */
static void leave_wildcards(struct lb_maps *maps, struct lb_work *work)
{
	struct kernel_service *service = work->service;

	for (uint32_t i = service->n_frontends; i-- > 0;) {
		struct kernel_frontend *frontend = service->frontends[i];

		if (frontend->owner || frontend->n_refs < 2 || !is_unwanted(work, frontend))
			continue;
		frontend->n_refs--;
		lb_service_remove_frontend(service, frontend);
	}
}

static bool done_frontend_removed(struct lb_work *work, uint32_t index, const void *value)
{
	struct kernel_frontend *frontend = work->service->frontends[index];

	lb_service_remove_frontend(work->service, frontend);
	lb_frontend_free(work->maps, frontend);
	return false;
}

/* It waits for deletion to be allowed, also where a work that has failed takes back what it did. */
static bool was_closed(const struct kernel_frontend *frontend)
{
	return frontend->owner && !frontend->value.service;
}

/* From the end: what is removed gives its place to the last. */
static void add_frontend_removals(struct lb_maps *maps, struct lb_work *work)
{
	struct kernel_service *service = work->service;

	for (uint32_t i = service->n_frontends; i-- > 0;) {
		const struct lb_owner owner = {work, i};
		const struct kernel_frontend *frontend = service->frontends[i];

		if (!is_unwanted(work, frontend))
			continue;
		work->held |= !work->may_delete;
		if (work->may_delete && (maps->deletion_allowed || !was_closed(frontend)))
			lb_batch_add(maps, &owner, &frontend->key, NULL);
	}
}

static void note_turned(struct lb_maps *maps, struct lb_work *work)
{
	work->turned = true;
}

/* ---- back ends ---- */

static bool done_backend(struct lb_work *work, uint32_t index, const void *value)
{
	struct work_backend *backend = &work->backends[index];
	bool is_new = !backend->present;

	memcpy(&backend->value, value, sizeof(backend->value));
	backend->present = true;
	return is_new;
}

static struct lb_backend wanted_value(const struct lb_work *work, uint32_t i)
{
	return lb_backend_value(work->target, work->backends[i].wanted - work->target->backends,
				work->service->number);
}

/* Those that are new, or new in a set; what they leave they leave later. */
static void add_coming_backends(struct lb_maps *maps, struct lb_work *work)
{
	for (uint32_t i = 0; i < work->n_backends; i++) {
		const struct work_backend *backend = &work->backends[i];
		const struct lb_owner owner = {work, i};
		struct lb_backend value;

		if (!backend->wanted)
			continue;
		value = wanted_value(work, i);
		if (backend->present && !(value.flags & ~backend->value.flags & IN_SETS))
			continue;
		if (backend->present)
			value.flags |= backend->value.flags & IN_SETS;
		lb_batch_add(maps, &owner, &backend->id, &value);
	}
}

/*
 * Back ends as they are to be in the end. One that is wanted no more, but may not be deleted yet, leaves the sets:
 * it takes no new connection.
 */
static void add_final_backends(struct lb_maps *maps, struct lb_work *work)
{
	for (uint32_t i = 0; i < work->n_backends; i++) {
		const struct work_backend *backend = &work->backends[i];
		const struct lb_owner owner = {work, i};
		struct lb_backend value = backend->value;

		if (backend->wanted)
			value = wanted_value(work, i);
		else if (work->may_delete || !work->target)
			continue;
		else
			value.flags &= ~IN_SETS;
		if (memcmp(&value, &backend->value, sizeof(value)) != 0)
			lb_batch_add(maps, &owner, &backend->id, &value);
	}
}

static bool done_backend_removed(struct lb_work *work, uint32_t index, const void *value)
{
	struct work_backend *backend = &work->backends[index];
	struct lb_backend_gone gone = {
		.addr = backend->value.addr,
		.port = ntohs(backend->value.port),
		.protocol = backend->value.protocol,
		.id = backend->id,
	};

	backend->present = false;
	if (work->maps->on_gone)
		work->maps->on_gone(&gone, work->maps->on_gone_data);
	return false;
}

static void add_backend_removals(struct lb_maps *maps, struct lb_work *work)
{
	for (uint32_t i = 0; i < work->n_backends; i++) {
		const struct work_backend *backend = &work->backends[i];
		const struct lb_owner owner = {work, i};

		if (backend->wanted || !backend->present)
			continue;
		work->held |= !work->may_delete;
		if (work->may_delete)
			lb_batch_add(maps, &owner, &backend->id, NULL);
	}
}

/* ---- source ranges ---- */

static bool done_range(struct lb_work *work, uint32_t index, const void *value)
{
	bool is_new = !work->ranges[index].present;

	work->ranges[index].present = true;
	return is_new;
}

static bool done_range_removed(struct lb_work *work, uint32_t index, const void *value)
{
	work->ranges[index].present = false;
	return false;
}

struct lb_source_range_key lb_range_key(uint32_t number, const struct cidr *range)
{
	struct lb_source_range_key key = {
		.prefix_len = LB_SOURCE_RANGE_BITS + range->prefix_len,
		.service = number,
	};

	memcpy(&key.addr, &range->addr, sizeof(key.addr));
	return key;
}

static void add_ranges(struct lb_maps *maps, struct lb_work *work)
{
	static const struct lb_source_range value;

	for (uint32_t i = 0; i < work->n_ranges; i++) {
		const struct lb_owner owner = {work, i};
		const struct work_range *range = &work->ranges[i];
		struct lb_source_range_key key = lb_range_key(work->service->number, &range->range);

		if (range->wanted && !range->present)
			lb_batch_add(maps, &owner, &key, &value);
	}
}

static void add_range_removals(struct lb_maps *maps, struct lb_work *work)
{
	for (uint32_t i = 0; i < work->n_ranges; i++) {
		const struct lb_owner owner = {work, i};
		const struct work_range *range = &work->ranges[i];
		struct lb_source_range_key key = lb_range_key(work->service->number, &range->range);

		if (!range->wanted && range->present)
			lb_batch_add(maps, &owner, &key, NULL);
	}
}

static bool asks_ranges(const struct lb_work *work)
{
	for (uint32_t i = 0; work->target && i < work->target->n_frontends; i++)
		if (work->target->frontends[i].flags & LB_FRONTEND_F_SOURCE_RANGES)
			return true;
	return false;
}

/* Where front ends go on asking, or are about to; no connection knows a range, so nothing holds them. */
static void add_early_range_removals(struct lb_maps *maps, struct lb_work *work)
{
	if (asks_ranges(work))
		add_range_removals(maps, work);
}

/* Of those that ask no more, once they have said so. */
static void add_late_range_removals(struct lb_maps *maps, struct lb_work *work)
{
	work->held |= !work->may_delete && !asks_ranges(work) && work->n_ranges;
	if (work->may_delete)
		add_range_removals(maps, work);
}

/* ---- all of it ---- */

static void write_what_comes(struct lb_maps *maps, GPtrArray *works)
{
	lb_batch_begin(maps, PLAN_MAP_cilium_lb_services, false, done_closed);
	run(maps, works, add_closed_frontends);
	lb_batch_begin(maps, PLAN_MAP_cilium_lb_source_range, false, done_range);
	run(maps, works, add_ranges);
	lb_batch_begin(maps, PLAN_MAP_cilium_lb_source_range, true, done_range_removed);
	run(maps, works, add_early_range_removals);
	lb_batch_begin(maps, PLAN_MAP_cilium_lb_backends, false, done_backend);
	run(maps, works, add_coming_backends);
	lb_slots_apply(maps, works, true);
	lb_table_write(maps, works);
	/* Who asks for one that is gone takes a slot. */
	lb_table_remove(maps, works);
	lb_batch_begin(maps, PLAN_MAP_cilium_lb_services, false, done_frontend);
	run(maps, works, add_services);
	run(maps, works, add_wildcards);
	foreach_work(maps, works, note_turned);
}

static void remove_frontends(struct lb_maps *maps, GPtrArray *works)
{
	foreach_work(maps, works, leave_wildcards);
	lb_batch_begin(maps, PLAN_MAP_cilium_lb_services, true, done_frontend_removed);
	run(maps, works, add_frontend_removals);
}

static void remove_what_goes(struct lb_maps *maps, GPtrArray *works)
{
	remove_frontends(maps, works);
	lb_slots_apply(maps, works, false);
	lb_batch_begin(maps, PLAN_MAP_cilium_lb_backends, false, done_backend);
	run(maps, works, add_final_backends);
	lb_batch_begin(maps, PLAN_MAP_cilium_lb_backends, true, done_backend_removed);
	run(maps, works, add_backend_removals);
	lb_batch_begin(maps, PLAN_MAP_cilium_lb_source_range, true, done_range_removed);
	run(maps, works, add_late_range_removals);
}

void lb_apply(struct lb_maps *maps, GPtrArray *works)
{
	foreach_work(maps, works, begin);
	write_what_comes(maps, works);
	remove_what_goes(maps, works);
	memset(maps->n_pledged, 0, sizeof(maps->n_pledged));
}

void lb_apply_back(struct lb_maps *maps, GPtrArray *works)
{
	remove_frontends(maps, works);
	lb_apply(maps, works);
}
