// SPDX-License-Identifier: Apache-2.0
/*
 * Front ends: whose they are, and what the kernel is to have. An address and port is of one service at a time; a
 * wildcard, which only says that the address is no node's, is of all that name it.
 */
#include "src/datapath/lb_private.h"

#include <arpa/inet.h>
#include <string.h>

void lb_frontend_key(const void *item, struct row_key *ret_key)
{
	const struct kernel_frontend *frontend = item;

	*ret_key = (struct row_key){.data = &frontend->key, .n_bytes = sizeof(frontend->key)};
}

struct kernel_frontend *lb_frontend_get(struct lb_maps *maps, const struct lb_frontend_key *key)
{
	struct kernel_frontend *frontend = keyed_set_get(&maps->frontends, key, sizeof(*key));

	if (frontend)
		return frontend;
	frontend = g_new0(struct kernel_frontend, 1);
	frontend->key = *key;
	keyed_set_put(&maps->frontends, frontend);
	return frontend;
}

void lb_frontend_free(struct lb_maps *maps, struct kernel_frontend *frontend)
{
	keyed_set_remove(&maps->frontends, &frontend->key, sizeof(frontend->key));
	if (frontend->value.id)
		lb_number_put_frontend(maps, frontend->value.id);
	g_free(frontend);
}

static bool is_wildcard(const struct lb_plan_frontend *frontend)
{
	return frontend->flags & LB_FRONTEND_F_WILDCARD;
}

struct lb_frontend_key lb_frontend_key_of(const struct lb_service *row, uint32_t i)
{
	const struct lb_plan_frontend *frontend = &row->frontends[i];

	return (struct lb_frontend_key){
		.addr = frontend->addr,
		.port = is_wildcard(frontend) ? 0 : htons(frontend->port),
		.protocol = is_wildcard(frontend) ? 0 : row->protocol,
	};
}

const struct lb_plan_frontend *lb_frontend_find(const struct lb_service *row,
						const struct lb_frontend_key *key)
{
	uint32_t first = 0, end = row->n_frontends;

	if (key->protocol && key->protocol != row->protocol)
		return NULL;
	while (first < end) {
		uint32_t middle = (first + end) / 2;
		const struct lb_plan_frontend *frontend = &row->frontends[middle];
		int order = addr_compare(&frontend->addr, &key->addr);

		if (!order)
			order = (int)frontend->port - ntohs(key->port);
		if (!order)
			return frontend;
		if (order < 0)
			first = middle + 1;
		else
			end = middle;
	}
	return NULL;
}

static uint32_t count_common_backends(const struct kernel_service *service,
				      const struct lb_service *row)
{
	const struct lb_service *there = service->row;
	uint32_t at = 0, n = 0;

	for (uint32_t i = 0; i < row->n_backends; i++) {
		int order = -1;

		while (at < there->n_backends && order < 0) {
			order = lb_plan_backend_compare(&there->backends[at], &row->backends[i]);
			at += order <= 0;
		}
		n += order == 0;
	}
	return n;
}

/*
 * Whether the row is what became of the service. One that this run has known is the same under another key only with all
 * of its front ends: the others would lead to strangers for a moment. One that was adopted has no key, and may
 * have been changed while no agent ran: with most of its front ends, which no two rows can have, or with one
 * and half of its back ends.
 */
static bool is_of_row(const struct kernel_service *service, const struct lb_service *row,
		      bool by_backends)
{
	uint32_t n = 0, n_common = 0;

	for (uint32_t i = 0; i < service->n_frontends; i++) {
		const struct kernel_frontend *frontend = service->frontends[i];

		if (!frontend->owner)
			continue;
		n++;
		n_common += lb_frontend_find(row, &frontend->key) != NULL;
	}
	if (!service->adopted)
		return n_common == n;
	if (2 * n_common > n)
		return true;
	return by_backends && service->row &&
	       2 * count_common_backends(service, row) >= MAX(service->row->n_backends, 1);
}

struct kernel_service *lb_frontend_find_service(struct lb_maps *maps, const struct lb_service *row,
						bool by_backends)
{
	struct kernel_service *last = NULL;

	for (uint32_t i = 0; i < row->n_frontends; i++) {
		struct lb_frontend_key key = lb_frontend_key_of(row, i);
		const struct kernel_frontend *frontend =
			keyed_set_get(&maps->frontends, &key, sizeof(key));
		struct kernel_service *service = frontend ? frontend->owner : NULL;

		if (!service || service->wanted || service == last)
			continue;
		if (is_of_row(service, row, by_backends))
			return service;
		last = service;
	}
	return NULL;
}

/* ---- whose they are ---- */

static bool has_frontend(const struct kernel_service *service,
			 const struct kernel_frontend *frontend)
{
	for (uint32_t i = 0; i < service->n_frontends; i++)
		if (service->frontends[i] == frontend)
			return true;
	return false;
}

void lb_service_add_frontend(struct kernel_service *service, struct kernel_frontend *frontend)
{
	service->frontends =
		g_renew(struct kernel_frontend *, service->frontends, service->n_frontends + 1);
	service->frontends[service->n_frontends++] = frontend;
}

void lb_service_remove_frontend(struct kernel_service *service, struct kernel_frontend *frontend)
{
	for (uint32_t i = 0; i < service->n_frontends; i++) {
		if (service->frontends[i] != frontend)
			continue;
		service->frontends[i] = service->frontends[--service->n_frontends];
		return;
	}
}

static struct kernel_frontend *claim_wildcard(struct kernel_frontend *frontend,
					      struct kernel_service *service)
{
	if (!has_frontend(service, frontend)) {
		lb_service_add_frontend(service, frontend);
		frontend->n_refs++;
	}
	return frontend;
}

/* NULL: another service has it, and wants it. What another has and does not want any more becomes ours. */
static struct kernel_frontend *claim(struct kernel_frontend *frontend,
				     struct kernel_service *service)
{
	struct kernel_service *owner = frontend->owner;

	if (owner == service)
		return frontend;
	if (owner && owner->wanted && lb_frontend_find(owner->wanted, &frontend->key))
		return NULL;
	if (owner)
		lb_service_remove_frontend(owner, frontend);
	frontend->owner = service;
	lb_service_add_frontend(service, frontend);
	return frontend;
}

void lb_frontend_claim(struct lb_maps *maps, struct lb_work *work)
{
	const struct lb_service *target = work->target;

	if (!target)
		return;
	work->claimed = g_new0(struct kernel_frontend *, MAX(target->n_frontends, 1));
	for (uint32_t i = 0; i < target->n_frontends; i++) {
		struct lb_frontend_key key = lb_frontend_key_of(target, i);
		struct kernel_frontend *frontend = lb_frontend_get(maps, &key);

		work->claimed[i] = is_wildcard(&target->frontends[i])
					   ? claim_wildcard(frontend, work->service)
					   : claim(frontend, work->service);
		work->contested |= !work->claimed[i];
	}
}

/* ---- ids ---- */

struct holder_search {
	uint32_t id;
	struct kernel_frontend *found;
};

static bool find_holder(void *item, void *data)
{
	struct holder_search *search = data;
	struct kernel_frontend *frontend = item;

	if (frontend->value.id == search->id)
		search->found = frontend;
	return !search->found;
}

struct kernel_frontend *lb_frontend_by_id(const struct lb_maps *maps, uint32_t id)
{
	struct holder_search search = {.id = id};

	if (lb_number_has_frontend(maps, id))
		keyed_set_foreach(&maps->frontends, find_holder, &search);
	return search.found;
}

/* Whether somebody asked for the id that it has. */
static bool is_wanted_id(const struct kernel_frontend *frontend)
{
	const struct lb_service *row = frontend->owner ? frontend->owner->wanted : NULL;
	const struct lb_plan_frontend *plan = row ? lb_frontend_find(row, &frontend->key) : NULL;

	return plan && plan->id == frontend->value.id;
}

/* Whoever was given the id by chance is given another. False where it stays in use. */
static bool make_way(struct lb_maps *maps, uint32_t id)
{
	struct kernel_frontend *holder;
	struct lb_frontend value;

	/* A value that waits in the batch would give its front end back the id that it is about to lose. */
	lb_batch_end(maps);
	holder = lb_frontend_by_id(maps, id);
	if (!holder)
		return true;
	if (is_wanted_id(holder))
		return false;
	value = holder->value;
	value.id = lb_number_take_frontend(maps);
	if (holder->present && lb_write(maps, PLAN_MAP_cilium_lb_services, &holder->key, &value)) {
		lb_number_put_frontend(maps, value.id);
		return false;
	}
	holder->value.id = value.id;
	return true;
}

/* The one that is wanted, the one that it has, or a new one. */
static uint32_t choose_id(struct lb_maps *maps, const struct kernel_frontend *frontend,
			  uint32_t wanted)
{
	uint32_t id = frontend->value.id;

	if (wanted && wanted != id && make_way(maps, wanted)) {
		lb_number_use_frontend(maps, wanted);
		return wanted;
	}
	return id ? id : lb_number_take_frontend(maps);
}

static void take_id(struct lb_maps *maps, struct kernel_frontend *frontend, uint32_t id)
{
	if (frontend->value.id && frontend->value.id != id)
		lb_number_put_frontend(maps, frontend->value.id);
	frontend->value.id = id;
}

void lb_frontend_set_value(struct lb_maps *maps, struct kernel_frontend *frontend,
			   const struct lb_frontend *value)
{
	take_id(maps, frontend, value->id);
	frontend->value = *value;
	frontend->present = true;
}

/* ---- what the kernel is to have ---- */

/*
 * Of a wildcard that others want too: what any of them says, or has said since it was one's alone. One that is
 * alone with it says for itself.
 */
static void join(struct lb_frontend *value, const struct kernel_frontend *frontend)
{
	if (!frontend->present || frontend->n_refs < 2)
		return;
	value->flags |= frontend->value.flags;
	value->type = MIN(value->type, frontend->value.type);
}

struct lb_frontend lb_frontend_value(struct lb_maps *maps, const struct lb_work *work, uint32_t i)
{
	const struct lb_plan_frontend *plan = &work->target->frontends[i];
	struct lb_frontend value = {
		.id = choose_id(maps, work->claimed[i], plan->id),
		.flags = plan->flags,
		.type = plan->type,
	};

	/* Taken: should the write fail, the next try finds it again. */
	if (!work->claimed[i]->present)
		take_id(maps, work->claimed[i], value.id);
	if (is_wildcard(plan)) {
		join(&value, work->claimed[i]);
		return value;
	}
	value.service = work->service->number;
	value.affinity_timeout = work->target->affinity_timeout;
	value.algorithm = work->target->algorithm;
	return value;
}
